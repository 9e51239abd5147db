"""Witnesses: dead, slow, behind, restarted, forgetful; and the quorum that an append waits for."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest

from ledger import log as log_module
from ledger.errors import QuorumNotMet, WitnessFailed
from ledger.policy import LogPolicy
from ledger.proof import TlogProof
from ledger.receipt import Receipt
from ledger.verify import verify_receipt
from ledger.witness import utc_now
from tests.support.running_log import KIND, POLICY, LocalWitness, LogFolder, eventually, published_size, transition
from tests.support.witnessed_log import log_signer, witness_signer


def cosigners(receipt: Receipt) -> set[str]:
    return set(POLICY.check(TlogProof.parse(receipt.proof).note).cosignatures)


def set_dead(folder: LogFolder, dead: bool, *names: str) -> None:
    for name in names or folder.witnesses:
        folder.witnesses[name].dead = dead


async def test_one_dead_witness_is_not_missed(folder: LogFolder) -> None:
    set_dead(folder, True, "courts")
    async with folder.running() as log:
        receipts = [await log.append(KIND, transition(number), f"key {number}") for number in range(3)]
        log.check()
    assert cosigners(receipts[-1]) == {"tax", "customs", "regulator"}


async def test_one_slow_witness_delays_nobody_and_is_brought_forward_by_one_proof(folder: LogFolder) -> None:
    slow = folder.witnesses["courts"]
    async with folder.running() as log:
        await log.append(KIND, transition(), "first")
        await eventually(lambda: slow.witness.known_size() == 2)
        slow.gate.clear()
        begin = time.monotonic()
        for number in range(5):
            await log.append(KIND, transition(number), f"key {number}")
        assert time.monotonic() - begin < log_module.ROUND_SECONDS
        askings = len(slow.asked)
        slow.gate.set()
        await eventually(lambda: slow.witness.known_size() == 7)
        assert len(slow.asked) <= askings + 2
        await eventually(lambda: b"courts.witness.test" in log.published.current().note)


async def test_without_quorum_the_entry_is_durable_and_a_repeat_finds_it(
    folder: LogFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with folder.running() as log:
        await log.append(KIND, transition(), "first")
        set_dead(folder, True, "tax", "customs")
        monkeypatch.setattr(log_module, "QUORUM_SECONDS", 0.3)
        with pytest.raises(QuorumNotMet):
            await log.append(KIND, transition(1), "key")
        assert published_size(log) == 2
        with pytest.raises(QuorumNotMet):
            await log.append(KIND, transition(1), "key")
        set_dead(folder, False)
        monkeypatch.setattr(log_module, "QUORUM_SECONDS", 5.0)
        again = await log.append(KIND, transition(1), "key")
    assert again.existing
    assert verify_receipt(again, POLICY).index == 2


async def test_what_is_not_cosigned_is_shown_to_nobody(folder: LogFolder) -> None:
    async with folder.running() as log:
        await log.append(KIND, transition(), "first")
        set_dead(folder, True)
        pending = asyncio.create_task(log.append(KIND, transition(1), "key"))
        await eventually(lambda: folder.witnesses["tax"].shown[-1] == 3)
        assert len(await log.published.leaves(0, 10)) == 2
        set_dead(folder, False)
        await pending
        assert len(await log.published.leaves(0, 10)) == 3


async def test_health_tells_when_no_quorum_cosigned_for_a_while(
    folder: LogFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with folder.running() as log:
        with pytest.raises(Exception, match="not read yet"):
            log.check()
        await log.append(KIND, transition(), "first")
        log.check()
        monkeypatch.setattr(log_module, "STALE_SECONDS", 0.0)
        with pytest.raises(QuorumNotMet):
            log.check()


async def test_a_restarted_witness_goes_on_from_its_file(folder: LogFolder) -> None:
    async with folder.running() as log:
        await log.append(KIND, transition(), "first")
        await eventually(lambda: folder.witnesses["tax"].witness.known_size() == 2)
    folder.witnesses = {name: folder.restarted_witness(name) for name in folder.witnesses}
    async with folder.running() as log:
        receipt = await log.append(KIND, transition(1), "key")
        # A restarted log believes 0 and is told better.
        await eventually(lambda: all(local.witness.known_size() == 3 for local in folder.witnesses.values()))
    assert verify_receipt(receipt, POLICY).index == 2
    assert folder.witnesses["tax"].asked[:2] == [0, 2]


async def test_a_witness_that_lost_its_file_is_taken_along_from_the_beginning(folder: LogFolder) -> None:
    async with folder.running() as log:
        await log.append(KIND, transition(), "first")
        await eventually(lambda: folder.witnesses["tax"].witness.known_size() == 2)
        (folder.path / "tax.state").unlink()
        await log.append(KIND, transition(1), "key")
        await eventually(lambda: folder.witnesses["tax"].witness.known_size() == 3)


async def test_a_witness_that_was_away_for_long_needs_one_proof(folder: LogFolder) -> None:
    set_dead(folder, True, "tax")
    async with folder.running() as log:
        await asyncio.gather(*(log.append(KIND, transition(number), f"key {number}") for number in range(50)))
        set_dead(folder, False, "tax")
        await eventually(lambda: folder.witnesses["tax"].witness.known_size() == 51)


async def test_an_answer_that_is_no_cosignature_of_this_witness_does_not_count(folder: LogFolder) -> None:
    class Impostor(LocalWitness):
        """Answers with the cosignature of another witness."""

        async def add_checkpoint(self, _old_size: int, _proof: object, checkpoint: bytes) -> bytes:
            text = checkpoint.partition(b"\n\n")[0] + b"\n"
            return witness_signer("customs").cosign(text, utc_now()).line()

    folder.witnesses["tax"] = Impostor(folder.witnesses["tax"].witness)
    async with folder.running() as log:
        receipt = await log.append(KIND, transition(), "key")
        await asyncio.sleep(0.05)
        assert b"tax.witness.test" not in log.published.current().note
    assert cosigners(receipt) == {"customs", "courts", "regulator"}


async def test_a_quiet_log_is_cosigned_again_by_all_witnesses(
    folder: LogFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "REFRESH_SECONDS", 0.05)
    async with folder.running() as log:
        await log.append(KIND, transition(), "key")
        number, first = await log.published.after(0)
        for _ in range(3):
            number, latest = await log.published.after(number)
        witnessed = POLICY.check(latest.note)
    assert latest.checkpoint == first.checkpoint
    assert latest.begun > first.begun
    assert set(witnessed.cosignatures) == set(folder.witnesses)


async def test_a_quiet_log_is_never_older_than_a_second_and_a_half(folder: LogFolder) -> None:
    async with folder.running() as log:
        await log.append(KIND, transition(), "key")
        number, _ = await log.published.after(0)
        number, first = await log.published.after(number)
        _, second = await log.published.after(number)
    assert second.begun - first.begun < log_module.FRESH_SECONDS
    assert utc_now() - POLICY.check(second.note).cosigned_at < timedelta(seconds=3)  # type: ignore[operator]


async def test_a_log_without_quorum_needs_no_witness(folder: LogFolder) -> None:
    policy = LogPolicy.parse(f"log {log_signer('the log').verifier_key}\nquorum none\n")
    async with folder.running(policy=policy, witnesses={}) as log:
        receipt = await log.append(KIND, transition(), "key")
    with pytest.raises(QuorumNotMet):
        verify_receipt(receipt, policy)


def test_a_failed_witness_has_a_hint() -> None:
    assert "reachable" in WitnessFailed.hint
