"""ScorecardService (protos/consentgate/v1/scorecard.proto)."""

from __future__ import annotations

from consentgate import convert
from consentgate.identity import Role, SpiffeId
from consentgate.interceptors import Context, caller_of
from consentgate.v1 import scorecard_pb2, scorecard_pb2_grpc
from gateway.scorecards import Scorecards, VisibleScorecard
from gateway.servicers.paging import page_size, page_start, page_token


class ScorecardServicer(scorecard_pb2_grpc.ScorecardServiceServicer):
    """Register, report, approve or retire, show."""

    def __init__(self, scorecards: Scorecards) -> None:
        self._scorecards = scorecards

    async def RegisterScorecard(  # noqa: N802 - the name is the RPC's
        self, request: scorecard_pb2.RegisterScorecardRequest, context: Context
    ) -> scorecard_pb2.RegisterScorecardResponse:
        """Registers header and weights."""
        scorecard, receipt = await self._scorecards.register(request.header, request.weights, caller_of(context))
        return scorecard_pb2.RegisterScorecardResponse(scorecard=scorecard, receipt=convert.receipt_to_message(receipt))

    async def SubmitApproval(  # noqa: N802
        self,
        request: scorecard_pb2.SubmitApprovalRequest,
        context: Context,  # noqa: ARG002 - gRPC passes it
    ) -> scorecard_pb2.SubmitApprovalResponse:
        """Adds the next link; the reviewers' signatures count, not who carries them here."""
        receipt = await self._scorecards.submit(request.approval_jws)
        return scorecard_pb2.SubmitApprovalResponse(receipt=convert.receipt_to_message(receipt))

    async def GetScorecard(  # noqa: N802
        self, request: scorecard_pb2.GetScorecardRequest, context: Context
    ) -> scorecard_pb2.GetScorecardResponse:
        """Header and groups; the weights for reviewers and the owning bank only."""
        caller = caller_of(context)
        found = await self._scorecards.visible(caller, request.scorecard)
        return scorecard_pb2.GetScorecardResponse(
            header=found.stored.header,
            weights=found.stored.weights if _sees_weights(caller, found) else b"",
            approved_groups=found.approved_groups,
        )

    async def GetDisclosureReport(  # noqa: N802
        self, request: scorecard_pb2.GetDisclosureReportRequest, context: Context
    ) -> scorecard_pb2.GetDisclosureReportResponse:
        """What reviewers read before they sign."""
        review = await self._scorecards.review(caller_of(context), request.group, request.scorecard)
        return scorecard_pb2.GetDisclosureReportResponse(
            report=review.report.encode(), previous=review.previous, next_sequence=review.next_sequence
        )

    async def ListScorecards(  # noqa: N802
        self, request: scorecard_pb2.ListScorecardsRequest, context: Context
    ) -> scorecard_pb2.ListScorecardsResponse:
        """Scorecards the caller may see, in order of registration."""
        size = page_size(request.page_size)
        found = await self._scorecards.list(caller_of(context), page_start(request.page_token) or 0, size)
        return scorecard_pb2.ListScorecardsResponse(
            scorecards=[_summary(entry) for entry in found],
            next_page_token=page_token([entry.stored.row_id for entry in found], size),
        )


def _sees_weights(caller: SpiffeId, found: VisibleScorecard) -> bool:
    if caller.role is Role.BANK:
        return found.stored.scorecard.header.owner == caller.id
    return caller.role is Role.REVIEWER


def _summary(entry: VisibleScorecard) -> scorecard_pb2.ScorecardSummary:
    header = entry.stored.scorecard.header
    return scorecard_pb2.ScorecardSummary(
        scorecard=header.id,
        name=header.name,
        departments=[department.id for department in header.departments],
        approved_groups=entry.approved_groups,
    )
