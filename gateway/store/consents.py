"""Queries over consents. Rows leave this module opened, as frozen values; statements were verified when they came in.

A company is looked up in the key database, which says under which keys its rows are sealed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session, aliased

from consentgate import canonical, signing
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.statements import CompanyAttestationClaims, ConsentClaims
from gateway.consent import ConsentState, Move, Transition, Uses, state_of
from gateway.store.models import (
    AllowanceRow,
    ConsentRow,
    ErasureRow,
    RecordRow,
    SubjectRow,
    TransitionRow,
)
from gateway.store.sealed_rows import data_key, key_of, opened, readable, seal, subject_keys
from gateway.store.sealing import DataKey

_ERASED = "This token's company was erased here at its wish; departments know no other token for it and this group."


@dataclass(frozen=True)
class StoredConsent:
    """One version of a consent with its history."""

    row_id: int
    claims: ConsentClaims
    consent_jws: bytes
    attestation_jws: bytes
    digest: str
    key: str
    recorded: bool
    transitions: tuple[Transition, ...]
    pending: tuple[str, ...]

    @property
    def entity(self) -> str:
        """The company's opaque id, as the registry attested it."""
        payload = signing.unverified_payload(self.attestation_jws, "attestation_jws")
        return CompanyAttestationClaims.parse(payload, "attestation_jws").entity

    def state(self, now: datetime) -> ConsentState:
        """State at `now` (consent rules 2 and 3)."""
        return state_of(self.transitions, self.claims.valid_until, now)


def _stored(session: Session, row: ConsentRow) -> StoredConsent:
    records = [row.record, *(transition.record for transition in row.transitions)]
    consent_jws = opened(session, row, "consent_jws")
    return StoredConsent(
        row_id=row.id,
        claims=ConsentClaims.parse(signing.unverified_payload(consent_jws, "consent_jws"), "consent_jws"),
        consent_jws=consent_jws,
        attestation_jws=opened(session, row, "attestation_jws"),
        digest=row.digest,
        key=row.record.key,
        recorded=row.record.recorded,
        transitions=tuple(
            Transition(Move(transition.action), transition.record.recorded) for transition in row.transitions
        ),
        pending=tuple(record.key for record in records if not record.recorded),
    )


def pin_subject(session: Session, claims: ConsentClaims, entity: str) -> DataKey:
    """One token per company and group, and no token twice: else a company could not find its own accesses. Returns the
    key that everything under this token is sealed with.

    An erased token never again: who sends its old statements once more would undo the erasure.
    Raises SUBJECT_MISMATCH, and INVALID_ARGUMENT_FIELD when the registry gave a code or an entity id twice.
    """
    if session.get(ErasureRow, claims.subject) is not None:
        raise ConsentgateError(ErrorCode.SUBJECT_MISMATCH, field="consent_jws.subject", hint=_ERASED)
    keys = subject_keys(session)
    known = keys.of_company(claims.company).get(claims.group)
    pinned = session.execute(select(SubjectRow).where(SubjectRow.key_id == known)).scalar_one_or_none()
    taken = session.execute(select(SubjectRow).where(SubjectRow.token == claims.subject)).scalar_one_or_none()
    if pinned is not taken:
        raise ConsentgateError(ErrorCode.SUBJECT_MISMATCH, field="consent_jws.subject")
    key = data_key(session, claims.company, claims.group)
    keys.bind(claims.company, entity)
    if pinned is None:
        row = SubjectRow(key_id=key.id, grantee_group=claims.group, token=claims.subject)
        seal(key, row, mapping=canonical.encode({"company": claims.company, "entity": entity}))
        session.add(row)
        session.flush()
    return key


def versions(session: Session, consent_id: str) -> list[StoredConsent]:
    """All versions, newest first, recorded or not."""
    query = select(ConsentRow).where(ConsentRow.consent_id == consent_id).order_by(ConsentRow.version.desc())
    return [_stored(session, row) for row in session.execute(query).scalars()]


def add_consent(
    session: Session, claims: ConsentClaims, statements: tuple[bytes, bytes], key: DataKey, record: RecordRow
) -> None:
    """Adds a version; `statements` are the consent's and the attestation's JWS."""
    row = ConsentRow(
        consent_id=claims.consent_id,
        version=claims.version,
        key_id=key.id,
        grantee=claims.grantee,
        valid_until=claims.valid_until,
        digest=canonical.digest(statements[0]),
        record_id=record.id,
    )
    seal(key, row, consent_jws=statements[0], attestation_jws=statements[1])
    session.add(row)


def add_transition(
    session: Session, consent_row_id: int, move: Move, nonce: str, transition_jws: bytes, record: RecordRow
) -> None:
    """Adds a move of one version."""
    consent = session.get_one(ConsentRow, consent_row_id)
    row = TransitionRow(consent=consent, action=move.value, nonce=nonce, record_id=record.id)
    seal(key_of(session, consent), row, transition_jws=transition_jws)
    session.add(row)


def known_transition(session: Session, consent_row_id: int, nonce: str) -> tuple[bytes, str] | None:
    """(statement, record key) of the move with this nonce."""
    row = session.execute(
        select(TransitionRow).where(TransitionRow.consent_row_id == consent_row_id, TransitionRow.nonce == nonce)
    ).scalar_one_or_none()
    return None if row is None else (opened(session, row, "transition_jws"), row.record.key)


def in_force(session: Session, company: str, grantee: str) -> list[StoredConsent]:
    """The newest recorded version of every consent of `company` to `grantee`, newest grant first."""
    key_ids = subject_keys(session).of_company(company).values()
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
        .where(ConsentRow.key_id.in_(key_ids), ConsentRow.grantee == grantee)
        .order_by(ConsentRow.id.desc())
    )
    return [_stored(session, row) for row in session.execute(query).scalars()]


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
        .where(ConsentRow.key_id.in_(subject_keys(session).of_entity(entity).values()), RecordRow.recorded.is_(True))
        .group_by(ConsentRow.consent_id)
        .subquery()
    )
    query = select(ConsentRow).join(newest, newest.c.id == ConsentRow.id).order_by(ConsentRow.id.desc())
    if before_row is not None:
        query = query.where(ConsentRow.id < before_row)
    return [_stored(session, row) for row in session.execute(query.limit(limit)).scalars()]


def subjects_of(session: Session, entity: str) -> list[str]:
    """All tokens of a company."""
    key_ids = subject_keys(session).of_entity(entity).values()
    rows = session.execute(select(SubjectRow).where(SubjectRow.key_id.in_(key_ids)).order_by(SubjectRow.id)).scalars()
    return [row.token for row in rows if _belongs(session, row, entity)]


def _belongs(session: Session, row: SubjectRow, entity: str) -> bool:
    """Raises STORE_INTEGRITY when token and key were not put together by this program."""
    return canonical.parse(opened(session, row, "mapping"), "mapping")["entity"] == entity


def due_to_expire(session: Session, now: datetime, limit: int) -> Sequence[StoredConsent]:
    """Recorded versions whose time is over, not superseded, which no terminal move ended; unless erased elsewhere."""
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
    return [_stored(session, row) for row in session.execute(query).scalars() if readable(session, row)]
