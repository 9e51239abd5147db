"""PostgreSQL in particular: the session cut off at every statement, the guards against accidents, opening."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ledger.chain import Chain
from ledger.errors import NotFound, StorageFailed
from ledger.storage.interface import Batch, Head
from ledger.storage.postgres import PostgresStorage
from ledger.storage.postgres_connection import connect_reader
from ledger.storage.postgres_reader import PostgresReader
from tests.support.log_batches import batch_after, head_of, opened
from tests.support.witnessed_log import ORIGIN

STATEMENTS = 1
"""A batch is one statement, which commits by itself."""
OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"


@pytest.fixture
def admin(address: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(address, autocommit=True) as session:
        yield session


class CutSession:
    """A session whose backend the server ends before the n-th statement (lost) or after it (kept)."""

    def __init__(self, session: psycopg.Connection[Any], admin: psycopg.Connection[Any], cut: int, kept: bool) -> None:
        self._session = session
        self._admin = admin
        self.left = cut
        self._kept = kept

    def execute(self, *arguments: Any, **options: Any) -> Any:
        self._begin()
        result = self._session.execute(*arguments, **options)
        self._end()
        return result

    def close(self) -> None:
        self._session.close()

    def _begin(self) -> None:
        self.left -= 1
        if self.left == 0 and not self._kept:
            self._cut()

    def _end(self) -> None:
        if self.left == 0:
            self._cut()
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    def _cut(self) -> None:
        pid = self._session.info.backend_pid
        self._admin.execute("SELECT pg_terminate_backend(%s)", [pid])
        while self._admin.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone():
            time.sleep(0.002)


@pytest.mark.parametrize("kept", [False, True])
def test_wherever_the_session_ends_the_batch_is_there_wholly_or_not_at_all(
    address: str, admin: psycopg.Connection[Any], kept: bool
) -> None:
    storage = PostgresStorage.open(address)
    first, chain = batch_after(Chain(ORIGIN), opened(3))
    storage.append(Head(), first)
    batch, grown = batch_after(chain, opened(4, 3))
    storage._writer = CutSession(storage._connected(), admin, STATEMENTS, kept)  # type: ignore[assignment]
    with pytest.raises(StorageFailed):
        storage.append(head_of(chain), batch)
    assert storage.head() == head_of(grown if kept else chain)
    assert len(storage.leaves(0, 10)) == (7 if kept else 3)
    assert len(storage.find_keys([f"key {number}" for number in range(7)])) == (7 if kept else 3)
    if not kept:
        # The session was replaced: the same batch can be stored now.
        storage.append(head_of(chain), batch)
    assert storage.head() == head_of(grown)
    storage.close()


TABLES = ("head", "entry", "node")


@pytest.mark.parametrize("table", TABLES)
def test_a_session_that_ends_in_the_middle_of_a_batch_leaves_nothing_of_it(
    address: str, admin: psycopg.Connection[Any], table: str
) -> None:
    """The statement waits for a table that somebody holds, and is ended there: what it wrote before goes with it."""
    storage = PostgresStorage.open(address)
    first, chain = batch_after(Chain(ORIGIN), opened(3))
    storage.append(Head(), first)
    batch, grown = batch_after(chain, opened(4, 3))
    pid = storage._connected().info.backend_pid
    with psycopg.connect(address) as holder, ThreadPoolExecutor(1) as thread:
        # Shares with the planning of the statement, and not with the trigger that fires at the first row.
        holder.execute(f"LOCK TABLE ledger.{table} IN SHARE MODE")  # type: ignore[call-overload]
        appending = thread.submit(storage.append, head_of(chain), batch)
        waiting = "SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s"
        while admin.execute(waiting, [pid]).fetchone() != ("Lock",):
            time.sleep(0.002)
        admin.execute("SELECT pg_terminate_backend(%s)", [pid])
        with pytest.raises(StorageFailed):
            appending.result()
    assert storage.head() == head_of(chain)
    assert len(storage.leaves(0, 10)) == 3
    storage.append(head_of(chain), batch)
    assert storage.head() == head_of(grown)
    storage.close()


def test_there_are_as_many_statements_as_the_fault_test_believes(address: str, admin: psycopg.Connection[Any]) -> None:
    storage = PostgresStorage.open(address)
    counting = CutSession(storage._connected(), admin, 1000, kept=False)
    storage._writer = counting  # type: ignore[assignment]
    batch, _ = batch_after(Chain(ORIGIN), opened(2))
    storage.append(Head(), batch)
    assert counting.left == 1000 - STATEMENTS
    storage.close()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM ledger.entry",
        "UPDATE ledger.entry SET leaf = '0'",
        "TRUNCATE ledger.entry",
        "DELETE FROM ledger.node",
        "UPDATE ledger.entry SET key = 'x'",
        "DELETE FROM ledger.head",
        "UPDATE ledger.head SET size = size - 1",
    ],
)
def test_an_accident_cannot_change_the_log(address: str, admin: psycopg.Connection[Any], statement: str) -> None:
    """Not even a superuser's."""
    storage = PostgresStorage.open(address)
    batch, _ = batch_after(Chain(ORIGIN), opened(4))
    storage.append(Head(), batch)
    with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
        admin.execute(statement)
    storage.close()


