"""Policy files that a reader must accept."""

from __future__ import annotations

from collections.abc import Mapping

from tests.support.witnessed_log import WITNESSES, log_signer, policy_text, witness_signer
from tests.vectors.ledger.made_keys import groups, logs, vkey_of, witnesses
from tests.vectors.ledger.odd_signatures import NO_POINT

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
    "no-log": f"witness tax {witness_signer('tax').verifier_key}\nquorum tax",
    "blank-lines-and-words-after-quorum": "\n".join(
        [
            " \t ",
            f"log {log_signer('the log').verifier_key}",
            "quorum none",
            "\t# of no quorum",
            f"witness all {witness_signer('tax').verifier_key} any-word",
            f"witness {'~' * 255} {witness_signer('courts').verifier_key}",
            "group any 1 all",
        ]
    ),
    "sixty-four-of-each": "\n".join([*logs(64), *witnesses(64), *groups(64), "quorum g63"]),
    "log-and-witness-of-one-name": "\n".join(
        [f"log {log_signer('the log').verifier_key}", f"witness w {vkey_of(4)}", "quorum w"]
    ),
    "two-keys-of-one-name": f"log {log_signer('the log').verifier_key}\nlog {vkey_of(1)}\nquorum none",
    "key-that-is-no-point": f"log {vkey_of(1, NO_POINT)}\nquorum none",
}
