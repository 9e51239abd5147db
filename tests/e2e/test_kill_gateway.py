"""SIGKILL of the gateway before each numbered step of a request: restarted, it comes to the same answer."""

from __future__ import annotations

import secrets

import pytest

from gateway.request_flow import STEPS
from tests.e2e.conftest import TEST_SECONDS
from tests.support.kill_house import GATEWAY, KillHouse

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(TEST_SECONDS)]


@pytest.mark.parametrize("step", [step.number for step in STEPS])
def test_killed_before_step(house: KillHouse, step: int) -> None:
    request_id = secrets.token_hex(16)
    house.at(step, "kill")
    asked = house.begin(request_id)
    house.died(GATEWAY)
    house.restart(GATEWAY)
    score = house.check(request_id, asked.result())
    assert score is not None, "the decision still lived, every department was there: a retry must come to the score"
