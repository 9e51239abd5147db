"""Scorecards: register → review → approve (two persons) → retire, and the approval chain (design 4).

A chain belongs to one grantee group and grows by links that reviewers sign. Rules for a new link:
 1. `sequence` is the last one's plus one, `previous` the SHA-256 of the last link's exact bytes (zeros at the start);
 2. members are the same as in the link before; a bank is member of one group only;
 3. the judged set only grows: everything judged before stays, approved ones may become retired, exactly the named
    scorecard changes, and all of them are registered here;
 4. the disclosure judgement, repeated here for the whole set, accepts it and has the digest that the reviewers signed.

A link counts once it is on the ledger; a retirement bites as soon as it is stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from consentgate import canonical, evidence
from consentgate.anchors import Anchors
from consentgate.database import Database
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.identity import Role, SpiffeId
from consentgate.scorecard import Scorecard, ScorecardHeader, ScorecardWeights
from consentgate.statements import ScorecardApprovalClaims
from gateway import disclosure
from gateway.disclosure import DisclosureReport
from gateway.policy import Policy
from gateway.recorder import Recorder
from gateway.store import approvals as store
from gateway.store import records
from gateway.store.approvals import StoredApproval, StoredScorecard
from ledger.entry import ZERO_HASH
from ledger.receipt import Receipt

SIGNING_TOLERANCE = timedelta(minutes=5)
"""How far in the future `iat` of an approval may lie: reviewers sign offline, on machines with clocks of their own."""


MAX_NAMED_BYTES = 12 * 1024
"""Departments and column names of one scorecard, as every decision's leaf (at most 16 KiB) repeats them."""


@dataclass(frozen=True)
class Review:
    """What reviewers look at before they sign, and where in the chain their statement will stand."""

    report: DisclosureReport
    previous: str
    next_sequence: int


@dataclass(frozen=True)
class VisibleScorecard:
    """A scorecard with the groups for which it is approved."""

    stored: StoredScorecard
    approved_groups: list[str]


@dataclass(frozen=True)
class JudgedScorecard:
    """An approved scorecard together with the link that approves it."""

    stored: StoredScorecard
    approval: StoredApproval


