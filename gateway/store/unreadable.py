"""Rows that no key opens any more: after the key database was lost, or replaced by an older copy of it.

They are of no use to anybody, and in the way: a company whose mapping cannot be read could not consent again. What the
ledger holds of them stays there. An erasure is something else: it closes its token for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from consentgate.errors import ConsentgateError, ErrorCode
from gateway.store.erasures import destroy, records_of
from gateway.store.models import ConsentRow, RequestRow, Sealed, SubjectRow
from gateway.store.sealed_rows import subject_keys

_NOT_YET_RECORDED = "The ledger does not have all entries about them yet: run the gateway, then repeat."


@dataclass(frozen=True)
class Unreadable:
    """Rows whose key is gone."""

    subjects: Sequence[SubjectRow]
    consents: Sequence[ConsentRow]
    requests: Sequence[RequestRow]

    @property
    def counts(self) -> dict[str, int]:
        """Numbers only."""
        return {"tokens": len(self.subjects), "consents": len(self.consents), "requests": len(self.requests)}


def find(session: Session) -> Unreadable:
    """All of them."""
    subjects = session.execute(select(SubjectRow)).scalars().all()
    consents = session.execute(select(ConsentRow)).scalars().all()
    requests = session.execute(select(RequestRow)).scalars().all()
    rows: list[Sealed] = [*subjects, *consents, *requests]
    there = subject_keys(session).existing({row.key_id for row in rows})
    return Unreadable(
        [row for row in subjects if row.key_id not in there],
        [row for row in consents if row.key_id not in there],
        [row for row in requests if row.key_id not in there],
    )


def discard(session: Session) -> dict[str, int]:
    """Deletes them; raises REQUEST_IN_PROGRESS while the ledger does not have an entry about one of them."""
    found = find(session)
    if not all(record.recorded for record in records_of(found.consents, found.requests)):
        raise ConsentgateError(ErrorCode.REQUEST_IN_PROGRESS, field="records", hint=_NOT_YET_RECORDED)
    destroy(session, found.subjects, found.consents, found.requests)
    return found.counts
