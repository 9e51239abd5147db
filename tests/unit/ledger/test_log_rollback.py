"""An old or altered database is never signed over: the log is read-only and says why."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from ledger.errors import LedgerCorrupt, LedgerRolledBack, LedgerStopped
from ledger.log import Log
from ledger.note import Note
from ledger.proof import TlogProof
from ledger.second_place import SecondPlace
from ledger.sequencer import Sequencer
from ledger.verify import verify_leaves, verify_receipt
from ledger.witness import utc_now
from tests.support.running_log import KIND, POLICY, LogFolder, eventually, is_read_only, published_size, transition
from tests.support.witnessed_log import WitnessedLog

ALTER_NONCE = """UPDATE entry SET leaf = CAST(replace(leaf, '"nonce":"', '"nonce":"0') AS BLOB)"""


async def fill(folder: LogFolder, first: int, count: int) -> None:
    async with folder.running() as log:
        for number in range(first, first + count):
            await log.append(KIND, transition(number), f"key {number}")


async def test_a_restart_goes_on_where_the_log_was(folder: LogFolder) -> None:
    await fill(folder, 0, 3)
    async with folder.running() as log:
        again = await log.append(KIND, transition(1), "key 1")
        new = await log.append(KIND, transition(9), "key 9")
        report = verify_leaves(await log.published.leaves(0, 10), log.published.current().note, POLICY)
    assert again.existing
    assert verify_receipt(new, POLICY).index == 4
    assert report.kinds == {"log.opened": 1, KIND: 4}


async def test_entries_committed_before_a_kill_are_signed_at_the_next_start(folder: LogFolder) -> None:
    """Killed between commit and signature: no witness answers, the process ends, the entry is durable."""
    await fill(folder, 0, 2)
    for witness in folder.witnesses.values():
        witness.dead = True
    async with folder.running() as log:
        task = asyncio.create_task(log.append(KIND, transition(5), "key 5"))
        await eventually(lambda: folder.stored_size() == 4)
    with pytest.raises(LedgerStopped):
        await task
    for witness in folder.witnesses.values():
        witness.dead = False
    async with folder.running() as log:
        await eventually(lambda: published_size(log) == 4)
        assert (await log.append(KIND, transition(5), "key 5")).existing


async def test_an_old_copy_of_the_database_is_never_signed_over(folder: LogFolder) -> None:
    await fill(folder, 0, 2)
    with folder.old_copy():
        await fill(folder, 2, 2)
    async with folder.running() as log:
        await eventually(lambda: is_read_only(log))
        with pytest.raises(LedgerRolledBack):
            await log.append(KIND, transition(7), "key 7")
        # What the old copy had published can still be read, and still verifies.
        leaves = await log.published.leaves(0, 10)
        assert verify_leaves(leaves, log.published.current().note, POLICY).checkpoint.size == 3
    assert folder.stored_size() == 3


async def test_an_old_copy_together_with_an_old_second_place_is_stopped_by_the_witnesses(folder: LogFolder) -> None:
    await fill(folder, 0, 2)
    old_place = folder.second_place.read_bytes()
    with folder.old_copy():
        await fill(folder, 2, 2)
    folder.second_place.write_bytes(old_place)
    async with folder.running() as log:
        await eventually(lambda: is_read_only(log))
        with pytest.raises(LedgerRolledBack, match="witnesses"):
            log.check()


async def test_one_witness_that_claims_to_be_ahead_stops_nobody(folder: LogFolder) -> None:
    await fill(folder, 0, 3)
    ahead = folder.witnesses["tax"]
    shutil.rmtree(folder.database.parent)
    folder.second_place.unlink()
    for name in ("customs", "courts", "regulator"):
        (folder.path / f"{name}.state").unlink()
    async with folder.running() as log:
        receipt = await log.append(KIND, transition(), "key")
        log.check()
    proof = TlogProof.parse(receipt.proof)
    assert set(POLICY.check(proof.note).cosignatures) == {"customs", "courts", "regulator"}
    assert ahead.asked
    assert ahead.witness.known_size() == 4


async def test_a_lost_second_place_is_not_taken_for_a_new_log(folder: LogFolder) -> None:
    await fill(folder, 0, 2)
    folder.second_place.unlink()
    async with folder.running() as log:
        await eventually(lambda: is_read_only(log))
        with pytest.raises(LedgerCorrupt, match="second place"):
            log.check()


async def test_a_second_place_of_another_key_makes_the_log_read_only_and_what_was_published_stays(
    folder: LogFolder,
) -> None:
    await fill(folder, 0, 2)
    stranger = WitnessedLog(utc_now(), "another key").note(utc_now(), witnesses=())
    SecondPlace(folder.second_place, []).write(Note.parse(stranger))
    async with folder.running() as log:
        await eventually(lambda: is_read_only(log))
        assert len(await log.published.leaves(0, 10)) == 3


async def test_whoever_waits_for_the_log_to_open_is_told_at_once_that_it_is_read_only(folder: LogFolder) -> None:
    await fill(folder, 0, 2)
    folder.second_place.unlink()
    async with folder.running() as log:
        waiting = [asyncio.create_task(log.append(KIND, transition(9), f"late {number}")) for number in range(3)]
        async with asyncio.timeout(1):
            outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [LedgerCorrupt] * 3


async def test_whoever_waits_for_the_log_to_open_is_told_at_once_that_it_was_closed(folder: LogFolder) -> None:
    async with folder.running() as log:
        waiting = asyncio.create_task(log.append(KIND, transition(), "key"))
        await asyncio.sleep(0)
    async with asyncio.timeout(1):
        with pytest.raises(LedgerStopped):
            await waiting


async def test_a_damaged_second_place_is_not_passed_over(folder: LogFolder) -> None:
    await fill(folder, 0, 2)
    folder.second_place.write_bytes(b"\x00" * 8192)
    async with folder.running() as log:
        await eventually(lambda: is_read_only(log))


def _last_leaf(connection: sqlite3.Connection) -> None:
    connection.execute(f"{ALTER_NONCE} WHERE seq = 2")


def _signed_node(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE node SET hash = randomblob(32) WHERE level = 1 AND position = 0")


def _missing_node(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM node WHERE level = 1 AND position = 0")


def _missing_leaf(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM entry WHERE seq = 2")


@pytest.mark.parametrize("alter", [_last_leaf, _signed_node, _missing_node, _missing_leaf])
async def test_an_altered_database_is_not_signed(
    folder: LogFolder, alter: Callable[[sqlite3.Connection], None]
) -> None:
    await fill(folder, 0, 2)
    change(folder, alter)
    async with folder.running() as log:
        await eventually(lambda: is_read_only(log))
        with pytest.raises(LedgerCorrupt):
            log.check()


async def test_bytes_altered_between_commit_and_signature_are_not_signed(folder: LogFolder) -> None:
    """What is signed is read again: the sequencer's memory still has the honest leaf."""
    for witness in folder.witnesses.values():
        witness.dead = True
    async with folder.running() as log:
        await eventually(lambda: bool(folder.witnesses["tax"].asked))
    change(folder, lambda connection: connection.execute(ALTER_NONCE))
    async with folder.running() as log:
        await eventually(lambda: is_read_only(log))


def change(folder: LogFolder, alter: Callable[[sqlite3.Connection], object]) -> None:
    """As somebody with access to the file would: the triggers are no obstacle to him."""
    connection = sqlite3.connect(folder.database)
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for (name,) in names:
        connection.execute(f"DROP TRIGGER {name}")
    alter(connection)
    connection.commit()
    connection.close()


@pytest.mark.parametrize(("found", "alarms"), [("behind", 1), ("altered", 2)])
async def test_trouble_that_two_tasks_come_upon_at_once_is_one_alarm(
    folder: LogFolder, monkeypatch: pytest.MonkeyPatch, found: str, alarms: int
) -> None:
    async def sequence(_: Sequencer) -> None:
        raise LedgerRolledBack("behind")

    async def publish(_: Log) -> None:
        raise LedgerRolledBack(found)

    monkeypatch.setattr(Sequencer, "run", sequence)
    monkeypatch.setattr(Log, "_publish_heads", publish)
    with capture_logs() as journal:
        async with folder.running() as log:
            await eventually(lambda: is_read_only(log))
    assert len([line for line in journal if line["event"].startswith("alarm")]) == alarms
