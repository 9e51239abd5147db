"""Every test here runs once for each storage; PostgreSQL is a real server, started once, a ledger for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.storage.interface import LogStorage
from tests.contract.log_storages import SQLITE, STORAGES, StorageKind
from tests.support.postgresql import PostgresqlServer, emptied, new_database, running_postgresql
from tests.support.running_log import LogFolder


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    """The server itself, for tests that end it (and start it again)."""
    with running_postgresql(durable=True) as running:
        yield running


@pytest.fixture(scope="session")
def server(postgresql: PostgresqlServer) -> str:
    return postgresql.url


@pytest.fixture(scope="session")
def database(server: str) -> str:
    return new_database(server)


@pytest.fixture
def address(database: str) -> str:
    """A PostgreSQL database without a ledger."""
    return emptied(database)


@pytest.fixture(params=STORAGES, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> StorageKind:
    found: StorageKind = request.param
    return found


@pytest.fixture
def place(kind: StorageKind, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    if kind is SQLITE:
        return str(tmp_path / "ledger.db")
    address: str = request.getfixturevalue("address")
    return address


@pytest.fixture
def folder(kind: StorageKind, place: str, tmp_path: Path) -> LogFolder:
    """A log with its witnesses; its database is the one at the place."""
    made = LogFolder(tmp_path)
    made.open_storage = lambda: kind.open(place)
    made.open_reader = lambda: kind.open_reader(place)
    return made


@pytest.fixture
def storage(kind: StorageKind, place: str) -> Iterator[LogStorage]:
    opened = kind.open(place)
    yield opened
    opened.close()
