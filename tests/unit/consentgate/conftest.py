"""One federation for all tests here: nothing in it changes but its log, which only grows."""

from __future__ import annotations

import pytest

from tests.support.federation import Federation


@pytest.fixture(scope="session")
def federation() -> Federation:
    return Federation()
