"""The bank's calls, each as one value: which RPC, which request, how its answer is checked and decoded.

Both clients run these values, so a check cannot exist in one of them only. Every answer that claims to be on the ledger
comes with a receipt, and is believed only after the receipt was verified and names what was asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import grpc

from bank_client import messages
from bank_client.messages import DryRun, RequestRecord
from bank_client.scoring import Answer
from bank_client.session import BankSession, Prepared
from consentgate import canonical
from consentgate.convert import receipt_from_message
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.scorecard import Scorecard, ScorecardHeader, ScorecardWeights
from consentgate.v1 import evidence_pb2, keys_pb2, scorecard_pb2, scoring_pb2
from consentgate.v1.keys_pb2_grpc import KeyServiceStub
from consentgate.v1.scorecard_pb2_grpc import ScorecardServiceStub
from consentgate.v1.scoring_pb2_grpc import ScoringServiceStub
from ledger.verify import VerifiedLeaf

MAX_LIST_PAGE = 500
"""Requests per call; the wire's bound."""

Request = TypeVar("Request")
Reply = TypeVar("Reply")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Stubs:
    """The services that a bank calls, on one channel."""

    scoring: ScoringServiceStub
    keys: KeyServiceStub
    scorecards: ScorecardServiceStub


@dataclass(frozen=True)
class Call(Generic[Request, Reply, Result]):
    """One RPC with its request and the decoder of its reply."""

    method: Callable[[Stubs], grpc.UnaryUnaryMultiCallable[Request, Reply]]
    request: Request
    decode: Callable[[Reply], Result]


@dataclass(frozen=True)
class RegisteredKey:
    """The ledger knows this key as the bank's."""

    key_id: str
    leaf: VerifiedLeaf


@dataclass(frozen=True)
class RegisteredScorecard:
    """The ledger knows this scorecard; reviewers may now approve it."""

    scorecard: str
    leaf: VerifiedLeaf


@dataclass(frozen=True)
class ScorecardView:
    """A scorecard as the gateway holds it; the header is the one its id names, the weights the ones it commits to."""

    header: ScorecardHeader
    weights: ScorecardWeights | None
    approved_groups: tuple[str, ...]

    def scorecard(self) -> Scorecard | None:
        """Header and weights together, when the bank may see the weights."""
        return None if self.weights is None else Scorecard(self.header, self.weights)


def score(prepared: Prepared) -> Call[scoring_pb2.ScoreRequest, scoring_pb2.ScoreResponse, Answer]:
    """Asks the prepared question; the answer is unverified."""
    request = scoring_pb2.ScoreRequest(signed_request=prepared.sent.signed)
    return Call(lambda stubs: stubs.scoring.Score, request, messages.answer_from_message)


def dry_run(
    company: str, scorecard: str, purpose: str
) -> Call[scoring_pb2.DryRunRequest, scoring_pb2.DryRunResponse, DryRun]:
    """Would it be allowed?"""
    request = scoring_pb2.DryRunRequest(company=company, scorecard=scorecard, purpose=purpose)
    return Call(lambda stubs: stubs.scoring.DryRun, request, messages.dry_run_from_message)


def list_requests(
    page_size: int, page_token: str
) -> Call[scoring_pb2.ListRequestsRequest, scoring_pb2.ListRequestsResponse, tuple[list[RequestRecord], str]]:
    """One page of the bank's own requests, and the token of the next."""
    request = scoring_pb2.ListRequestsRequest(page_size=page_size, page_token=page_token)
    return Call(
        lambda stubs: stubs.scoring.ListRequests,
        request,
        lambda reply: ([messages.record_from_message(one) for one in reply.requests], reply.next_page_token),
    )


def register_key(
    session: BankSession, registration: bytes, key_id: str
) -> Call[keys_pb2.RegisterKeyRequest, keys_pb2.RegisterKeyResponse, RegisteredKey]:
    """Registers the recipient key."""

    def decode(reply: keys_pb2.RegisterKeyResponse) -> RegisteredKey:
        leaf = _leaf(session, reply.receipt, "key.registered")
        _must_name(leaf, "key_id", key_id)
        _must_name(leaf, "institution", session.signer.identity.id)
        _must_name(leaf, "digest", canonical.digest(registration))
        return RegisteredKey(key_id, leaf)

    request = keys_pb2.RegisterKeyRequest(registration_jws=registration)
    return Call(lambda stubs: stubs.keys.RegisterKey, request, decode)


def register_scorecard(
    session: BankSession, scorecard: Scorecard
) -> Call[scorecard_pb2.RegisterScorecardRequest, scorecard_pb2.RegisterScorecardResponse, RegisteredScorecard]:
    """Registers header and weights."""

    def decode(reply: scorecard_pb2.RegisterScorecardResponse) -> RegisteredScorecard:
        leaf = _leaf(session, reply.receipt, "scorecard.registered")
        _must_name(leaf, "scorecard", scorecard.header.id)
        return RegisteredScorecard(scorecard.header.id, leaf)

    request = scorecard_pb2.RegisterScorecardRequest(
        header=scorecard.header.encode(), weights=scorecard.weights.encode()
    )
    return Call(lambda stubs: stubs.scorecards.RegisterScorecard, request, decode)


def get_scorecard(
    scorecard: str,
) -> Call[scorecard_pb2.GetScorecardRequest, scorecard_pb2.GetScorecardResponse, ScorecardView]:
    """Header, groups and, for its owner, the weights."""

    def decode(reply: scorecard_pb2.GetScorecardResponse) -> ScorecardView:
        if canonical.digest(reply.header) != scorecard:
            raise ConsentgateError(ErrorCode.SCORECARD_HEADER, field="header")
        header = ScorecardHeader.parse(reply.header, "header")
        weights = ScorecardWeights.parse(reply.weights, "weights") if reply.weights else None
        view = ScorecardView(header, weights, tuple(reply.approved_groups))
        view.scorecard()  # Raises unless the weights are the ones that the header commits to.
        return view

    request = scorecard_pb2.GetScorecardRequest(scorecard=scorecard)
    return Call(lambda stubs: stubs.scorecards.GetScorecard, request, decode)


def _leaf(session: BankSession, receipt: evidence_pb2.Receipt, kind: str) -> VerifiedLeaf:
    return session.verify_receipt(receipt_from_message(receipt), kind)


def _must_name(leaf: VerifiedLeaf, field: str, value: str) -> None:
    if leaf.entry.body.get(field) != value:
        raise ConsentgateError(ErrorCode.RECEIPT_MISMATCH, field=f"receipt.leaf.{field}")
