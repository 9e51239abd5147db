"""Registrations of the keys under which this department answered last: a restart need not begin from nothing."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from consentgate import canonical
from department_adapter.state.models import RecipientKeyRow

REFRESH_SECONDS = 3600
"""Uses within so long count as one: a write per request would only say that a key is still in use."""


@dataclass(frozen=True)
class Registration:
    """A bank's signed statement about its key, as it came. It proves itself: what stands here is verified again."""

    bank: str
    registration_jws: bytes


def remember(session: Session, registration: Registration, now: int, keep: int) -> None:
    """Notes that it was used at `now` (seconds since 1970); only the `keep` used last stay."""
    digest = canonical.digest(registration.registration_jws)
    row = session.get(RecipientKeyRow, digest)
    if row is not None and now - row.used_at < REFRESH_SECONDS:
        return
    session.merge(
        RecipientKeyRow(
            digest=digest, bank=registration.bank, registration_jws=registration.registration_jws, used_at=now
        )
    )
    session.flush()
    newest = select(RecipientKeyRow.digest).order_by(RecipientKeyRow.used_at.desc(), RecipientKeyRow.digest).limit(keep)
    session.execute(delete(RecipientKeyRow).where(RecipientKeyRow.digest.not_in(session.scalars(newest).all())))


def remembered(session: Session) -> list[Registration]:
    """All, the one used last at the end."""
    rows = session.scalars(select(RecipientKeyRow).order_by(RecipientKeyRow.used_at))
    return [Registration(row.bank, row.registration_jws) for row in rows]


def forget(session: Session, registration: Registration) -> None:
    """It does not hold any more."""
    digest = canonical.digest(registration.registration_jws)
    session.execute(delete(RecipientKeyRow).where(RecipientKeyRow.digest == digest))
