"""Where the ledger's leaves come from: a stream of extensions, and receipts on demand. Nothing here is verified."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import grpc

from consentgate.convert import receipt_from_message
from consentgate.error_status import from_rpc_error
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.v1 import ledger_pb2, ledger_pb2_grpc
from ledger.receipt import Receipt

SILENCE_SECONDS = 15.0
"""Without any message, although the ledger sends a fresh checkpoint every other second: the stream is dead."""
RECEIPT_SECONDS = 5.0
"""Deadline of the question that a refused history is asked."""
CLOSING_MESSAGES = 10_000
"""After a leaf that does not fit, so many messages are looked through for the checkpoint that signs it: ten million
leaves, as many as a catch-up may bring before it.
"""
CLOSING_SECONDS = 60.0
"""And for so long: a ledger that lets leaves drip would keep what it showed from being told and logged."""


@dataclass(frozen=True)
class Extension:
    """Leaves that follow the ones before, and, where the catch-up reached it, the checkpoint that closes them."""

    leaves: Sequence[bytes]
    checkpoint: bytes


class LedgerFeed(Protocol):
    """Where extensions come from."""

    def follow(self, start: int) -> AsyncGenerator[Extension, None]:
        """Everything from index `start` on; raises LEDGER_UNAVAILABLE for whatever comes between."""
        ...

    async def receipt(self, index: int) -> Receipt:
        """The entry at an index with its inclusion in the newest tree, unverified; raises a ConsentgateError."""
        ...


class GrpcFeed:
    """`LedgerService.Tail` over a channel."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = ledger_pb2_grpc.LedgerServiceStub(channel)

    async def follow(self, start: int) -> AsyncGenerator[Extension, None]:
        """As in the protocol; a stream that is silent for too long counts as broken."""
        call = self._stub.Tail(ledger_pb2.TailRequest(start=start))
        try:
            while True:
                async with asyncio.timeout(SILENCE_SECONDS):
                    response = await call.read()
                if not isinstance(response, ledger_pb2.TailResponse):  # grpc.aio.EOF
                    return
                yield Extension(list(response.leaves), response.checkpoint)
        except TimeoutError as error:
            raise ConsentgateError(ErrorCode.LEDGER_UNAVAILABLE, private="silent") from error
        except grpc.aio.AioRpcError as error:
            raise ConsentgateError(ErrorCode.LEDGER_UNAVAILABLE, private=str(from_rpc_error(error).code)) from error
        finally:
            call.cancel()

    async def receipt(self, index: int) -> Receipt:
        """As in the protocol."""
        try:
            request = ledger_pb2.GetReceiptRequest(index=index)
            answer = await self._stub.GetReceipt(request, timeout=RECEIPT_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error
        return receipt_from_message(answer.receipt)


async def closing_checkpoint(refused: Extension, later: AsyncGenerator[Extension, None]) -> bytes:
    """The checkpoint that signs a refused extension: its own, or the next one; empty when there is none."""
    if refused.checkpoint:
        return refused.checkpoint
    with suppress(ConsentgateError, TimeoutError):
        async with asyncio.timeout(CLOSING_SECONDS):
            for _ in range(CLOSING_MESSAGES):
                extension = await anext(later, None)
                if extension is None or extension.checkpoint:
                    return b"" if extension is None else extension.checkpoint
    return b""
