"""HistoryService (protos/consentgate/v1/features.proto)."""

from __future__ import annotations

from consentgate import convert
from consentgate.interceptors import Context
from consentgate.v1 import features_pb2, features_pb2_grpc
from department_adapter.histories import Histories


class HistoryServicer(features_pb2_grpc.HistoryServiceServicer):
    """The gateway asks on a company's behalf, or the company itself."""

    def __init__(self, histories: Histories) -> None:
        self._histories = histories

    async def GetSubjectHistory(  # noqa: N802 - the name is the RPC's
        self, request: features_pb2.GetSubjectHistoryRequest, _context: Context
    ) -> features_pb2.GetSubjectHistoryResponse:
        """Signed, as of the newest checkpoint that the department verified."""
        statement = await self._histories.state(request.subject)
        return features_pb2.GetSubjectHistoryResponse(history=convert.history_to_message(statement))