class Scorecards:
    """Registration, review, approval, retirement, and the look-up of step 2."""

    def __init__(
        self,
        anchors: Anchors,
        database: Database,
        recorder: Recorder,
        policy: Policy,
        minimum_departments: int,
        clock: Callable[[], datetime],
    ) -> None:
        self._anchors = anchors
        self._database = database
        self._recorder = recorder
        self._policy = policy
        self._minimum_departments = minimum_departments
        self._clock = clock

    async def register(self, header: bytes, weights: bytes, caller: SpiffeId) -> tuple[str, Receipt]:
        """Registers header and weights that belong together; repeating it is harmless."""
        scorecard = Scorecard(ScorecardHeader.parse(header, "header"), ScorecardWeights.parse(weights, "weights"))
        self._check_header(scorecard.header, caller)
        key = await self._database.run(lambda session: self._intend_registration(session, scorecard))
        return scorecard.header.id, await self._recorder.record(key)

    def _check_header(self, header: ScorecardHeader, caller: SpiffeId) -> None:
        if caller.role is Role.BANK and header.owner != caller.id:
            raise ConsentgateError(ErrorCode.SCORECARD_INVALID, field="header.owner")
        for department in header.departments:
            for entry in department.columns:
                if self._policy.department_of(entry.category) != department.id:
                    raise ConsentgateError(
                        ErrorCode.SCORECARD_INVALID, field=f"header.departments.{department.id}.category"
                    )
        named = [{"id": department.id, "columns": department.names()} for department in header.departments]
        if len(canonical.encode(named)) > MAX_NAMED_BYTES:
            raise ConsentgateError(ErrorCode.SCORECARD_INVALID, field="header.departments")

    def _intend_registration(self, session: Session, scorecard: Scorecard) -> str:
        known = store.find_scorecard(session, scorecard.header.id)
        if known is not None:
            return known.key
        key = f"scorecard:{scorecard.header.id}"
        body = {"scorecard": scorecard.header.id, "institution": scorecard.header.owner}
        record = records.intend(session, key, "scorecard.registered", body, self._clock())
        store.add_scorecard(session, scorecard, record)
        return key

    async def review(self, caller: SpiffeId, group: str, scorecard: str) -> Review:
        """The disclosure report for the group's judged set together with `scorecard`.

        A bank sees the report for its own group only, or for one that has no chain yet: a report names the members and
        scorecards of its group.
        """
        last, judged = await self._database.run(lambda session: _reviewed(session, caller, group, scorecard))
        report = await asyncio.to_thread(self._judge, group, last, judged)
        if last is None:
            return Review(report, ZERO_HASH, 1)
        return Review(report, last.digest, last.claims.sequence + 1)

    def _judge(self, group: str, last: StoredApproval | None, judged: list[StoredScorecard]) -> DisclosureReport:
        before = [] if last is None else [entry.model_dump() for entry in last.claims.scorecards]
        members = [] if last is None else list(last.claims.members)
        return disclosure.judge(
            disclosure.Group(group, members, before),
            [stored.scorecard for stored in judged],
            self._minimum_departments,
        )

    async def submit(self, approval_jws: bytes) -> Receipt:
        """Adds the next link to a group's chain; a repeat returns the same leaf's receipt."""
        claims = evidence.verify_approval(approval_jws, self._anchors)
        if claims.issued_at > self._clock() + SIGNING_TOLERANCE:
            raise ConsentgateError(ErrorCode.CLOCK_SKEW, field="approval_jws.iat")
        digest = canonical.digest(approval_jws)
        known = await self._database.run(lambda session: store.by_digest(session, digest))
        if known is not None:
            return await self._recorder.record(known.key)
        last = await self._settled_chain(claims.group)
        check_link(claims, last)
        self._check_members(claims)
        report = await self._report_on(claims, last)
        if report.digest != claims.report:
            raise ConsentgateError(ErrorCode.DISCLOSURE_MISMATCH, field="approval_jws.report")
        if claims.action == "APPROVE":
            report.check()
        key = await self._database.run(lambda session: self._intend_link(session, claims, approval_jws, last))
        return await self._recorder.record(key)

    async def _settled_chain(self, group: str) -> StoredApproval | None:
        """The last link, on the ledger: the ledger's order must be the chain's."""
        last = await self._database.run(lambda session: store.latest(session, group, recorded=False))
        if last is not None and not last.recorded:
            await self._recorder.record(last.key)
        return last

    async def _report_on(self, claims: ScorecardApprovalClaims, last: StoredApproval | None) -> DisclosureReport:
        _, judged = await self._database.run(lambda session: _set_with(session, claims.group, claims.scorecard))
        return await asyncio.to_thread(self._judge, claims.group, last, judged)

    def _check_members(self, claims: ScorecardApprovalClaims) -> None:
        for member in claims.members:
            identity = SpiffeId.parse(member)
            if identity.role is not Role.BANK or identity.trust_domain != self._anchors.trust_domain:
                raise ConsentgateError(ErrorCode.APPROVAL_CHAIN, field="approval_jws.members")

    def _intend_link(
        self,
        session: Session,
        claims: ScorecardApprovalClaims,
        approval_jws: bytes,
        last: StoredApproval | None,
    ) -> str:
        newest = store.latest(session, claims.group, recorded=False)
        if (None if newest is None else newest.digest) != (None if last is None else last.digest):
            raise ConsentgateError(ErrorCode.APPROVAL_CHAIN, field="approval_jws.sequence")
        if store.groups_of(session, claims.members) - {claims.group}:
            raise ConsentgateError(ErrorCode.APPROVAL_CHAIN, field="approval_jws.members")
        key = f"approval:{claims.group}:{claims.sequence}"
        kind = "scorecard.approved" if claims.action == "APPROVE" else "scorecard.retired"
        digest = canonical.digest(approval_jws)
        record = records.intend(session, key, kind, _link_body(claims, digest), self._clock())
        store.add_approval(session, claims, approval_jws, digest, record)
        return key

    async def visible(self, caller: SpiffeId, scorecard: str) -> VisibleScorecard:
        """One scorecard, if the caller may see it; SCORECARD_NOT_FOUND else, exactly as if there were none."""
        found = await self._database.run(lambda session: _visible(session, caller, scorecard))
        if found is None:
            raise ConsentgateError(ErrorCode.SCORECARD_NOT_FOUND, field="scorecard")
        return found

    async def list(self, caller: SpiffeId, after_row: int, limit: int) -> list[VisibleScorecard]:
        """Scorecards the caller may see, in order of registration."""
        return await self._database.run(lambda session: _list(session, caller, after_row, limit))


