"""WitnessService (protos/consentgate/v1/ledger.proto) over `ledger.witness.Witness`.

Offered by department adapters on their own server, and by `ledger witness serve`.
"""

from __future__ import annotations

import asyncio

import structlog

from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.interceptors import Context
from consentgate.server import Service
from consentgate.v1 import ledger_pb2, ledger_pb2_grpc
from ledger.errors import CheckpointInvalid, ConsistencyInvalid
from ledger.witness import Witness

WITNESS_SERVICE = "consentgate.v1.WitnessService"

_log = structlog.get_logger("ledger_service.witness")


class WitnessServicer(ledger_pb2_grpc.WitnessServiceServicer):
    """Thin: every check is the witness's own."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness

    async def AddCheckpoint(  # noqa: N802 - the name is the RPC's
        self, request: ledger_pb2.AddCheckpointRequest, _context: Context
    ) -> ledger_pb2.AddCheckpointResponse:
        """In a thread: the witness waits for its disk."""
        try:
            line = await asyncio.to_thread(
                self._witness.add_checkpoint, request.old_size, list(request.proof), request.checkpoint
            )
        except ConsistencyInvalid:
            kept = self._witness.refusals.kept()
            _log.error("alarm: a checkpoint does not continue the log", count=len(kept))
            raise
        except CheckpointInvalid as error:
            raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="checkpoint") from error
        return ledger_pb2.AddCheckpointResponse(cosignature=line)


def witness_service(witness: Witness) -> Service:
    """For `build_server`."""
    return Service(WITNESS_SERVICE, ledger_pb2_grpc.add_WitnessServiceServicer_to_server, WitnessServicer(witness))
