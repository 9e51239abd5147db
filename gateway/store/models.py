"""Tables of the gateway's store (design 4, "Consent artefact"; design 1, steps 1, 5, 6 and 10).

Everything that must stand on the ledger is first written here as a `records` row (key, kind, exact body) and counts
only once that row carries its receipt. So a crash at any point leaves either nothing or an intent that `recorder`
finishes with the same idempotency key and the very same bytes.

Company codes stand in `companies` and inside the signed statements kept as evidence, nowhere else: this database is
private to the operator. Ciphertext columns are never stored; answers are, until `answers.expires_at`.

Left out: encryption of the side table under per-subject keys (erasure deletes rows: `gateway.erasure`).
Nothing here is specific to one database; NOT NULL is the rule, absence is expressed by an absent row.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""Constraints are named from the first migration on, so that later ones can drop them on every database."""

Key = BigInteger().with_variant(Integer, "sqlite")
"""64 bits everywhere; SQLite gives automatic keys only to the type it calls INTEGER, which has 64 bits there."""


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class RecordRow(Base):
    """An entry that must stand on the ledger; `recorded` once its receipt is here."""

    __tablename__ = "records"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    key: Mapped[str] = mapped_column(String(128), unique=True)
    kind: Mapped[str] = mapped_column(String(40))
    body: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[int] = mapped_column(BigInteger)
    recorded: Mapped[bool] = mapped_column(Boolean, index=True)
    leaf: Mapped[bytes] = mapped_column(LargeBinary)
    proof: Mapped[bytes] = mapped_column(LargeBinary)


class CompanyRow(Base):
    """The one place where a company's code meets its opaque entity id."""

    __tablename__ = "companies"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    code: Mapped[str] = mapped_column(String(18), unique=True)
    entity: Mapped[str] = mapped_column(String(32), unique=True)


