"""One federation for tests that do not write to its log, and a state database of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from consentgate.database import Database
from department_adapter import tail
from department_adapter.state import migrate
from tests.support.federation import Federation
from tests.unit.department_adapter.tail_setting import Setting


@pytest.fixture(scope="session")
def federation() -> Federation:
    return Federation()


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/state.db", "state")
    migrate.upgrade(database.engine)
    yield database
    database.close()


@pytest.fixture
def setting(federation: Federation, state: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setting:
    """A tail that pauses for milliseconds only."""
    monkeypatch.setattr(tail, "FIRST_PAUSE_SECONDS", 0.005)
    monkeypatch.setattr(tail, "LONGEST_PAUSE_SECONDS", 0.02)
    return Setting(federation, state, tmp_path)
