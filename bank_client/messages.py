"""Protobuf messages ↔ the bank's own types: the only module here, beside the clients, that sees a message.

Enumerations become their names in lower case without prefix (`released`), timestamps aware datetimes. An enumeration
value this version does not know becomes `unspecified`, and never anything that reads like a success.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from bank_client.scoring import Answer
from consentgate.convert import bundle_from_message, receipt_from_message
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.v1 import scoring_pb2

_STATE_PREFIX = "REQUEST_STATE_"


@dataclass(frozen=True)
class Obstacle:
    """One fact that stands against a request, and what would have to change."""

    reason: str
    hint: str


@dataclass(frozen=True)
class PolicyBasis:
    """A policy that took part in a decision, and the article of law it rests on."""

    id: str
    basis: str


@dataclass(frozen=True)
class DryRun:
    """Would it be allowed now? A forecast without proof: the decision is made, and recorded, when it is asked for."""

    allowed: bool
    reason: str
    obstacles: tuple[Obstacle, ...]
    policies: tuple[PolicyBasis, ...]


@dataclass(frozen=True)
class RequestRecord:
    """One of the bank's own requests, as the gateway tells it."""

    request_id: str
    received_at: datetime
    step: int
    state: str
    reason: str


def answer_from_message(message: scoring_pb2.ScoreResponse) -> Answer:
    """An answer as received; raises RELEASE_MISMATCH naming a part that is not there at all."""
    for part in ("evidence", "release"):
        if not message.HasField(part):
            raise ConsentgateError(ErrorCode.RELEASE_MISMATCH, field=part)
    if not message.evidence.HasField("decision"):
        raise ConsentgateError(ErrorCode.RELEASE_MISMATCH, field="evidence.decision")
    return Answer(
        ciphertext=message.ciphertext,
        evidence=bundle_from_message(message.evidence),
        answers=tuple(message.answer_jws),
        release=receipt_from_message(message.release),
    )


def dry_run_from_message(message: scoring_pb2.DryRunResponse) -> DryRun:
    """A forecast; one that is allowed and names obstacles contradicts itself and counts as not allowed."""
    return DryRun(
        allowed=message.allowed and not message.obstacles,
        reason=message.reason,
        obstacles=tuple(Obstacle(item.reason, item.hint) for item in message.obstacles),
        policies=tuple(PolicyBasis(item.id, item.basis) for item in message.policies),
    )


def record_from_message(message: scoring_pb2.RequestSummary) -> RequestRecord:
    """One line of the bank's own requests."""
    known = message.state in scoring_pb2.RequestState.values()
    name = scoring_pb2.RequestState.Name(message.state) if known else "REQUEST_STATE_UNSPECIFIED"
    return RequestRecord(
        request_id=message.request_id,
        received_at=message.received_at.ToDatetime(UTC),
        step=message.step,
        state=name.removeprefix(_STATE_PREFIX).lower(),
        reason=message.reason,
    )
