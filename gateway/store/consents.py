"""Queries over consents. Rows leave this module as frozen values; signed statements were verified when they came in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session, aliased

from consentgate import canonical, signing
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.statements import ConsentClaims
from gateway.consent import ConsentState, Move, Transition, Uses, state_of
from gateway.store.models import (
    AllowanceRow,
    CompanyRow,
    ConsentRow,
    ErasureRow,
    RecordRow,
    SubjectRow,
    TransitionRow,
)

_ERASED = "This token's company was erased here at its wish; departments know no other token for it and this group."


@dataclass(frozen=True)
class StoredConsent:
    """One version of a consent with its history."""

    row_id: int
    claims: ConsentClaims
    entity: str
    consent_jws: bytes
    attestation_jws: bytes
    digest: str
    key: str
    recorded: bool
    transitions: tuple[Transition, ...]
    pending: tuple[str, ...]

    def state(self, now: datetime) -> ConsentState:
        """State at `now` (consent rules 2 and 3)."""
        return state_of(self.transitions, self.claims.valid_until, now)


def _stored(row: ConsentRow) -> StoredConsent:
    records = [row.record, *(transition.record for transition in row.transitions)]
    return StoredConsent(
        row_id=row.id,
        claims=ConsentClaims.parse(signing.unverified_payload(row.consent_jws, "consent_jws"), "consent_jws"),
        entity=row.company.entity,
        consent_jws=row.consent_jws,
        attestation_jws=row.attestation_jws,
        digest=row.digest,
        key=row.record.key,
        recorded=row.record.recorded,
        transitions=tuple(
            Transition(Move(transition.action), transition.record.recorded) for transition in row.transitions
        ),
        pending=tuple(record.key for record in records if not record.recorded),
    )


def pin_company(session: Session, code: str, entity: str) -> CompanyRow:
    """The company's row; raises INVALID_ARGUMENT_FIELD when the registry gave a code or an entity id twice."""
    found = select(CompanyRow).where((CompanyRow.code == code) | (CompanyRow.entity == entity))
    rows = list(session.execute(found).scalars())
    row = rows[0] if rows else CompanyRow(code=code, entity=entity)
    if not rows:
        session.add(row)
        session.flush()
    if len(rows) > 1 or (row.code, row.entity) != (code, entity):
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="attestation_jws.entity")
    return row


def pin_subject(session: Session, company: CompanyRow, group: str, token: str) -> None:
    """One token per company and group, and no token twice: else a company could not find its own accesses.

    An erased token never again: who sends its old statements once more would undo the erasure.
    """
    if session.get(ErasureRow, token) is not None:
        raise ConsentgateError(ErrorCode.SUBJECT_MISMATCH, field="consent_jws.subject", hint=_ERASED)
    pinned = session.execute(
        select(SubjectRow).where(SubjectRow.company_id == company.id, SubjectRow.grantee_group == group)
    ).scalar_one_or_none()
    taken = session.execute(select(SubjectRow).where(SubjectRow.token == token)).scalar_one_or_none()
    if pinned is None and taken is None:
        session.add(SubjectRow(company_id=company.id, grantee_group=group, token=token))
    elif pinned is None or pinned is not taken:
        raise ConsentgateError(ErrorCode.SUBJECT_MISMATCH, field="consent_jws.subject")


def versions(session: Session, consent_id: str) -> list[StoredConsent]:
    """All versions, newest first, recorded or not."""
    query = select(ConsentRow).where(ConsentRow.consent_id == consent_id).order_by(ConsentRow.version.desc())
    return [_stored(row) for row in session.execute(query).scalars()]


def add_consent(
    session: Session,
    company: CompanyRow,
    claims: ConsentClaims,
    statements: tuple[bytes, bytes],
    record: RecordRow,
) -> None:
    """Adds a version; `statements` are the consent's and the attestation's JWS."""
    session.add(
        ConsentRow(
            consent_id=claims.consent_id,
            version=claims.version,
            company_id=company.id,
            grantee=claims.grantee,
            valid_until=claims.valid_until,
            digest=canonical.digest(statements[0]),
            consent_jws=statements[0],
            attestation_jws=statements[1],
            record_id=record.id,
        )
    )


