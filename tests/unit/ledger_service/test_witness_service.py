"""WitnessService and GrpcWitness over a real server; a log whose witnesses are all reached over gRPC."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from google.rpc import error_details_pb2, status_pb2
from structlog.testing import capture_logs

from consentgate.error_status import DETAILS_KEY, from_rpc_error
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.server import Service
from consentgate.v1 import ledger_pb2, ledger_pb2_grpc
from ledger.errors import ConsistencyInvalid, WitnessConflict, WitnessFailed
from ledger.log import Log, LogParts
from ledger.storage.sqlite import SqliteStorage
from ledger.verify import verify_receipt
from ledger.witness import Witness, utc_now
from ledger_service.server import check_witness
from ledger_service.witness_client import GrpcWitness
from ledger_service.witness_servicer import WITNESS_SERVICE, witness_service
from tests.support.ledger_server import BANK, DEPARTMENT, GATEWAY, LEDGER, channel, serving
from tests.support.running_log import KIND, POLICY, LogFolder, transition
from tests.support.witnessed_log import WitnessedLog, log_signer, witness_signer


@pytest.fixture
def history() -> WitnessedLog:
    log = WitnessedLog(utc_now())
    for _ in range(4):
        log.append("log.opened", {}, utc_now())
    return log


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(witness_signer("tax"), POLICY.logs, tmp_path / "tax.state")


async def test_a_cosignature_comes_back_and_the_conflict_with_its_size(
    tmp_path: Path, history: WitnessedLog, witness: Witness
) -> None:
    async with serving(tmp_path, [witness_service(witness)], DEPARTMENT) as server:
        for member in (LEDGER, GATEWAY):
            async with channel(tmp_path, server.address, member, DEPARTMENT) as opened:
                client = GrpcWitness(opened)
                known = witness.known_size()
                line = await client.add_checkpoint(known, [], history.note(utc_now(), witnesses=()))
                assert line.startswith("— tax.witness.test ".encode())
                with pytest.raises(WitnessConflict) as caught:
                    await client.add_checkpoint(3, history.consistency(3), history.note(utc_now(), witnesses=()))
                assert caught.value.known_size == 5


async def test_whoever_is_no_log_cannot_ask(tmp_path: Path, history: WitnessedLog, witness: Witness) -> None:
    async with (
        serving(tmp_path, [witness_service(witness)], DEPARTMENT) as server,
        channel(tmp_path, server.address, BANK, DEPARTMENT) as opened,
    ):
        with pytest.raises(WitnessFailed, match="ROLE_NOT_ALLOWED"):
            await GrpcWitness(opened).add_checkpoint(0, [], history.note(utc_now(), witnesses=()))
    assert witness.known_size() == 0


async def test_a_forged_note_is_no_cosignature(tmp_path: Path, witness: Witness) -> None:
    forged = WitnessedLog(utc_now(), key_label="another key").note(utc_now(), witnesses=())
    async with (
        serving(tmp_path, [witness_service(witness)], DEPARTMENT) as server,
        channel(tmp_path, server.address, LEDGER, DEPARTMENT) as opened,
    ):
        with pytest.raises(WitnessFailed, match="LEDGER_INVALID"):
            await GrpcWitness(opened).add_checkpoint(0, [], forged)
    assert witness.known_size() == 0


@pytest.mark.parametrize(
    ("request_message", "field"),
    [
        (ledger_pb2.AddCheckpointRequest(checkpoint=b"short"), "checkpoint"),
        (ledger_pb2.AddCheckpointRequest(checkpoint=b"this is not a note at all"), "checkpoint"),
        (ledger_pb2.AddCheckpointRequest(checkpoint=b"x" * 16, proof=[b"y" * 31]), "proof[0]"),
        (ledger_pb2.AddCheckpointRequest(checkpoint=b"x" * 16, proof=[b"y" * 32] * 65), "proof"),
        (ledger_pb2.AddCheckpointRequest(checkpoint=b"x" * 16, old_size=2**53), "old_size"),
    ],
)
async def test_a_malformed_request_names_its_field_and_stores_nothing(
    tmp_path: Path, witness: Witness, request_message: ledger_pb2.AddCheckpointRequest, field: str
) -> None:
    async with (
        serving(tmp_path, [witness_service(witness)], DEPARTMENT) as server,
        channel(tmp_path, server.address, LEDGER, DEPARTMENT) as opened,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ledger_pb2_grpc.WitnessServiceStub(opened).AddCheckpoint(request_message)
    error = from_rpc_error(caught.value)
    assert (error.code, error.field) == (ErrorCode.INVALID_ARGUMENT_FIELD, field)
    assert witness.known_size() == 0


async def test_a_witness_that_is_not_there_failed(tmp_path: Path, history: WitnessedLog) -> None:
    async with channel(tmp_path, "127.0.0.1:1", LEDGER, DEPARTMENT) as opened:
        with pytest.raises(WitnessFailed, match="CONNECTION_REFUSED"):
            await GrpcWitness(opened).add_checkpoint(0, [], history.note(utc_now(), witnesses=()))


def _details(reason: str, **metadata: str) -> bytes:
    status = status_pb2.Status(code=10)
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason, domain="consentgate", metadata=metadata))
    return status.SerializeToString()


@pytest.mark.parametrize(
    ("code", "details"),
    [
        *(
            (grpc.StatusCode.ABORTED, _details("WITNESS_CONFLICT", known_size=size))
            for size in ("", "-1", "1e9", "\u0663")
        ),
        (grpc.StatusCode.ABORTED, _details("WITNESS_CONFLICT", known_size="9" * 5000)),
        (grpc.StatusCode.ABORTED, _details("NO_SUCH_CODE", hint="\x1b[2J")),
        (grpc.StatusCode.ABORTED, b"\xff" * 99),
        (grpc.StatusCode.CANCELLED, b""),
        (grpc.StatusCode.OUT_OF_RANGE, b""),
    ],
)
async def test_whatever_a_witness_answers_is_a_named_error(
    tmp_path: Path, code: grpc.StatusCode, details: bytes
) -> None:
    """Anything else would end the log's process."""

    class Liar(ledger_pb2_grpc.WitnessServiceServicer):
        async def AddCheckpoint(self, _request: object, context: Any) -> None:  # noqa: N802 - the name is the RPC's
            await context.abort(code, "\x1b[2J", ((DETAILS_KEY, details),))

    service = Service(WITNESS_SERVICE, ledger_pb2_grpc.add_WitnessServiceServicer_to_server, Liar())
    async with (
        serving(tmp_path, [service], DEPARTMENT) as server,
        channel(tmp_path, server.address, LEDGER, DEPARTMENT) as opened,
    ):
        with pytest.raises((WitnessFailed, WitnessConflict)):
            await GrpcWitness(opened).add_checkpoint(0, [], b"note")


