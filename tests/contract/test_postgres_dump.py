"""A database that was dumped with `pg_dump` and restored with `pg_restore` into another: an old one is never signed
over, the newest one goes on as if nothing had happened, and all that guards the log came along with it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from structlog.testing import capture_logs

from ledger.errors import LedgerRolledBack
from ledger.fsck import Finding, fsck
from ledger.log import Log
from ledger.receipt import AppendReceipt
from ledger.second_place import SecondPlace
from ledger.storage.postgres import PostgresStorage
from ledger.storage.postgres_audit import PostgresAudit
from ledger.storage.postgres_connection import connect_reader
from ledger.storage.postgres_reader import PostgresReader
from ledger.storage.postgres_schema import EXPECTED, described
from ledger.verify import verify_leaves, verify_receipt
from tests.contract.test_postgres import OPERATIONS, TABLES
from tests.support.postgresql import PostgresqlServer, dropped
from tests.support.running_log import KIND, POLICY, LogFolder, eventually, is_read_only, transition

WRITERS = 16
EACH = 4
"""Entries of a writer while the dump is made."""
BEHIND = Finding("second place", "the database is an old copy: the log signed further")
ALL = 10_000
GUARDED = tuple(table for table in TABLES if table not in ("searchable", "category"))
"""Tables with triggers."""


@pytest.fixture
def file(postgresql: PostgresqlServer) -> Iterator[Path]:
    """Where the server's own user may write a dump."""
    path = postgresql.folder / "ledger.dump"
    yield path
    path.unlink(missing_ok=True)


@pytest.fixture
def log_folder(address: str, tmp_path: Path) -> LogFolder:
    """A log in the database at `address`."""
    made = LogFolder(tmp_path)
    use(made, address)
    return made


def use(folder: LogFolder, address: str) -> None:
    """From now on the log is in that database; second place and witnesses stay."""
    folder.open_storage = lambda: PostgresStorage.open(address)
    folder.open_reader = lambda: PostgresReader(address)


async def write(log: Log, first: int, count: int) -> dict[str, AppendReceipt]:
    """The receipt for every key."""
    keys = [f"key {number}" for number in range(first, first + count)]
    bodies = [transition(number) for number in range(first, first + count)]
    receipts = [await log.append(KIND, body, key) for key, body in zip(keys, bodies, strict=True)]
    return dict(zip(keys, receipts, strict=True))


def findings(address: str, folder: LogFolder | None = None) -> tuple[Finding, ...]:
    """Of `fsck`; with a folder also against its second place."""
    place = None if folder is None else SecondPlace(folder.second_place, POLICY.logs).read()
    with PostgresAudit(address) as audit:
        return fsck(audit, None if place is None else place[1]).findings


async def test_a_dump_of_a_log_at_work_is_whole_and_once_behind_is_never_signed_over(
    postgresql: PostgresqlServer, address: str, log_folder: LogFolder, file: Path
) -> None:
    """The dump is made under 16 writers: it holds the log as it was at one moment."""
    async with log_folder.running() as log:
        await write(log, 0, 3)
        writing = [asyncio.create_task(write(log, 1000 * writer, EACH)) for writer in range(1, WRITERS + 1)]
        dumping = asyncio.create_task(asyncio.to_thread(postgresql.dump, address, file))
        await asyncio.gather(dumping, *writing)
        await write(log, 3, 3)
        published = log.published.current().note
        complete = await log.published.leaves(0, ALL)
    known = {name: local.witness.known_size() for name, local in log_folder.witnesses.items()}
    place = log_folder.second_place.read_bytes()
    with dropped(postgresql.restored(file)) as copy:
        assert findings(copy) == ()
        assert findings(copy, log_folder) == (BEHIND,)
        use(log_folder, copy)
        with capture_logs() as journal:
            async with log_folder.running() as log:
                await eventually(lambda: is_read_only(log))
                with pytest.raises(LedgerRolledBack):
                    await log.append(KIND, transition(9), "key 9")
                readable = await log.published.leaves(0, ALL)
        assert [line["code"] for line in journal if line["event"].startswith("alarm")] == ["LedgerRolledBack"]
        old = log_folder.stored_size()
    assert 4 <= old < len(complete) == 1 + 6 + WRITERS * EACH
    assert readable == complete[: len(readable)]
    # Nothing was signed, and nobody was asked to cosign.
    assert log_folder.second_place.read_bytes() == place
    assert {name: local.witness.known_size() for name, local in log_folder.witnesses.items()} == known
    assert verify_leaves(complete, published, POLICY).kinds == {"log.opened": 1, KIND: len(complete) - 1}
    assert findings(address, log_folder) == ()


