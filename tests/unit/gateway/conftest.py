"""A fresh house per test, over one federation whose keys are made once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gateway_house import House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A gateway with an empty database."""
    made = House(tmp_path)
    yield made
    made.close()


@pytest.fixture
async def settled(house: House) -> House:
    """The same, ready for a score."""
    await house.settle()
    return house
