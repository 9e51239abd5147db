"""GrpcLedger and EmbeddedLedger: one port, the same answers, and errors that say what to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.server import Service
from consentgate.v1 import ledger_pb2, ledger_pb2_grpc
from ledger.entry import parse
from ledger.verify import verify_receipt
from ledger_service.client import LEDGER_SERVICE, GrpcLedger, LedgerPort
from tests.support.ledger_server import BANK, GATEWAY, ServedLedger, channel, serving
from tests.support.running_log import KIND, POLICY, transition

PORTS = ["grpc", "embedded"]


@asynccontextmanager
async def port(served: ServedLedger, kind: str) -> AsyncIterator[LedgerPort]:
    if kind == "embedded":
        yield served.ledger
        return
    async with served.as_member(GATEWAY) as opened:
        yield GrpcLedger(opened)


@pytest.mark.parametrize("kind", PORTS)
async def test_appends_once_for_each_key(served: ServedLedger, kind: str) -> None:
    async with port(served, kind) as ledger:
        first = await ledger.append(KIND, transition(), "key")
        again = await ledger.append(KIND, transition(), "key")
        await ledger.check()
    assert verify_receipt(first, POLICY).entry.body == transition()
    assert (first.existing, again.existing, again.leaf) == (False, True, first.leaf)


@pytest.mark.parametrize("kind", PORTS)
async def test_a_wrong_entry_is_named_by_field(served: ServedLedger, kind: str) -> None:
    async with port(served, kind) as ledger:
        with pytest.raises(ConsentgateError) as caught:
            await ledger.append(KIND, {**transition(), "subject": "x"}, "key")
        assert (caught.value.code, caught.value.field) == (ErrorCode.INVALID_ARGUMENT_FIELD, "body.subject")
        with pytest.raises(ConsentgateError) as caught:
            await ledger.append("log.closed", {}, "key")
        assert (caught.value.code, caught.value.field) == (ErrorCode.INVALID_ARGUMENT_FIELD, "kind")


@pytest.mark.parametrize("kind", PORTS)
async def test_subject_entries_are_complete_proven_and_paged(served: ServedLedger, kind: str) -> None:
    async with port(served, kind) as ledger:
        for number in range(21):
            await served.log.append(KIND, transition(number), f"key {number}")
        subjects = [f"{number:032x}" for number in (2, 4)]
        everything, size = await ledger.subject_entries(subjects, None, 50)
        first, reached = await ledger.subject_entries(subjects, None, 4)
        rest, _ = await ledger.subject_entries(subjects, parse(first[-1].leaf).seq, 50)
        none = await ledger.subject_entries([], None, 50)
    found = [verify_receipt(receipt, POLICY).entry for receipt in everything]
    assert [entry.seq for entry in found] == [3, 5, 10, 12, 17, 19]
    assert {entry.body["subject"] for entry in found} == set(subjects)
    assert size == 22
    assert [receipt.leaf for receipt in [*first, *rest]] == [receipt.leaf for receipt in everything]
    assert reached == 13
    assert none == ([], 22)


@pytest.mark.parametrize("kind", PORTS)
async def test_a_missing_quorum_is_told_apart_from_an_unavailable_ledger(
    served: ServedLedger, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.log.QUORUM_SECONDS", 0.2)
    async with port(served, kind) as ledger:
        for witness in served.folder.witnesses.values():
            witness.dead = True
        with pytest.raises(ConsentgateError) as caught:
            await ledger.append(KIND, transition(), "key")
        assert caught.value.code is ErrorCode.LEDGER_QUORUM
        for witness in served.folder.witnesses.values():
            witness.dead = False
        monkeypatch.setattr("ledger.log.QUORUM_SECONDS", 5.0)
        assert (await ledger.append(KIND, transition(), "key")).existing


async def test_an_embedded_ledger_tells_by_check_when_nothing_is_cosigned(
    served: ServedLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    await served.ledger.check()
    monkeypatch.setattr("ledger.log.STALE_SECONDS", -1.0)
    with pytest.raises(ConsentgateError) as caught:
        await served.ledger.check()
    assert caught.value.code is ErrorCode.LEDGER_QUORUM


async def test_a_ledger_that_is_not_there_is_unavailable(served: ServedLedger) -> None:
    async with channel(served.folder.path, "127.0.0.1:1", GATEWAY) as opened:
        ledger = GrpcLedger(opened)
        for work in (ledger.append(KIND, transition(), "key"), ledger.check()):
            with pytest.raises(ConsentgateError) as caught:
                await work
            assert caught.value.code is ErrorCode.LEDGER_UNAVAILABLE
            assert caught.value.private


@pytest.mark.parametrize("note", [b"", b"no note", b"origin\n-5\nroot\n", b"origin\n" + b"9" * 5000 + b"\nroot\n"])
async def test_what_is_no_checkpoint_is_a_named_error(tmp_path: Path, note: bytes) -> None:
    class Liar(ledger_pb2_grpc.LedgerServiceServicer):
        async def GetCheckpoint(self, _request: object, _context: object) -> ledger_pb2.GetCheckpointResponse:  # noqa: N802
            return ledger_pb2.GetCheckpointResponse(checkpoint=note)

    service = Service(LEDGER_SERVICE, ledger_pb2_grpc.add_LedgerServiceServicer_to_server, Liar())
    async with serving(tmp_path, [service]) as server, channel(tmp_path, server.address, GATEWAY) as opened:
        with pytest.raises(ConsentgateError) as caught:
            await GrpcLedger(opened).subject_entries([], None, 50)
    assert caught.value.code is ErrorCode.LEDGER_INVALID


async def test_whoever_may_not_append_is_told_so(served: ServedLedger) -> None:
    async with served.as_member(BANK) as opened:
        with pytest.raises(ConsentgateError) as caught:
            await GrpcLedger(opened).append(KIND, transition(), "key")
    assert caught.value.code is ErrorCode.ROLE_NOT_ALLOWED


async def test_health_over_the_wire_follows_the_log(served: ServedLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentgate.health.TRUTH_SECONDS", 0.05)
    async with served.as_member(GATEWAY) as opened:
        ledger = GrpcLedger(opened)
        await ledger.check()
        monkeypatch.setattr("ledger.log.STALE_SECONDS", -1.0)
        async with asyncio.timeout(5):
            while (code := await failure(ledger)) is None:  # noqa: ASYNC110 - the server knows nothing of the test
                await asyncio.sleep(0.02)
    assert code is ErrorCode.LEDGER_UNAVAILABLE


async def failure(ledger: LedgerPort) -> ErrorCode | None:
    """What `check` says now."""
    try:
        await ledger.check()
    except ConsentgateError as error:
        return error.code
    return None
