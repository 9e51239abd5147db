"""Bad policy files, named by their defect."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.support.witnessed_log import ORIGIN, log_signer, witness_signer
from tests.vectors.ledger.made_keys import ALIKE, groups, in_capitals, logs, vkey_of, witnesses
from tests.vectors.ledger.odd_signatures import SMALL_ORDER

_LOG = f"log {log_signer('the log').verifier_key}"
_TAX = f"witness tax {witness_signer('tax').verifier_key}"
_COURTS = f"witness courts {witness_signer('courts').verifier_key}"


@dataclass(frozen=True)
class PolicyCase:
    """A policy file that is refused, and the line that is named (0: none)."""

    name: str
    line: int
    policy: str


def policy_cases() -> Iterator[PolicyCase]:
    """Bad policy files by defect."""
    yield from _bad_lines(_LOG, _TAX, _COURTS)
    yield from _bad_keys(_LOG, _TAX)


def _case(name: str, line: int, *lines: str) -> PolicyCase:
    return PolicyCase(name, line, "\n".join([*lines, ""]))


def _bad_lines(log: str, tax: str, courts: str) -> Iterator[PolicyCase]:
    yield _case("empty", 0)
    yield _case("no-quorum", 0, log, tax)
    yield _case("quorum-twice", 4, log, tax, "quorum tax", "quorum tax")
    yield _case("quorum-undefined", 2, log, "quorum tax")
    yield _case("quorum-before-witness", 2, log, "quorum tax", tax)
    yield _case("quorum-of-two-names", 3, log, tax, "quorum tax courts")
    yield _case("unknown-keyword", 2, log, "witnesses tax", "quorum none")
    yield _case("keyword-upper-case", 1, log.replace("log", "Log", 1), "quorum none")
    yield _case("log-without-key", 1, "log", "quorum none")
    yield _case("log-with-three-words", 1, f"{log} http://x y", "quorum none")
    yield _case("witness-name-twice", 3, log, tax, tax.replace("customs", "x"), "quorum tax")
    yield _case("witness-called-none", 2, log, tax.replace("witness tax", "witness none", 1), "quorum none")
    yield _case("witness-without-key", 2, log, "witness tax", "quorum none")
    yield _case("group-without-members", 3, log, tax, "group g 1", "quorum g")
    yield _case("group-of-strangers", 3, log, tax, "group g 1 customs", "quorum g")
    yield _case("group-of-itself", 3, log, tax, "group g 1 g", "quorum g")
    yield _case("group-name-of-witness", 3, log, tax, "group tax 1 tax", "quorum tax")
    yield _case("group-member-twice", 3, log, tax, "group g 2 tax tax", "quorum g")
    yield _case("member-of-two-groups", 5, log, tax, courts, "group g 1 tax", "group h 2 tax courts", "quorum h")
    yield _case("count-zero", 4, log, tax, courts, "group g 0 tax courts", "quorum g")
    yield _case("count-above-members", 4, log, tax, courts, "group g 3 tax courts", "quorum g")
    yield _case("count-with-zero-in-front", 4, log, tax, courts, "group g 01 tax courts", "quorum g")
    yield _case("count-as-word", 4, log, tax, courts, "group g two tax courts", "quorum g")
    yield _case("comment-not-ascii", 0, log, "# Zürich", "quorum none")
    yield _case("delete-in-comment", 0, log, "# \x7f", "quorum none")
    yield _case("form-feed-between-words", 0, log, tax, "quorum\ftax")
    yield _case("count-with-plus", 4, log, tax, courts, "group g +2 tax courts", "quorum g")
    yield _case("witness-with-four-words", 2, log, f"{tax} http://x y", "quorum tax")
    yield _case("name-of-256-characters", 2, log, tax.replace(" tax ", f" {'t' * 256} "), "quorum none")
    yield _case("group-name-of-256-characters", 3, log, tax, f"group {'g' * 256} 1 tax", "quorum tax")
    yield _case("group-called-none", 3, log, tax, "group none 1 tax", "quorum tax")
    yield _case("sixty-five-logs", 65, *logs(65), "quorum none")
    yield _case("sixty-five-witnesses", 66, log, *witnesses(65), "quorum none")
    yield _case("sixty-five-groups", 130, log, *witnesses(64), *groups(65), "quorum none")
    yield _case("not-ascii", 0, log, "# Zeuge", "witness z" + chr(252) + "rich x", "quorum none")
    yield _case("carriage-returns", 0, log + "\r", "quorum none\r")


def _bad_keys(log: str, tax: str) -> Iterator[PolicyCase]:
    vkey = log.removeprefix("log ")
    of_witness = vkey_of(4, log_signer("the log").verifier_key.public)
    yield _case("log-key-of-witness", 1, f"log {witness_signer('tax').verifier_key}", "quorum none")
    yield _case("witness-key-of-log", 1, f"witness tax {vkey}", "quorum none")
    yield _case("key-id-wrong", 1, f"log {ORIGIN}+00000000+{vkey[-44:]}", "quorum none")
    yield _case("key-altered", 1, f"log {vkey[:-3]}AA=", "quorum none")
    yield _case("key-not-base64", 1, f"log {vkey[:-1]}?", "quorum none")
    yield _case("key-type-unknown", 1, f"log {vkey_of(2)}", "quorum none")
    yield _case("key-without-parts", 1, "log consentgate.test/ledger", "quorum none")
    yield _case("log-twice", 2, log, log, "quorum none")
    yield _case("witness-key-twice", 3, log, tax, tax.replace("witness tax", "witness other", 1), "quorum tax")
    yield _case("key-id-in-capitals", 1, f"log {in_capitals(vkey)}", "quorum none")
    yield _case("key-name-empty", 1, f"log {vkey_of(1, name='')}", "quorum none")
    yield _case("key-name-of-256-characters", 1, f"log {vkey_of(1, name='n' * 256)}", "quorum none")
    yield _case("key-of-31-bytes", 1, f"log {vkey_of(1, bytes(range(31)))}", "quorum none")
    yield _case("key-of-33-bytes", 1, f"log {vkey_of(1, bytes(range(33)))}", "quorum none")
    yield _case("key-with-padding", 1, f"log {vkey}====", "quorum none")
    yield _case("one-key-for-log-and-witness", 2, log, f"witness w {of_witness}", "quorum w")
    yield _case("two-keys-of-one-name-and-id", 2, *(f"log {vkey_of(1, key)}" for key in ALIKE), "quorum none")
    for name, public in SMALL_ORDER.items():
        yield _case(f"key-of-small-order-{name}", 1, f"log {vkey_of(1, public)}", "quorum none")