async def test_a_dump_restored_together_with_a_second_place_as_old_is_stopped_by_the_witnesses(
    postgresql: PostgresqlServer, address: str, log_folder: LogFolder, file: Path
) -> None:
    async with log_folder.running() as log:
        await write(log, 0, 2)
    old_place = log_folder.second_place.read_bytes()
    postgresql.dump(address, file)
    async with log_folder.running() as log:
        await write(log, 2, 2)
    log_folder.second_place.write_bytes(old_place)
    with dropped(postgresql.restored(file)) as copy:
        assert findings(copy, log_folder) == ()  # nothing on this machine tells
        use(log_folder, copy)
        async with log_folder.running() as log:
            await eventually(lambda: is_read_only(log))
            with pytest.raises(LedgerRolledBack, match="witnesses"):
                await log.append(KIND, transition(9), "key 9")
        assert log_folder.stored_size() == 3


async def test_the_newest_state_restored_goes_on_as_if_nothing_had_happened(
    postgresql: PostgresqlServer, address: str, log_folder: LogFolder, file: Path
) -> None:
    async with log_folder.running() as log:
        before = await write(log, 0, 5)
    postgresql.dump(address, file)
    with dropped(postgresql.restored(file)) as copy:
        for database in (address, copy):
            assert findings(database, log_folder) == ()
        use(log_folder, copy)
        async with log_folder.running() as log:
            again = await write(log, 0, 5)
            after = await write(log, 5, 3)
            leaves, note = await log.published.leaves(0, ALL), log.published.current().note
            log.check()
        assert findings(copy, log_folder) == ()
    assert all(receipt.existing and receipt.leaf == before[key].leaf for key, receipt in again.items())
    indices = [verify_receipt(receipt, POLICY).index for receipt in [*before.values(), *after.values()]]
    assert indices == list(range(1, 9))
    assert verify_leaves(leaves, note, POLICY).kinds == {"log.opened": 1, KIND: 8}
    # Now it is the database from before that is old.
    assert findings(address) == ()
    assert findings(address, log_folder) == (BEHIND,)


def test_schema_guards_and_privileges_come_along(
    postgresql: PostgresqlServer, address: str, log_folder: LogFolder, file: Path
) -> None:
    """The privileges that the operations page tells the owner to grant, the triggers, whatever else fsck compares."""

    async def run() -> None:
        async with log_folder.running() as log:
            await write(log, 0, 1)

    asyncio.run(run())
    (grants,) = re.findall(r"```sql\n(.*?)```", OPERATIONS.read_text(), re.DOTALL)
    with psycopg.connect(address, autocommit=True) as admin:
        admin.execute("CREATE ROLE ledger_app LOGIN")
        admin.execute(grants)
        try:
            postgresql.dump(address, file)
            with dropped(postgresql.restored(file)) as copy:
                with connect_reader(copy) as session:
                    assert described(session) == list(EXPECTED)
                check_guards(copy)
                use(log_folder, copy.replace("postgres@", "ledger_app@"))
                asyncio.run(run_as_app(log_folder))
                assert findings(copy, log_folder) == ()
        finally:
            admin.execute("DROP OWNED BY ledger_app")
            admin.execute("DROP ROLE ledger_app")


async def run_as_app(folder: LogFolder) -> None:
    async with folder.running() as log:
        receipts = await write(log, 0, 2)
    assert [receipt.existing for receipt in receipts.values()] == [True, False]


def check_guards(address: str) -> None:
    """Triggers hold against a superuser, missing privileges against the ledger's own role."""
    guards = {"postgres": psycopg.errors.RaiseException, "ledger_app": psycopg.errors.InsufficientPrivilege}
    for role, error in guards.items():
        with psycopg.connect(address.replace("postgres@", f"{role}@"), autocommit=True) as session:
            for table in GUARDED:
                for verb in ("DELETE FROM", "TRUNCATE"):
                    with pytest.raises(error):
                        _execute(session, f"{verb} ledger.{table}")


def _execute(session: psycopg.Connection[Any], statement: str) -> None:
    session.execute(statement)  # type: ignore[call-overload,unused-ignore]
