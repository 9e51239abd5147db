"""Forgetting a company behind a token: which rows that are, and what is left of them.

Of the company the store keeps, per token: the mapping, consents with their statements, moves, and every request of the
group's banks that names the company, with salts, answers and the intents behind them. All of it goes. What stays is the
bare token with the record of its erasure; both are on the ledger anyway and name nobody.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, inspect, select, text
from sqlalchemy.orm import Session

from consentgate import canonical, signing
from gateway.store.consents import StoredConsent, versions
from gateway.store.models import (
    AllowanceRow,
    AnswerRow,
    CompanyRow,
    ConsentRow,
    ErasureRow,
    GroupMemberRow,
    RecordRow,
    RequestRow,
    SubjectRow,
    TransitionRow,
)
from gateway.store.records import receipt_of
from ledger.receipt import Receipt

DELETED_AT_ONCE = 500
"""Ids in one statement: below the number of parameters that every database accepts."""

_BASE64URL = re.compile(rb"[A-Za-z0-9_-]{16,}")


@dataclass(frozen=True)
class Holdings:
    """The rows that lead from a token to its company."""

    subject: SubjectRow
    consents: Sequence[ConsentRow]
    requests: Sequence[RequestRow]
    is_last: bool
    """Whether the company has no other token here: then its own row goes, too."""

    def newest_consents(self, session: Session) -> list[StoredConsent]:
        """Of every consent id the version in force."""
        return [versions(session, consent_id)[0] for consent_id in sorted({row.consent_id for row in self.consents})]

    def records(self) -> Iterator[RecordRow]:
        """Intents of all these rows."""
        for consent in self.consents:
            yield consent.record
            yield from (transition.record for transition in consent.transitions)
        for request in self.requests:
            yield request.decision
            if request.answer is not None:
                yield request.answer.release

    def allowances(self) -> Iterator[AllowanceRow]:
        """What was allowed under these consents."""
        return (request.allowance for request in self.requests if request.allowance is not None)


def erasure_of(session: Session, token: str) -> tuple[str, Receipt | None] | None:
    """(record key, receipt once the ledger has it) of an erased token."""
    row = session.get(ErasureRow, token)
    return None if row is None else (row.record.key, receipt_of(row.record))


def holdings(session: Session, token: str) -> Holdings | None:
    """Everything that leads from this token to its company; None when nothing does."""
    subject = session.execute(select(SubjectRow).where(SubjectRow.token == token)).scalar_one_or_none()
    if subject is None:
        return None
    company = session.get_one(CompanyRow, subject.company_id)
    others = session.execute(
        select(SubjectRow.id).where(SubjectRow.company_id == company.id, SubjectRow.id != subject.id)
    ).first()
    of_company = session.execute(select(ConsentRow).where(ConsentRow.company_id == company.id)).scalars()
    consents = [row for row in of_company if _claim(row.consent_jws, "subject") == token]
    banks = {row.grantee for row in consents} | set(
        session.execute(
            select(GroupMemberRow.bank).where(GroupMemberRow.grantee_group == subject.grantee_group)
        ).scalars()
    )
    asked = select(RequestRow)
    if others is not None:
        asked = asked.where(RequestRow.bank.in_(banks))
    requests = [row for row in session.execute(asked).scalars() if _claim(row.request_jws, "company") == company.code]
    return Holdings(subject, consents, requests, others is None)


def destroy(session: Session, found: Holdings) -> None:
    """Deletes all of it. Each statement in the order that foreign keys allow."""
    records = [record.id for record in found.records()]
    requests = [row.id for row in found.requests]
    consents = [row.id for row in found.consents]
    company = found.subject.company_id
    for column, ids in (
        (AnswerRow.request_row_id, requests),
        (AllowanceRow.request_row_id, requests),
        (RequestRow.id, requests),
        (TransitionRow.consent_row_id, consents),
        (ConsentRow.id, consents),
        (SubjectRow.id, [found.subject.id]),
        (CompanyRow.id, [company] if found.is_last else []),
        (RecordRow.id, records),
    ):
        for start in range(0, len(ids), DELETED_AT_ONCE):
            session.execute(delete(column.class_).where(column.in_(ids[start : start + DELETED_AT_ONCE])))


def add_erasure(session: Session, token: str, record: RecordRow) -> None:
    """Remembers that the token's company was forgotten: no statement may name it again."""
    session.add(ErasureRow(token=token, record_id=record.id))
    session.flush()


def places_of(session: Session, needle: str) -> dict[str, int]:
    """`table.column` → rows whose bytes hold the text, in clear or in base64url as statements do: every table that the
    database has is looked at, known to this program or not.
    """
    found: dict[str, int] = {}
    inspector = inspect(session.connection())
    for table in sorted(inspector.get_table_names()):
        for row in session.execute(text(f'SELECT * FROM "{table}"')).mappings():  # noqa: S608 - a name of the schema
            for column, value in row.items():
                if is_in(_bytes(value), needle):
                    place = f"{table}.{column}"
                    found[place] = found.get(place, 0) + 1
    return found


def erasure_places(session: Session, token: str) -> dict[str, int]:
    """Where an erased token may stand: its own row, and the record of its erasure."""
    row = session.get(ErasureRow, token)
    if row is None:
        return {}
    record = row.record
    columns = {"records.key": record.key.encode(), "records.body": record.body, "records.leaf": record.leaf}
    held = {place: 1 for place, value in columns.items() if token.encode() in value}
    return {"erasures.token": 1, **held}


def is_in(data: bytes, needle: str) -> bool:
    """Whether bytes hold the text in clear or inside base64url, wherever that begins."""
    plain = needle.encode()
    return plain in data or any(
        plain in _decoded(run[0][offset:]) for run in _BASE64URL.finditer(data) for offset in range(4)
    )


def _decoded(run: bytes) -> bytes:
    """What a run of base64url says; a character that completes no byte is left out."""
    whole = run[:-1] if len(run) % 4 == 1 else run
    return base64.urlsafe_b64decode(whole + b"=" * (-len(whole) % 4))


def _bytes(value: object) -> bytes:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    return str(value).encode()


def _claim(token: bytes, name: str) -> object:
    """A claim of a statement that was verified when it came in; absent in the gateway's own, empty ones."""
    return canonical.parse(signing.unverified_payload(token, "statement"), "statement").get(name)
