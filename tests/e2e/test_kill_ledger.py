"""SIGKILL of the ledger while a request stands before each numbered step, and its restart afterwards."""

from __future__ import annotations

import secrets
import time

import pytest

from bank_client.scoring import Score
from gateway.request_flow import STEPS
from tests.e2e.conftest import TEST_SECONDS
from tests.support.kill_house import LEDGER, KillHouse

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(TEST_SECONDS)]

DOWN_SECONDS = 0.5
"""How long the request goes on without the ledger."""


@pytest.mark.parametrize("step", [step.number for step in STEPS])
def test_killed_before_step(house: KillHouse, step: int) -> None:
    request_id = secrets.token_hex(16)
    house.at(step, "pause")
    asked = house.begin(request_id)
    house.reached(step)
    house.kill(LEDGER)
    house.go_on(step)
    time.sleep(DOWN_SECONDS)
    house.restart(LEDGER)
    assert house.check(request_id, asked.result()) is not None, "once the ledger is back, a retry gets the score"


def test_without_a_ledger_nothing_is_answered(house: KillHouse) -> None:
    house.kill(LEDGER)
    try:
        outcome = house.ask(secrets.token_hex(16))
    finally:
        house.restart(LEDGER)
    assert not isinstance(outcome, Score)
    assert outcome.code in ("LEDGER_UNAVAILABLE", "LEDGER_QUORUM", "LEDGER_STALE"), outcome
