"""HistoryService over mTLS: who may ask, and that what comes is what the log says."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from consentgate import convert
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.history import verify_history
from consentgate.v1 import features_pb2, features_pb2_grpc
from tests.integration.department_adapter.house import House, member_of, record_move
from tests.integration.department_adapter.test_servicers import call, company
from tests.support.federation import Institution
from tests.support.subject_histories import history_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with House.open(tmp_path_factory.mktemp("adapter")) as opened:
        yield opened


async def ask(house: House, member: Institution, subject: str) -> features_pb2.GetSubjectHistoryResponse:
    request = features_pb2.GetSubjectHistoryRequest(subject=subject)
    answer = await call(house, member, features_pb2_grpc.HistoryServiceStub, "GetSubjectHistory", request)
    assert isinstance(answer, features_pb2.GetSubjectHistoryResponse)
    return answer


async def test_gateway_and_company_get_what_the_log_says(house: House) -> None:
    federation = house.federation
    record_move(federation, "consent.paused")
    await house.catch_up()
    for member in (federation.gateway, company(federation)):
        stated = convert.history_from_message((await ask(house, member, federation.company.subject)).history)
        found = verify_history(stated, federation.company.subject, federation.anchors, house.clock())
        assert (found.department, found.size) == ("tax", len(federation.log.leaves))
        assert found.history == history_of(federation.log.leaves, federation.company.subject)
        assert found.history.entries == 2


@pytest.mark.parametrize("role", ["bank", "department", "officer", "reviewer", "ledger"])
async def test_nobody_else_is_answered(house: House, role: str) -> None:
    with pytest.raises(ConsentgateError) as caught:
        await ask(house, member_of(house.federation, role, f"{role}-x"), house.federation.company.subject)
    assert caught.value.code is ErrorCode.ROLE_NOT_ALLOWED


@pytest.mark.parametrize("subject", ["", "0" * 31, "0" * 33, "A" * 32, "0" * 31 + "\n", "' OR 1=1 --"])
async def test_what_is_no_token_is_refused(house: House, subject: str) -> None:
    with pytest.raises(ConsentgateError) as caught:
        await ask(house, house.federation.gateway, subject)
    assert (caught.value.code, caught.value.field) == (ErrorCode.INVALID_ARGUMENT_FIELD, "subject")
