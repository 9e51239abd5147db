"""What of this department's own memory leads from a subject token to a company, and its end."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from department_adapter.state.models import AnswerRow, DirectRestrictionRow, PinnedSubjectRow, ReservationRow

IDS_AT_ONCE = 500
"""Ids in one statement: below the number of parameters that every database accepts."""


@dataclass(frozen=True)
class Held:
    """Rows: numbers only."""

    pins: int
    restrictions: int
    uses: int

    def __bool__(self) -> bool:
        return bool(self.pins or self.restrictions or self.uses)


def held(session: Session, token: str, consents: Collection[str]) -> Held:
    """What there is of a token and the consents that the ledger shows under it."""
    pins = session.execute(select(PinnedSubjectRow).where(PinnedSubjectRow.token == token)).all()
    restrictions = uses = 0
    for ids in _portions(consents):
        said = select(DirectRestrictionRow.nonce).where(DirectRestrictionRow.consent_id.in_(ids))
        restrictions += len(session.execute(said).all())
        uses += len(session.execute(select(ReservationRow.leaf).where(ReservationRow.consent_id.in_(ids))).all())
    return Held(len(pins), restrictions, uses)


def unended_restrictions(session: Session, token: str, consents: Collection[str]) -> int:
    """Rows with what the token's company said about consents other than these: they stay, since a consent that was
    revoked here only would come alive without them.
    """
    companies = select(PinnedSubjectRow.company).where(PinnedSubjectRow.token == token)
    query = select(DirectRestrictionRow.consent_id).where(DirectRestrictionRow.company.in_(companies))
    return sum(consent_id not in consents for consent_id in session.execute(query).scalars())


def destroy(session: Session, token: str, consents: Collection[str]) -> None:
    """Deletes pin, restrictions, uses and answers. Each statement in the order that foreign keys allow."""
    session.execute(delete(PinnedSubjectRow).where(PinnedSubjectRow.token == token))
    for ids in _portions(consents):
        leaves = select(ReservationRow.leaf).where(ReservationRow.consent_id.in_(ids))
        session.execute(delete(AnswerRow).where(AnswerRow.leaf.in_(leaves)))
        session.execute(delete(ReservationRow).where(ReservationRow.consent_id.in_(ids)))
        session.execute(delete(DirectRestrictionRow).where(DirectRestrictionRow.consent_id.in_(ids)))


def _portions(ids: Iterable[str]) -> Iterable[list[str]]:
    ordered = sorted(ids)
    return (ordered[start : start + IDS_AT_ONCE] for start in range(0, len(ordered), IDS_AT_ONCE))
