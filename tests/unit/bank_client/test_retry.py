"""Repeats are bounded, spread, and only where a repeat is harmless."""

from __future__ import annotations

import pytest

from bank_client.retry import FIRST_PAUSE_SECONDS, LARGEST_PAUSE_SECONDS, RetryPolicy
from consentgate.errors import ConsentgateError, ErrorCode


def test_pauses_double_up_to_the_largest() -> None:
    for attempt, pause in enumerate(RetryPolicy(attempts=12).pauses()):
        longest = min(FIRST_PAUSE_SECONDS * 2**attempt, LARGEST_PAUSE_SECONDS)
        assert longest / 2 <= pause <= longest


def test_there_is_one_pause_less_than_attempts() -> None:
    assert [len(list(RetryPolicy(attempts=count).pauses())) for count in (1, 2, 6)] == [0, 1, 5]


def test_many_banks_do_not_return_in_step() -> None:
    assert len({next(RetryPolicy().pauses()) for _ in range(50)}) > 1


PASSES = {
    ErrorCode.UNAVAILABLE,
    ErrorCode.DEADLINE_EXCEEDED,
    ErrorCode.STORE_UNAVAILABLE,
    ErrorCode.LEDGER_UNAVAILABLE,
    ErrorCode.LEDGER_QUORUM,
    ErrorCode.LEDGER_STALE,
    ErrorCode.DEPARTMENT_UNAVAILABLE,
    ErrorCode.REQUEST_IN_PROGRESS,
    ErrorCode.RESOURCE_EXHAUSTED,
    ErrorCode.CONNECTION_REFUSED,
    ErrorCode.CERTIFICATE_REFUSED,
}
"""A server that goes down in the middle of a handshake looks as if it refused the certificate."""


@pytest.mark.parametrize("code", list(ErrorCode))
def test_what_may_be_repeated_is_this_and_nothing_else(code: ErrorCode) -> None:
    assert RetryPolicy.may_repeat(ConsentgateError(code)) is (code in PASSES)
