"""A served ledger for each test: log, four witnesses and a loopback server with mutual TLS."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.ledger_server import ServedLedger, served_ledger
from tests.support.running_log import LogFolder


@pytest.fixture
def folder(tmp_path: Path) -> LogFolder:
    return LogFolder(tmp_path)


@pytest.fixture
async def served(folder: LogFolder) -> AsyncIterator[ServedLedger]:
    async with served_ledger(folder) as ledger:
        yield ledger
