"""What departments say about a subject, passed on as they signed it: through the port, and from real servers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import grpc.aio
import pytest

from consentgate import convert
from consentgate.channel import open_aio_channel
from consentgate.error_status import from_rpc_error
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.history import verify_history
from consentgate.interceptors import Context
from consentgate.server import ServerLimits, Service, build_server
from consentgate.v1 import consent_pb2, features_pb2, features_pb2_grpc
from consentgate.v1.consent_pb2_grpc import ConsentServiceStub
from gateway.departments import GrpcDepartments
from tests.integration.gateway.port import Port, write_tls
from tests.support.federation import NOW, Federation
from tests.support.subject_histories import history_of, statement


async def test_a_company_gets_the_departments_statements(port: Port) -> None:
    federation = port.federation
    request = consent_pb2.ListSubjectHistoriesRequest(subject=federation.company.subject)
    answer = await ConsentServiceStub(port.company).ListSubjectHistories(request)
    found = [
        verify_history(convert.history_from_message(message), request.subject, federation.anchors, port.house.clock.now)
        for message in answer.histories
    ]
    assert {one.department for one in found} == set(federation.departments)
    assert {one.history for one in found} == {history_of(federation.log.leaves, request.subject)}
    assert found[0].history.entries == 1


async def test_a_bank_gets_none(port: Port) -> None:
    request = consent_pb2.ListSubjectHistoriesRequest(subject=port.federation.company.subject)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ConsentServiceStub(port.bank).ListSubjectHistories(request)
    assert from_rpc_error(caught.value).code is ErrorCode.ROLE_NOT_ALLOWED


@dataclass
class Department(features_pb2_grpc.HistoryServiceServicer):
    """Answers for its subject, or not."""

    federation: Federation
    name: str
    refusing: ErrorCode | None = None
    asked: list[str] = field(default_factory=list)

    async def GetSubjectHistory(  # noqa: N802 - the name is the RPC's
        self, request: features_pb2.GetSubjectHistoryRequest, _context: Context
    ) -> features_pb2.GetSubjectHistoryResponse:
        self.asked.append(request.subject)
        if self.refusing is not None:
            raise ConsentgateError(self.refusing)
        signer = self.federation.departments[self.name]
        stated = statement(self.federation, request.subject, NOW, signer=signer)
        return features_pb2.GetSubjectHistoryResponse(history=convert.history_to_message(stated))


@pytest.fixture
async def departments(tmp_path: Path) -> AsyncIterator[tuple[dict[str, Department], GrpcDepartments]]:
    """Two departments behind mTLS, and one that is away."""
    federation = Federation()
    made = {name: Department(federation, name) for name in ("tax", "customs")}
    caller = write_tls(tmp_path, federation.gateway, federation)
    async with AsyncExitStack() as stack:
        channels = {}
        for name, servicer in made.items():
            adder = features_pb2_grpc.add_HistoryServiceServicer_to_server
            files = write_tls(tmp_path, federation.departments[name], federation)
            service = Service("consentgate.v1.HistoryService", adder, servicer)
            limits = ServerLimits(stop_grace_seconds=0.2)
            server = await build_server(files, "127.0.0.1:0", [service], limits=limits)
            await server.start()
            stack.push_async_callback(server.stop)
            channels[name] = open_aio_channel(server.address, federation.departments[name].identity, caller)
        channels["courts"] = open_aio_channel("127.0.0.1:1", federation.departments["courts"].identity, caller)
        for channel in channels.values():
            stack.push_async_callback(channel.close)
        yield made, GrpcDepartments(channels)


async def test_silent_departments_are_left_out(
    departments: tuple[dict[str, Department], GrpcDepartments],
) -> None:
    made, port = departments
    subject = made["tax"].federation.company.subject
    anchors = made["tax"].federation.anchors
    found = await port.subject_histories(subject)
    assert [verify_history(one, subject, anchors, NOW).department for one in found] == ["tax", "customs"]
    made["tax"].refusing = ErrorCode.LEDGER_STALE
    found = await port.subject_histories(subject)
    assert [verify_history(one, subject, anchors, NOW).department for one in found] == ["customs"]
    assert made["tax"].asked == made["customs"].asked == [subject, subject]
