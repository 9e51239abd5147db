"""Queries over requests, their reservations and answers. What names the company is sealed here and opened here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from consentgate import canonical
from consentgate.evidence import EvidenceBundle
from consentgate.scorecard import Scorecard
from gateway.store.approvals import find_scorecard, group_of
from gateway.store.models import AllowanceRow, AnswerRow, RecordRow, RequestRow
from gateway.store.records import receipt_of
from gateway.store.sealed_rows import data_key, key_of, opened, readable, seal
from ledger.receipt import Receipt

MAX_FIELD = 200
"""Characters kept of the name of the field an error was about."""


SEPARATOR = b"\n"
"""Between the departments' answers: compact JWS have no such byte, and there is no answer without one."""


class RequestState(StrEnum):
    """Where a request stands, as its bank sees it."""

    PENDING = "PENDING"
    DENIED = "DENIED"
    ALLOWED = "ALLOWED"
    RELEASED = "RELEASED"
    FAILED = "FAILED"


@dataclass(frozen=True)
class Allowance:
    """Everything but the receipt that the evidence bundle of an allowed request consists of."""

    scorecard: Scorecard
    not_after: datetime
    consent_jws: bytes
    attestation_jws: bytes
    header: bytes
    approval_jws: bytes
    registration_jws: bytes


@dataclass(frozen=True)
class StoredAnswer:
    """A computed output; `ciphertext` is empty once it was deleted."""

    ciphertext: bytes
    answer_jws: tuple[bytes, ...]
    release_key: str
    release: Receipt | None


@dataclass(frozen=True)
class StoredRequest:
    """A request as the gateway remembers it."""

    row_id: int
    bank: str
    request_id: str
    request_jws: bytes
    request_salt: bytes
    received_at: datetime
    verdict: str
    reason: str
    field: str
    failed_step: int
    decision_key: str
    decision: Receipt | None
    allowance: Allowance | None
    answer: StoredAnswer | None

    @property
    def digest(self) -> str:
        """SHA-256 of the request as signed: whether a repeat is one."""
        return canonical.digest(self.request_jws)

    @property
    def state(self) -> RequestState:
        """State that follows from the facts."""
        if self.decision is None:
            return RequestState.PENDING
        if self.verdict == "deny":
            return RequestState.DENIED
        if self.answer is not None and self.answer.release is not None:
            return RequestState.RELEASED
        return RequestState.FAILED if self.reason else RequestState.ALLOWED

    @property
    def step(self) -> int:
        """Last completed step of docs/request-flow.md."""
        if self.answer is not None:
            return 9 if self.answer.release is None else 11
        if self.decision is None:
            return 5
        return 6 if not self.failed_step else self.failed_step - 1

    def bundle(self, allowance: Allowance, decision: Receipt) -> EvidenceBundle:
        """The evidence of this request under the given receipt."""
        return EvidenceBundle(
            request_jws=self.request_jws,
            request_salt=self.request_salt,
            consent_jws=allowance.consent_jws,
            attestation_jws=allowance.attestation_jws,
            scorecard_header=allowance.header,
            approval_jws=allowance.approval_jws,
            key_registration_jws=allowance.registration_jws,
            decision=decision,
        )


def _allowance(session: Session, row: AllowanceRow) -> Allowance:
    stored = find_scorecard(session, row.scorecard.scorecard)
    if stored is None:
        raise LookupError("a scorecard with an allowance cannot be missing")
    return Allowance(
        scorecard=stored.scorecard,
        not_after=datetime.fromtimestamp(row.not_after, UTC),
        consent_jws=opened(session, row.consent, "consent_jws"),
        attestation_jws=opened(session, row.consent, "attestation_jws"),
        header=row.scorecard.header,
        approval_jws=row.approval.approval_jws,
        registration_jws=row.key.registration_jws,
    )


def _answer(session: Session, row: AnswerRow) -> StoredAnswer:
    kept = row.ciphertext != b""
    return StoredAnswer(
        ciphertext=opened(session, row, "ciphertext") if kept else b"",
        answer_jws=tuple(opened(session, row, "answer_jws").split(SEPARATOR)) if kept else (),
        release_key=row.release.key,
        release=receipt_of(row.release),
    )


