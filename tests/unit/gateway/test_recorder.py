"""Bringing intents onto the ledger, and what a ledger may say that counts."""

from __future__ import annotations

import pytest

from consentgate.errors import ConsentgateError, ErrorCode
from gateway.store import records
from ledger.receipt import AppendReceipt
from tests.support.gateway_house import House
from tests.support.witnessed_log import WitnessedLog

BODY: dict[str, object] = {"policy": "1" * 64, "previous": "0" * 64}


async def intend(house: House, key: str, **changes: str) -> None:
    body = {**BODY, **changes}
    await house.database.run(lambda session: records.intend(session, key, "policy.changed", body, house.clock.now))


async def test_recording_twice_asks_the_ledger_once(house: House) -> None:
    await intend(house, "one")
    first = await house.recorder.record("one")
    assert await house.recorder.record("one") == first
    assert house.ledger.appends == 1


async def test_renewing_gives_the_same_leaf_under_a_newer_checkpoint(house: House) -> None:
    await intend(house, "one")
    first = await house.recorder.record("one")
    house.clock.forward(seconds=30)
    renewed = await house.recorder.renew("one")
    assert (renewed.leaf, renewed.proof == first.proof) == (first.leaf, False)
    assert await house.recorder.record("one") == renewed


async def test_recovery_goes_in_order_and_stops_at_the_first_failure(house: House) -> None:
    for number in range(3):
        await intend(house, f"key {number}", policy=f"{number:064x}")
    house.ledger.kept = [ErrorCode.LEDGER_QUORUM]
    with pytest.raises(ConsentgateError, match="LEDGER_QUORUM"):
        await house.recorder.recover()
    assert house.ledger.appends == 1
    assert await house.recorder.recover() == 3
    assert await house.recorder.recover() == 0
    recorded = [int(str(entry.body["policy"]), 16) for entry in house.ledger.entries("policy.changed")]
    assert recorded == [0, 1, 2]


@pytest.mark.parametrize("lie", ["another body", "another kind", "another log", "another leaf", "no proof"])
async def test_a_receipt_that_proves_something_else_does_not_count(house: House, lie: str) -> None:
    await intend(house, "one")
    log = WitnessedLog(house.clock.now, "another log") if lie == "another log" else house.federation.log
    said = {**BODY, "policy": "2" * 64} if lie == "another body" else BODY
    index = (
        log.append("log.closed", {}, house.clock.now)
        if lie == "another kind"
        else (log.append("policy.changed", said, house.clock.now))
    )
    receipt = log.receipt(index, house.clock.now)
    leaf = log.leaves[0] if lie == "another leaf" else receipt.leaf
    proof = b"no proof" if lie == "no proof" else receipt.proof

    async def lying(*_entry: object) -> AppendReceipt:
        return AppendReceipt(leaf, proof, False)

    house.ledger.append = lying  # type: ignore[method-assign]
    with pytest.raises(ConsentgateError) as caught:
        await house.recorder.record("one")
    assert caught.value.code is ErrorCode.LEDGER_INVALID
    assert await house.database.run(lambda session: records.unrecorded(session, 9)) == ["one"]


async def test_too_few_cosignatures_do_not_count(house: House) -> None:
    await intend(house, "one")
    house.ledger.witnesses = ("tax", "customs")
    with pytest.raises(ConsentgateError, match="LEDGER_QUORUM"):
        await house.recorder.record("one")
    house.ledger.witnesses = ("tax", "customs", "courts")
    await house.recorder.record("one")
