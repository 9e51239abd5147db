"""On a real PostgreSQL: the state keeps its promises, and a department's own tables are read exactly and only read."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from consentgate.database import Database
from consentgate.errors import ConsentgateError, ErrorCode
from department_adapter.mapping import Mapping
from department_adapter.reservation import reserve
from department_adapter.sources.opening import open_source
from department_adapter.sources.sql import SqlSource
from department_adapter.state import answers, migrate
from department_adapter.state.answers import Answer, Reservation
from department_adapter.state.models import Base
from department_adapter.uses import CalendarUnit
from tests.support.federation import NOW, Federation
from tests.support.postgresql import postgresql_server
from tests.unit.department_adapter.standing import Standing

KNOWN = "91350100M000100Y43"
EVER = CalendarUnit(0, 2**40)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgresql_server() as url:
        yield url


@pytest.fixture
def url(server: str) -> str:
    """A new, empty database."""
    name = f"test_{secrets.token_hex(8)}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return make_url(server).set(database=name).render_as_string(hide_password=False)


@pytest.fixture
def state(url: str) -> Iterator[Database]:
    database = Database(url, "state")
    migrate.upgrade(database.engine)
    yield database
    database.close()


def test_migrations_equal_the_models(state: Database) -> None:
    with state.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_last_use_goes_to_one_of_many(state: Database, federation: Federation) -> None:
    """Serialisable for real: eight leaves at once, two uses left."""
    consent = federation.sign_consent(federation.consent_claims(total_uses=2))
    orders = []
    for _ in range(8):
        standing = Standing.of(federation, federation.bundle(consent=consent, salt=secrets.token_bytes(32)))
        orders.append(standing.order)
    standing.learn(state)
    refused: list[ErrorCode] = []

    def attempt(number: int) -> None:
        try:
            state.transact(lambda session: reserve(session, orders[number], NOW))
        except ConsentgateError as error:
            refused.append(error.code)

    _all_at_once([lambda number=number: attempt(number) for number in range(8)])
    claims = standing.order.consent
    counted = state.transact(lambda session: answers.uses_of(session, claims.consent_id, claims.version, EVER))
    assert counted.total == 2
    assert len(refused) == 6
    # A transaction that lost too many races says so and may be repeated; nobody gets a third use.
    assert set(refused) <= {ErrorCode.CONSENT_FREQUENCY, ErrorCode.STORE_UNAVAILABLE}


def test_one_leaf_one_answer_among_many(state: Database) -> None:
    leaf = "1" * 64
    state.transact(lambda session: answers.reserve(session, Reservation(leaf, "c" * 32, 1, 100)))
    found: list[Answer] = []

    def store(number: int) -> None:
        own = Answer(b"%d" % number, b"c")
        with suppress(ConsentgateError):
            found.append(state.transact(lambda session: answers.store(session, leaf, own, 200)))

    _all_at_once([lambda number=number: store(number) for number in range(8)])
    assert len(set(found)) == 1
    assert state.transact(lambda session: answers.answer_to(session, leaf)) == found[0]


def _all_at_once(works: list[object]) -> None:
    barrier = threading.Barrier(len(works))

    def started(work: object) -> None:
        barrier.wait()
        work()  # type: ignore[operator]

    threads = [threading.Thread(target=started, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# A department's own tables.


@pytest.fixture
def records(url: str) -> str:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA tax"))
        connection.execute(
            text(
                "CREATE TABLE tax.records (uscc char(18) PRIMARY KEY, secret text, margin numeric(40, 20),"
                " turnover double precision, note text)"
            )
        )
        connection.execute(
            text("INSERT INTO tax.records VALUES (:code, 'hush', 12345678901234567890.12345678901234567890, 0.1, '7')"),
            {"code": KNOWN},
        )
        connection.execute(
            text("INSERT INTO tax.records VALUES ('91350100M000200Y43', 'hush', 'NaN', 'Infinity', 'n/a')")
        )
    engine.dispose()
    return url


def mapping(folder: Path, url: str, table: str = 'table = "records"\nschema = "tax"') -> Mapping:
    path = folder / "mapping.toml"
    columns = "".join(
        f'[[columns]]\nname = "{name}"\ncategory = "c"\nsource = "{name}"\nkind = "binned"\nscale = 2\nedges = [0]\n'
        for name in ("margin", "turnover", "note")
    )
    path.write_text(f'[source]\nkind = "sql"\nurl = "{url}"\nkey_column = "uscc"\n{table}\n{columns}')
    return Mapping.load(path)


def test_numbers_are_exact(records: str, tmp_path: Path) -> None:
    source = open_source(mapping(tmp_path, records))
    source.check()
    assert source.read(KNOWN) == {
        "margin": Decimal("12345678901234567890.12345678901234567890"),
        "turnover": Decimal("0.1"),
        "note": Decimal(7),
    }
    source.close()


def test_what_is_no_number_and_unknown_companies_are_missing(records: str, tmp_path: Path) -> None:
    source = open_source(mapping(tmp_path, records))
    nothing = {"margin": None, "turnover": None, "note": None}
    assert source.read("91350100M000200Y43") == nothing
    assert source.read("91350100M000300Y43") == nothing
    assert source.read("' OR true --") == nothing
    assert source.count_repeated_keys() == 0
    source.close()


def test_only_read(records: str, tmp_path: Path) -> None:
    source = open_source(mapping(tmp_path, records))
    assert isinstance(source, SqlSource)
    with pytest.raises(DBAPIError, match="read-only"), source.engine.connect() as connection:
        connection.execute(text("DELETE FROM tax.records"))
    source.check()
    source.close()


def test_absent_table_names_the_entry(records: str, tmp_path: Path) -> None:
    with pytest.raises(ConsentgateError) as caught:
        open_source(mapping(tmp_path, records, 'table = "records"'))
    assert caught.value.field == f"{tmp_path / 'mapping.toml'}: source.table"
