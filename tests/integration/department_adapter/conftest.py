"""One federation for tests that only need its signatures."""

from __future__ import annotations

import pytest

from tests.support.federation import Federation


@pytest.fixture(scope="session")
def federation() -> Federation:
    return Federation()
