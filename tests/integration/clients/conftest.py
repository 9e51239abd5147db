"""A federation at the clock's own time and a gateway on loopback, per module; folders per test."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bank_client.session import BankSession
from tests.integration.clients.company_story import Story, told
from tests.integration.clients.fake_gateway import FakeGateway, serving
from tests.integration.clients.member_folders import write_bank, write_company
from tests.support.federation import Federation


@pytest.fixture(scope="module")
def federation() -> Federation:
    return Federation(now=datetime.now(UTC))


@pytest.fixture(scope="module")
def served(federation: Federation) -> Iterator[FakeGateway]:
    with serving(federation) as fake:
        yield fake


@pytest.fixture
def gateway(served: FakeGateway) -> FakeGateway:
    """The gateway as nobody has used it yet."""
    served.reset()
    return served


@pytest.fixture
def bank_toml(tmp_path: Path, federation: Federation, gateway: FakeGateway) -> Path:
    return write_bank(tmp_path / "bank", federation, gateway.address)


@pytest.fixture
def company_toml(tmp_path: Path, federation: Federation, gateway: FakeGateway) -> Path:
    return write_company(tmp_path / "company", federation, gateway.address)


@pytest.fixture
def session(bank_toml: Path) -> BankSession:
    return BankSession.load(bank_toml)


@pytest.fixture
def story(company_toml: Path, federation: Federation, gateway: FakeGateway) -> Iterator[Story]:
    with told(company_toml, federation, gateway) as made:
        yield made
