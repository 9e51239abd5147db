"""ScoringService (protos/consentgate/v1/scoring.proto)."""

from __future__ import annotations

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from consentgate import convert
from consentgate.database import Database
from consentgate.errors import CATALOGUE
from consentgate.interceptors import Context, caller_of
from consentgate.v1 import scoring_pb2, scoring_pb2_grpc
from gateway.dry_run import DryRun, DryRunner
from gateway.request_flow import RequestFlow
from gateway.servicers.paging import page_size, page_start, page_token
from gateway.store import requests
from gateway.store.requests import RequestState, StoredRequest

STATES = {
    RequestState.PENDING: scoring_pb2.REQUEST_STATE_PENDING,
    RequestState.DENIED: scoring_pb2.REQUEST_STATE_DENIED,
    RequestState.ALLOWED: scoring_pb2.REQUEST_STATE_ALLOWED,
    RequestState.RELEASED: scoring_pb2.REQUEST_STATE_RELEASED,
    RequestState.FAILED: scoring_pb2.REQUEST_STATE_FAILED,
}


class ScoringServicer(scoring_pb2_grpc.ScoringServiceServicer):
    """Banks ask."""

    def __init__(self, flow: RequestFlow, dry_runner: DryRunner, database: Database) -> None:
        self._flow = flow
        self._dry_runner = dry_runner
        self._database = database

    async def Score(  # noqa: N802 - the name is the RPC's
        self, request: scoring_pb2.ScoreRequest, context: Context
    ) -> scoring_pb2.ScoreResponse:
        """Runs the eleven steps."""
        answer = await self._flow.score(request.signed_request, caller_of(context), context.time_remaining())
        return scoring_pb2.ScoreResponse(
            ciphertext=answer.ciphertext,
            evidence=convert.bundle_to_message(answer.evidence),
            answer_jws=answer.answer_jws,
            release=convert.receipt_to_message(answer.release),
        )

    async def DryRun(  # noqa: N802
        self, request: scoring_pb2.DryRunRequest, context: Context
    ) -> scoring_pb2.DryRunResponse:
        """Explains without deciding."""
        result = await self._dry_runner.run(caller_of(context), request.company, request.scorecard, request.purpose)
        return _dry_run_message(result)

    async def ListRequests(  # noqa: N802
        self, request: scoring_pb2.ListRequestsRequest, context: Context
    ) -> scoring_pb2.ListRequestsResponse:
        """The calling bank's own requests."""
        bank, size = str(caller_of(context)), page_size(request.page_size)
        start = page_start(request.page_token)
        found = await self._database.run(lambda session: requests.of_bank(session, bank, start, size))
        return scoring_pb2.ListRequestsResponse(
            requests=[_summary(stored) for stored in found],
            next_page_token=page_token([stored.row_id for stored in found], size),
        )


def _dry_run_message(result: DryRun) -> scoring_pb2.DryRunResponse:
    return scoring_pb2.DryRunResponse(
        allowed=not result.obstacles,
        reason=str(result.obstacles[0].reason) if result.obstacles else "",
        obstacles=[
            scoring_pb2.Obstacle(reason=str(obstacle.reason), hint=obstacle.hint or CATALOGUE[obstacle.reason].hint)
            for obstacle in result.obstacles
        ],
        policies=[scoring_pb2.PolicyBasis(id=policy.id, basis=policy.basis) for policy in result.policies],
    )


def _summary(stored: StoredRequest) -> scoring_pb2.RequestSummary:
    return scoring_pb2.RequestSummary(
        request_id=stored.request_id,
        received_at=_timestamp(stored.received_at),
        step=stored.step,
        state=STATES[stored.state],
        reason=stored.reason,
    )


def _timestamp(moment: datetime) -> Timestamp:
    return Timestamp(seconds=int(moment.timestamp()))
