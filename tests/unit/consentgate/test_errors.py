"""One catalogue of errors: complete, free of values, the same after the wire and between processes."""

from __future__ import annotations

import dataclasses
import pickle
import re
from typing import Any

import grpc
import pytest

from consentgate.error_catalogue import CATALOGUE
from consentgate.error_codes import ErrorCode
from consentgate.errors import AnswerRefused, ConsentgateError, InvalidFields, judging_answer
from consentgate.identity import IdentityInvalid

REFUSALS = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.DATA_LOSS,
}
PASSING = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.CANCELLED,
}
LEDGER_REASON = re.compile(r"[A-Z][A-Z_]{1,48}")
"""Form of a reason in a ledger leaf: a denial's code is written there."""


def test_every_code_has_an_entry_and_none_is_left_over():
    assert set(CATALOGUE) == set(ErrorCode)


@pytest.mark.parametrize("code", ErrorCode)
def test_entry_is_usable(code: ErrorCode):
    entry = CATALOGUE[code]
    assert code.value == code.name
    assert LEDGER_REASON.fullmatch(code)
    assert entry.status in REFUSALS | PASSING | {grpc.StatusCode.INTERNAL}
    for text in (entry.message, entry.hint):
        assert text.endswith(".")
        assert text[0].isupper()
        assert text.isascii()
        assert len(text) <= 120
    assert entry.message != entry.hint


def test_texts_hold_no_place_for_a_value():
    for entry in CATALOGUE.values():
        assert "%" not in entry.message + entry.hint
        assert not re.search(r"\{(?!\})|spiffe://[^<]", entry.message + entry.hint)


def test_no_two_codes_say_the_same():
    assert len({entry.message for entry in CATALOGUE.values()}) == len(CATALOGUE)


def test_catalogue_is_frozen():
    catalogue: Any = CATALOGUE
    with pytest.raises(TypeError):
        catalogue[ErrorCode.INTERNAL] = None
    with pytest.raises(dataclasses.FrozenInstanceError):
        catalogue[ErrorCode.INTERNAL].hint = "x"


def test_error_follows_its_code():
    error = ConsentgateError(ErrorCode.CONSENT_EXPIRED, field="consent_jws.valid_until", private="secret")
    assert error.status is grpc.StatusCode.FAILED_PRECONDITION
    assert error.hint == CATALOGUE[ErrorCode.CONSENT_EXPIRED].hint
    assert str(error) == "CONSENT_EXPIRED: The consent's time is over. (consent_jws.valid_until)"
    assert "secret" not in f"{error} {error!r}"


def test_hint_can_be_more_precise():
    assert ConsentgateError(ErrorCode.INTERNAL, hint="Look here.").hint == "Look here."


def test_extras_are_frozen_copies():
    extras = {"incident": "x"}
    error: Any = ConsentgateError(ErrorCode.INTERNAL, extra=extras)
    extras["incident"] = "y"
    assert error.extra["incident"] == "x"
    with pytest.raises(TypeError):
        error.extra["incident"] = "z"


@pytest.mark.parametrize("kind", [ConsentgateError, AnswerRefused, IdentityInvalid])
def test_error_crosses_processes(kind: type[ConsentgateError]):
    error = kind(ErrorCode.KEY_PROOF, field="f", private="p", extra={"a": "b"}, hint="h")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - what was pickled one line above
    assert type(again) is kind
    assert (again.code, again.field, again.private, dict(again.extra), again.hint) == (
        ErrorCode.KEY_PROOF,
        "f",
        "p",
        {"a": "b"},
        "h",
    )


def test_invalid_fields_name_all_of_them():
    error = InvalidFields({"a": "too short", "b[1]": "no such form"})
    assert error.code is ErrorCode.INVALID_ARGUMENT_FIELD
    assert error.field == "a, b[1]"
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - what was pickled in the same line
    assert again.violations == error.violations


def test_judging_an_answer_turns_errors_into_the_receivers_refusal():
    with pytest.raises(AnswerRefused) as caught, judging_answer():
        raise ConsentgateError(ErrorCode.RELEASE_MISMATCH, field="release.leaf", private="p")
    assert (caught.value.code, caught.value.field, caught.value.private) == (
        ErrorCode.RELEASE_MISMATCH,
        "release.leaf",
        "p",
    )
    assert isinstance(caught.value.__cause__, ConsentgateError)


def test_judging_an_answer_leaves_other_exceptions_alone():
    with pytest.raises(KeyError), judging_answer():
        raise KeyError("x")
