"""A department's statement of all that the ledger says about one subject token (docs/wire.md, section 5.8).

Departments read every leaf. Each can say, under its own signature and a witnessed checkpoint, how many leaves bear a
token and what they hash to; a company that was shown its entries by a gateway it does not trust compares. One token
per statement: a statement about two would tell everybody who sees it that they are one company's.

The statement is as true as the department that signs it. A false one can be refuted for ever by anybody who holds the
log up to its size, and names its author.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from consentgate import signing
from consentgate.anchors import Anchors
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.identity import Role
from consentgate.statements import StatementKind, SubjectHistoryClaims
from ledger.errors import LedgerError
from ledger.history import SubjectHistory
from ledger.policy import WitnessedCheckpoint
from ledger.tree import Frontier

OLDEST = timedelta(minutes=5)
"""How old the checkpoint of a statement may be: an old statement would be silent about what came since. Generous,
because companies' clocks are not synchronised.
"""


@dataclass(frozen=True)
class HistoryStatement:
    """As it travels: unverified."""

    statement_jws: bytes
    checkpoint: bytes


@dataclass(frozen=True)
class VerifiedHistory:
    """What a department says about a subject, up to `size` leaves, which the quorum had seen at `at`."""

    department: str
    subject: str
    size: int
    history: SubjectHistory
    at: datetime
    statement: HistoryStatement


def sign_history(
    subject: str, history: SubjectHistory, tree: Frontier, signer: signing.InstitutionSigner, issued_at: datetime
) -> bytes:
    """The department's JWS: in `tree`, this subject has this history."""
    kind = StatementKind.SUBJECT_HISTORY
    claims = SubjectHistoryClaims(
        aud=kind.audience(signer.identity.trust_domain),
        iat=int(issued_at.timestamp()),
        iss=str(signer.identity),
        subject=subject,
        size=tree.size,
        root=tree.root().hex(),
        entries=history.entries,
        history=history.digest,
    )
    return signer.sign(kind, claims)


def verify_history(
    statement: HistoryStatement, subject: str, anchors: Anchors, now: datetime | None
) -> VerifiedHistory:
    """Checkpoint, age, signature and every binding; raises HISTORY_INVALID with the field, or LEDGER_STALE.

    A statement that somebody kept has no age to be refused for (`now` None): it says what was so at its checkpoint.
    """
    witnessed, at = _checkpoint(statement.checkpoint, anchors)
    if now is not None and abs(now - at) > OLDEST:
        raise ConsentgateError(ErrorCode.LEDGER_STALE, field="history.checkpoint")
    kind = StatementKind.SUBJECT_HISTORY
    payload, signer = signing.verify_institution(
        statement.statement_jws, kind, anchors.member_ca, at, ErrorCode.HISTORY_INVALID
    )
    claims = SubjectHistoryClaims.parse(payload, "history")
    if signer.role is not Role.DEPARTMENT or signer.trust_domain != anchors.trust_domain:
        raise ConsentgateError(ErrorCode.HISTORY_INVALID, field="history.iss")
    expected = {
        "aud": kind.audience(anchors.trust_domain),
        "iss": str(signer),
        "subject": subject,
        "size": witnessed.checkpoint.size,
        "root": witnessed.checkpoint.root.hex(),
    }
    for name, value in expected.items():
        if getattr(claims, name) != value:
            raise ConsentgateError(ErrorCode.HISTORY_INVALID, field=f"history.{name}")
    history = SubjectHistory(claims.entries, claims.history)
    return VerifiedHistory(signer.id, subject, claims.size, history, at, statement)


def _checkpoint(note: bytes, anchors: Anchors) -> tuple[WitnessedCheckpoint, datetime]:
    """The checkpoint, witnessed by the quorum of the reader's own policy, and when that was."""
    try:
        witnessed = anchors.log_policy.check(note)
    except LedgerError as error:
        raise ConsentgateError(ErrorCode.HISTORY_INVALID, field="history.checkpoint") from error
    if witnessed.cosigned_at is None:
        raise ConsentgateError(ErrorCode.HISTORY_INVALID, field="history.checkpoint", private="no quorum")
    return witnessed, witnessed.cosigned_at
