"""The tail follows the log, knows how fresh it is, and counts nothing that it did not verify."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from consentgate.database import Database
from consentgate.errors import ConsentgateError, ErrorCode
from department_adapter.ledger_feed import Extension
from department_adapter.projection import ConsentState
from department_adapter.state import tail as store
from department_adapter.tail import REMEMBER_DECISIONS, Status, Tail
from ledger.entry import leaf_hash
from tests.support.federation import NOW, Federation
from tests.unit.department_adapter.ledger_entries import CONSENT, LogFeed, decided, granted, moved
from tests.unit.department_adapter.tail_setting import Clock, Setting, until


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


# Faults that are nobody's lie.


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
        assert setting.tail.status == Status(0, None, None)
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
