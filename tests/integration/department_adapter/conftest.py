"""One federation for tests that only need its signatures, and adapters, shared or not, on their module's event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.integration.department_adapter.house import House
from tests.support.federation import Federation


@pytest.fixture(scope="session")
def federation() -> Federation:
    return Federation()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """One adapter for all calls and attacks that leave no trace, which is what they are to prove."""
    async with House.open(tmp_path_factory.mktemp("adapter")) as house:
        yield house


@pytest_asyncio.fixture(loop_scope="module")
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """An adapter of its own."""
    async with House.open(tmp_path) as opened:
        yield opened
