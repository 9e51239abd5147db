"""Policy files: good ones, and bad ones named by their defect."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests.support.witnessed_log import ORIGIN, WITNESSES, log_signer, policy_text, witness_signer


@dataclass(frozen=True)
class PolicyCase:
    """A policy file that is refused, and the line that is named (0: none)."""

    name: str
    line: int
    policy: str


def policy_cases() -> Iterator[PolicyCase]:
    """Bad policy files by defect."""
    log, tax, courts = (
        f"log {log_signer('the log').verifier_key}",
        f"witness tax {witness_signer('tax').verifier_key}",
        f"witness courts {witness_signer('courts').verifier_key}",
    )

    def policy(name: str, line: int, *lines: str) -> PolicyCase:
        return PolicyCase(name, line, "\n".join([*lines, ""]))

    vkey = str(log_signer("the log").verifier_key)
    yield policy("empty", 0)
    yield policy("no-quorum", 0, log, tax)
    yield policy("quorum-twice", 4, log, tax, "quorum tax", "quorum tax")
    yield policy("quorum-undefined", 2, log, "quorum tax")
    yield policy("quorum-before-witness", 2, log, "quorum tax", tax)
    yield policy("quorum-of-two-names", 3, log, tax, "quorum tax courts")
    yield policy("unknown-keyword", 2, log, "witnesses tax", "quorum none")
    yield policy("keyword-upper-case", 1, log.replace("log", "Log", 1), "quorum none")
    yield policy("log-without-key", 1, "log", "quorum none")
    yield policy("log-with-three-words", 1, f"{log} http://x y", "quorum none")
    yield policy("log-key-of-witness", 1, f"log {witness_signer('tax').verifier_key}", "quorum none")
    yield policy("witness-key-of-log", 1, f"witness tax {vkey}", "quorum none")
    yield policy("key-id-wrong", 1, f"log {ORIGIN}+00000000+{vkey[-44:]}", "quorum none")
    yield policy("key-altered", 1, f"log {vkey[:-3]}AA=", "quorum none")
    yield policy("key-not-base64", 1, f"log {vkey[:-1]}?", "quorum none")
    yield policy("key-type-unknown", 1, f"log {_vkey_of_type(2)}", "quorum none")
    yield policy("key-without-parts", 1, "log consentgate.test/ledger", "quorum none")
    yield policy("log-twice", 2, log, log, "quorum none")
    yield policy("witness-name-twice", 3, log, tax, tax.replace("customs", "x"), "quorum tax")
    yield policy("witness-key-twice", 3, log, tax, tax.replace("witness tax", "witness other", 1), "quorum tax")
    yield policy("witness-called-none", 2, log, tax.replace("witness tax", "witness none", 1), "quorum none")
    yield policy("witness-without-key", 2, log, "witness tax", "quorum none")
    yield policy("group-without-members", 3, log, tax, "group g 1", "quorum g")
    yield policy("group-of-strangers", 3, log, tax, "group g 1 customs", "quorum g")
    yield policy("group-of-itself", 3, log, tax, "group g 1 g", "quorum g")
    yield policy("group-name-of-witness", 3, log, tax, "group tax 1 tax", "quorum tax")
    yield policy("group-member-twice", 3, log, tax, "group g 2 tax tax", "quorum g")
    yield policy("member-of-two-groups", 5, log, tax, courts, "group g 1 tax", "group h 2 tax courts", "quorum h")
    yield policy("count-zero", 4, log, tax, courts, "group g 0 tax courts", "quorum g")
    yield policy("count-above-members", 4, log, tax, courts, "group g 3 tax courts", "quorum g")
    yield policy("count-with-zero-in-front", 4, log, tax, courts, "group g 01 tax courts", "quorum g")
    yield policy("count-as-word", 4, log, tax, courts, "group g two tax courts", "quorum g")
    yield policy("not-ascii", 0, log, "# Zeuge", "witness z" + chr(252) + "rich x", "quorum none")
    yield policy("carriage-returns", 0, log + "\r", "quorum none\r")


def _vkey_of_type(kind: int) -> str:
    """Well-formed, with its true key id, of a signature type that is not supported."""
    content = bytes([kind]) + bytes(range(32))
    key_id = hashlib.sha256(ORIGIN.encode() + b"\n" + content).hexdigest()[:8]
    return f"{ORIGIN}+{key_id}+{base64.b64encode(content).decode()}"


GOOD_POLICIES: Mapping[str, str] = {
    "three-of-four": policy_text(),
    "no-quorum": f"log {log_signer('the log').verifier_key}\nquorum none\n",
    "comments-and-tabs": "# who\n\n\tlog\t" + str(log_signer("the log").verifier_key) + "  \n  # none\nquorum none",
    "urls": "\n".join(
        [
            f"log {log_signer('the log').verifier_key} https://log.test/",
            f"witness tax {witness_signer('tax').verifier_key} https://tax.test/",
            "quorum tax",
        ]
    ),
    "groups-of-groups": "\n".join(
        [
            f"log {log_signer('the log').verifier_key}",
            *(f"witness {name} {witness_signer(name).verifier_key}" for name in WITNESSES),
            "group ministries any tax customs",
            "group others all courts regulator",
            "group both 2 ministries others",
            "quorum both",
        ]
    ),
}