def test_a_database_that_cannot_hold_every_key_is_refused(address: str, admin: psycopg.Connection[Any]) -> None:
    """One key that LATIN1 does not have would fail the whole batch, and with it the entries of other callers."""
    admin.execute("DROP DATABASE IF EXISTS latin")
    admin.execute("CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    elsewhere = re.sub(r"@/[^?]*", "@/latin", address)
    for connect in (PostgresStorage.open, PostgresReader):
        with pytest.raises(StorageFailed, match="encoding is LATIN1"):
            connect(elsewhere)
    admin.execute("DROP DATABASE latin")


def test_a_role_that_owns_nothing_runs_the_log_and_can_change_nothing(
    address: str, admin: psycopg.Connection[Any]
) -> None:
    """With the privileges that the operations page tells the owner to grant."""
    PostgresStorage.open(address).close()
    admin.execute("CREATE ROLE ledger_app LOGIN")
    (grants,) = re.findall(r"```sql\n(.*?)```", OPERATIONS.read_text(), re.DOTALL)
    admin.execute(grants)
    storage = PostgresStorage.open(address.replace("postgres@", "ledger_app@"))
    batch, chain = batch_after(Chain(ORIGIN), opened(4))
    storage.append(Head(), batch)
    storage.put_checkpoint(4, b"note")
    assert storage.head() == head_of(chain)
    for table in ("entry", "node", "idempotency", "searchable", "category"):
        for statement in ("DELETE FROM", "TRUNCATE", "DROP TABLE"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                storage._connected().execute(f"{statement} {table}")
    storage.close()
    admin.execute("DROP OWNED BY ledger_app")
    admin.execute("DROP ROLE ledger_app")


def test_the_owner_took_the_privileges_from_itself(address: str, admin: psycopg.Connection[Any]) -> None:
    name = address.partition("@/")[2].partition("?")[0]
    admin.execute("CREATE ROLE ledger_owner LOGIN")
    admin.execute(f"GRANT CREATE ON DATABASE {name} TO ledger_owner")
    storage = PostgresStorage.open(address.replace("postgres@", "ledger_owner@"))
    batch, _ = batch_after(Chain(ORIGIN), opened(4))
    storage.append(Head(), batch)
    for table in ("entry", "node", "idempotency", "searchable", "category", "head"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            storage._connected().execute(f"DELETE FROM {table}")  # noqa: S608 - names of tables
    storage.close()
    admin.execute("DROP OWNED BY ledger_owner")
    admin.execute("DROP ROLE ledger_owner")


def test_a_commit_is_synchronous_whatever_the_servers_default(address: str, admin: psycopg.Connection[Any]) -> None:
    name = address.partition("@/")[2].partition("?")[0]
    admin.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    admin.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'")
    storage = PostgresStorage.open(address)
    storage.put_checkpoint(1, b"note")
    assert storage._connected().execute("SHOW synchronous_commit").fetchone() == ("on",)
    storage.close()
    admin.execute(f"ALTER DATABASE {name} RESET ALL")


def test_a_server_that_can_lose_entries_is_not_written_to(address: str, admin: psycopg.Connection[Any]) -> None:
    configure(admin, "ALTER SYSTEM SET full_page_writes = off", "off")
    try:
        with pytest.raises(StorageFailed, match="full_page_writes"):
            PostgresStorage.open(address)
    finally:
        configure(admin, "ALTER SYSTEM RESET full_page_writes", "on")


def configure(admin: psycopg.Connection[Any], statement: str, expected: str) -> None:
    admin.execute(statement)
    admin.execute("SELECT pg_reload_conf()")
    while admin.execute("SHOW full_page_writes").fetchone() != (expected,):
        time.sleep(0.01)


def test_a_reader_cannot_write(address: str) -> None:
    PostgresStorage.open(address).close()
    session = connect_reader(address)
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        session.execute("INSERT INTO category VALUES ('x', 1)")
    session.close()


def test_readers_come_back_after_the_server_ended_all_their_sessions(
    address: str, admin: psycopg.Connection[Any]
) -> None:
    storage = PostgresStorage.open(address)
    others = [storage._idle.get(), connect_reader(address)]
    for session in others:
        storage._idle.put(session)
    admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    with pytest.raises(StorageFailed):
        storage.head()
    assert storage.head() == Head()
    storage.close()


def test_a_reader_makes_no_ledger(address: str, admin: psycopg.Connection[Any]) -> None:
    with pytest.raises(NotFound):
        PostgresReader(address)
    assert admin.execute("SELECT to_regnamespace('ledger')").fetchone() == (None,)


def test_a_schema_of_somebody_else_is_not_touched(address: str, admin: psycopg.Connection[Any]) -> None:
    admin.execute("CREATE SCHEMA ledger")
    admin.execute("CREATE TABLE ledger.accounts (id integer)")
    with pytest.raises(StorageFailed, match="not a ledger database"):
        PostgresStorage.open(address)
    tables = admin.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'ledger'").fetchall()
    assert tables == [("accounts",)]


def test_a_newer_schema_is_refused(address: str, admin: psycopg.Connection[Any]) -> None:
    PostgresStorage.open(address).close()
    admin.execute("UPDATE ledger.schema_version SET version = 99")
    for opening in (PostgresStorage.open, PostgresReader):
        with pytest.raises(StorageFailed, match="schema version"):
            opening(address)


def test_errors_never_quote_a_value(address: str) -> None:
    storage = PostgresStorage.open(address)
    first, chain = batch_after(Chain(ORIGIN), opened(1))
    storage.append(Head(), first)
    batch, _ = batch_after(chain, opened(1, 1))
    bad = Batch([batch.records[0]._replace(leaf=b"")], batch.nodes, batch.head)  # the server's error shows the row
    with pytest.raises(StorageFailed) as caught:
        storage.append(head_of(chain), bad)
    assert str(caught.value) == "postgresql says: CheckViolation"
    storage.close()


def test_a_server_that_is_not_there_is_a_named_error(tmp_path: Any) -> None:
    with pytest.raises(StorageFailed, match="OperationalError"):
        PostgresStorage.open(f"postgresql://nobody@/ledger?host={tmp_path}")
