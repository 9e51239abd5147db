"""Tables of the gateway's store (design 4, "Consent artefact"; design 1, steps 1, 5, 6 and 10).

Everything that must stand on the ledger is first written here as a `records` row (key, kind, exact body) and counts
only once that row carries its receipt. So a crash at any point leaves either nothing or an intent that `recorder`
finishes with the same idempotency key and the very same bytes.

Whatever names a company stands sealed: the mapping behind a token, consents, moves, attestations, requests with their
salts, and departments' answers, each under the data key that `key_id` names in the key database (`store.subject_keys`),
and each bound to its table, column and row (`place`). In clear stand what the ledger shows to its readers anyway, and
who asked when: nothing of it leads to a company. Which key is which company's, only the key database knows.
Ciphertext columns are never stored; outputs are, until `answers.expires_at`.

Nothing here is specific to one database; NOT NULL is the rule, absence is expressed by an absent row.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
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

from gateway.store.sealing import Place

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


class SubjectRow(Base):
    """One token per company and grantee group, for ever (design 3, "Privacy of a leaf"). `mapping` is whose it is."""

    __tablename__ = "subjects"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    key_id: Mapped[str] = mapped_column(String(32), unique=True)
    grantee_group: Mapped[str] = mapped_column(String(64))
    token: Mapped[str] = mapped_column(String(32), unique=True)
    mapping: Mapped[bytes] = mapped_column(LargeBinary)

    def place(self, column: str) -> Place:
        """Named by its token."""
        return Place(self.__tablename__, column, (self.token, self.grantee_group))


class ConsentRow(Base):
    """One version of a consent, as signed."""

    __tablename__ = "consents"
    __table_args__ = (
        UniqueConstraint("consent_id", "version"),
        Index(None, "key_id", "grantee"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    consent_id: Mapped[str] = mapped_column(String(32))
    version: Mapped[int] = mapped_column(Integer)
    key_id: Mapped[str] = mapped_column(String(32))
    grantee: Mapped[str] = mapped_column(String(400))
    valid_until: Mapped[int] = mapped_column(BigInteger, index=True)
    digest: Mapped[str] = mapped_column(String(64))
    consent_jws: Mapped[bytes] = mapped_column(LargeBinary)
    attestation_jws: Mapped[bytes] = mapped_column(LargeBinary)
    record_id: Mapped[int] = mapped_column(ForeignKey("records.id"), unique=True)

    record: Mapped[RecordRow] = relationship()
    transitions: Mapped[list[TransitionRow]] = relationship(back_populates="consent", order_by="TransitionRow.id")

    def place(self, column: str) -> Place:
        """Named by consent id and version."""
        return Place(self.__tablename__, column, (self.consent_id, str(self.version)))


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

    @property
    def key_id(self) -> str:
        """Its consent's."""
        return self.consent.key_id

    def place(self, column: str) -> Place:
        """Named by its consent, action and nonce."""
        row = (self.consent.consent_id, str(self.consent.version), self.action, self.nonce)
        return Place(self.__tablename__, column, row)


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
    key_id: Mapped[str] = mapped_column(String(32), index=True)
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

    def place(self, column: str) -> Place:
        """Named by bank and request id."""
        return Place(self.__tablename__, column, (self.bank, self.request_id))


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
    answer_jws: Mapped[bytes] = mapped_column(LargeBinary)
    expires_at: Mapped[int] = mapped_column(BigInteger, index=True)
    release_id: Mapped[int] = mapped_column(ForeignKey("records.id"), unique=True)

    request: Mapped[RequestRow] = relationship(back_populates="answer")
    release: Mapped[RecordRow] = relationship()

    @property
    def key_id(self) -> str:
        """Its request's."""
        return self.request.key_id

    def place(self, column: str) -> Place:
        """Named by its request."""
        return Place(self.__tablename__, column, (self.request.bank, self.request.request_id))


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


class DestroyedKeyRow(Base):
    """A data key that an erasure destroyed or is about to: whoever meets it in the key database destroys it first."""

    __tablename__ = "destroyed_keys"

    key_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    token: Mapped[str] = mapped_column(ForeignKey("erasures.token"), index=True)


class KeyDatabaseRow(Base):
    """Which key database this one belongs to: with another, everything sealed would look erased."""

    __tablename__ = "key_database"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)


Sealed = SubjectRow | ConsentRow | TransitionRow | RequestRow | AnswerRow
SEALED_COLUMNS: Mapping[type[Sealed], tuple[str, ...]] = MappingProxyType(
    {
        SubjectRow: ("mapping",),
        ConsentRow: ("consent_jws", "attestation_jws"),
        TransitionRow: ("transition_jws",),
        RequestRow: ("request_jws", "request_salt"),
        AnswerRow: ("ciphertext", "answer_jws"),
    }
)
"""Every column that holds sealed values."""
