"""Forged, stale and misused ledger receipts: the gateway, the log operator or both lie about what was
recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from consentgate.errors import ErrorCode as Code
from consentgate.evidence import EvidenceBundle
from ledger.entry import format_time
from ledger.receipt import Receipt
from tests.support.federation import Federation, hex16
from tests.support.forgeries.form import Forgery
from tests.support.witnessed_log import WITNESSES, WitnessedLog

Build = Callable[[Federation], EvidenceBundle]
QUORUM = WITNESSES[:3]


def _leaf(**body: object) -> Build:
    """One field of the leaf says something else (None: is absent)."""
    return lambda f: f.bundle(body=body)


def _receipt(**options: object) -> Build:
    return lambda f: f.bundle(**options)  # type: ignore[arg-type] # options of the receipt only


def _leaf_bytes(change: Callable[[bytes], bytes]) -> Build:
    """The bytes of the leaf are changed under a genuine proof."""

    def build(f: Federation) -> EvidenceBundle:
        decision = f.honest.decision
        return replace(f.honest, decision=Receipt(leaf=change(decision.leaf), proof=decision.proof))

    return build


def _proof_bytes(change: Callable[[bytes], bytes]) -> Build:
    def build(f: Federation) -> EvidenceBundle:
        decision = f.honest.decision
        return replace(f.honest, decision=Receipt(leaf=decision.leaf, proof=change(decision.proof)))

    return build


def _other_decision(f: Federation) -> EvidenceBundle:
    """The genuine receipt of another request of the same bank."""
    other = f.bundle(request=f.sign_request(f.request_claims(request_id=hex16("other"))))
    return replace(f.honest, decision=other.decision)


def _proof_of_other_leaf(f: Federation) -> EvidenceBundle:
    other = f.bundle(request=f.sign_request(f.request_claims(request_id=hex16("other"))))
    mixed = Receipt(leaf=f.honest.decision.leaf, proof=other.decision.proof)
    return replace(f.honest, decision=mixed)


def _deny(f: Federation) -> EvidenceBundle:
    return f.bundle(body={"verdict": "deny", "reason": "CONSENT_SCOPE"})


def _release_as_decision(f: Federation) -> EvidenceBundle:
    order = f.order()
    answers = f.answers(order)
    receipt = f.release(order, [token for token, _ in answers.values()], f.output(answers))
    return replace(f.honest, decision=receipt)


def _fork(f: Federation) -> EvidenceBundle:
    """The log signs a second history; no witness of the policy cosigns it, strangers do."""
    return f.bundle(witnesses=("stranger-1", "stranger-2", "stranger-3"))


def _other_log(f: Federation) -> EvidenceBundle:
    """A log that the gateway runs itself, with witnesses of its own and the true log's name."""
    own = WitnessedLog(f.now - timedelta(minutes=10), key_label="gateway's own log")
    decided_at = f.now - timedelta(seconds=1)
    body = f.decision_body(_parts(f.honest), decided_at)
    index = own.append("query.decision", body, decided_at)
    return replace(f.honest, decision=own.receipt(index, cosigned_at=f.now))


def _parts(bundle: EvidenceBundle) -> dict[str, bytes]:
    names = ("request_jws", "consent_jws", "attestation_jws", "scorecard_header", "approval_jws")
    return {name: getattr(bundle, name) for name in (*names, "key_registration_jws")}


def _not_after(**delta: float) -> Build:
    return lambda f: f.bundle(body={"not_after": format_time(f.now - timedelta(seconds=1) + timedelta(**delta))})


def _departments(f: Federation) -> EvidenceBundle:
    """The leaf owns up to fewer columns than the departments are asked for."""
    return f.bundle(body={"departments": [{"id": "tax", "columns": ["margin"]}]})


def _mismatch(name: str, value: object) -> Forgery:
    kind = "absent from leaf" if value is None else "misstated in leaf"
    return Forgery(f"{name} {kind}", Code.RECEIPT_MISMATCH, _leaf(**{name: value}), f"decision.leaf.{name}")


MISSTATED: dict[str, object] = {
    "request": "0" * 64,
    "request_id": hex16("other"),
    "institution": "bank-b",
    "group": "group-b",
    "subject": hex16("other subject"),
    "consent_id": hex16("other consent"),
    "consent_digest": "0" * 64,
    "scorecard": "0" * 64,
    "purpose": "marketing",
    "use": "MATCH",
    "custody": "quorum",
    "as_of": "2026-09",
    "approval": "0" * 64,
}
OPTIONAL = (
    "group",
    "subject",
    "consent_id",
    "consent_version",
    "consent_digest",
    "departments",
    "recipient_key",
    "custody",
    "as_of",
    "approval",
    "not_after",
)
"""Fields without which the ledger still accepts a decision (a deny has no use for them)."""