def _stored(session: Session, row: RequestRow) -> StoredRequest:
    return StoredRequest(
        row_id=row.id,
        bank=row.bank,
        request_id=row.request_id,
        request_jws=opened(session, row, "request_jws"),
        request_salt=opened(session, row, "request_salt"),
        received_at=datetime.fromtimestamp(row.received_at, UTC),
        verdict=row.verdict,
        reason=row.reason,
        field=row.field,
        failed_step=row.failed_step,
        decision_key=row.decision.key,
        decision=receipt_of(row.decision),
        allowance=None if row.allowance is None else _allowance(session, row.allowance),
        answer=None if row.answer is None else _answer(session, row.answer),
    )


def find(session: Session, bank: str, request_id: str) -> StoredRequest | None:
    """The bank's request with this id."""
    row = session.execute(
        select(RequestRow).where(RequestRow.bank == bank, RequestRow.request_id == request_id)
    ).scalar_one_or_none()
    return None if row is None else _stored(session, row)


@dataclass(frozen=True)
class NewRequest:
    """What step 5 stores about a request, whatever the verdict."""

    bank: str
    request_id: str
    company: str
    request_jws: bytes
    request_salt: bytes
    received_at: datetime
    verdict: str
    reason: str
    field: str


@dataclass(frozen=True)
class NewAllowance:
    """What step 5 stores beside it when the verdict is `allow`."""

    consent_row_id: int
    approval_row_id: int
    scorecard_row_id: int
    key_row_id: int
    not_after: datetime


def add(session: Session, request: NewRequest, decision: RecordRow, allowance: NewAllowance | None) -> StoredRequest:
    """Adds a request with its intended decision, sealed like what the company has under the bank's group."""
    key = data_key(session, request.company, group_of(session, request.bank) or request.bank)
    row = RequestRow(
        bank=request.bank,
        request_id=request.request_id,
        key_id=key.id,
        received_at=int(request.received_at.timestamp()),
        verdict=request.verdict,
        reason=request.reason,
        field=request.field[:MAX_FIELD],
        failed_step=0,
        decision_id=decision.id,
    )
    seal(key, row, request_jws=request.request_jws, request_salt=request.request_salt)
    session.add(row)
    session.flush()
    if allowance is not None:
        session.add(
            AllowanceRow(
                request_row_id=row.id,
                consent_row_id=allowance.consent_row_id,
                approval_row_id=allowance.approval_row_id,
                scorecard_row_id=allowance.scorecard_row_id,
                key_row_id=allowance.key_row_id,
                used_at=int(request.received_at.timestamp()),
                not_after=int(allowance.not_after.timestamp()),
            )
        )
        session.flush()
    session.expire(row)
    return _stored(session, row)


def add_answer(
    session: Session,
    request_row_id: int,
    ciphertext: bytes,
    answer_jws: Sequence[bytes],
    release: RecordRow,
    expires_at: datetime,
) -> None:
    """Stores the output before anybody can open it; what an earlier attempt failed of is no longer true."""
    request = session.get_one(RequestRow, request_row_id)
    request.failed_step, request.reason, request.field = 0, "", ""
    row = AnswerRow(request=request, expires_at=int(expires_at.timestamp()), release_id=release.id)
    seal(key_of(session, request), row, ciphertext=ciphertext, answer_jws=SEPARATOR.join(answer_jws))
    session.add(row)
    session.flush()


def answer_of(session: Session, request_row_id: int) -> StoredAnswer | None:
    """The stored output of a request."""
    row = session.get(AnswerRow, request_row_id)
    return None if row is None else _answer(session, row)


def mark_failed(session: Session, request_row_id: int, step: int, reason: str, field: str) -> None:
    """Notes why an allowed request was not released; a later retry within its life may still succeed."""
    row = session.get_one(RequestRow, request_row_id)
    row.failed_step, row.reason, row.field = step, reason, field[:MAX_FIELD]


def of_bank(session: Session, bank: str, before_row: int | None, limit: int) -> list[StoredRequest]:
    """The bank's requests, newest first, older than `before_row`; none whose company was erased elsewhere."""
    query = select(RequestRow).where(RequestRow.bank == bank).order_by(RequestRow.id.desc()).limit(limit)
    if before_row is not None:
        query = query.where(RequestRow.id < before_row)
    return [_stored(session, row) for row in session.execute(query).scalars() if readable(session, row)]


def delete_expired(session: Session, now: datetime, limit: int) -> int:
    """Empties outputs and departments' answers whose time is over; the fact of the release stays."""
    query = (
        select(AnswerRow).where(AnswerRow.expires_at <= int(now.timestamp()), AnswerRow.ciphertext != b"").limit(limit)
    )
    rows = list(session.execute(query).scalars())
    for row in rows:
        row.ciphertext = row.answer_jws = b""
    return len(rows)
