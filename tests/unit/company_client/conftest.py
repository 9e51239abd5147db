"""One federation for the package."""

from __future__ import annotations

import pytest

from tests.support.federation import Federation


@pytest.fixture(scope="session")
def federation() -> Federation:
    return Federation()
