"""The tail believes nothing that it did not verify, and says what it refuses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from consentgate.database import Database
from consentgate.errors import ConsentgateError, ErrorCode
from department_adapter import tail as tail_module
from department_adapter.projection import ConsentState
from department_adapter.refused import RefusedHistory
from department_adapter.state import tail as store
from department_adapter.tail import REMEMBER_DECISIONS, Extension, Tail
from ledger.entry import leaf_hash
from ledger.evidence import Material, Told, Verdict, judge
from ledger.evidence_material import read_material
from ledger.refused import Refusals
from tests.support.federation import NOW, Federation
from tests.support.witnessed_log import WITNESSES, WitnessedLog
from tests.unit.department_adapter.ledger_entries import CONSENT, LogFeed, decided, granted, moved


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


class Setting:
    """A tail over a log that a test writes."""

    def __init__(self, federation: Federation, state: Database, folder: Path) -> None:
        self.log = WitnessedLog(NOW - timedelta(minutes=10))
        self.clock = Clock()
        self.feed = LogFeed(self.log, self.clock)
        self.state = state
        self.federation = federation
        self.refusals = Refusals(folder / "state.refused")
        self.refused = RefusedHistory(self.refusals, federation.anchors.log_policy, "department tax", self.clock)
        self.tail = self.make()

    def make(self, patience: float = 3.0) -> Tail:
        waits = timedelta(seconds=patience)
        return Tail(self.feed, self.state, self.federation.anchors, self.clock, waits, self.refused)

    def append(self, *entries: tuple[str, dict[str, object]], at: datetime = NOW) -> None:
        for kind, body in entries:
            self.log.append(kind, body, at)

    def state_of(self, consent_id: str = CONSENT) -> ConsentState | None:
        fact = self.state.transact(lambda session: store.consent_of(session, consent_id))
        return None if fact is None else fact.state

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.tail.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail_module, "FIRST_PAUSE_SECONDS", 0.005)
    monkeypatch.setattr(tail_module, "LONGEST_PAUSE_SECONDS", 0.02)


@pytest.fixture
def setting(federation: Federation, state: Database, tmp_path: Path) -> Setting:
    return Setting(federation, state, tmp_path)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what it waits for has no event
            await asyncio.sleep(0.005)


async def test_catches_up_and_follows(setting: Setting) -> None:
    setting.append(granted())
    async with setting.running():
        await setting.tail.reach(2)
        assert setting.state_of() is ConsentState.ACTIVE
        setting.append(moved("revoked"))
        setting.feed.publish()
        await setting.tail.reach(3)
        assert setting.state_of() is ConsentState.REVOKED
        setting.tail.check()


async def test_long_catch_up_counts_only_once_a_checkpoint_closes_it(setting: Setting) -> None:
    setting.append(*[granted(version) for version in range(1, 30)])
    setting.feed.batch = 7
    async with setting.running():
        await setting.tail.reach(30)
    assert setting.state.transact(lambda session: store.consent_of(session, CONSENT)).version == 29  # type: ignore[union-attr]


async def test_nothing_counts_before_its_checkpoint(setting: Setting) -> None:
    setting.append(granted(), moved("paused"))
    setting.feed.extensions = [
        Extension(setting.log.leaves[:2], setting.feed.note(2)),
        Extension(setting.log.leaves[2:], b""),
    ]
    async with setting.running():
        await until(lambda: len(setting.feed.starts) > 2)
        assert setting.tail.status.size == 2
        assert setting.state_of() is ConsentState.ACTIVE
    assert set(setting.feed.starts[1:]) == {2}


async def test_restart_continues_where_it_stood(setting: Setting) -> None:
    setting.append(granted())
    async with setting.running():
        await setting.tail.reach(2)
    setting.append(moved("paused"))
    setting.tail = setting.make()
    assert setting.tail.status.cosigned_at is None
    async with setting.running():
        await setting.tail.reach(3)
    assert setting.feed.starts == [0, 2]
    assert setting.state_of() is ConsentState.PAUSED


async def test_projection_and_position_move_together(setting: Setting) -> None:
    async with setting.running():
        await setting.tail.reach(1)
    position = setting.state.transact(store.load_position)
    assert position is not None
    assert (position.chain.size, position.chain.last) == (1, leaf_hash(setting.log.leaves[0]).hex())
    assert position.chain.root() == setting.federation.anchors.log_policy.check(position.note).checkpoint.root


async def test_recent_decisions_are_kept_and_old_ones_forgotten(setting: Setting) -> None:
    setting.append(decided(), at=NOW - REMEMBER_DECISIONS - timedelta(seconds=1))
    setting.append(decided(), at=NOW)
    async with setting.running():
        await setting.tail.reach(3)
        found = [setting.state.transact(lambda session, seq=seq: store.decision_at(session, seq)) for seq in (1, 2)]
        assert found[0] is None
        assert found[1] is not None
        assert found[1].leaf_hash == leaf_hash(setting.log.leaves[2]).hex()
        setting.clock.now += REMEMBER_DECISIONS + timedelta(seconds=1)
        setting.append(granted(), at=setting.clock())
        setting.feed.publish()
        await setting.tail.reach(4)
    assert setting.state.transact(lambda session: store.decision_at(session, 2)) is None


# Freshness.


async def test_stale_without_fresh_cosignatures(setting: Setting) -> None:
    setting.tail = setting.make(patience=0.5)
    async with setting.running():
        await setting.tail.reach(1)
        setting.clock.now += timedelta(seconds=6)
        with pytest.raises(ConsentgateError) as caught:
            setting.tail.check()
        assert (caught.value.code, caught.value.field) == (ErrorCode.LEDGER_STALE, "tail")
        with pytest.raises(ConsentgateError, match="LEDGER_STALE"):
            await setting.tail.reach(1)
        setting.feed.publish()
        await setting.tail.reach(1)
        setting.tail.check()


async def test_stale_before_the_first_checkpoint(setting: Setting) -> None:
    setting.tail = setting.make(patience=0.05)
    with pytest.raises(ConsentgateError, match="LEDGER_STALE"):
        setting.tail.check()
    with pytest.raises(ConsentgateError, match="LEDGER_STALE"):
        await setting.tail.reach(0)


async def test_cosignatures_from_the_future_are_not_fresh(setting: Setting) -> None:
    setting.feed.clock = lambda: NOW + timedelta(seconds=6)
    async with setting.running():
        await until(lambda: setting.tail.status.cosigned_at is not None)
        with pytest.raises(ConsentgateError, match="LEDGER_STALE"):
            setting.tail.check()


async def test_short_tail_is_waited_for_and_then_stale(setting: Setting) -> None:
    setting.tail = setting.make(patience=0.5)
    async with setting.running():
        await setting.tail.reach(1)
        waiting = asyncio.create_task(setting.tail.reach(2))
        await asyncio.sleep(0.02)
        assert not waiting.done()
        setting.append(granted())
        setting.feed.publish()
        await waiting
        with pytest.raises(ConsentgateError, match="LEDGER_STALE"):
            await setting.tail.reach(3)


# What is refused.


def fork_of(log: WitnessedLog, size: int) -> WitnessedLog:
    """Another history under the same keys."""
    fork = WitnessedLog(NOW - timedelta(minutes=11))
    while len(fork.leaves) < size:
        fork.append("log.opened", {}, NOW)
    return fork


def lies(setting: Setting) -> dict[str, tuple[list[Extension], ErrorCode]]:
    """Extensions of a history of two known leaves, each wrong in one way."""
    log, feed = setting.log, setting.feed
    leaves = log.leaves[2:]
    fork = fork_of(log, 3)
    own = WitnessedLog(NOW - timedelta(minutes=10), key_label="operator's second key")
    note = feed.note()
    invalid = ErrorCode.LEDGER_INVALID
    return {
        "leaf of a fork": ([Extension(fork.leaves[2:], feed.note())], invalid),
        "checkpoint of a fork": ([Extension(leaves, fork.note(NOW))], invalid),
        "whole fork": ([Extension(fork.leaves[2:], fork.note(NOW))], invalid),
        "leaf withheld": ([Extension([], note)], invalid),
        "leaf before the known ones": ([Extension(log.leaves[1:], note)], invalid),
        "leaf twice": ([Extension([*leaves, *leaves], note)], invalid),
        "leaf altered": ([Extension([leaves[0].replace(b'"seq":2', b'"seq":9')], note)], invalid),
        "leaf that is no entry": ([Extension([b"{}"], note)], invalid),
        "rolled back": ([Extension([], feed.note(1))], invalid),
        "checkpoint without the log's signature": ([Extension(leaves, log.note(NOW, log_signs=False))], invalid),
        "checkpoint under another log key": ([Extension(leaves, own.note(NOW))], invalid),
        "checkpoint without quorum": (
            [Extension(leaves, log.note(NOW, witnesses=WITNESSES[:2]))],
            ErrorCode.LEDGER_QUORUM,
        ),
        "checkpoint cosigned by strangers": (
            [Extension(leaves, log.note(NOW, witnesses=("stranger-1", "stranger-2", "stranger-3")))],
            ErrorCode.LEDGER_QUORUM,
        ),
        "checkpoint that is no note": ([Extension(leaves, b"checkpoint")], invalid),
    }


LIES = (
    "leaf of a fork",
    "checkpoint of a fork",
    "whole fork",
    "leaf withheld",
    "leaf before the known ones",
    "leaf twice",
    "leaf altered",
    "leaf that is no entry",
    "rolled back",
    "checkpoint without the log's signature",
    "checkpoint under another log key",
    "checkpoint without quorum",
    "checkpoint cosigned by strangers",
    "checkpoint that is no note",
)


SIGNED = {
    "checkpoint of a fork": Verdict.OTHER_PREFIX,
    "whole fork": Verdict.OTHER_PREFIX,
    "rolled back": Verdict.ROLLBACK,
}
"""Lies that the log itself signed, and what they show."""
SIZES = {"checkpoint of a fork": {2, 3}, "whole fork": {2, 3}, "rolled back": {1, 2}}


@pytest.mark.parametrize("lie", LIES)
async def test_lie_is_refused_and_said(setting: Setting, lie: str) -> None:
    setting.append(granted())
    async with setting.running():
        await setting.tail.reach(2)
    setting.append(moved("revoked"))
    table = lies(setting)
    assert set(table) == set(LIES)
    setting.feed.extensions, code = table[lie]
    setting.feed.answering = fork_of(setting.log, 3) if lie in SIGNED else None
    async with setting.running():
        await until(lambda: setting.tail.status.fault is not None)
        # 1. Said, to health and to whoever waits, without waiting the patience out.
        with pytest.raises(ConsentgateError) as caught:
            setting.tail.check()
        assert (caught.value.code, caught.value.field) == (code, "tail")
        with pytest.raises(ConsentgateError) as waited:
            await setting.tail.reach(2)
        assert waited.value.code == code
        # 2. Not believed.
        assert setting.tail.status.size == 2
        assert setting.state_of() is ConsentState.ACTIVE
        # 3. The true history goes on, unless the log itself signed what contradicts it.
        setting.feed.extensions = setting.feed.answering = None
        setting.feed.publish()
        await until(lambda: setting.tail.status.size == 3)
        assert setting.refusals.kept() == [SIGNED[lie]] if lie in SIGNED else setting.refusals.forks() == []
        if lie in SIGNED:
            with pytest.raises(ConsentgateError, match="LEDGER_INVALID"):
                setting.tail.check()
        else:
            await until(lambda: setting.tail.status.fault is None)
            setting.tail.check()
    assert setting.state_of() is ConsentState.REVOKED


@pytest.mark.parametrize("lie", SIGNED)
async def test_what_the_log_signed_stops_the_department_until_an_operator_acts(setting: Setting, lie: str) -> None:
    setting.append(granted())
    async with setting.running():
        await setting.tail.reach(2)
    setting.append(moved("revoked"))
    setting.feed.extensions, _ = lies(setting)[lie]
    setting.feed.answering = fork_of(setting.log, 3)
    async with setting.running():
        await until(lambda: setting.refusals.kept() == [SIGNED[lie]])
    kept = read_material(setting.refusals.folder / SIGNED[lie].value)
    finding = judge(kept, setting.federation.anchors.log_policy)
    assert {finding.first.checkpoint.size, finding.second.checkpoint.size} == SIZES[lie]
    # 1. A restart does not change it, nor does a log that is honest again.
    setting.feed.extensions = setting.feed.answering = None
    setting.tail = setting.make()
    with pytest.raises(ConsentgateError, match="LEDGER_INVALID"):
        setting.tail.check()
    async with setting.running():
        await until(lambda: setting.tail.status.size == 3)
        with pytest.raises(ConsentgateError, match="LEDGER_INVALID"):
            await setting.tail.reach(3)
        # 2. An operator takes the evidence away.
        setting.refusals.folder.rename(setting.refusals.folder.with_name("handed over"))
        setting.feed.publish()
        await until(lambda: setting.tail.status.fault is None)
        setting.tail.check()


async def test_the_first_contradiction_is_kept(setting: Setting) -> None:
    setting.append(granted())
    async with setting.running():
        await setting.tail.reach(2)
    first, second = fork_of(setting.log, 2), WitnessedLog(NOW - timedelta(minutes=12))
    second.append("log.closed", {}, NOW)
    setting.feed.extensions = [Extension([], first.note(NOW))]
    async with setting.running():
        await until(lambda: setting.refusals.kept() == [Verdict.SAME_SIZE])
        setting.feed.extensions = [Extension([], second.note(NOW))]
        before = len(setting.feed.starts)
        await until(lambda: len(setting.feed.starts) > before + 2)
    assert read_material(setting.refusals.folder / "same-size").second == first.note(NOW)


async def test_a_long_lie_is_followed_to_the_checkpoint_that_signs_it(setting: Setting) -> None:
    """Leaves are not signed: the log is held to what it signed after them."""
    setting.append(granted())
    async with setting.running():
        await setting.tail.reach(2)
    fork = fork_of(setting.log, 9)
    pieces = [Extension(fork.leaves[number : number + 1], b"") for number in range(2, 9)]
    setting.feed.extensions = [*pieces, Extension([], fork.note(NOW))]
    setting.feed.answering = fork
    async with setting.running():
        await until(lambda: setting.refusals.kept() == [Verdict.OTHER_PREFIX])
    assert setting.feed.asked[0] == 1


async def test_a_log_that_shows_one_tree_and_answers_from_another(setting: Setting) -> None:
    """Kept, but no proof: the department goes on when the log does."""
    setting.append(granted())
    async with setting.running():
        await setting.tail.reach(2)
    setting.append(moved("revoked"))
    fork = fork_of(setting.log, 3)
    setting.feed.extensions = [Extension(fork.leaves[2:], fork.note(NOW))]
    async with setting.running():
        await until(lambda: setting.refusals.kept() == [Verdict.UNANSWERED])
        setting.feed.extensions = None
        setting.feed.publish()
        await until(lambda: setting.tail.status.fault is None)


async def test_a_fork_that_the_own_witness_saw_stops_the_department(setting: Setting, tmp_path: Path) -> None:
    other = Refusals(tmp_path / "witness.refused")
    setting.refused = replace(setting.refused, others=[other])
    setting.tail = setting.make()
    material = Material(fork_of(setting.log, 2).note(NOW), WitnessedLog(NOW).note(NOW))
    small = replace(material, told=Told("tax", NOW))
    async with setting.running():
        await setting.tail.reach(1)
        other.keep(small, setting.federation.anchors.log_policy)
        assert other.kept() == [Verdict.ROLLBACK]
        setting.feed.publish()
        await setting.tail.reach(1)
        fork = Material(setting.log.note(NOW), fork_of(setting.log, 1).note(NOW))
        other.keep(fork, setting.federation.anchors.log_policy)
        setting.feed.publish()
        await until(lambda: setting.tail.status.fault is ErrorCode.LEDGER_INVALID)


async def test_a_disk_that_is_full_changes_nothing_about_the_refusal(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with setting.running():
        await setting.tail.reach(1)
    (setting.refusals.folder.parent).mkdir(exist_ok=True)
    setting.refusals.folder.write_text("no folder can be made here")
    setting.feed.extensions = [Extension([], fork_of(setting.log, 1).note(NOW))]
    async with setting.running():
        await until(lambda: setting.tail.status.fault is ErrorCode.LEDGER_INVALID)
        with pytest.raises(ConsentgateError, match="LEDGER_INVALID"):
            setting.tail.check()
    assert setting.refusals.kept() == []


async def test_ledger_that_is_away_is_no_fault(setting: Setting) -> None:
    setting.feed.extensions = []
    async with setting.running():
        await until(lambda: len(setting.feed.starts) > 3)
        assert setting.tail.status.fault is None
        with pytest.raises(ConsentgateError, match="LEDGER_STALE"):
            setting.tail.check()


async def test_state_that_fails_is_no_fault_and_nothing_moves(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_work: object) -> None:
        raise ConsentgateError(ErrorCode.STORE_UNAVAILABLE)

    monkeypatch.setattr(setting.state, "run", broken)
    async with setting.running():
        await asyncio.sleep(0.05)
        assert setting.tail.status == tail_module.Status(0, None, None)
        monkeypatch.undo()
        await until(lambda: setting.tail.status.size == 1)


async def test_two_adapters_share_one_state(setting: Setting) -> None:
    """The one that was slower takes the other's position over."""
    setting.append(granted())
    slower = Setting(setting.federation, setting.state, setting.refusals.folder.parent)
    slower.log, slower.feed = setting.log, LogFeed(setting.log, setting.clock)
    slower.tail = slower.make()
    async with setting.running(), slower.running():
        await setting.tail.reach(2)
        await until(lambda: slower.tail.status.size == 2)
        setting.append(moved("paused"))
        setting.feed.publish()
        await setting.tail.reach(3)
        slower.feed.publish()
        await until(lambda: slower.tail.status.size == 3)
        slower.tail.check()
    assert setting.state_of() is ConsentState.PAUSED


