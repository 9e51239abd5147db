"""Tail: the whole log in order, then each new entry, with checkpoints that end exactly where the leaves do."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from consentgate.v1 import ledger_pb2, ledger_pb2_grpc
from ledger.chain import Chain
from ledger_service import servicer
from tests.support.ledger_server import DEPARTMENT, ServedLedger
from tests.support.running_log import KIND, POLICY, transition
from tests.support.witnessed_log import ORIGIN, extended

Answer = ledger_pb2.TailResponse


class Follower:
    """What an adapter does: collects leaves, and verifies the extension with every checkpoint."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self._pending: list[bytes] = []
        self.chain = Chain(ORIGIN)
        self.messages = 0

    async def until(self, size: int) -> None:
        async with asyncio.timeout(5):
            while self.chain.size < size:
                await self.next()

    async def next(self) -> Answer:
        message: Answer = await self._call.read()
        self.messages += 1
        self._pending += message.leaves
        if message.checkpoint:
            self.chain, _, _ = extended(self.chain, self._pending, message.checkpoint, POLICY)
            self._pending = []
        return message


async def test_a_tail_catches_up_and_then_follows(served: ServedLedger) -> None:
    for number in range(3):
        await served.log.append(KIND, transition(number), f"key {number}")
    async with served.as_member(DEPARTMENT) as channel:
        follower = Follower(ledger_pb2_grpc.LedgerServiceStub(channel).Tail(ledger_pb2.TailRequest(start=0)))
        await follower.until(4)
        for number in range(3, 6):
            await served.log.append(KIND, transition(number), f"key {number}")
            await follower.until(number + 2)


async def test_a_long_catch_up_comes_in_pieces_and_its_checkpoint_last(
    served: ServedLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servicer, "MAX_LIST", 4)
    await asyncio.gather(*(served.log.append(KIND, transition(number), f"key {number}") for number in range(9)))
    async with served.as_member(DEPARTMENT) as channel:
        follower = Follower(ledger_pb2_grpc.LedgerServiceStub(channel).Tail(ledger_pb2.TailRequest(start=0)))
        first = await follower.next()
        await follower.until(10)
    assert (len(first.leaves), first.checkpoint) == (4, b"")
    assert follower.messages == 3


async def test_a_tail_may_begin_anywhere(served: ServedLedger) -> None:
    await asyncio.gather(*(served.log.append(KIND, transition(number), f"key {number}") for number in range(4)))
    expected = await served.log.published.leaves(3, 10)
    async with served.as_member(DEPARTMENT) as channel:
        call = ledger_pb2_grpc.LedgerServiceStub(channel).Tail(ledger_pb2.TailRequest(start=3))
        message: Answer = await call.read()
    assert list(message.leaves) == expected
    assert POLICY.check(message.checkpoint).checkpoint.size == 5


async def test_a_quiet_log_sends_fresh_checkpoints(served: ServedLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.log.REFRESH_SECONDS", 0.05)
    async with served.as_member(DEPARTMENT) as channel:
        follower = Follower(ledger_pb2_grpc.LedgerServiceStub(channel).Tail(ledger_pb2.TailRequest(start=0)))
        await follower.next()
        fresh = [await follower.next() for _ in range(3)]
    assert all(not message.leaves and message.checkpoint for message in fresh)
    assert follower.chain.size == 1


async def test_a_tail_that_is_ahead_hears_nothing_until_the_log_is_there(
    served: ServedLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.log.REFRESH_SECONDS", 0.05)
    async with served.as_member(DEPARTMENT) as channel:
        call = ledger_pb2_grpc.LedgerServiceStub(channel).Tail(ledger_pb2.TailRequest(start=2))
        reading = asyncio.create_task(call.read())
        await asyncio.sleep(0.2)
        assert not reading.done()
        await served.log.append(KIND, transition(), "key")
        message = await asyncio.wait_for(reading, 5)
    assert POLICY.check(message.checkpoint).checkpoint.size == 2
