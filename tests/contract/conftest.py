"""Every test here runs once for each storage."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.storage.interface import LogStorage
from tests.contract.log_storages import STORAGES, StorageKind


@pytest.fixture(params=STORAGES, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> StorageKind:
    found: StorageKind = request.param
    return found


@pytest.fixture
def place(kind: StorageKind, tmp_path: Path) -> Path:
    return kind.place(tmp_path)


@pytest.fixture
def storage(kind: StorageKind, place: Path) -> Iterator[LogStorage]:
    opened = kind.open(place)
    yield opened
    opened.close()
