"""The adapter's tables. This database belongs to the department, like the records themselves, and stays there.

Two kinds of rows. *Own memory*, which nobody else can restore: reservations (one per leaf, they are the uses that are
counted), answers (one per leaf, deleted when they can no longer be asked for), pinned subject tokens, and what
companies said directly. *The projection* of the ledger, written in the same transaction as the tail's position: it
could be made again by reading the log from its beginning.

Company codes stand in `pinned_subjects` and `direct_restrictions`; values never stand anywhere. Nothing here is
specific to one database; NOT NULL is the rule, absence is expressed by an absent row.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, LargeBinary, MetaData, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""Constraints are named from the first migration on, so that later ones can drop them on every database."""

POSITION_ID = 1
"""The one row of `tail_position`."""


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class ReservationRow(Base):
    """A use of a consent, counted before a row was read. `decided_at` decides its calendar unit."""

    __tablename__ = "reservations"
    __table_args__ = (Index(None, "consent_id", "version", "decided_at"),)

    leaf: Mapped[str] = mapped_column(String(64), primary_key=True)
    consent_id: Mapped[str] = mapped_column(String(32))
    version: Mapped[int] = mapped_column(BigInteger)
    decided_at: Mapped[int] = mapped_column(BigInteger)


class AnswerRow(Base):
    """The one answer to one leaf, as it was signed. `not_after` is when the decision's life ends."""

    __tablename__ = "answers"

    leaf: Mapped[str] = mapped_column(ForeignKey("reservations.leaf"), primary_key=True)
    answer_jws: Mapped[bytes] = mapped_column(LargeBinary)
    ciphertexts: Mapped[bytes] = mapped_column(LargeBinary)
    not_after: Mapped[int] = mapped_column(BigInteger, index=True)


class PinnedSubjectRow(Base):
    """The first subject token seen for a company and grantee group; a second one is refused."""

    __tablename__ = "pinned_subjects"

    company: Mapped[str] = mapped_column(String(18), primary_key=True)
    grantee_group: Mapped[str] = mapped_column(String(64), primary_key=True)
    token: Mapped[str] = mapped_column(String(32))


class DirectRestrictionRow(Base):
    """A pause or revocation handed over by the company; `tail_size` is how much of the ledger was known then."""

    __tablename__ = "direct_restrictions"

    consent_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    nonce: Mapped[str] = mapped_column(String(32), primary_key=True)
    company: Mapped[str] = mapped_column(String(18), primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    action: Mapped[str] = mapped_column(String(8))
    transition_jws: Mapped[bytes] = mapped_column(LargeBinary)
    tail_size: Mapped[int] = mapped_column(BigInteger)


class TailPositionRow(Base):
    """How far the ledger was verified: size, hash of the last leaf, frontier of the tree, and the note that says so."""

    __tablename__ = "tail_position"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    origin: Mapped[str] = mapped_column(String(255))
    size: Mapped[int] = mapped_column(BigInteger)
    last: Mapped[str] = mapped_column(String(64))
    frontier: Mapped[bytes] = mapped_column(LargeBinary)
    note: Mapped[bytes] = mapped_column(LargeBinary)


class LedgerConsentRow(Base):
    """`projection.ConsentFact`."""

    __tablename__ = "ledger_consents"

    consent_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(8))
    resumed_at: Mapped[int] = mapped_column(BigInteger)


class LedgerApprovalRow(Base):
    """`projection.ApprovalHead`."""

    __tablename__ = "ledger_approvals"

    grantee_group: Mapped[str] = mapped_column(String(64), primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str] = mapped_column(String(64))


class LedgerKeyRow(Base):
    """`projection.RegisteredKey`."""

    __tablename__ = "ledger_keys"

    institution: Mapped[str] = mapped_column(String(64), primary_key=True)
    key_id: Mapped[str] = mapped_column(String(64), primary_key=True)


class RecipientKeyRow(Base):
    """A bank's signed registration of a key under which was answered; `digest` is that of its bytes."""

    __tablename__ = "recipient_keys"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    bank: Mapped[str] = mapped_column(String(255))
    registration_jws: Mapped[bytes] = mapped_column(LargeBinary)
    used_at: Mapped[int] = mapped_column(BigInteger)


class LedgerDecisionRow(Base):
    """`projection.DecisionFact`."""

    __tablename__ = "ledger_decisions"

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    leaf_hash: Mapped[str] = mapped_column(String(64))
    ts: Mapped[str] = mapped_column(String(27), index=True)


class LedgerSubjectRow(Base):
    """`ledger.history.SubjectHistory` of a token."""

    __tablename__ = "ledger_subjects"

    token: Mapped[str] = mapped_column(String(32), primary_key=True)
    entries: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str] = mapped_column(String(64))


class VerifiedPrefixRow(Base):
    """`state.subjects.VerifiedPrefix`: only between an upgrade and the end of the reading that it asks for."""

    __tablename__ = "verified_prefix"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    size: Mapped[int] = mapped_column(BigInteger)
    last: Mapped[str] = mapped_column(String(64))