class SubjectRow(Base):
    """One token per company and grantee group, for ever (design 3, "Privacy of a leaf")."""

    __tablename__ = "subjects"
    __table_args__ = (UniqueConstraint("company_id", "grantee_group"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    company_id: Mapped[int] = mapped_column(ForeignKey("companies.id"))
    grantee_group: Mapped[str] = mapped_column(String(64))
    token: Mapped[str] = mapped_column(String(32), unique=True)


class ConsentRow(Base):
    """One version of a consent, as signed."""

    __tablename__ = "consents"
    __table_args__ = (
        UniqueConstraint("consent_id", "version"),
        Index(None, "company_id", "grantee"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    consent_id: Mapped[str] = mapped_column(String(32))
    version: Mapped[int] = mapped_column(Integer)
    company_id: Mapped[int] = mapped_column(ForeignKey("companies.id"))
    grantee: Mapped[str] = mapped_column(String(400))
    valid_until: Mapped[int] = mapped_column(BigInteger, index=True)
    digest: Mapped[str] = mapped_column(String(64))
    consent_jws: Mapped[bytes] = mapped_column(LargeBinary)
    attestation_jws: Mapped[bytes] = mapped_column(LargeBinary)
    record_id: Mapped[int] = mapped_column(ForeignKey("records.id"), unique=True)

    company: Mapped[CompanyRow] = relationship()
    record: Mapped[RecordRow] = relationship()
    transitions: Mapped[list[TransitionRow]] = relationship(back_populates="consent", order_by="TransitionRow.id")


class TransitionRow(Base):
    """A pause, resume or revocation (signed by the company) or an expiry (noted by the gateway)."""

    __tablename__ = "consent_transitions"
    __table_args__ = (UniqueConstraint("consent_row_id", "nonce"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    consent_row_id: Mapped[int] = mapped_column(ForeignKey("consents.id"))
    action: Mapped[str] = mapped_column(String(16))
    nonce: Mapped[str] = mapped_column(String(32))
    transition_jws: Mapped[bytes] = mapped_column(LargeBinary)
    record_id: Mapped[int] = mapped_column(ForeignKey("records.id"), unique=True)

    consent: Mapped[ConsentRow] = relationship(back_populates="transitions")
    record: Mapped[RecordRow] = relationship()


class ScorecardRow(Base):
    """A registered scorecard: canonical bytes of header and weights."""

    __tablename__ = "scorecards"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    scorecard: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(64))
    owner: Mapped[str] = mapped_column(String(64))
    header: Mapped[bytes] = mapped_column(LargeBinary)
    weights: Mapped[bytes] = mapped_column(LargeBinary)
    record_id: Mapped[int] = mapped_column(ForeignKey("records.id"), unique=True)

    record: Mapped[RecordRow] = relationship()


class ApprovalRow(Base):
    """A link of a grantee group's approval chain, as signed by the reviewers."""

    __tablename__ = "approvals"
    __table_args__ = (UniqueConstraint("grantee_group", "sequence"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    grantee_group: Mapped[str] = mapped_column(String(64))
    sequence: Mapped[int] = mapped_column(Integer)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    approval_jws: Mapped[bytes] = mapped_column(LargeBinary)
    members: Mapped[list[Any]] = mapped_column(JSON)
    scorecards: Mapped[list[Any]] = mapped_column(JSON)
    record_id: Mapped[int] = mapped_column(ForeignKey("records.id"), unique=True)

    record: Mapped[RecordRow] = relationship()


class GroupMemberRow(Base):
    """Which one group a bank belongs to: two groups would let it combine what was judged apart."""

    __tablename__ = "group_members"

    bank: Mapped[str] = mapped_column(String(400), primary_key=True)
    grantee_group: Mapped[str] = mapped_column(String(64))


class RecipientKeyRow(Base):
    """A bank's registered Paillier public key; a renewed registration of the same key is a row of its own."""

    __tablename__ = "recipient_keys"
    __table_args__ = (UniqueConstraint("bank", "key_id", "digest"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    bank: Mapped[str] = mapped_column(String(400))
    key_id: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64))
    registration_jws: Mapped[bytes] = mapped_column(LargeBinary)
    record_id: Mapped[int] = mapped_column(ForeignKey("records.id"), unique=True)

    record: Mapped[RecordRow] = relationship()


class RequestRow(Base):
    """A bank's request and the opening of its decision leaf.

    `reason` and `field` are empty unless denied or failed; `failed_step` is 0 unless a step after the decision failed.
    """

    __tablename__ = "requests"
    __table_args__ = (UniqueConstraint("bank", "request_id"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    bank: Mapped[str] = mapped_column(String(400))
    request_id: Mapped[str] = mapped_column(String(32))
    request_digest: Mapped[str] = mapped_column(String(64))
    request_jws: Mapped[bytes] = mapped_column(LargeBinary)
    request_salt: Mapped[bytes] = mapped_column(LargeBinary)
    received_at: Mapped[int] = mapped_column(BigInteger)
    verdict: Mapped[str] = mapped_column(String(8))
    reason: Mapped[str] = mapped_column(String(64))
    field: Mapped[str] = mapped_column(String(200))
    failed_step: Mapped[int] = mapped_column(Integer)
    decision_id: Mapped[int] = mapped_column(ForeignKey("records.id"), unique=True)

    decision: Mapped[RecordRow] = relationship()
    allowance: Mapped[AllowanceRow | None] = relationship(back_populates="request")
    answer: Mapped[AnswerRow | None] = relationship(back_populates="request")


class AllowanceRow(Base):
    """What an allowed request may be answered with; also the use of the consent that it counts as."""

    __tablename__ = "allowances"
    __table_args__ = (Index(None, "consent_row_id", "used_at"),)

    request_row_id: Mapped[int] = mapped_column(ForeignKey("requests.id"), primary_key=True)
    consent_row_id: Mapped[int] = mapped_column(ForeignKey("consents.id"))
    approval_row_id: Mapped[int] = mapped_column(ForeignKey("approvals.id"))
    scorecard_row_id: Mapped[int] = mapped_column(ForeignKey("scorecards.id"))
    key_row_id: Mapped[int] = mapped_column(ForeignKey("recipient_keys.id"))
    used_at: Mapped[int] = mapped_column(BigInteger)
    not_after: Mapped[int] = mapped_column(BigInteger)

    request: Mapped[RequestRow] = relationship(back_populates="allowance")
    consent: Mapped[ConsentRow] = relationship()
    approval: Mapped[ApprovalRow] = relationship()
    scorecard: Mapped[ScorecardRow] = relationship()
    key: Mapped[RecipientKeyRow] = relationship()


class AnswerRow(Base):
    """The output of a request and the departments' signed answers; both emptied at `expires_at`."""

    __tablename__ = "answers"

    request_row_id: Mapped[int] = mapped_column(ForeignKey("requests.id"), primary_key=True)
    ciphertext: Mapped[bytes] = mapped_column(LargeBinary)
    answer_jws: Mapped[list[Any]] = mapped_column(JSON)
    expires_at: Mapped[int] = mapped_column(BigInteger, index=True)
    release_id: Mapped[int] = mapped_column(ForeignKey("records.id"), unique=True)

    request: Mapped[RequestRow] = relationship(back_populates="answer")
    release: Mapped[RecordRow] = relationship()


class PolicyRow(Base):
    """Policy bundles in the order in which they came into force."""

    __tablename__ = "policies"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    record_id: Mapped[int] = mapped_column(ForeignKey("records.id"), unique=True)

    record: Mapped[RecordRow] = relationship()


class ErasureRow(Base):
    """A token whose company was forgotten, and the record that says so; it may never be pinned again."""

    __tablename__ = "erasures"

    token: Mapped[str] = mapped_column(String(32), primary_key=True)
    record_id: Mapped[int] = mapped_column(ForeignKey("records.id"), unique=True)

    record: Mapped[RecordRow] = relationship()
