"""One federation and one honest exchange for the whole package: both are immutable to the tests that share them."""

from __future__ import annotations

import pytest

from tests.support.federation import Federation
from tests.unit.bank_client.exchange import Exchange, exchange


@pytest.fixture(scope="session")
def federation() -> Federation:
    return Federation()


@pytest.fixture(scope="session")
def honest(federation: Federation) -> Exchange:
    return exchange(federation)
