"""A reviewer's connection to the gateway: fetch what is to be reviewed, hand in what was signed.

The signatures count, not who carries them: any reviewer may submit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import grpc

from consentgate import canonical
from consentgate.anchors import Anchors
from consentgate.channel import open_channel
from consentgate.convert import receipt_from_message
from consentgate.error_status import from_rpc_error
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.identity import SpiffeId
from consentgate.scorecard import Scorecard, ScorecardHeader, ScorecardWeights
from consentgate.tls import TlsFiles
from consentgate.v1 import scorecard_pb2, scorecard_pb2_grpc
from gateway.review import Action, Fetched, ReviewPackage, prepare
from ledger.errors import LedgerError
from ledger.verify import VerifiedLeaf, verify_receipt

CALL_SECONDS = 30.0
"""Deadline of one call: judging a large set takes seconds, recording an approval waits for the witnesses."""
LIST_PAGE = 500
"""Scorecards per call; the wire's bound."""

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class ListedScorecard:
    """A scorecard as the gateway lists it."""

    scorecard: str
    name: str
    departments: tuple[str, ...]
    approved_groups: tuple[str, ...]


class ReviewClient:
    """Calls of a reviewer over one channel; `connect` opens it."""

    def __init__(self, channel: grpc.Channel, anchors: Anchors) -> None:
        self._stub = scorecard_pb2_grpc.ScorecardServiceStub(channel)
        self._anchors = anchors

    @classmethod
    @contextmanager
    def connect(
        cls, address: str, peer: SpiffeId, tls: TlsFiles, anchors: Anchors, *, allow_development_ca: bool = False
    ) -> Iterator[ReviewClient]:
        """A client for as long as the context lasts."""
        with open_channel(address, peer, tls, allow_development_ca=allow_development_ca) as channel:
            yield cls(channel, anchors)

    def fetch(self, group: str, scorecard: str, action: Action, members: Sequence[str], now: datetime) -> ReviewPackage:
        """The package to be reviewed: report, and every scorecard of the set with its weights."""
        request = scorecard_pb2.GetDisclosureReportRequest(group=group, scorecard=scorecard)
        found = _answered(lambda: self._stub.GetDisclosureReport(request, timeout=CALL_SECONDS))
        report = canonical.parse(found.report, "report")
        described = report.get("scorecards")
        if not isinstance(described, list):
            raise ConsentgateError(ErrorCode.DISCLOSURE_MISMATCH, field="report.scorecards")
        scorecards = tuple(self.get(str(entry["id"])) for entry in described)
        fetched = Fetched(found.report, found.previous, found.next_sequence, scorecards)
        return prepare(fetched, scorecard, action, members, self._anchors, now)

    def get(self, scorecard: str) -> Scorecard:
        """A scorecard with its weights; raises SCORECARD_HEADER when the answer is another one."""
        request = scorecard_pb2.GetScorecardRequest(scorecard=scorecard)
        found = _answered(lambda: self._stub.GetScorecard(request, timeout=CALL_SECONDS))
        header = ScorecardHeader.parse(found.header, "header")
        if header.id != scorecard:
            raise ConsentgateError(ErrorCode.SCORECARD_HEADER, field="header")
        return Scorecard(header, ScorecardWeights.parse(found.weights, "weights"))

    def list(self) -> list[ListedScorecard]:
        """All scorecards, in order of registration."""
        listed: list[ListedScorecard] = []
        page = self._page("")
        while True:
            listed += [
                ListedScorecard(entry.scorecard, entry.name, tuple(entry.departments), tuple(entry.approved_groups))
                for entry in page.scorecards
            ]
            if not page.next_page_token:
                return listed
            page = self._page(page.next_page_token)

    def _page(self, token: str) -> scorecard_pb2.ListScorecardsResponse:
        request = scorecard_pb2.ListScorecardsRequest(page_size=LIST_PAGE, page_token=token)
        return _answered(lambda: self._stub.ListScorecards(request, timeout=CALL_SECONDS))

    def submit(self, approval_jws: bytes) -> VerifiedLeaf:
        """Hands in the approval; the ledger's leaf about it, verified."""
        request = scorecard_pb2.SubmitApprovalRequest(approval_jws=approval_jws)
        found = _answered(lambda: self._stub.SubmitApproval(request, timeout=CALL_SECONDS))
        try:
            leaf = verify_receipt(receipt_from_message(found.receipt), self._anchors.log_policy)
        except LedgerError as error:
            raise ConsentgateError(ErrorCode.RECEIPT_INVALID, field="receipt") from error
        if leaf.entry.body.get("approval") != canonical.digest(approval_jws):
            raise ConsentgateError(ErrorCode.RECEIPT_MISMATCH, field="receipt.leaf.approval")
        return leaf


def _answered(call: Callable[[], Answer]) -> Answer:
    try:
        return call()
    except grpc.RpcError as error:
        raise from_rpc_error(error) from error
