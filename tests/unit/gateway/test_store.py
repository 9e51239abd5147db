"""The schema: migrated equals metadata, nothing SQLite-only, transactions that lose a race run again."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from alembic import autogenerate
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, inspect, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.schema import CreateIndex, CreateTable

from consentgate import database as module
from consentgate.database import Database
from consentgate.errors import ConsentgateError, ErrorCode
from gateway.store import migrate
from gateway.store.models import Base, CompanyRow


@pytest.fixture
def database(tmp_path: Path):  # type: ignore[no-untyped-def]
    made = Database(f"sqlite:///{tmp_path / 'gateway.db'}")
    yield made
    made.close()


def test_a_migrated_database_equals_the_metadata(database: Database) -> None:
    migrate.upgrade(database.engine)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert autogenerate.compare_metadata(context, Base.metadata) == []
    assert set(inspect(database.engine).get_table_names()) == {*Base.metadata.tables, "alembic_version"}


def test_the_comparison_finds_a_difference(database: Database) -> None:
    """So that the test above can fail."""
    migrate.upgrade(database.engine)
    database.transact(lambda session: session.execute(text("ALTER TABLE companies ADD COLUMN note TEXT")))
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert autogenerate.compare_metadata(context, Base.metadata) != []


def test_migrating_twice_changes_nothing(database: Database) -> None:
    assert migrate.revisions(database.engine) == (None, "0002")
    for _ in range(2):
        migrate.upgrade(database.engine)
        assert migrate.revisions(database.engine) == ("0002", "0002")


def test_a_database_of_a_newer_program_is_refused(database: Database) -> None:
    migrate.upgrade(database.engine)
    database.transact(lambda session: session.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(ConsentgateError, match="CONFIG_INVALID"):
        migrate.upgrade(database.engine)


def test_a_database_that_cannot_be_opened(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'no folder' / 'gateway.db'}")
    for use in (migrate.upgrade, migrate.revisions):
        with pytest.raises(ConsentgateError, match="STORE_UNAVAILABLE"):
            use(database.engine)  # type: ignore[operator]
    with pytest.raises(ConsentgateError, match="STORE_UNAVAILABLE"):
        asyncio.run(database.check())
    database.close()


@pytest.mark.parametrize("url", ["nonsense", "oracle+nothing://x"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(ConsentgateError) as caught:
        Database(url)
    assert (caught.value.code, caught.value.field) == (ErrorCode.CONFIG_INVALID, "database")


@pytest.mark.parametrize("table", Base.metadata.sorted_tables, ids=lambda table: table.name)
def test_postgresql_takes_every_table(table) -> None:  # type: ignore[no-untyped-def]
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    statement = str(CreateTable(table).compile(dialect=dialect))
    assert "CREATE TABLE" in statement
    for index in table.indexes:
        assert index.name is not None
        assert "CREATE INDEX" in str(CreateIndex(index).compile(dialect=dialect))
    if "id" in table.columns:
        assert "BIGSERIAL" in statement


def test_constraints_are_named_and_columns_not_null() -> None:
    for table in Base.metadata.sorted_tables:
        assert all(constraint.name for constraint in table.constraints if not isinstance(constraint, CheckConstraint))
        assert not [column.name for column in table.columns if column.nullable]
        assert all(len(str(constraint.name)) <= 63 for constraint in table.constraints), "PostgreSQL cuts longer names"


def test_sqlite_is_durable_and_checks_references(database: Database) -> None:
    migrate.upgrade(database.engine)

    def pragmas(session: Session) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        return [session.execute(text(f"PRAGMA {name}")).scalar() for name in names]

    assert database.transact(pragmas) == ["wal", 2, 1, module.BUSY_TIMEOUT_MS]


def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    migrate.upgrade(database.engine)

    def fail(session: Session) -> None:
        session.add(CompanyRow(code="A" * 18, entity="0" * 32))
        session.flush()
        raise ConsentgateError(ErrorCode.CONSENT_STATE)

    with pytest.raises(ConsentgateError, match="CONSENT_STATE"):
        database.transact(fail)
    assert database.transact(lambda session: session.execute(select(CompanyRow)).all()) == []


def test_a_lost_race_runs_again(database: Database) -> None:
    migrate.upgrade(database.engine)
    attempts: list[int] = []

    def taken_at_first(session: Session) -> str:
        attempts.append(1)
        if len(attempts) == 1:
            raise IntegrityError("insert", {}, Exception("unique"))
        return "done"

    assert database.transact(taken_at_first) == "done"
    assert len(attempts) == 2


def test_endless_races_end(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_PAUSE_SECONDS", 0.0)

    def always(_session: Session) -> None:
        raise IntegrityError("insert", {}, Exception("unique"))

    with pytest.raises(ConsentgateError, match="STORE_UNAVAILABLE"):
        database.transact(always)


def test_two_threads_never_insert_the_same(database: Database) -> None:
    migrate.upgrade(database.engine)
    barrier = threading.Barrier(4)

    def find_or_add(session: Session) -> int:
        row = session.execute(select(CompanyRow)).scalar_one_or_none()
        if row is None:
            row = CompanyRow(code="A" * 18, entity="0" * 32)
            session.add(row)
            session.flush()
        return row.id

    def work(found: list[int]) -> None:
        barrier.wait()
        found.append(database.transact(find_or_add))

    found: list[int] = []
    threads = [threading.Thread(target=work, args=(found,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1, 1, 1, 1]