LEAF = (
    *(_mismatch(name, value) for name, value in MISSTATED.items()),
    *(_mismatch(name, None) for name in OPTIONAL),
    Forgery("departments misstated in leaf", Code.RECEIPT_MISMATCH, _departments, "decision.leaf.departments"),
    Forgery(
        "salt altered",
        Code.RECEIPT_MISMATCH,
        lambda f: replace(f.honest, request_salt=bytes(32)),
        "decision.leaf.request",
    ),
    Forgery(
        "salt truncated",
        Code.RECEIPT_MISMATCH,
        lambda f: replace(f.honest, request_salt=f.honest.request_salt[:31]),
        "decision.leaf.request",
    ),
    Forgery("decision denied", Code.RECEIPT_VERDICT, _deny, "decision.leaf.verdict"),
    Forgery("decision is a release", Code.RECEIPT_MISMATCH, _release_as_decision, "decision.leaf.kind"),
    Forgery("decision of other request", Code.RECEIPT_MISMATCH, _other_decision),
    Forgery("decision proof of other leaf", Code.RECEIPT_INVALID, _proof_of_other_leaf),
    Forgery("decision lives too long", Code.RECEIPT_EXPIRED, _not_after(seconds=61), "decision.leaf.not_after"),
    Forgery(
        "decision lives a negative time",
        Code.RECEIPT_EXPIRED,
        _not_after(seconds=-1),
        "decision.leaf.not_after",
    ),
    Forgery("decision expired", Code.RECEIPT_EXPIRED, _not_after(seconds=0.5), "decision.leaf.not_after"),
    Forgery(
        "decision replayed later",
        Code.LEDGER_STALE,
        lambda f: f.honest,
        "decision.proof",
        timedelta(seconds=61),
    ),
    Forgery(
        "decision replayed later with fresh cosignatures",
        Code.RECEIPT_EXPIRED,
        lambda f: f.bundle(cosigned_at=f.now + timedelta(seconds=60)),
        "decision.leaf.not_after",
        timedelta(seconds=61),
    ),
    Forgery("leaf altered", Code.RECEIPT_INVALID, _leaf_bytes(lambda leaf: leaf.replace(b'"allow"', b'"deny"'))),
    Forgery("leaf truncated", Code.RECEIPT_INVALID, _leaf_bytes(lambda leaf: leaf[:-1])),
    Forgery("leaf with white space", Code.RECEIPT_INVALID, _leaf_bytes(lambda leaf: leaf + b" ")),
    Forgery("proof truncated", Code.RECEIPT_INVALID, _proof_bytes(lambda proof: proof[: len(proof) // 2])),
    Forgery("proof empty", Code.RECEIPT_INVALID, _proof_bytes(lambda _: b"")),
    Forgery("proof without log signature", Code.RECEIPT_INVALID, _receipt(log_signs=False)),
    Forgery("proof under other log key", Code.RECEIPT_INVALID, _other_log),
    Forgery("cosignatures none", Code.LEDGER_QUORUM, _receipt(witnesses=()), "decision.proof"),
    Forgery("cosignatures quorum minus one", Code.LEDGER_QUORUM, _receipt(witnesses=QUORUM[:2])),
    Forgery("cosignatures one witness thrice", Code.RECEIPT_INVALID, _receipt(witnesses=QUORUM[:1] * 3)),
    Forgery("cosignatures by strangers", Code.LEDGER_QUORUM, _fork),
    Forgery("cosignatures stale", Code.LEDGER_STALE, lambda f: f.bundle(cosigned_at=f.now - timedelta(seconds=6))),
    Forgery(
        "cosignatures from the future",
        Code.LEDGER_STALE,
        lambda f: f.bundle(cosigned_at=f.now + timedelta(seconds=6)),
    ),
    Forgery(
        "cosignatures one fresh and two stale",
        Code.LEDGER_STALE,
        lambda f: f.bundle(
            cosigned_at={
                QUORUM[0]: f.now,
                QUORUM[1]: f.now - timedelta(hours=1),
                QUORUM[2]: f.now - timedelta(hours=1),
            }
        ),
    ),
)
