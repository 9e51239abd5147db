"""Every test here runs once for each storage; PostgreSQL is a real server, started once, a ledger for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.storage.interface import LogStorage
from tests.contract.log_storages import SQLITE, STORAGES, StorageKind
from tests.support.postgresql import NoPostgresql, emptied, new_database, postgresql_server


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    try:
        with postgresql_server(durable=True) as url:
            yield url
    except NoPostgresql as missing:
        pytest.skip(str(missing))


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
def storage(kind: StorageKind, place: str) -> Iterator[LogStorage]:
    opened = kind.open(place)
    yield opened
    opened.close()
