"""Histories of subjects: every leaf counted once, whatever happens; and stated only while the view is sound."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.command import downgrade
from alembic.command import upgrade as upgrade_to
from sqlalchemy import text

from consentgate.database import Database
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.history import verify_history
from department_adapter import tail as tail_module
from department_adapter.histories import Histories
from department_adapter.ledger_feed import Extension
from department_adapter.state import migrate
from department_adapter.state import subjects as store
from department_adapter.state import tail as positions
from department_adapter.state.subjects import VerifiedPrefix
from department_adapter.tail import Tail
from ledger.entry import leaf_hash
from tests.support.federation import NOW, Federation, hex16
from tests.support.subject_histories import history_of
from tests.support.witnessed_log import WitnessedLog
from tests.unit.department_adapter.ledger_entries import SUBJECT, LogFeed, decided, first_link, granted, moved
from tests.unit.department_adapter.tail_setting import Clock, running

OTHER = hex16("other subject")


@dataclass
class Department:
    """A tail over a log, and what it says about subjects."""

    federation: Federation
    state: Database
    log: WitnessedLog
    clock: Clock
    feed: LogFeed
    tail: Tail

    @classmethod
    def over(cls, federation: Federation, state: Database, log: WitnessedLog) -> Department:
        clock = Clock()
        feed = LogFeed(log, clock)
        tail = Tail(feed, state, federation.anchors, clock, timedelta(seconds=3))
        return cls(federation, state, log, clock, feed, tail)

    @property
    def histories(self) -> Histories:
        return Histories(self.state, self.tail, self.federation.departments["tax"].signer, self.clock)

    def stored(self, subject: str) -> object:
        return self.state.transact(lambda session: store.history_of(session, subject))

    def running(self) -> AbstractAsyncContextManager[None]:
        return running(self.tail)

    async def catch_up(self) -> None:
        self.feed.publish()
        await self.tail.reach(len(self.log.leaves))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail_module, "FIRST_PAUSE_SECONDS", 0.005)
    monkeypatch.setattr(tail_module, "LONGEST_PAUSE_SECONDS", 0.02)


@pytest.fixture
def log() -> WitnessedLog:
    made = WitnessedLog(NOW - timedelta(minutes=10))
    fill(made)
    return made


@pytest.fixture
def department(federation: Federation, state: Database, log: WitnessedLog) -> Department:
    return Department.over(federation, state, log)


def fill(log: WitnessedLog) -> None:
    """Entries with and without a subject, decisions too old to be remembered among them."""
    kind, body = decided()
    old = NOW - timedelta(days=1)
    for entry in (granted(), first_link(), (kind, body), (kind, body | {"subject": OTHER}), moved("paused")):
        log.append(*entry, old)
    log.append(kind, body | {"subject": SUBJECT}, NOW)


async def test_every_leaf_with_a_subject_is_counted(department: Department) -> None:
    async with department.running():
        await department.catch_up()
        for subject, entries in ((SUBJECT, 3), (OTHER, 1), (hex16("nobody"), 0)):
            stated = await department.histories.state(subject)
            found = verify_history(stated, subject, department.federation.anchors, NOW)
            assert found.history == history_of(department.log.leaves, subject)
            assert (found.history.entries, found.size) == (entries, len(department.log.leaves))


@pytest.mark.parametrize("batch", [1, 2, 1000])
async def test_once_each_over_batches_and_restarts(department: Department, batch: int) -> None:
    department.feed.batch = batch
    for _ in range(3):
        async with department.running():
            await department.catch_up()
            fill(department.log)
            await department.catch_up()
        department = Department.over(department.federation, department.state, department.log)
        department.feed.batch = batch
    assert department.stored(SUBJECT) == history_of(department.log.leaves, SUBJECT)
    assert history_of(department.log.leaves, SUBJECT).entries == 12


async def test_once_each_by_two_adapters_on_one_state(department: Department) -> None:
    second = Department.over(department.federation, department.state, department.log)
    async with department.running(), second.running():
        for _ in range(4):
            fill(department.log)
            department.feed.publish()
            second.feed.publish()
            await asyncio.gather(department.catch_up(), second.catch_up())
    assert department.stored(SUBJECT) == history_of(department.log.leaves, SUBJECT)


async def test_nothing_is_counted_before_its_checkpoint(department: Department) -> None:
    leaves = department.log.leaves
    department.feed.extensions = [Extension(leaves[:2], department.feed.note(2)), Extension(leaves[2:], b"")]
    async with department.running():
        async with asyncio.timeout(10):
            while len(department.feed.starts) < 3:  # noqa: ASYNC110 - what it waits for has no event
                await asyncio.sleep(0.005)
    assert department.stored(SUBJECT) == history_of(leaves[:2], SUBJECT)


async def test_the_checkpoint_is_the_freshest_there_is(department: Department) -> None:
    """A quiet log is cosigned anew all the time; a statement with the first cosignatures would soon look old."""
    async with department.running():
        await department.catch_up()
        department.clock.now += timedelta(minutes=30)
        department.feed.publish()
        await department.tail.reach(1)
        stated = await department.histories.state(SUBJECT)
    assert verify_history(stated, SUBJECT, department.federation.anchors, department.clock()).at == department.clock()


async def test_another_adapters_position_is_closed_by_its_own_note(department: Department) -> None:
    async with department.running():
        await department.catch_up()
    fill(department.log)
    faster = Department.over(department.federation, department.state, department.log)
    async with faster.running():
        await faster.catch_up()
    stated = await department.histories.state(SUBJECT)
    found = verify_history(stated, SUBJECT, department.federation.anchors, NOW)
    assert (found.size, found.history) == (13, history_of(department.log.leaves, SUBJECT))


async def test_nothing_is_said_while_the_view_is_old_or_refused(department: Department) -> None:
    with pytest.raises(ConsentgateError, match="LEDGER_STALE"):
        await department.histories.state(SUBJECT)
    async with department.running():
        await department.catch_up()
        department.clock.now += timedelta(minutes=1)
        with pytest.raises(ConsentgateError, match="LEDGER_STALE"):
            await department.histories.state(SUBJECT)


# After an upgrade from the schema without histories.


@pytest.fixture
def old_state(tmp_path: Path, federation: Federation, log: WitnessedLog) -> Database:
    """What the version before left: a position, and projections that it learned."""
    database = Database(f"sqlite:///{tmp_path}/old.db")
    migrate.upgrade(database.engine)

    async def follow() -> None:
        before = Department.over(federation, database, log)
        async with before.running():
            await before.catch_up()

    asyncio.run(follow())
    downgrade(migrate.MIGRATIONS.config(database.engine), "0001")
    return database


def upgraded(state: Database) -> Database:
    upgrade_to(migrate.MIGRATIONS.config(state.engine), "head")
    return state


def test_an_upgrade_keeps_what_was_verified_and_nothing_derived(old_state: Database, log: WitnessedLog) -> None:
    state = upgraded(old_state)
    last = leaf_hash(log.leaves[-1]).hex()
    assert state.transact(store.load_prefix) == VerifiedPrefix(len(log.leaves), last)
    assert state.transact(positions.load_position) is None
    with state.engine.connect() as connection:
        for table in ("ledger_consents", "ledger_approvals", "ledger_keys", "ledger_decisions"):
            assert connection.execute(text(f"SELECT count(*) FROM {table}")).scalar() == 0  # noqa: S608


@pytest.mark.parametrize("batch", [1, 4, 1000])
async def test_the_log_is_read_again_and_counted(
    federation: Federation, old_state: Database, log: WitnessedLog, batch: int
) -> None:
    department = Department.over(federation, upgraded(old_state), log)
    department.feed.batch = batch
    fill(log)
    async with department.running():
        await department.catch_up()
    assert department.feed.starts[0] == 0
    assert department.stored(SUBJECT) == history_of(log.leaves, SUBJECT)
    assert department.state.transact(store.load_prefix) is None


@pytest.mark.parametrize("size", [3, 7, 12])
async def test_another_history_than_was_verified_is_refused(
    federation: Federation, old_state: Database, size: int
) -> None:
    """The log's key and the quorum signed it, but the department saw another one before its upgrade."""
    fork = WitnessedLog(NOW - timedelta(minutes=10))
    for number in range(size):
        fork.append(*granted(number + 1), NOW)
    department = Department.over(federation, upgraded(old_state), fork)
    async with department.running():
        async with asyncio.timeout(10):
            while department.tail.status.fault is None:  # noqa: ASYNC110 - what it waits for has no event
                await asyncio.sleep(0.005)
        with pytest.raises(ConsentgateError) as caught:
            department.tail.check()
    assert caught.value.code is ErrorCode.LEDGER_INVALID
    assert department.state.transact(positions.load_position) is None
    assert department.state.transact(store.load_prefix) is not None
