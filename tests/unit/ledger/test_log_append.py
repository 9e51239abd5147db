"""Appending: order, receipts, idempotency, refusals that write nothing, the bounded queue."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from ledger import sequencer
from ledger.entry import parse
from ledger.errors import EntryInvalid, KeyInvalid, LedgerFull, LedgerStopped, PolicyInvalid
from ledger.log import Log, LogParts
from ledger.note import SignatureType, Signer
from ledger.policy import LogPolicy
from ledger.storage.sqlite import SqliteStorage
from ledger.storage.sqlite_reader import SqliteReader
from ledger.verify import verify_leaves, verify_receipt
from ledger.witness import utc_now
from tests.support.running_log import KIND, POLICY, LogFolder, transition
from tests.support.witnessed_log import ORIGIN, log_signer, witness_signer


async def test_the_first_entry_says_that_the_log_was_opened_and_receipts_verify(folder: LogFolder) -> None:
    async with folder.running() as log:
        receipt = await log.append(KIND, transition(), "key")
        found = verify_receipt(receipt, POLICY)
        first = verify_receipt((await log.published.receipts([0]))[0], POLICY)
    assert (found.entry.kind, found.index, receipt.existing) == (KIND, 1, False)
    assert (first.entry.kind, first.entry.log) == ("log.opened", ORIGIN)


async def test_concurrent_appends_form_one_verifiable_history(folder: LogFolder) -> None:
    async with folder.running() as log:
        receipts = await asyncio.gather(
            *(log.append(KIND, transition(number), f"key {number}") for number in range(300))
        )
        indices = sorted(verify_receipt(receipt, POLICY).index for receipt in receipts)
        leaves = await log.published.leaves(0, 1000)
        report = verify_leaves(leaves, log.published.current().note, POLICY)
    assert indices == list(range(1, 301))
    assert report.kinds == {"log.opened": 1, KIND: 300}


async def test_a_repeated_key_returns_the_entry_recorded_first_under_a_fresh_checkpoint(folder: LogFolder) -> None:
    async with folder.running() as log:
        first = await log.append(KIND, transition(1), "key")
        await log.append(KIND, transition(2), "other")
        again = await log.append(KIND, transition(3), "key")
    assert (again.leaf, again.existing) == (first.leaf, True)
    assert verify_receipt(again, POLICY).checkpoint.size > verify_receipt(first, POLICY).checkpoint.size
    assert utc_now() - verify_receipt(again, POLICY).cosigned_at < timedelta(seconds=3)


async def test_a_key_repeated_at_the_same_moment_is_recorded_once(folder: LogFolder) -> None:
    async with folder.running() as log:
        receipts = await asyncio.gather(*(log.append(KIND, transition(number), "key") for number in range(20)))
        size = log.published.current().checkpoint.size
    assert len({receipt.leaf for receipt in receipts}) == 1
    assert sorted(receipt.existing for receipt in receipts) == [False] + [True] * 19
    assert size == 2


async def test_entries_without_a_key_are_never_repeats(folder: LogFolder) -> None:
    async with folder.running() as log:
        receipts = [await log.append(KIND, transition(), None) for _ in range(2)]
    assert [verify_receipt(receipt, POLICY).index for receipt in receipts] == [1, 2]


@pytest.mark.parametrize(
    ("kind", "body", "field"),
    [
        ("consent.unheard", transition(), "kind"),
        (KIND, {**transition(), "company": "x"}, "body.company"),
        (KIND, {**transition(), "version": 1.5}, "body.version"),
        (KIND, {name: value for name, value in transition().items() if name != "subject"}, "body.subject"),
    ],
)
async def test_an_entry_outside_the_profile_is_refused_alone(
    folder: LogFolder, kind: str, body: dict[str, object], field: str
) -> None:
    async with folder.running() as log:
        refused, good = await asyncio.gather(
            log.append(kind, body, "bad"), log.append(KIND, transition(), "good"), return_exceptions=True
        )
        corrected = await log.append(KIND, transition(5), "bad")
    assert isinstance(refused, EntryInvalid)
    assert refused.field == field
    assert not isinstance(good, BaseException)
    assert verify_receipt(good, POLICY).index == 1
    assert not corrected.existing


@pytest.mark.parametrize("key", ["", "k" * 129])
async def test_a_key_of_a_wrong_length_is_refused(folder: LogFolder, key: str) -> None:
    async with folder.running() as log:
        with pytest.raises(EntryInvalid, match="key"):
            await log.append(KIND, transition(), key)


async def test_a_full_queue_refuses_and_writes_nothing(folder: LogFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequencer, "QUEUE_LIMIT", 3)
    async with folder.running() as log:
        await log.append(KIND, transition(), "first")
        outcomes = await asyncio.gather(
            *(log.append(KIND, transition(number), f"key {number}") for number in range(10)), return_exceptions=True
        )
        refused = [number for number, outcome in enumerate(outcomes) if isinstance(outcome, LedgerFull)]
        reader = SqliteReader(folder.database)
        known = reader.find_keys([f"key {number}" for number in range(10)])
        reader.close()
        retried = [await log.append(KIND, transition(number), f"key {number}") for number in refused]
    assert len(refused) == 7
    assert len(known) == 3
    assert not any(receipt.existing for receipt in retried)


async def test_a_caller_that_gave_up_before_the_commit_leaves_nothing(folder: LogFolder) -> None:
    async with folder.running() as log:
        await log.append(KIND, transition(), "first")
        task = asyncio.create_task(log.append(KIND, transition(1), "given up"))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert not (await log.append(KIND, transition(1), "given up")).existing


async def test_a_clock_that_goes_backwards_is_recorded_as_it_was(folder: LogFolder) -> None:
    now, back = utc_now(), timedelta(0)
    async with folder.running(clock=lambda: now - back) as log:
        for number in range(3):
            back = timedelta(hours=number)
            await log.append(KIND, transition(number), f"key {number}")
        leaves = await log.published.leaves(0, 10)
        report = verify_leaves(leaves, log.published.current().note, POLICY)
    times = [parse(leaf).ts for leaf in leaves]
    assert times[1] > times[2] > times[3]
    assert report.clock_steps_back == 2


async def test_a_stopped_log_tells_those_who_wait(folder: LogFolder) -> None:
    for witness in folder.witnesses.values():
        witness.dead = True
    async with folder.running() as log:
        waiting = asyncio.create_task(log.append(KIND, transition(), "key"))
        await asyncio.sleep(0.1)
    with pytest.raises(LedgerStopped):
        await waiting
    with pytest.raises(LedgerStopped):
        await log.append(KIND, transition(), "key")


def test_parts_that_do_not_belong_together_are_refused(folder: LogFolder) -> None:
    storage = SqliteStorage.open(folder.database)
    stranger = Signer.generate(ORIGIN, SignatureType.ED25519)
    two = dict(list(folder.witnesses.items())[:2])
    with pytest.raises(KeyInvalid, match="signing key"):
        Log(LogParts(stranger, POLICY, storage, folder.second_place, folder.witnesses))
    with pytest.raises(PolicyInvalid, match="no quorum"):
        Log(LogParts(log_signer("the log"), POLICY, storage, folder.second_place, two))
    unknown = {**folder.witnesses, witness_signer("x").name: folder.witnesses["tax"]}
    with pytest.raises(PolicyInvalid, match="not in the policy"):
        Log(LogParts(log_signer("the log"), POLICY, storage, folder.second_place, unknown))
    # A policy may list as many witnesses as a note bears signatures; the log's own is one of these.
    names = [f"w{number}" for number in range(64)]
    lines = [f"log {log_signer('the log').verifier_key}"]
    lines += [f"witness {name} {witness_signer(name).verifier_key}" for name in names]
    policy = LogPolicy.parse("\n".join([*lines, f"group g any {' '.join(names)}", "quorum g"]))
    crowd = dict.fromkeys(names, folder.witnesses["tax"])
    with pytest.raises(PolicyInvalid, match="63 witnesses at most"):
        Log(LogParts(log_signer("the log"), policy, storage, folder.second_place, crowd))
    storage.close()
