"""What the gateway does on its own, and that one failing duty stops no other."""

from __future__ import annotations

import asyncio

import pytest

from consentgate.errors import ErrorCode
from gateway import upkeep
from gateway.upkeep import Upkeep
from tests.support.gateway_house import House


async def test_the_policy_in_force_is_declared_once(house: House) -> None:
    assert await house.upkeep.declare_policy() == 1
    assert await house.upkeep.declare_policy() == 0
    (entry,) = house.ledger.entries("policy.changed")
    assert dict(entry.body) == {"policy": house.policy.digest, "previous": "0" * 64}


async def test_policies_form_a_chain(house: House) -> None:
    digests = [house.policy.digest, "1" * 64, house.policy.digest]
    for digest in digests:
        other = Upkeep(house.database, house.recorder, house.consents, digest, house.clock)
        await other.declare_policy()
    declared = [dict(entry.body) for entry in house.ledger.entries("policy.changed")]
    assert declared == [
        {"policy": digest, "previous": previous}
        for digest, previous in zip(digests, ["0" * 64, *digests[:2]], strict=True)
    ]


async def test_a_declaration_that_the_ledger_missed_is_repeated(house: House) -> None:
    house.ledger.down = ErrorCode.LEDGER_UNAVAILABLE
    assert not await house.upkeep.round()
    house.ledger.down = None
    assert await house.upkeep.round()
    assert len(house.ledger.entries("policy.changed")) == 1


async def test_a_failing_duty_stops_no_other(settled: House) -> None:
    token = settled.request()
    await settled.score(token)
    settled.clock.forward(days=2)
    settled.ledger.down = ErrorCode.LEDGER_UNAVAILABLE
    assert not await settled.upkeep.round()
    assert (await settled.refused(token)).code is ErrorCode.REQUEST_FAILED, "the output was deleted all the same"


async def test_even_an_unknown_failure_stops_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken() -> int:
        raise RuntimeError("a fault of the program")

    monkeypatch.setattr(house.consents, "expire_due", broken)
    assert not await house.upkeep.round()
    assert len(house.ledger.entries("policy.changed")) == 1


async def test_rounds_follow_each_other(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Soon after a failure, so that a ledger that starts beside the gateway is found at once."""
    monkeypatch.setattr(upkeep, "ROUND_SECONDS", 0.0)
    monkeypatch.setattr(upkeep, "RETRY_SECONDS", 0.0)
    rounds: list[bool] = []
    enough = asyncio.Event()

    async def one_round() -> bool:
        rounds.append(True)
        if len(rounds) == 3:
            enough.set()
        return len(rounds) % 2 == 0

    monkeypatch.setattr(house.upkeep, "round", one_round)
    running = asyncio.create_task(house.upkeep.run())
    await asyncio.wait_for(enough.wait(), 5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_deletion_goes_in_batches(settled: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "DELETION_BATCH", 1)
    for number in range(3):
        await settled.score(settled.request(f"request {number}"))
    settled.clock.forward(hours=23)
    assert await settled.upkeep.delete_outputs() == 0
    settled.clock.forward(hours=2)
    assert await settled.upkeep.delete_outputs() == 3
    assert await settled.upkeep.delete_outputs() == 0