async def test_slower_adapter_does_not_undo_what_the_faster_one_learned(setting: Setting) -> None:
    """The slower one is still shown an earlier extension: applied again, its `resumed` would outlive the last pause."""
    setting.append(granted())
    slower = Setting(setting.federation, setting.state, setting.refusals.folder.parent)
    late = asyncio.Event()
    slower.feed = LateFeed(setting.log, setting.clock, late=late)
    slower.tail = slower.make()
    async with setting.running():
        await setting.tail.reach(2)
    setting.tail = setting.make()
    async with setting.running(), slower.running():
        await slower.tail.reach(2)
        await setting.tail.reach(2)
        setting.append(moved("paused"), moved("resumed"), moved("paused"))
        setting.feed.publish()
        await setting.tail.reach(5)
        late.set()
        await until(lambda: slower.tail.status.size == 5)
        assert slower.feed.starts == [2, 5]
        position = setting.state.transact(store.load_position)
        assert position is not None
        assert position.chain.size == 5
        assert setting.state_of() is ConsentState.PAUSED


@dataclass
class LateFeed(LogFeed):
    """Nothing after the second leaf until it is late; then two more; the rest when asked anew."""

    late: asyncio.Event = field(default_factory=asyncio.Event)

    async def follow(self, start: int) -> AsyncGenerator[Extension, None]:
        self.starts.append(start)
        yield Extension([], self.note(start))
        if start == 2:
            await self.late.wait()
            yield Extension(self.log.leaves[2:4], self.note(4))
        await asyncio.Event().wait()


async def test_state_of_another_log_is_refused(setting: Setting) -> None:
    async with setting.running():
        await setting.tail.reach(1)
    position = setting.state.transact(store.load_position)
    assert position is not None
    other = replace(position, chain=replace(position.chain, origin="other.test/ledger"))
    setting.state.transact(lambda session: store.save_position(session, other))
    setting.tail = setting.make()
    async with setting.running():
        await until(lambda: setting.tail.status.fault is ErrorCode.LEDGER_INVALID)


def test_policy_must_name_one_log(federation: Federation, state: Database) -> None:
    policy = replace(federation.anchors.log_policy, logs=())
    with pytest.raises(ConsentgateError) as caught:
        Tail(LogFeed(federation.log, Clock()), state, replace(federation.anchors, log_policy=policy), Clock())
    assert (caught.value.code, caught.value.field) == (ErrorCode.CONFIG_INVALID, "ledger_policy")
