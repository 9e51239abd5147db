"""One federation for tests that do not write to its log, and a state database of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from consentgate.database import Database
from department_adapter.state import migrate
from tests.support.federation import Federation


@pytest.fixture(scope="session")
def federation() -> Federation:
    return Federation()


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/state.db", "state")
    migrate.upgrade(database.engine)
    yield database
    database.close()