async def test_a_log_reaches_its_quorum_over_grpc_with_one_witness_away(tmp_path: Path) -> None:
    folder = LogFolder(tmp_path)
    async with contextlib.AsyncExitStack() as stack:
        ports = {}
        for name, local in folder.witnesses.items():
            address = "127.0.0.1:1"
            if name != "courts":
                service = witness_service(local.witness)
                address = (await stack.enter_async_context(serving(tmp_path, [service], DEPARTMENT))).address
            opened = await stack.enter_async_context(channel(tmp_path, address, LEDGER, DEPARTMENT))
            ports[name] = GrpcWitness(opened)
        storage = SqliteStorage.open(folder.database)
        log = Log(LogParts(log_signer("the log"), POLICY, storage, folder.second_place, ports))
        task = asyncio.create_task(log.run())
        receipts = [await log.append(KIND, transition(number), f"key {number}") for number in range(3)]
        log.check()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert [verify_receipt(receipt, POLICY).index for receipt in receipts] == [1, 2, 3]


async def test_the_health_of_a_witness_tells_a_fork_that_it_keeps(witness: Witness, history: WitnessedLog) -> None:
    fork = WitnessedLog(utc_now())
    while len(fork.leaves) < len(history.leaves):
        fork.append("log.closed", {}, utc_now())
    witness.add_checkpoint(0, [], history.note(utc_now(), witnesses=()))
    await check_witness(witness)
    with pytest.raises(ConsistencyInvalid):
        witness.add_checkpoint(5, [], fork.note(utc_now(), witnesses=()))
    with pytest.raises(ConsentgateError) as caught:
        await check_witness(witness)
    assert caught.value.code is ErrorCode.LEDGER_INVALID
    # Its own history is cosigned as before.
    assert witness.add_checkpoint(5, [], history.note(utc_now(), witnesses=()))


async def test_a_checkpoint_that_does_not_continue_is_an_alarm(
    tmp_path: Path, history: WitnessedLog, witness: Witness
) -> None:
    other = WitnessedLog(utc_now(), "the log")
    while len(other.leaves) < len(history.leaves):
        other.append("log.closed", {}, utc_now())
    async with (
        serving(tmp_path, [witness_service(witness)], DEPARTMENT) as server,
        channel(tmp_path, server.address, LEDGER, DEPARTMENT) as opened,
    ):
        client = GrpcWitness(opened)
        await client.add_checkpoint(0, [], history.note(utc_now(), witnesses=()))
        with capture_logs() as logs, pytest.raises(WitnessFailed):
            await client.add_checkpoint(5, [], other.note(utc_now(), witnesses=()))
    (alarm,) = [line for line in logs if line["event"].startswith("alarm")]
    assert alarm == {"event": "alarm: a checkpoint does not continue the log", "count": 1, "log_level": "error"}
