"""The tail's position and the projection in the database: always moved together, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Executable, delete, insert, select, update
from sqlalchemy.orm import Session

from department_adapter.projection import (
    ApprovalHead,
    ConsentFact,
    ConsentState,
    DecisionFact,
    Projection,
    RegisteredKey,
    Touched,
)
from department_adapter.state.models import (
    POSITION_ID,
    Base,
    LedgerApprovalRow,
    LedgerConsentRow,
    LedgerDecisionRow,
    LedgerKeyRow,
    TailPositionRow,
)
from ledger.chain import Chain
from ledger.merkle import HASH_BYTES
from ledger.tree import Frontier

Values = dict[str, str | int]

QUERY_IDS = 500
"""Ids in one query: below the number of parameters that every database accepts."""


@dataclass(frozen=True)
class Position:
    """Verified history, and the witnessed checkpoint (a signed note) that closes it; empty before the first."""

    chain: Chain
    note: bytes


def load_position(session: Session) -> Position | None:
    """Where the tail stands; None before the first checkpoint."""
    row = session.get(TailPositionRow, POSITION_ID)
    if row is None:
        return None
    hashes = tuple(row.frontier[start : start + HASH_BYTES] for start in range(0, len(row.frontier), HASH_BYTES))
    return Position(Chain(row.origin, row.last, Frontier(row.size, hashes)), row.note)


def save_position(session: Session, position: Position) -> None:
    """Replaces the one row."""
    chain = position.chain
    session.merge(
        TailPositionRow(
            id=POSITION_ID,
            origin=chain.origin,
            size=chain.size,
            last=chain.last,
            frontier=b"".join(chain.frontier.hashes),
            note=position.note,
        )
    )


def load_facts(session: Session, wanted: Touched) -> Projection:
    """The stored facts about these consents and groups."""
    consents = {
        row.consent_id: _consent(row)
        for ids in _portions(wanted.consents)
        for row in session.scalars(select(LedgerConsentRow).where(LedgerConsentRow.consent_id.in_(ids)))
    }
    approvals = {
        row.grantee_group: ApprovalHead(row.sequence, row.digest)
        for groups in _portions(wanted.groups)
        for row in session.scalars(select(LedgerApprovalRow).where(LedgerApprovalRow.grantee_group.in_(groups)))
    }
    return Projection(consents, approvals)


def save_facts(session: Session, before: Projection, after: Projection, decisions_since: str) -> None:
    """Stores what changed against `before`, the stored facts; forgets decisions that nobody can act upon any more."""
    consents = {key: fact for key, fact in after.consents.items() if before.consents.get(key) != fact}
    _write(session, LedgerConsentRow, _consent_values(consents, before, known=False), insert)
    _write(session, LedgerConsentRow, _consent_values(consents, before, known=True), update)
    for group, head in after.approvals.items():
        if before.approvals.get(group) != head:
            session.merge(LedgerApprovalRow(grantee_group=group, sequence=head.sequence, digest=head.digest))
    for key in after.keys - before.keys:
        session.merge(LedgerKeyRow(institution=key.institution, key_id=key.key_id))
    session.execute(delete(LedgerDecisionRow).where(LedgerDecisionRow.ts < decisions_since))
    decisions: list[Values] = [
        {"seq": seq, "leaf_hash": fact.leaf_hash, "ts": fact.ts} for seq, fact in after.decisions.items()
    ]
    _write(session, LedgerDecisionRow, decisions, insert)


def _consent_values(facts: Mapping[str, ConsentFact], before: Projection, *, known: bool) -> list[Values]:
    return [
        {
            "consent_id": consent_id,
            "version": fact.version,
            "digest": fact.digest,
            "state": fact.state.value,
            "resumed_at": fact.resumed_at,
        }
        for consent_id, fact in facts.items()
        if (consent_id in before.consents) == known
    ]


def _write(
    session: Session, table: type[Base], values: Sequence[Values], statement: Callable[[type[Base]], Executable]
) -> None:
    """Many rows in one go: a first catch-up may bring every consent there is. Updates go by primary key."""
    if values:
        session.execute(statement(table), list(values))


def consent_of(session: Session, consent_id: str) -> ConsentFact | None:
    """The version in force of a consent id."""
    row = session.get(LedgerConsentRow, consent_id)
    return None if row is None else _consent(row)


def approval_head(session: Session, group: str) -> ApprovalHead | None:
    """The newest link of a group's chain."""
    row = session.get(LedgerApprovalRow, group)
    return None if row is None else ApprovalHead(row.sequence, row.digest)


def is_registered(session: Session, key: RegisteredKey) -> bool:
    """Whether the bank's registration of this key stands on the ledger."""
    return session.get(LedgerKeyRow, (key.institution, key.key_id)) is not None


def decision_at(session: Session, seq: int) -> DecisionFact | None:
    """The remembered decision at an index of the log."""
    row = session.get(LedgerDecisionRow, seq)
    return None if row is None else DecisionFact(row.leaf_hash, row.ts)


def _consent(row: LedgerConsentRow) -> ConsentFact:
    return ConsentFact(row.version, row.digest, ConsentState(row.state), row.resumed_at)


def _portions(ids: Iterable[str]) -> Iterable[list[str]]:
    ordered = sorted(ids)
    return (ordered[start : start + QUERY_IDS] for start in range(0, len(ordered), QUERY_IDS))