def check_link(claims: ScorecardApprovalClaims, last: StoredApproval | None) -> None:
    """Rules 1 to 3 against the last link; raises APPROVAL_CHAIN naming the claim at fault."""
    expected = (1, ZERO_HASH) if last is None else (last.claims.sequence + 1, last.digest)
    if claims.sequence != expected[0]:
        raise ConsentgateError(ErrorCode.APPROVAL_CHAIN, field="approval_jws.sequence")
    if claims.previous != expected[1]:
        raise ConsentgateError(ErrorCode.APPROVAL_CHAIN, field="approval_jws.previous")
    if len(set(claims.members)) != len(claims.members):
        raise ConsentgateError(ErrorCode.APPROVAL_CHAIN, field="approval_jws.members")
    before: dict[str, str] = {}
    if last is not None:
        if set(claims.members) != set(last.claims.members):
            raise ConsentgateError(ErrorCode.APPROVAL_CHAIN, field="approval_jws.members")
        before = {judged.id: judged.state for judged in last.claims.scorecards}
    if claims.action == "RETIRE" and before.get(claims.scorecard) != "approved":
        raise ConsentgateError(ErrorCode.APPROVAL_CHAIN, field="approval_jws.scorecard")
    wanted = {**before, claims.scorecard: "approved" if claims.action == "APPROVE" else "retired"}
    if {judged.id: judged.state for judged in claims.scorecards} != wanted:
        raise ConsentgateError(ErrorCode.APPROVAL_CHAIN, field="approval_jws.scorecards")


def find_judged(session: Session, bank: str, scorecard: str) -> JudgedScorecard:
    """Step 2: the scorecard, if it is in the bank's group's judged set; else SCORECARD_NOT_APPROVED."""
    group = store.group_of(session, bank)
    links = [] if group is None else [store.latest(session, group, recorded=flag) for flag in (True, False)]
    if not links or any(link is None or scorecard not in link.claims.approved() for link in links):
        raise ConsentgateError(ErrorCode.SCORECARD_NOT_APPROVED, field="request_jws.scorecard")
    stored, approval = store.find_scorecard(session, scorecard), links[0]
    if stored is None or approval is None:
        raise ConsentgateError(ErrorCode.SCORECARD_NOT_APPROVED, field="request_jws.scorecard")
    return JudgedScorecard(stored, approval)


def _set_with(session: Session, group: str, scorecard: str) -> tuple[StoredApproval | None, list[StoredScorecard]]:
    """The group's last link and its judged set with one more scorecard, every one of them registered and recorded."""
    last = store.latest(session, group, recorded=False)
    ids = {scorecard} | (set() if last is None else {judged.id for judged in last.claims.scorecards})
    judged = [store.find_scorecard(session, entry) for entry in sorted(ids)]
    found = [stored for stored in judged if stored is not None and stored.recorded]
    if len(found) != len(ids):
        raise ConsentgateError(ErrorCode.SCORECARD_NOT_FOUND, field="scorecard")
    return last, found


def _reviewed(
    session: Session, caller: SpiffeId, group: str, scorecard: str
) -> tuple[StoredApproval | None, list[StoredScorecard]]:
    last, judged = _set_with(session, group, scorecard)
    foreign = last is not None and str(caller) not in last.claims.members
    if caller.role is Role.BANK and (foreign or _visible(session, caller, scorecard) is None):
        raise ConsentgateError(ErrorCode.SCORECARD_NOT_FOUND, field="scorecard")
    return last, judged


def _link_body(claims: ScorecardApprovalClaims, digest: str) -> Mapping[str, object]:
    return {
        "group": claims.group,
        "members": [SpiffeId.parse(member).id for member in claims.members],
        "sequence": claims.sequence,
        "approval": digest,
        "previous": claims.previous,
        "scorecards": [judged.id for judged in claims.scorecards],
        "scorecard": claims.scorecard,
    }


def _may_see(session: Session, caller: SpiffeId, stored: StoredScorecard, groups: list[str]) -> bool:
    if caller.role is not Role.BANK:
        return True
    return stored.scorecard.header.owner == caller.id or store.group_of(session, str(caller)) in groups


def _visible(session: Session, caller: SpiffeId, scorecard: str) -> VisibleScorecard | None:
    stored = store.find_scorecard(session, scorecard)
    if stored is None or not stored.recorded:
        return None
    groups = store.approved_groups(session, scorecard)
    return VisibleScorecard(stored, groups) if _may_see(session, caller, stored, groups) else None


def _list(session: Session, caller: SpiffeId, after_row: int, limit: int) -> list[VisibleScorecard]:
    visible: list[VisibleScorecard] = []
    while len(visible) < limit:
        page = store.scorecards_after(session, after_row, limit)
        if not page:
            break
        for stored in page:
            groups = store.approved_groups(session, stored.id)
            if _may_see(session, caller, stored, groups):
                visible.append(VisibleScorecard(stored, groups))
        after_row = page[-1].row_id
    return visible[:limit]