def add_transition(
    session: Session, consent_row_id: int, move: Move, nonce: str, transition_jws: bytes, record: RecordRow
) -> None:
    """Adds a move of one version."""
    session.add(
        TransitionRow(
            consent_row_id=consent_row_id,
            action=move.value,
            nonce=nonce,
            transition_jws=transition_jws,
            record_id=record.id,
        )
    )


def known_transition(session: Session, consent_row_id: int, nonce: str) -> tuple[bytes, str] | None:
    """(statement, record key) of the move with this nonce."""
    row = session.execute(
        select(TransitionRow).where(TransitionRow.consent_row_id == consent_row_id, TransitionRow.nonce == nonce)
    ).scalar_one_or_none()
    return None if row is None else (row.transition_jws, row.record.key)


def in_force(session: Session, company: str, grantee: str) -> list[StoredConsent]:
    """The newest recorded version of every consent of `company` to `grantee`, newest grant first."""
    newest = (
        select(ConsentRow.consent_id, func.max(ConsentRow.version).label("version"))
        .join(RecordRow, RecordRow.id == ConsentRow.record_id)
        .where(RecordRow.recorded.is_(True))
        .group_by(ConsentRow.consent_id)
        .subquery()
    )
    query = (
        select(ConsentRow)
        .join(
            newest,
            (newest.c.consent_id == ConsentRow.consent_id) & (newest.c.version == ConsentRow.version),
        )
        .join(CompanyRow, CompanyRow.id == ConsentRow.company_id)
        .where(CompanyRow.code == company, ConsentRow.grantee == grantee)
        .order_by(ConsentRow.id.desc())
    )
    return [_stored(row) for row in session.execute(query).scalars()]


def by_row(session: Session, row_id: int) -> StoredConsent:
    """The version with this row id, as it stands now; superseded ones included."""
    return _stored(session.get_one(ConsentRow, row_id))


def uses_of(session: Session, consent_row_id: int, unit_start: int) -> Uses:
    """Uses of a version: since `unit_start`, and altogether."""
    query = select(
        func.count(),
        func.count().filter(AllowanceRow.used_at >= unit_start),
    ).where(AllowanceRow.consent_row_id == consent_row_id)
    total, in_unit = session.execute(query).one()
    return Uses(in_unit=in_unit, total=total)


def of_entity(session: Session, entity: str, before_row: int | None, limit: int) -> list[StoredConsent]:
    """Recorded newest versions of the company's consents, newest first, older than `before_row`."""
    newest = (
        select(func.max(ConsentRow.id).label("id"))
        .join(RecordRow, RecordRow.id == ConsentRow.record_id)
        .join(CompanyRow, CompanyRow.id == ConsentRow.company_id)
        .where(CompanyRow.entity == entity, RecordRow.recorded.is_(True))
        .group_by(ConsentRow.consent_id)
        .subquery()
    )
    query = select(ConsentRow).join(newest, newest.c.id == ConsentRow.id).order_by(ConsentRow.id.desc())
    if before_row is not None:
        query = query.where(ConsentRow.id < before_row)
    return [_stored(row) for row in session.execute(query.limit(limit)).scalars()]


def subjects_of(session: Session, entity: str) -> list[str]:
    """All tokens of a company."""
    query = (
        select(SubjectRow.token)
        .join(CompanyRow, CompanyRow.id == SubjectRow.company_id)
        .where(CompanyRow.entity == entity)
    )
    return list(session.execute(query).scalars())


def due_to_expire(session: Session, now: datetime, limit: int) -> Sequence[StoredConsent]:
    """Recorded versions whose time is over, not superseded, which no terminal move ended."""
    newer = aliased(ConsentRow)
    superseded = exists().where(newer.consent_id == ConsentRow.consent_id, newer.version > ConsentRow.version)
    ended = exists().where(
        TransitionRow.consent_row_id == ConsentRow.id,
        TransitionRow.action.in_([Move.REVOKE.value, Move.EXPIRE.value]),
    )
    query = (
        select(ConsentRow)
        .join(RecordRow, RecordRow.id == ConsentRow.record_id)
        .where(ConsentRow.valid_until <= int(now.timestamp()), RecordRow.recorded.is_(True), ~superseded, ~ended)
        .order_by(ConsentRow.id)
        .limit(limit)
    )
    return [_stored(row) for row in session.execute(query).scalars()]
