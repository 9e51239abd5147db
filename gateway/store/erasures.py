"""Forgetting a company behind a token: which rows and keys that are, and what is left of them.

Of the company the store keeps, per token: the mapping, consents with their statements, moves, and every request of the
group's banks that names the company, with salts, answers and the intents behind them. All of it goes, and with it the
data keys that it was sealed with. What stays is the bare token with the record of its erasure, which are on the ledger
anyway and name nobody, and the ids of the keys, which lead nowhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from gateway.store.consents import StoredConsent, versions
from gateway.store.models import (
    AllowanceRow,
    AnswerRow,
    ConsentRow,
    DestroyedKeyRow,
    ErasureRow,
    GroupMemberRow,
    RecordRow,
    RequestRow,
    SubjectRow,
    TransitionRow,
)
from gateway.store.records import receipt_of
from gateway.store.sealed_database import SealedDatabase
from gateway.store.sealed_rows import opened, readable, subject_keys
from ledger.receipt import Receipt

KIND = "erasure.performed"
DELETED_AT_ONCE = 500
"""Ids in one statement: below the number of parameters that every database accepts."""


@dataclass(frozen=True)
class Holdings:
    """The rows that lead from a token to its company."""

    subject: SubjectRow
    consents: Sequence[ConsentRow]
    requests: Sequence[RequestRow]
    key_ids: Sequence[str]
    is_last: bool
    """Whether the company has no other token here: then whatever is kept about it goes, too."""

    def newest_consents(self, session: Session) -> list[StoredConsent]:
        """Of every consent id the version in force; none in a copy from before an erasure, where they are unreadable
        and hence of no use to anybody.
        """
        if not readable(session, self.subject):
            return []
        return [versions(session, consent_id)[0] for consent_id in sorted({row.consent_id for row in self.consents})]

    def records(self) -> Iterator[RecordRow]:
        """Intents of all these rows."""
        return records_of(self.consents, self.requests)

    def allowances(self) -> Iterator[AllowanceRow]:
        """What was allowed under these consents."""
        return (request.allowance for request in self.requests if request.allowance is not None)


def erasure_of(session: Session, token: str) -> tuple[str, Receipt | None] | None:
    """(record key, receipt once the ledger has it) of an erased token."""
    row = session.get(ErasureRow, token)
    return None if row is None else (row.record.key, receipt_of(row.record))


def holdings(session: Session, token: str) -> Holdings | None:
    """Everything that leads from this token to its company; None when nothing does.

    Raises STORE_INTEGRITY when the token was put to another company's key.
    """
    subject = session.execute(select(SubjectRow).where(SubjectRow.token == token)).scalar_one_or_none()
    if subject is None:
        return None
    if readable(session, subject):
        opened(session, subject, "mapping")
    consents = list(session.execute(select(ConsentRow).where(ConsentRow.key_id == subject.key_id)).scalars())
    siblings = subject_keys(session).siblings(subject.key_id)
    is_last = not _other_subjects(session, subject, siblings.values())
    scopes = set(siblings) if is_last else _banks_of(session, subject, consents)
    key_ids = sorted({subject.key_id, *(siblings[scope] for scope in scopes & set(siblings))})
    requests = list(session.execute(select(RequestRow).where(RequestRow.key_id.in_(key_ids))).scalars())
    return Holdings(subject, consents, requests, key_ids, is_last)


def _other_subjects(session: Session, subject: SubjectRow, key_ids: Collection[str]) -> bool:
    query = select(SubjectRow.id).where(SubjectRow.key_id.in_(key_ids), SubjectRow.id != subject.id)
    return session.execute(query).first() is not None


def _banks_of(session: Session, subject: SubjectRow, consents: Sequence[ConsentRow]) -> set[str]:
    """Banks that belong to the token's group: what they asked before the group was known is about this token, too."""
    members = select(GroupMemberRow.bank).where(GroupMemberRow.grantee_group == subject.grantee_group)
    return {row.grantee for row in consents} | set(session.execute(members).scalars())


def records_of(consents: Iterable[ConsentRow], requests: Iterable[RequestRow]) -> Iterator[RecordRow]:
    """Intents of these rows."""
    for consent in consents:
        yield consent.record
        yield from (transition.record for transition in consent.transitions)
    for request in requests:
        yield request.decision
        if request.answer is not None:
            yield request.answer.release


def destroy(
    session: Session, subjects: Sequence[SubjectRow], consents: Sequence[ConsentRow], requests: Sequence[RequestRow]
) -> None:
    """Deletes the rows and what hangs on them. Each statement in the order that foreign keys allow."""
    records = [record.id for record in records_of(consents, requests)]
    request_ids, consent_ids = [row.id for row in requests], [row.id for row in consents]
    for column, ids in (
        (AnswerRow.request_row_id, request_ids),
        (AllowanceRow.request_row_id, request_ids),
        (RequestRow.id, request_ids),
        (TransitionRow.consent_row_id, consent_ids),
        (ConsentRow.id, consent_ids),
        (SubjectRow.id, [row.id for row in subjects]),
        (RecordRow.id, records),
    ):
        for start in range(0, len(ids), DELETED_AT_ONCE):
            session.execute(delete(column.class_).where(column.in_(ids[start : start + DELETED_AT_ONCE])))


def add_erasure(session: Session, token: str, key_ids: Iterable[str], record: RecordRow) -> None:
    """Remembers that the token's company was forgotten, so that no statement names it again, and which keys must go."""
    session.add(ErasureRow(token=token, record_id=record.id))
    session.flush()
    session.add_all(DestroyedKeyRow(key_id=key_id, token=token) for key_id in key_ids)
    session.flush()


def destroyed_keys(session: Session, token: str | None = None) -> list[str]:
    """Ids of keys that erasures destroyed or are about to, of all tokens or of one."""
    query = select(DestroyedKeyRow.key_id)
    return list(session.execute(query if token is None else query.where(DestroyedKeyRow.token == token)).scalars())


def finish(database: SealedDatabase) -> int:
    """Destroys every key that an erasure ended and that is there still; returns how many.

    None, usually. Some after a crash between an erasure's transaction and its keys, and in a key database that was
    restored from before an erasure.
    """
    destroyed = database.keys.destroy(database.transact(destroyed_keys))
    if destroyed:
        database.keys.database.scrub()
    return destroyed


def erasure_places(session: Session, token: str) -> dict[str, int]:
    """Where an erased token may stand: its own row, and the record of its erasure."""
    row = session.get(ErasureRow, token)
    if row is None:
        return {}
    record = row.record
    columns = {"records.key": record.key.encode(), "records.body": record.body, "records.leaf": record.leaf}
    held = {place: 1 for place, value in columns.items() if token.encode() in value}
    keys = len(destroyed_keys(session, token))
    return {"erasures.token": 1, **({"destroyed_keys.token": keys} if keys else {}), **held}
