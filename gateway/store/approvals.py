"""Queries over scorecards and the approval chains of grantee groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from consentgate import signing
from consentgate.scorecard import Scorecard, ScorecardHeader, ScorecardWeights
from consentgate.statements import ScorecardApprovalClaims
from gateway.store.models import ApprovalRow, GroupMemberRow, RecordRow, ScorecardRow


@dataclass(frozen=True)
class StoredScorecard:
    """A registered scorecard."""

    row_id: int
    scorecard: Scorecard
    header: bytes
    weights: bytes
    key: str
    recorded: bool

    @property
    def id(self) -> str:
        """SHA-256 of the canonical header."""
        return self.scorecard.header.id


@dataclass(frozen=True)
class StoredApproval:
    """A link of an approval chain."""

    row_id: int
    claims: ScorecardApprovalClaims
    approval_jws: bytes
    digest: str
    key: str
    recorded: bool


def _scorecard(row: ScorecardRow) -> StoredScorecard:
    header = ScorecardHeader.parse(row.header, "header")
    weights = ScorecardWeights.parse(row.weights, "weights")
    return StoredScorecard(
        row.id, Scorecard(header, weights), row.header, row.weights, row.record.key, row.record.recorded
    )


def _approval(row: ApprovalRow) -> StoredApproval:
    claims = ScorecardApprovalClaims.parse(signing.unverified_payload(row.approval_jws, "approval_jws"), "approval_jws")
    return StoredApproval(row.id, claims, row.approval_jws, row.digest, row.record.key, row.record.recorded)


def find_scorecard(session: Session, scorecard: str) -> StoredScorecard | None:
    """The scorecard with this id, recorded or not."""
    row = session.execute(select(ScorecardRow).where(ScorecardRow.scorecard == scorecard)).scalar_one_or_none()
    return None if row is None else _scorecard(row)


def add_scorecard(session: Session, scorecard: Scorecard, record: RecordRow) -> None:
    """Adds a scorecard."""
    session.add(
        ScorecardRow(
            scorecard=scorecard.header.id,
            name=scorecard.header.name,
            owner=scorecard.header.owner,
            header=scorecard.header.encode(),
            weights=scorecard.weights.encode(),
            record_id=record.id,
        )
    )


def scorecards_after(session: Session, row_id: int, limit: int) -> list[StoredScorecard]:
    """Recorded scorecards in the order of registration."""
    query = (
        select(ScorecardRow)
        .join(RecordRow, RecordRow.id == ScorecardRow.record_id)
        .where(ScorecardRow.id > row_id, RecordRow.recorded.is_(True))
        .order_by(ScorecardRow.id)
        .limit(limit)
    )
    return [_scorecard(row) for row in session.execute(query).scalars()]


def latest(session: Session, group: str, *, recorded: bool) -> StoredApproval | None:
    """The last link of a group's chain; with `recorded`, the last one that stands on the ledger."""
    query = (
        select(ApprovalRow)
        .join(RecordRow, RecordRow.id == ApprovalRow.record_id)
        .where(ApprovalRow.grantee_group == group)
        .order_by(ApprovalRow.sequence.desc())
        .limit(1)
    )
    if recorded:
        query = query.where(RecordRow.recorded.is_(True))
    row = session.execute(query).scalar_one_or_none()
    return None if row is None else _approval(row)


def by_digest(session: Session, digest: str) -> StoredApproval | None:
    """The link with these bytes."""
    row = session.execute(select(ApprovalRow).where(ApprovalRow.digest == digest)).scalar_one_or_none()
    return None if row is None else _approval(row)


def add_approval(
    session: Session, claims: ScorecardApprovalClaims, approval_jws: bytes, digest: str, record: RecordRow
) -> None:
    """Adds a link, and the group's members with the first one."""
    session.add(
        ApprovalRow(
            grantee_group=claims.group,
            sequence=claims.sequence,
            digest=digest,
            approval_jws=approval_jws,
            members=list(claims.members),
            scorecards=[judged.model_dump() for judged in claims.scorecards],
            record_id=record.id,
        )
    )
    if claims.sequence == 1:
        session.add_all(GroupMemberRow(bank=member, grantee_group=claims.group) for member in claims.members)


def group_of(session: Session, bank: str) -> str | None:
    """The one group a bank belongs to."""
    row = session.get(GroupMemberRow, bank)
    return None if row is None else row.grantee_group


def groups_of(session: Session, banks: Sequence[str]) -> set[str]:
    """All groups that any of the banks belongs to."""
    query = select(GroupMemberRow.grantee_group).where(GroupMemberRow.bank.in_(banks))
    return set(session.execute(query).scalars())


def approved_groups(session: Session, scorecard: str) -> list[str]:
    """Groups in whose last recorded link the scorecard is approved."""
    groups = session.execute(select(ApprovalRow.grantee_group).distinct()).scalars()
    links = [latest(session, group, recorded=True) for group in groups]
    return sorted(link.claims.group for link in links if link is not None and scorecard in link.claims.approved())
