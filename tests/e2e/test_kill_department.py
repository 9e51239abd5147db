"""SIGKILL of a department's adapter while a request stands before each numbered step, and its restart afterwards."""

from __future__ import annotations

import secrets
import time

import pytest

from bank_client.scoring import Score
from department_adapter.release import STEPS as OWN_STEPS
from gateway.request_flow import STEPS
from tests.e2e.conftest import TEST_SECONDS
from tests.support.kill_house import DEPARTMENT, KillHouse

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(TEST_SECONDS)]

DOWN_SECONDS = 0.5
"""How long the request goes on without the department."""


@pytest.mark.parametrize("step", [step.number for step in STEPS])
def test_killed_before_step(house: KillHouse, step: int) -> None:
    request_id = secrets.token_hex(16)
    house.at(step, "pause")
    asked = house.begin(request_id)
    house.reached(step)
    house.kill(DEPARTMENT)
    house.go_on(step)
    time.sleep(DOWN_SECONDS)
    house.restart(DEPARTMENT)
    assert house.check(request_id, asked.result()) is not None, "once the department is back, a retry gets the score"


@pytest.mark.parametrize("step", [step.number for step in OWN_STEPS])
def test_killed_before_a_step_of_its_own(house: KillHouse, step: int) -> None:
    """Between counting a use, reading the row, encrypting, signing and storing: one leaf stays one use, one answer."""
    request_id = secrets.token_hex(16)
    before = house.used(DEPARTMENT)
    house.at(step, "kill", DEPARTMENT)
    asked = house.begin(request_id)
    house.died(DEPARTMENT)
    house.restart(DEPARTMENT)
    assert house.check(request_id, asked.result()) is not None, "once the department is back, a retry gets the score"
    assert len(house.used(DEPARTMENT) - before) == 1


def test_while_it_is_away_the_refusal_names_it(house: KillHouse) -> None:
    house.kill(DEPARTMENT)
    try:
        outcome = house.ask(secrets.token_hex(16))
    finally:
        house.restart(DEPARTMENT)
    assert not isinstance(outcome, Score)
    assert DEPARTMENT in str(outcome)
