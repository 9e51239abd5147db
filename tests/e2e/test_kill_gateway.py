"""SIGKILL of the gateway before each numbered step of a request: restarted, it comes to the same answer."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from bank_client.scoring import Score
from gateway.request_flow import STEPS
from tests.e2e.conftest import TEST_SECONDS
from tests.support.kill_house import GATEWAY, KillHouse, kill_house

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(TEST_SECONDS)]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KillHouse]:
    with kill_house(tmp_path_factory.mktemp("kill") / "build") as house:
        assert isinstance(house.ask(secrets.token_hex(16)), Score), "nothing was killed yet"
        yield house


@pytest.mark.parametrize("step", [step.number for step in STEPS])
def test_killed_before_step(house: KillHouse, step: int) -> None:
    request_id = secrets.token_hex(16)
    house.at(step, "kill")
    asked = house.begin(request_id)
    house.died(GATEWAY)
    house.restart(GATEWAY)
    score = house.check(request_id, asked.result())
    assert score is not None, "the decision still lived, every department was there: a retry must come to the score"
