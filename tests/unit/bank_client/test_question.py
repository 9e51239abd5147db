"""A question is signed once; a bad argument is refused by name before anything is signed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bank_client import question
from bank_client.question import Question
from consentgate import evidence
from consentgate.errors import ConsentgateError, ErrorCode
from tests.support.federation import AS_OF, PURPOSE, Federation, hex16

REQUEST = hex16("request")
KEY_ID = "ab" * 32


@pytest.fixture
def asked(federation: Federation) -> Question:
    return Question(federation.company.code, federation.scorecard, PURPOSE, AS_OF)


def test_a_signed_question_verifies_as_the_bank_s_own(federation: Federation, asked: Question) -> None:
    sent = question.sign(asked, REQUEST, KEY_ID, federation.bank_a.signer, federation.now)
    claims, bank = evidence.verify_request(sent.signed, federation.anchors, federation.now)
    assert claims == sent.claims
    assert bank == federation.bank_a.identity


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("company", "91350100M000100Y44"),
        ("company", ""),
        ("scorecard", "g" * 64),
        ("purpose", "Credit Origination"),
        ("as_of", "2026-13"),
        ("as_of", "last month"),
    ],
    ids=["check digit", "no company", "no hex", "no identifier", "month 13", "no period"],
)
def test_a_bad_argument_is_named(federation: Federation, asked: Question, field: str, value: str) -> None:
    with pytest.raises(ConsentgateError) as refusal:
        question.sign(replace(asked, **{field: value}), REQUEST, KEY_ID, federation.bank_a.signer, federation.now)
    assert refusal.value.code is ErrorCode.INVALID_ARGUMENT_FIELD
    assert value not in str(refusal.value) or value == ""


def test_a_reopened_question_is_the_same_bytes(federation: Federation, asked: Question) -> None:
    sent = question.sign(asked, REQUEST, KEY_ID, federation.bank_a.signer, federation.now)
    assert question.reopen(sent.signed, REQUEST, asked, KEY_ID) == sent


@pytest.mark.parametrize("change", ["purpose", "as_of", "company", "scorecard"])
def test_a_request_id_is_not_reused_for_another_question(federation: Federation, asked: Question, change: str) -> None:
    sent = question.sign(asked, REQUEST, KEY_ID, federation.bank_a.signer, federation.now)
    other = {
        "purpose": "credit.review",
        "as_of": "2026-09",
        "company": federation.second_company.code,
        "scorecard": "00" * 32,
    }
    with pytest.raises(ConsentgateError) as refusal:
        question.reopen(sent.signed, REQUEST, replace(asked, **{change: other[change]}), KEY_ID)
    assert refusal.value.code is ErrorCode.IDEMPOTENCY_CONFLICT


def test_a_question_under_another_key_is_not_repeated(federation: Federation, asked: Question) -> None:
    sent = question.sign(asked, REQUEST, KEY_ID, federation.bank_a.signer, federation.now)
    with pytest.raises(ConsentgateError) as refusal:
        question.reopen(sent.signed, REQUEST, asked, "cd" * 32)
    assert refusal.value.code is ErrorCode.IDEMPOTENCY_CONFLICT


def test_request_ids_do_not_repeat() -> None:
    assert len({question.new_request_id() for _ in range(100)}) == 100


def test_the_default_period_is_the_calendar_month() -> None:
    assert question.current_period(datetime(2026, 3, 31, 23, 59, tzinfo=UTC)) == "2026-03"
