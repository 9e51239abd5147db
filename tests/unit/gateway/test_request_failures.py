"""Steps 6 to 10: without ledger, departments or time nothing leaves, and a retry goes on where it can."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from consentgate import evidence
from consentgate.errors import ErrorCode
from gateway.departments import DepartmentAnswer
from gateway.request_flow import CLOSING_SECONDS
from gateway.store.requests import RequestState
from tests.support.federation import Federation
from tests.support.gateway_house import House
from tests.support.sample_scorecard import small_scorecard


@pytest.mark.parametrize("code", [ErrorCode.LEDGER_UNAVAILABLE, ErrorCode.LEDGER_QUORUM, ErrorCode.LEDGER_FULL])
@pytest.mark.parametrize("kept", [True, False])
async def test_without_a_recorded_decision_nobody_is_asked(settled: House, code: ErrorCode, kept: bool) -> None:
    token = settled.request()
    (settled.ledger.kept if kept else settled.ledger.lost).append(code)
    assert (await settled.refused(token)).code is code
    assert settled.departments.asked == []
    assert (await settled.stored()).state is RequestState.PENDING
    answered = await settled.score(token)
    assert settled.open_score(answered) == settled.federation.plaintext_score()
    assert len(settled.ledger.entries("query.decision")) == 1


async def test_a_denial_is_not_told_before_it_is_recorded(settled: House) -> None:
    token = settled.request(purpose="credit.monitoring")
    settled.ledger.lost.append(ErrorCode.LEDGER_UNAVAILABLE)
    assert (await settled.refused(token)).code is ErrorCode.LEDGER_UNAVAILABLE
    assert (await settled.refused(token)).code is ErrorCode.CONSENT_PURPOSE


async def test_too_few_witnesses_are_no_record(settled: House) -> None:
    settled.ledger.witnesses = ("tax", "customs")
    assert (await settled.refused()).code is ErrorCode.LEDGER_QUORUM
    assert settled.departments.asked == []


async def test_without_a_recorded_release_nothing_leaves(settled: House) -> None:
    token = settled.request()
    settled.departments.spoil["customs"] = lambda jws, data: _then_ledger_down(settled, jws, data)
    assert (await settled.refused(token)).code is ErrorCode.LEDGER_UNAVAILABLE
    assert settled.ledger.entries("query.release") == []
    found = await settled.stored()
    assert (found.step, found.answer is not None) == (9, True)
    settled.ledger.down = None
    asked = len(settled.departments.asked)
    answered = await settled.score(token)
    assert settled.open_score(answered) == settled.federation.plaintext_score()
    assert len(settled.departments.asked) == asked, "the stored output is released, nothing is asked again"


def _then_ledger_down(house: House, jws: bytes, data: bytes):  # type: ignore[no-untyped-def]
    house.ledger.down = ErrorCode.LEDGER_UNAVAILABLE
    return DepartmentAnswer(jws, data)


async def test_a_silent_department_fails_the_request(settled: House) -> None:
    settled.departments.silent = {"customs"}
    token = settled.request()
    error = await settled.refused(token)
    assert (error.code, error.field) == (ErrorCode.DEPARTMENT_UNAVAILABLE, "customs")
    found = await settled.stored()
    assert (found.state, found.step, found.reason) == (RequestState.FAILED, 7, "DEPARTMENT_UNAVAILABLE")
    settled.departments.silent.clear()
    settled.clock.forward(seconds=20)
    answered = await settled.score(token)
    assert settled.open_score(answered) == settled.federation.plaintext_score()
    assert (await settled.stored()).reason == ""


async def test_a_declared_silence_counts_as_missing(tmp_path: Path) -> None:
    scorecard = small_scorecard(missing="encode")
    house = House(tmp_path, Federation(scorecard=scorecard))
    await house.settle()
    house.departments.silent = {"customs"}
    answered = await house.score()
    # VALUES has no exports, so the department itself would have said the same.
    assert house.open_score(answered) == house.federation.plaintext_score()
    assert len(answered.answer_jws) == 1
    assert house.ledger.entries("query.release")[-1].body["missing"] == ["customs"]
    house.departments.silent = {"customs", "tax"}
    error = await house.refused(house.request("nobody"))
    assert (error.code, error.field) == (ErrorCode.DEPARTMENT_UNAVAILABLE, "tax")
    house.close()


async def test_a_refusing_department_fails_the_request(tmp_path: Path) -> None:
    house = House(tmp_path, Federation(scorecard=small_scorecard(missing="encode")))
    await house.settle()
    house.departments.refusing = {"customs": ErrorCode.CONSENT_REVOKED}
    error = await house.refused()
    assert (error.code, error.field) == (ErrorCode.DEPARTMENT_REFUSED, "customs: CONSENT_REVOKED")
    house.close()


async def test_a_department_whose_tail_is_behind_is_asked_again(
    settled: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.departments.STALE_PAUSE_SECONDS", 0.0)
    settled.departments.stale = {"customs": 3}
    answered = await settled.score()
    assert settled.open_score(answered) == settled.federation.plaintext_score()
    assert settled.departments.asked.count("customs") == 4
    settled.departments.stale = {"customs": 99}
    error = await settled.refused(settled.request("never fresh"))
    assert error.field == "customs: LEDGER_STALE"


async def test_a_late_retry_goes_under_a_renewed_receipt(settled: House) -> None:
    """20 s later every department would call the first receipt stale."""
    token = settled.request()
    settled.departments.silent = {"tax"}
    await settled.refused(token)
    settled.departments.silent.clear()
    settled.clock.forward(seconds=20)
    await settled.score(token)


async def test_a_decision_ends(settled: House) -> None:
    token = settled.request()
    settled.departments.silent = {"tax"}
    await settled.refused(token)
    settled.departments.silent.clear()
    settled.clock.forward(seconds=56)
    error = await settled.refused(token)
    assert (error.code, error.field) == (ErrorCode.RECEIPT_EXPIRED, "decision.leaf.not_after")
    assert (await settled.stored()).state is RequestState.FAILED


async def test_departments_get_no_more_time_than_the_decision_has(settled: House) -> None:
    token = settled.request()
    settled.departments.silent = {"tax"}
    await settled.refused(token)
    assert settled.departments.seconds[-1] == settled.department_deadline.total_seconds()
    settled.clock.forward(seconds=50)
    await settled.refused(token)
    assert settled.departments.seconds[-1] == pytest.approx(5.0)


async def test_a_slow_department_counts_as_silent(settled: House) -> None:
    settled.department_deadline = timedelta(seconds=0.05)
    settled.start()
    _make_slow(settled, 5.0)
    error = await settled.refused()
    assert (error.code, error.field) == (ErrorCode.DEPARTMENT_UNAVAILABLE, "tax")


async def test_the_callers_deadline_makes_nobody_missing(tmp_path: Path) -> None:
    """Else a bank could choose who counts as missing, and subtract."""
    house = House(tmp_path, Federation(scorecard=small_scorecard(missing="encode")))
    await house.settle()
    _make_slow(house, 5.0, "customs")
    error = await house.refused(time_left=CLOSING_SECONDS + 0.05)
    assert error.code is ErrorCode.DEADLINE_EXCEEDED
    assert house.ledger.entries("query.release") == []
    house.close()


async def test_the_callers_deadline_is_no_limit_when_it_is_long(settled: House) -> None:
    answered = await settled.score(time_left=60.0)
    assert settled.open_score(answered) == settled.federation.plaintext_score()


def _make_slow(house: House, seconds: float, only: str | None = None) -> None:
    honest = house.departments.get_features

    async def slow(department: str, bundle: evidence.EvidenceBundle, bound: float):  # type: ignore[no-untyped-def]
        if only in (None, department):
            await asyncio.sleep(seconds)
        return await honest(department, bundle, bound)

    house.departments.get_features = slow  # type: ignore[method-assign]
