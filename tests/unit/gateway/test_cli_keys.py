"""`gateway keygen` and `gateway rewrap`: a key is made once, replaced whole, and its secret never shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from consentgate import logs
from consentgate.terminal import ExitCode
from gateway import cli
from gateway.store import key_encryption_key, migrate
from tests.support.command_line import Ended, run_command
from tests.support.federation import company_code
from tests.support.gateway_house import KEY_FILE, store_in


@pytest.fixture(autouse=True)
def unconfigured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests of this process capture logs."""
    monkeypatch.setattr(logs, "configure", lambda *_: None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """gateway.toml and nothing that it names."""
    (tmp_path / "gateway.toml").write_text(
        'listen = "127.0.0.1:0"\nanchors = "anchors.toml"\ndatabase = "sqlite:///gateway.db"\n'
        'institutions = "institutions.toml"\ndepartments = []\n'
        '[tls]\ncertificate = "tls.pem"\nprivate_key = "tls.key"\n'
        f'[subject_keys]\ndatabase = "sqlite:///keys.db"\nkey_encryption_key = "{KEY_FILE}"\n'
        '[ledger]\naddress = "127.0.0.1:1"\npeer = "spiffe://consentgate.test/ledger/ledger-1"\n'
    )
    return tmp_path


def gateway(folder: Path, *words: str) -> Ended:
    return run_command(cli.app, [*words, "--config", folder / "gateway.toml"])


def secret(folder: Path) -> str:
    return (folder / KEY_FILE).read_text().strip().rsplit(":", 1)[1]


def test_from_nothing_to_a_migrated_store(folder: Path) -> None:
    early = gateway(folder, "migrate")
    assert early.code == ExitCode.CONFIGURATION
    assert "subject_keys.key_encryption_key" in early.err
    assert "gateway keygen" in early.err
    made = gateway(folder, "keygen", "--json")
    assert (made.code, json.loads(made.out)["key"]) == (0, key_encryption_key.load(folder / KEY_FILE).id)
    assert gateway(folder, "migrate").code == 0
    again = gateway(folder, "keygen")
    assert (again.code, "never overwritten" in again.err) == (ExitCode.CONFIGURATION, True)
    for ended in (early, made, again):
        assert secret(folder) not in ended.out + ended.err


def test_rewrap(folder: Path) -> None:
    gateway(folder, "keygen")
    early = gateway(folder, "rewrap", "--yes")
    assert (early.code, "gateway migrate" in early.err) == (ExitCode.CONFIGURATION, True)
    gateway(folder, "migrate")
    store = store_in(folder)
    made = store.keys.obtain(company_code(1), "group-a")
    before = secret(folder)
    done = gateway(folder, "rewrap", "--yes", "--json")
    members = json.loads(done.out)
    assert (done.code, members["keys"]) == (0, 1)
    assert members["key"] == key_encryption_key.load(folder / KEY_FILE).id
    assert secret(folder) != before
    assert store.keys.get(made.id) == made
    store.close()
    fresh = store_in(folder)
    migrate.check(fresh)
    fresh.close()


def test_a_configuration_of_the_program_before(folder: Path) -> None:
    text = (folder / "gateway.toml").read_text()
    start = text.index("[subject_keys]")
    (folder / "gateway.toml").write_text(text[:start] + text[text.index("[ledger]") :])
    ended = gateway(folder, "migrate")
    assert ended.code == ExitCode.CONFIGURATION
    assert "Add the table [subject_keys]" in ended.err
