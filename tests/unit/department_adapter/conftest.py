"""One federation for tests that do not write to its log, and a state database of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from department_adapter.state import migrate
from department_adapter.state.database import StateDatabase
from tests.support.federation import Federation


@pytest.fixture(scope="session")
def federation() -> Federation:
    return Federation()


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateDatabase]:
    database = StateDatabase(f"sqlite:///{tmp_path}/state.db")
    migrate.upgrade(database.engine)
    yield database
    database.close()
