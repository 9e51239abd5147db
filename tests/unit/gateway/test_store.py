"""The schema: migrated equals metadata, nothing SQLite-only, transactions that lose a race run again."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from alembic import autogenerate
from alembic.migration import MigrationContext
from sqlalchemy import BigInteger, CheckConstraint, inspect, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.schema import CreateIndex, CreateTable

from consentgate import database as module
from consentgate.database import Database
from consentgate.errors import ConsentgateError, ErrorCode
from gateway.store import key_encryption_key, migrate
from gateway.store.key_models import KeyBase
from gateway.store.models import Base, GroupMemberRow
from gateway.store.sealed_database import SealedDatabase
from tests.support.gateway_house import KEY_FILE, store_in


@pytest.fixture
def database(tmp_path: Path):  # type: ignore[no-untyped-def]
    key_encryption_key.create(tmp_path / KEY_FILE)
    made = store_in(tmp_path)
    yield made
    made.close()


def test_a_migrated_database_equals_the_metadata(database: SealedDatabase) -> None:
    migrate.upgrade(database)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert autogenerate.compare_metadata(context, Base.metadata) == []
    assert set(inspect(database.engine).get_table_names()) == {*Base.metadata.tables, "alembic_version"}


def test_the_comparison_finds_a_difference(database: SealedDatabase) -> None:
    """So that the test above can fail."""
    migrate.upgrade(database)
    database.transact(lambda session: session.execute(text("ALTER TABLE subjects ADD COLUMN note TEXT")))
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert autogenerate.compare_metadata(context, Base.metadata) != []


def test_migrating_twice_changes_nothing(database: SealedDatabase) -> None:
    assert migrate.revisions(database.engine) == (None, "0003")
    for _ in range(2):
        migrate.upgrade(database)
        assert migrate.revisions(database.engine) == ("0003", "0003")


def test_a_database_of_a_newer_program_is_refused(database: SealedDatabase) -> None:
    migrate.upgrade(database)
    database.transact(lambda session: session.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(ConsentgateError, match="CONFIG_INVALID"):
        migrate.upgrade(database)


def test_a_database_that_cannot_be_opened(tmp_path: Path) -> None:
    key_encryption_key.create(tmp_path / KEY_FILE)
    database = store_in(tmp_path, f"sqlite:///{tmp_path / 'no folder' / 'gateway.db'}")
    for use in (lambda: migrate.upgrade(database), lambda: migrate.revisions(database.engine)):
        with pytest.raises(ConsentgateError, match="STORE_UNAVAILABLE"):
            use()
    with pytest.raises(ConsentgateError, match="STORE_UNAVAILABLE"):
        asyncio.run(database.check())
    database.close()


@pytest.mark.parametrize("url", ["nonsense", "oracle+nothing://x"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(ConsentgateError) as caught:
        Database(url)
    assert (caught.value.code, caught.value.field) == (ErrorCode.CONFIG_INVALID, "database")


TABLES = [*Base.metadata.sorted_tables, *KeyBase.metadata.sorted_tables]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_postgresql_takes_every_table(table) -> None:  # type: ignore[no-untyped-def]
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    statement = str(CreateTable(table).compile(dialect=dialect))
    assert "CREATE TABLE" in statement
    for index in table.indexes:
        assert index.name is not None
        assert "CREATE INDEX" in str(CreateIndex(index).compile(dialect=dialect))
    if "id" in table.columns and isinstance(table.columns["id"].type, BigInteger):
        assert "BIGSERIAL" in statement


def test_constraints_are_named_and_columns_not_null() -> None:
    for table in TABLES:
        assert all(constraint.name for constraint in table.constraints if not isinstance(constraint, CheckConstraint))
        assert not [column.name for column in table.columns if column.nullable]
        assert all(len(str(constraint.name)) <= 63 for constraint in table.constraints), "PostgreSQL cuts longer names"


def test_sqlite_is_durable_and_checks_references(database: SealedDatabase) -> None:
    migrate.upgrade(database)

    def pragmas(session: Session) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        return [session.execute(text(f"PRAGMA {name}")).scalar() for name in names]

    assert database.transact(pragmas) == ["wal", 2, 1, module.BUSY_TIMEOUT_MS]


def test_a_failed_transaction_leaves_nothing(database: SealedDatabase) -> None:
    migrate.upgrade(database)

    def fail(session: Session) -> None:
        session.add(GroupMemberRow(bank="bank", grantee_group="group"))
        session.flush()
        raise ConsentgateError(ErrorCode.CONSENT_STATE)

    with pytest.raises(ConsentgateError, match="CONSENT_STATE"):
        database.transact(fail)
    assert database.transact(lambda session: session.execute(select(GroupMemberRow)).all()) == []


def test_a_lost_race_runs_again(database: SealedDatabase) -> None:
    migrate.upgrade(database)
    attempts: list[int] = []

    def taken_at_first(session: Session) -> str:
        attempts.append(1)
        if len(attempts) == 1:
            raise IntegrityError("insert", {}, Exception("unique"))
        return "done"

    assert database.transact(taken_at_first) == "done"
    assert len(attempts) == 2


def test_endless_races_end(database: SealedDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_PAUSE_SECONDS", 0.0)

    def always(_session: Session) -> None:
        raise IntegrityError("insert", {}, Exception("unique"))

    with pytest.raises(ConsentgateError, match="STORE_UNAVAILABLE"):
        database.transact(always)


def test_two_threads_never_insert_the_same(database: SealedDatabase) -> None:
    migrate.upgrade(database)
    barrier = threading.Barrier(4)

    def find_or_add(session: Session) -> str:
        row = session.execute(select(GroupMemberRow)).scalar_one_or_none()
        if row is None:
            row = GroupMemberRow(bank="bank", grantee_group="group")
            session.add(row)
            session.flush()
        return row.bank

    def work(found: list[str]) -> None:
        barrier.wait()
        found.append(database.transact(find_or_add))

    found: list[str] = []
    threads = [threading.Thread(target=work, args=(found,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["bank"] * 4
