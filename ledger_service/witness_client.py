"""A witness at the other end of a channel, as `ledger.cosigning` wants it."""

from __future__ import annotations

from collections.abc import Sequence

import grpc.aio

from consentgate.error_status import from_rpc_error
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.v1 import ledger_pb2, ledger_pb2_grpc
from ledger.cosigning import WITNESS_SECONDS
from ledger.errors import LedgerError, WitnessConflict, WitnessFailed

KNOWN_SIZE = "known_size"
"""In the error's metadata: the size the witness knows."""


class GrpcWitness:
    """Implements WitnessPort over WitnessService. The channel's owner closes it."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = ledger_pb2_grpc.WitnessServiceStub(channel)

    async def add_checkpoint(self, old_size: int, proof: Sequence[bytes], checkpoint: bytes) -> bytes:
        """As WitnessPort."""
        request = ledger_pb2.AddCheckpointRequest(old_size=old_size, proof=proof, checkpoint=checkpoint)
        try:
            answer = await self._stub.AddCheckpoint(request, timeout=WITNESS_SECONDS)
        except grpc.aio.AioRpcError as failed:
            raise _named(from_rpc_error(failed)) from failed
        return bytes(answer.cosignature)


def _named(error: ConsentgateError) -> LedgerError:
    known = error.extra.get(KNOWN_SIZE, "")
    if error.code is ErrorCode.WITNESS_CONFLICT and known.isascii() and known.isdecimal():
        return WitnessConflict(int(known))
    return WitnessFailed(str(error.code))
