"""Messages become the bank's own types, and never anything better than what was said."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from bank_client import messages
from consentgate.convert import bundle_to_message, receipt_to_message
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.v1 import scoring_pb2
from tests.unit.bank_client.exchange import Exchange


def message_of(honest: Exchange) -> scoring_pb2.ScoreResponse:
    return scoring_pb2.ScoreResponse(
        ciphertext=honest.received.ciphertext,
        evidence=bundle_to_message(honest.received.evidence),
        answer_jws=honest.received.answers,
        release=receipt_to_message(honest.received.release),
    )


def test_an_answer_arrives_unchanged(honest: Exchange) -> None:
    assert messages.answer_from_message(message_of(honest)) == honest.received


@pytest.mark.parametrize("part", ["evidence", "release", "evidence.decision"])
def test_a_part_that_is_absent_is_named(honest: Exchange, part: str) -> None:
    message = message_of(honest)
    owner = message.evidence if part.startswith("evidence.") else message
    owner.ClearField(part.rsplit(".", maxsplit=1)[-1])
    with pytest.raises(ConsentgateError) as refusal:
        messages.answer_from_message(message)
    assert (refusal.value.code, refusal.value.field) == (ErrorCode.RELEASE_MISMATCH, part)


def test_a_forecast_that_contradicts_itself_is_no_yes() -> None:
    obstacle = scoring_pb2.Obstacle(reason="CONSENT_PAUSED", hint="The company resumes it.")
    forecast = messages.dry_run_from_message(scoring_pb2.DryRunResponse(allowed=True, obstacles=[obstacle]))
    assert forecast.allowed is False


def test_a_forecast_that_says_yes_is_one() -> None:
    basis = scoring_pb2.PolicyBasis(id="score.public", basis="an article")
    forecast = messages.dry_run_from_message(scoring_pb2.DryRunResponse(allowed=True, policies=[basis]))
    assert (forecast.allowed, forecast.obstacles, forecast.policies[0].basis) == (True, (), "an article")


def test_states_by_name_and_times_with_zone() -> None:
    moment = datetime(2026, 11, 24, 4, 1, tzinfo=UTC)
    received = Timestamp()
    received.FromDatetime(moment)
    summary = scoring_pb2.RequestSummary(
        request_id="0" * 32,
        step=6,
        state=scoring_pb2.REQUEST_STATE_DENIED,
        reason="CONSENT_PAUSED",
        received_at=received,
    )
    record = messages.record_from_message(summary)
    assert (record.state, record.step, record.received_at) == ("denied", 6, moment)


def test_a_state_of_a_later_version_is_unspecified() -> None:
    summary = scoring_pb2.RequestSummary(state=99)  # type: ignore[arg-type]  # open enumeration
    assert messages.record_from_message(summary).state == "unspecified"
