"""What a feed makes of a stream that is silent or breaks off, and where the checkpoint of a refused extension is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import grpc
import pytest

from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.v1 import ledger_pb2, ledger_pb2_grpc
from department_adapter import ledger_feed
from department_adapter.ledger_feed import CLOSING_MESSAGES, Extension, GrpcFeed, closing_checkpoint


class Call:
    """A stream of these answers; then nothing more comes."""

    def __init__(self, *answers: object) -> None:
        self._answers = list(answers)
        self.cancelled = False

    async def read(self) -> object:
        if not self._answers:
            await asyncio.Event().wait()
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def cancel(self) -> None:
        self.cancelled = True


class Stub:
    """The ledger, as far as a feed asks it."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self.asked: list[ledger_pb2.TailRequest] = []

    def Tail(self, request: ledger_pb2.TailRequest) -> Call:  # noqa: N802 - the name of the call
        self.asked.append(request)
        return self._call


def broken(status: grpc.StatusCode) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(status, grpc.aio.Metadata(), grpc.aio.Metadata())


async def followed(monkeypatch: pytest.MonkeyPatch, call: Call) -> tuple[list[Extension], ConsentgateError | None]:
    """What a feed over this call yields from leaf 7 on, and what ended it."""
    stub, extensions, ended = Stub(call), [], None
    monkeypatch.setattr(ledger_pb2_grpc, "LedgerServiceStub", lambda _channel: stub)
    monkeypatch.setattr(ledger_feed, "SILENCE_SECONDS", 0.02)
    channel: Any = None
    try:
        async with aclosing(GrpcFeed(channel).follow(7)) as feed:
            async for extension in feed:
                extensions.append(extension)
    except ConsentgateError as error:
        ended = error
    assert [request.start for request in stub.asked] == [7]
    assert call.cancelled
    return extensions, ended


SHOWN = ledger_pb2.TailResponse(leaves=[b"leaf"], checkpoint=b"note")
UNDERSTOOD = Extension([b"leaf"], b"note")


async def test_a_stream_that_ends_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await followed(monkeypatch, Call(SHOWN, SHOWN, grpc.aio.EOF)) == ([UNDERSTOOD, UNDERSTOOD], None)


@pytest.mark.parametrize("end", [None, broken(grpc.StatusCode.UNAVAILABLE), broken(grpc.StatusCode.PERMISSION_DENIED)])
async def test_a_stream_that_is_silent_or_breaks_off_says_nothing_about_the_history(
    monkeypatch: pytest.MonkeyPatch, end: Exception | None
) -> None:
    extensions, ended = await followed(monkeypatch, Call(SHOWN, *([] if end is None else [end])))
    assert extensions == [UNDERSTOOD]
    assert ended is not None
    assert ended.code is ErrorCode.LEDGER_UNAVAILABLE


# The checkpoint that signs what was refused.


async def stream(*extensions: Extension, end: Exception | None = None) -> AsyncGenerator[Extension, None]:
    for extension in extensions:
        yield extension
    if end is not None:
        raise end


LEAVES, SIGNED = Extension([b"leaf"], b""), Extension([], b"note")


@pytest.mark.parametrize("before", [0, 1, CLOSING_MESSAGES - 1])
async def test_the_next_checkpoint_signs_what_came_before_it(before: int) -> None:
    later = stream(*[LEAVES] * before, SIGNED, Extension([], b"another"))
    assert await closing_checkpoint(LEAVES, later) == b"note"


async def test_its_own_checkpoint_comes_first() -> None:
    assert await closing_checkpoint(Extension([b"leaf"], b"own"), stream(SIGNED)) == b"own"


@pytest.mark.parametrize(
    "later",
    [
        stream(),
        stream(LEAVES),
        stream(LEAVES, end=ConsentgateError(ErrorCode.LEDGER_UNAVAILABLE)),
        stream(*[LEAVES] * CLOSING_MESSAGES, SIGNED),
    ],
    ids=["at an end", "without any", "broken off", "endless"],
)
async def test_without_a_checkpoint_there_is_nothing_to_hold_against_the_log(
    later: AsyncGenerator[Extension, None],
) -> None:
    assert await closing_checkpoint(LEAVES, later) == b""


async def test_leaves_that_drip_are_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async def dripping() -> AsyncGenerator[Extension, None]:
        while True:
            await asyncio.sleep(0.01)
            yield LEAVES

    monkeypatch.setattr(ledger_feed, "CLOSING_SECONDS", 0.1)
    async with asyncio.timeout(5):
        assert await closing_checkpoint(LEAVES, dripping()) == b""
