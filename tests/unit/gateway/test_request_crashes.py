"""A process that dies at any step: after a restart the same bytes get one answer, and the ledger tells the truth."""

from __future__ import annotations

from pathlib import Path

import pytest

from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.steps import OnStep
from gateway.request_flow import STEPS
from tests.support.gateway_house import House


class Died(Exception):
    """Stands for SIGKILL: no handler of the program knows it."""


def dying_at(number: int) -> OnStep:
    """An observer that ends the process before step `number`."""

    async def on_step(step: int) -> None:
        if step == number:
            raise Died

    return on_step


RECORDED_BEFORE = {7: ["query.decision"], 8: ["query.decision"], 9: ["query.decision"], 10: ["query.decision"]}
RECORDED_BEFORE[11] = ["query.decision", "query.release"]
"""Step before which the process dies → what the ledger holds about the request by then."""


def recorded(house: House) -> list[str]:
    """Kinds of the entries about requests, in the ledger's order."""
    return [entry.kind for entry in house.ledger.entries() if entry.kind.startswith("query.")]


@pytest.mark.parametrize("number", [step.number for step in STEPS])
async def test_a_retry_after_a_crash_gets_the_answer(settled: House, number: int) -> None:
    token = settled.request()
    with pytest.raises(Died):
        await settled.score(token, flow=settled.new_flow(dying_at(number)))
    assert recorded(settled) == RECORDED_BEFORE.get(number, [])
    settled.restart()
    settled.clock.forward(seconds=10)
    answered = await settled.score(token)
    assert settled.open_score(answered) == settled.federation.plaintext_score()
    assert recorded(settled) == ["query.decision", "query.release"]
    again = await settled.score(token)
    assert (again.ciphertext, again.release) == (answered.ciphertext, answered.release)


@pytest.mark.parametrize("number", [6, 7, 8, 9, 10, 11])
async def test_what_was_intended_is_recorded_without_a_retry(settled: House, number: int) -> None:
    """The bank never asks again; the ledger still claims no less than what happened."""
    with pytest.raises(Died):
        await settled.score(flow=settled.new_flow(dying_at(number)))
    settled.restart()
    assert await settled.upkeep.round()
    expected = ["query.decision", "query.release"] if number >= 10 else ["query.decision"]
    assert recorded(settled) == expected


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
async def test_before_the_reservation_nothing_has_happened(settled: House, number: int) -> None:
    with pytest.raises(Died):
        await settled.score(flow=settled.new_flow(dying_at(number)))
    settled.restart()
    assert await settled.recorder.recover() == 0
    assert recorded(settled) == []


async def test_a_crash_between_append_and_receipt_makes_no_second_leaf(settled: House) -> None:
    """Failed but kept: the ledger has the entry, the gateway does not know."""
    token = settled.request()
    settled.ledger.kept = [ErrorCode.LEDGER_UNAVAILABLE]
    await settled.refused(token)
    settled.restart()
    await settled.score(token)
    assert recorded(settled) == ["query.decision", "query.release"]


@pytest.mark.parametrize("number", [6, 7])
async def test_a_denial_survives_a_crash(settled: House, number: int) -> None:
    token = settled.request(purpose="credit.monitoring")
    flow = settled.new_flow(dying_at(number))
    with pytest.raises((Died, ConsentgateError)):
        await settled.score(token, flow=flow)
    settled.restart()
    error = await settled.refused(token)
    assert error.code is ErrorCode.CONSENT_PURPOSE
    assert recorded(settled) == ["query.decision"]


async def test_an_interrupted_reservation_is_a_use(settled: House) -> None:
    """A reservation is never handed back, whatever became of its process."""
    await settled.grant(version=2, frequency={"count": 1, "per": "DAY"})
    with pytest.raises(Died):
        await settled.score(flow=settled.new_flow(dying_at(6)))
    settled.restart()
    assert (await settled.refused(settled.request("another"))).code is ErrorCode.CONSENT_FREQUENCY


async def test_a_decision_whose_process_died_for_too_long_is_over(settled: House) -> None:
    token = settled.request()
    with pytest.raises(Died):
        await settled.score(token, flow=settled.new_flow(dying_at(7)))
    settled.restart()
    settled.clock.forward(seconds=60)
    assert (await settled.refused(token)).code is ErrorCode.RECEIPT_EXPIRED
    assert (await settled.refused(token)).code is ErrorCode.RECEIPT_EXPIRED


async def test_an_output_outlives_the_decision(settled: House) -> None:
    """Computed before the end, released after it: the departments answered in time."""
    token = settled.request()
    with pytest.raises(Died):
        await settled.score(token, flow=settled.new_flow(dying_at(10)))
    settled.restart()
    settled.clock.forward(minutes=10)
    answered = await settled.score(token)
    assert settled.open_score(answered) == settled.federation.plaintext_score()


async def test_a_second_process_recovers_what_the_first_intended(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.settle()
    with pytest.raises(Died):
        await house.score(flow=house.new_flow(dying_at(6)))
    house.ledger.lost = [ErrorCode.LEDGER_UNAVAILABLE]
    with pytest.raises(ConsentgateError, match="LEDGER_UNAVAILABLE"):
        await house.recorder.recover()
    assert await house.recorder.recover() == 1
    assert await house.recorder.recover() == 0
    house.close()
