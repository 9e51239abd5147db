"""What companies said directly, and the subject tokens that were pinned at their first use."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from consentgate.statements import TransitionAction
from department_adapter.state.models import DirectRestrictionRow, PinnedSubjectRow


@dataclass(frozen=True)
class DirectRestriction:
    """A verified pause or revocation; `tail_size` is how much of the ledger was known when it came."""

    consent_id: str
    nonce: str
    company: str
    version: int
    action: TransitionAction
    tail_size: int


def add(session: Session, restriction: DirectRestriction, transition_jws: bytes) -> None:
    """Stores it; a statement that was handed over before changes nothing."""
    key = (restriction.consent_id, restriction.nonce, restriction.company)
    if session.get(DirectRestrictionRow, key) is not None:
        return
    session.add(
        DirectRestrictionRow(
            consent_id=restriction.consent_id,
            nonce=restriction.nonce,
            company=restriction.company,
            version=restriction.version,
            action=restriction.action.value,
            transition_jws=transition_jws,
            tail_size=restriction.tail_size,
        )
    )
    session.flush()


def of_consent(session: Session, consent_id: str, company: str) -> list[DirectRestriction]:
    """What this company said about this consent id; consent ids are public, so others' words do not count."""
    query = select(DirectRestrictionRow).where(
        DirectRestrictionRow.consent_id == consent_id, DirectRestrictionRow.company == company
    )
    return [
        DirectRestriction(
            row.consent_id, row.nonce, row.company, row.version, TransitionAction(row.action), row.tail_size
        )
        for row in session.scalars(query)
    ]


def pin_subject(session: Session, company: str, group: str, token: str) -> str:
    """The token pinned for company and group: the one from before, else this one from now on."""
    row = session.get(PinnedSubjectRow, (company, group))
    if row is not None:
        return row.token
    session.add(PinnedSubjectRow(company=company, grantee_group=group, token=token))
    session.flush()
    return token
