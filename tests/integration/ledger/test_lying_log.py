"""A log that lies, caught by a witness and by a department, and held up to strangers.

Everything is real: sequencer, database, second place, witnesses, mutual TLS, the department's tail, the commands. The
operator restores an old copy of his database *and* of his second place, three witnesses do him the favour of forgetting
too, and he writes another history over it: without the entry that a bank has a receipt of.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from consentgate import logs
from consentgate.anchors import Anchors
from consentgate.database import Database
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.terminal import ExitCode
from department_adapter.ledger_feed import GrpcFeed
from department_adapter.refused import RefusedHistory
from department_adapter.state import migrate
from department_adapter.tail import Tail
from ledger.evidence import Verdict
from ledger.receipt import Receipt
from ledger.refused import Refusals
from ledger.witness import utc_now
from ledger_service.cli import app
from ledger_service.receipt_files import write_receipt
from tests.support.command_line import Ended, run_command
from tests.support.ledger_files import write_anchors
from tests.support.ledger_server import DEPARTMENT, ServedLedger, served_ledger
from tests.support.running_log import KIND, LogFolder, eventually, transition

CORRUPT = ("customs", "courts", "regulator")
"""Witnesses that forget when they are told to: three of four are a quorum."""
HONEST = "tax"


@pytest.fixture(autouse=True)
def unconfigured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests of this process capture logs."""
    monkeypatch.setattr(logs, "configure", lambda *_: None)


class House:
    """The log's folder, its witnesses' files, and what the department and the bank keep."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "log").mkdir()
        self.log = LogFolder(folder / "log")
        self.anchors_file = write_anchors(folder)
        self.anchors = Anchors.load(self.anchors_file)
        self.database = Database(f"sqlite:///{folder / 'adapter.db'}", "state")
        migrate.upgrade(self.database.engine)
        self.refusals = Refusals(folder / "adapter.db.refused")

    def operators_files(self) -> Sequence[Path]:
        states = [self.log.path / f"{name}.state" for name in CORRUPT]
        return [self.log.database, self.log.second_place, *states]

    def keep_copies(self) -> None:
        for path in self.operators_files():
            shutil.copy2(path, path.with_name(f"{path.name}.copy"))

    def restore_copies(self) -> None:
        for path in self.operators_files():
            shutil.copy2(path.with_name(f"{path.name}.copy"), path)
        for name in CORRUPT:
            self.log.witnesses[name] = self.log.restarted_witness(name)

    @asynccontextmanager
    async def following(self, served: ServedLedger) -> AsyncIterator[Tail]:
        """The department's tail, started anew on its own state, over mutual TLS."""
        refused = RefusedHistory(self.refusals, self.anchors.log_policy, "department tax", utc_now)
        async with served.as_member(DEPARTMENT) as channel:
            tail = Tail(GrpcFeed(channel), self.database, self.anchors, utc_now, refused=refused)
            task = asyncio.create_task(tail.run())
            try:
                yield tail
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)


async def record(served: ServedLedger, first: int, count: int) -> list[Receipt]:
    return [
        await served.log.append(KIND, transition(number), f"key {number}") for number in range(first, first + count)
    ]


def command(*arguments: object) -> Ended:
    return run_command(app, [*arguments, "--json"])


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


async def test_a_forked_log_with_a_hidden_entry_is_caught_and_shown_to_strangers(house: House) -> None:
    # 1. The true history: five entries, a copy of everything, and six more, followed by the department.
    async with served_ledger(house.log) as served:
        await record(served, 0, 4)
    house.keep_copies()
    async with served_ledger(house.log) as served:
        *_, kept = await record(served, 4, 6)
        async with house.following(served) as tail:
            await tail.reach(11)
            tail.check()
    write_receipt(house.folder / "kept", kept)
    true_export = house.folder / "true"
    policy = ["--policy", house.folder / "ledger-policy.txt"]
    assert command("export", true_export, "--database", house.log.database, *policy).code is ExitCode.OK

    # 2. The lie: another history from the fifth entry on, with a quorum of witnesses that forgot.
    house.restore_copies()
    honest = house.log.witnesses[HONEST].witness
    with capture_logs() as logs:
        async with served_ledger(house.log) as served:
            await record(served, 100, 8)
            # 3. The honest witness refuses, and keeps both sides.
            await eventually(lambda: honest.refusals.kept() == [Verdict.OTHER_PREFIX])
            assert honest.known_size() == 11
            # 4. The department refuses, keeps both sides, and answers nobody.
            async with house.following(served) as tail:
                await eventually(lambda: house.refusals.kept() == [Verdict.OTHER_PREFIX])
                await eventually(lambda: tail.status.fault is ErrorCode.LEDGER_INVALID)
                with pytest.raises(ConsentgateError, match="LEDGER_INVALID"):
                    await tail.reach(11)
                assert tail.status.size == 11
    assert "alarm: the log contradicts itself" in {line["event"] for line in logs}
    assert command("export", house.folder / "lie", "--database", house.log.database, *policy).code is ExitCode.OK

    # 5. Strangers are shown it: by the witness, by the department, and by the bank whose entry is hidden.
    exhibits = {
        "witness": [house.log.path / f"{HONEST}.state.refused"],
        "department": [house.refusals.folder],
        "bank": [house.folder / "kept.proof", house.folder / "lie"],
        "two exports": [true_export, house.folder / "lie"],
    }
    verdicts = {"bank": "other-entry"}
    for who, held in exhibits.items():
        bundle = house.folder / f"bundle of {who}"
        made = command("evidence", "make", bundle, *held, *policy)
        assert (made.code, made.members["verdict"]) == (ExitCode.OK, verdicts.get(who, "other-prefix")), who
        explained = command("evidence", "explain", bundle, "--anchors", house.anchors_file)
        assert (explained.code, explained.members["conclusive"]) == (ExitCode.OK, True)
        assert [checkpoint["size"] for checkpoint in explained.members["checkpoints"]] == [11, 13]
        # Who helped is named, as far as the notes bear it, and the honest witness never is.
        helped = set(explained.members.get("cosigned_both", []))
        assert helped <= set(CORRUPT)
        assert who == "witness" or helped
        verified = run_command(app, ["verify", "--evidence", bundle, *policy])
        assert "the log showed two histories" in verified.out
    assert [entry["index"] for entry in explained_entries(house)] == [10, 10]

    # 6. And a history that is true accuses nobody.
    refused = command("evidence", "make", house.folder / "none", house.folder / "kept.leaf", true_export, *policy)
    assert (refused.code, refused.members["error"]) == (ExitCode.REFUSED, "NotEvidence")

    # 7. A restart does not make the department forget.
    async with served_ledger(house.log) as served, house.following(served) as tail:
        with pytest.raises(ConsentgateError, match="LEDGER_INVALID"):
            tail.check()


def explained_entries(house: House) -> list[dict[str, object]]:
    ended = command("evidence", "explain", house.folder / "bundle of bank", "--anchors", house.anchors_file)
    entries: list[dict[str, object]] = ended.members["entries"]
    return entries
