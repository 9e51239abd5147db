"""The gateway's services behind a real mTLS port, over the in-process house."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from consentgate.server import build_server
from gateway.server import LedgerReaders, Truth, build_services
from tests.integration.gateway.port import Port, write_tls
from tests.support.gateway_house import HistoriesDouble, House


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[Port]:
    """A settled house behind a port."""
    house = House(tmp_path)
    await house.settle()
    readers = LedgerReaders(house.ledger, HistoriesDouble(house.federation, house.clock))
    services = build_services(house.parts(), house.consents, house.scorecards, readers)
    files = write_tls(tmp_path, house.federation.gateway, house.federation)
    truth = Truth(house.database, house.ledger).check
    server = await build_server(files, "127.0.0.1:0", services, truth=truth)
    await server.start()
    made = Port(house.federation, tmp_path, server.address, house=house)
    yield made
    await made.close()
    await server.stop()
    house.close()
