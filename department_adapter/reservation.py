"""Step 5 of a release: everything that can change is checked in the transaction that counts the use.

Serialisable, so that a revocation which the tail or the company writes at the same moment is either seen here or comes
after the use that it could not prevent; and so that two requests cannot both take the last use.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.evidence import ReleaseOrder
from department_adapter.projection import RegisteredKey
from department_adapter.revocations import check_unrestricted
from department_adapter.state import answers, restrictions, tail
from department_adapter.state.answers import Reservation
from department_adapter.uses import calendar_unit, check_uses


def reserve(session: Session, order: ReleaseOrder, now: datetime) -> None:
    """Checks, pins the subject token and counts the use. A leaf whose use is counted already is checked again and not
    counted again.
    """
    _check_alive(order, now)
    _check_consent(session, order)
    _check_approval(session, order)
    _check_key(session, order)
    _pin_subject(session, order)
    _count_use(session, order)


def _check_alive(order: ReleaseOrder, now: datetime) -> None:
    """Once more: the tail may have been waited for."""
    if now > order.not_after:
        raise ConsentgateError(ErrorCode.RECEIPT_EXPIRED, field="decision.leaf.not_after")


def _check_consent(session: Session, order: ReleaseOrder) -> None:
    """This very statement is in force on the ledger and ACTIVE, and the company did not say otherwise here."""
    consent = order.consent
    recorded = tail.consent_of(session, consent.consent_id)
    if recorded is None:
        raise ConsentgateError(ErrorCode.CONSENT_NOT_FOUND, field="consent_jws", hint="The ledger does not know it.")
    # evidence.verify compared this field of the leaf with the bytes of the statement.
    recorded.check_usable(consent.version, str(order.decision.entry.body["consent_digest"]))
    check_unrestricted(restrictions.of_consent(session, consent.consent_id, consent.company), consent.version, recorded)


def _check_approval(session: Session, order: ReleaseOrder) -> None:
    """The approval is the newest link of the group's chain: retirements count from the moment they are recorded."""
    head = tail.approval_head(session, order.approval.group)
    if head is None or head.digest != order.approval_digest:
        raise ConsentgateError(
            ErrorCode.SCORECARD_NOT_APPROVED,
            field="approval_jws",
            hint="The approval is not the newest link of the group's chain on the ledger.",
        )


def _check_key(session: Session, order: ReleaseOrder) -> None:
    """The bank's key stands on the ledger, where everybody sees who can open what is released."""
    if not tail.is_registered(session, RegisteredKey(order.bank.id, order.recipient_key.key_id)):
        raise ConsentgateError(ErrorCode.KEY_UNKNOWN, field="key_registration_jws")


def _pin_subject(session: Session, order: ReleaseOrder) -> None:
    """One token per company and group, for ever: by it the company finds every access."""
    pinned = restrictions.pin_subject(session, order.consent.company, order.consent.group, order.subject)
    if pinned != order.subject:
        raise ConsentgateError(ErrorCode.SUBJECT_MISMATCH, field="consent_jws.subject")


def _count_use(session: Session, order: ReleaseOrder) -> None:
    if answers.is_reserved(session, order.leaf_hash):
        return
    consent = order.consent
    unit = calendar_unit(order.decided_at, consent.frequency.per)
    check_uses(consent, answers.uses_of(session, consent.consent_id, consent.version, unit))
    answers.reserve(
        session,
        Reservation(
            leaf=order.leaf_hash,
            consent_id=consent.consent_id,
            version=consent.version,
            decided_at=int(order.decided_at.timestamp()),
        ),
    )
