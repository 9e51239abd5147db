"""The ledger as its users see it: `LedgerPort`, and `GrpcLedger`, which speaks to another process.

`ledger_service.embedded` implements the same port inside the gateway's process. What a caller must tell apart is told
by code: LEDGER_UNAVAILABLE, LEDGER_QUORUM, LEDGER_FULL (repeat with the same key), LEDGER_READ_ONLY (an operator must
act), INVALID_ARGUMENT_FIELD (the entry itself is wrong). Receipts are handed on unverified: whoever relies on one
verifies it with its own anchors.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Protocol, TypeVar

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from consentgate import convert
from consentgate.error_status import from_rpc_error
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.v1 import ledger_pb2, ledger_pb2_grpc
from ledger.checkpoint import Checkpoint
from ledger.entry import canonical_json
from ledger.errors import CheckpointInvalid
from ledger.note import Note
from ledger.receipt import AppendReceipt, Receipt

LEDGER_SERVICE = "consentgate.v1.LedgerService"
APPEND_SECONDS = 10.0
"""Deadline of an append: twice what the ledger itself waits for its witnesses."""
READ_SECONDS = 10.0
"""Deadline of a read."""
CHECK_SECONDS = 2.0
"""Deadline of a health question."""

Answer = TypeVar("Answer")

_PASSED_ON = frozenset(
    {
        ErrorCode.LEDGER_UNAVAILABLE,
        ErrorCode.LEDGER_QUORUM,
        ErrorCode.LEDGER_FULL,
        ErrorCode.LEDGER_READ_ONLY,
        ErrorCode.LEDGER_INVALID,
        ErrorCode.INVALID_ARGUMENT_FIELD,
        ErrorCode.ROLE_NOT_ALLOWED,
    }
)
"""Whatever else happens on the way means that the ledger could not be asked."""


class LedgerPort(Protocol):
    """What the gateway needs of a ledger."""

    async def append(self, kind: str, body: Mapping[str, object], key: str) -> AppendReceipt:
        """Records one entry and returns when it is witnessed; a known `key` returns the entry recorded first, with a
        proof under a checkpoint that was cosigned just now.
        """
        ...

    async def subject_entries(
        self, subjects: Sequence[str], after_seq: int | None, limit: int
    ) -> tuple[list[Receipt], int]:
        """Entries that bear one of the tokens, in order, with sequence numbers greater than `after_seq`, at most
        `limit`; and the tree size up to which the log was searched.
        """
        ...

    async def check(self) -> None:
        """Raises while the ledger cannot record (for health)."""
        ...


class GrpcLedger:
    """Implements LedgerPort over LedgerService. The channel's owner closes it."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = ledger_pb2_grpc.LedgerServiceStub(channel)
        self._health = health_pb2_grpc.HealthStub(channel)

    async def append(self, kind: str, body: Mapping[str, object], key: str) -> AppendReceipt:
        """As LedgerPort."""
        request = ledger_pb2.AppendRequest(kind=kind, body=canonical_json(dict(body)), key=key)
        answer = await _answered(self._stub.Append(request, timeout=APPEND_SECONDS))
        return AppendReceipt(answer.receipt.leaf, answer.receipt.proof, answer.existing)

    async def subject_entries(
        self, subjects: Sequence[str], after_seq: int | None, limit: int
    ) -> tuple[list[Receipt], int]:
        """As LedgerPort. Without any token there is nothing to look for, but the tree still has a size."""
        if not subjects:
            return [], await self._tree_size()
        request = ledger_pb2.ListSubjectEntriesRequest(
            subjects=subjects, after_seq=after_seq or 0, from_start=after_seq is None, page_size=limit
        )
        answer = await _answered(self._stub.ListSubjectEntries(request, timeout=READ_SECONDS))
        return [convert.receipt_from_message(entry) for entry in answer.entries], answer.tree_size

    async def check(self) -> None:
        """As LedgerPort: asks the ledger's own, truthful health."""
        request = health_pb2.HealthCheckRequest(service=LEDGER_SERVICE)
        answer = await _answered(self._health.Check(request, timeout=CHECK_SECONDS))
        if answer.status != health_pb2.HealthCheckResponse.SERVING:
            raise ConsentgateError(ErrorCode.LEDGER_UNAVAILABLE, private="health is not SERVING")

    async def _tree_size(self) -> int:
        request = ledger_pb2.GetCheckpointRequest()
        answer = await _answered(self._stub.GetCheckpoint(request, timeout=READ_SECONDS))
        try:
            return Checkpoint.parse(Note.parse(answer.checkpoint).text).size
        except CheckpointInvalid as error:
            raise ConsentgateError(ErrorCode.LEDGER_INVALID, private="no checkpoint") from error


async def _answered(call: Awaitable[Answer]) -> Answer:
    """The answer, or the error that a user of a ledger can act on."""
    try:
        return await call
    except grpc.aio.AioRpcError as failed:
        error = from_rpc_error(failed)
        if error.code in _PASSED_ON:
            raise error from failed
        raise ConsentgateError(ErrorCode.LEDGER_UNAVAILABLE, private=str(error.code)) from failed
    except TimeoutError as late:
        raise ConsentgateError(ErrorCode.LEDGER_UNAVAILABLE, private="no answer in time") from late
