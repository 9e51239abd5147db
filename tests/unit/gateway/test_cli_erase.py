"""`gateway erase`: asks, deletes, and proves; the exit code says whether the proof is complete."""

from __future__ import annotations

import io
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from consentgate import logs
from consentgate.terminal import ExitCode
from gateway import cli
from gateway.consent import Move
from tests.integration.clients.member_folders import write_anchors
from tests.integration.gateway.port import write_tls
from tests.support.command_line import Ended, run_command
from tests.support.federation import Federation
from tests.support.gateway_house import INSTITUTIONS, House


@pytest.fixture(autouse=True)
def unconfigured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests of this process capture logs."""
    monkeypatch.setattr(logs, "configure", lambda *_: None)


@pytest.fixture
async def house(tmp_path: Path) -> House:
    """At the clock's own time, with a consent that the company revoked."""
    made = House(tmp_path, Federation(now=datetime.now(UTC)))
    await made.settle()
    await made.consents.move(made.transition("REVOKE"), Move.REVOKE, made.company())
    write_anchors(tmp_path, made.federation)
    tls = write_tls(tmp_path, made.federation.gateway, made.federation)
    (tmp_path / "institutions.toml").write_text(INSTITUTIONS)
    (tmp_path / "gateway.toml").write_text(
        'listen = "127.0.0.1:0"\nanchors = "anchors.toml"\ndatabase = "sqlite:///gateway.db"\n'
        'institutions = "institutions.toml"\ndepartments = []\n'
        f'[tls]\ncertificate = "{tls.certificate.name}"\nprivate_key = "{tls.private_key.name}"\n'
        '[subject_keys]\ndatabase = "sqlite:///keys.db"\nkey_encryption_key = "subject-keys.key"\n'
        '[ledger]\naddress = "127.0.0.1:1"\npeer = "spiffe://consentgate.test/ledger/ledger-1"\n'
    )
    yield made
    made.close()


def erase_token(house: House, token: str, *words: str) -> Ended:
    return run_command(cli.app, ["erase", token, *words, "--config", house.folder / "gateway.toml"])


def erase(house: House, *words: str) -> Ended:
    return erase_token(house, house.federation.company.subject, *words)


def typed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


async def test_from_the_wish_to_the_proof(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    before = erase(house, "--prove", "--json")
    assert (before.code, json.loads(before.out)["complete"]) == (ExitCode.INVALID, False)
    done = erase(house, "--yes", "--json")
    assert done.code == ExitCode.OK
    assert json.loads(done.out).items() >= {"consents": 1, "requests": 0, "company": True}.items()
    waiting = erase(house, "--prove")
    assert waiting.code == ExitCode.INVALID
    assert "not recorded on the ledger yet" in waiting.out
    assert await house.upkeep.round()
    typed(monkeypatch, f"{house.federation.company.code}\n")
    proven = erase(house, "--prove", "--company", "--json")
    assert proven.code == ExitCode.OK
    members = json.loads(proven.out)
    assert (members["complete"], members["remaining"], members["files"]) == (True, {}, [])
    (entry,) = house.ledger.entries("erasure.performed")
    assert members["seq"] == entry.seq
    assert any("departments keep" in line for line in members["elsewhere"])
    assert house.federation.company.code not in proven.out + proven.err
    assert proven.err == "", "a code that is piped in is neither asked for nor warned of"


async def test_nothing_is_deleted_unless_somebody_says_yes(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch, "n\n")
    assert erase(house).code != ExitCode.OK
    assert erase(house, "--yes", "--json").code == ExitCode.OK


@pytest.mark.parametrize("token", ["", "0" * 31, "G" * 32, "0" * 33])
async def test_what_is_no_token(house: House, token: str) -> None:
    outcome = erase_token(house, token, "--yes")
    assert outcome.code != ExitCode.OK
    assert "INVALID_ARGUMENT_FIELD" in outcome.err


async def test_an_unknown_token_and_a_code_that_is_none(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = erase_token(house, "0" * 32, "--yes")
    assert "NOT_FOUND" in outcome.err
    for code in ("", "91350100M000100Y44", "x"):
        typed(monkeypatch, f"{code}\n")
        outcome = erase(house, "--prove", "--company")
        assert outcome.code != ExitCode.OK
        assert "--company" in outcome.err


async def test_a_copy_from_before_does_not_open(house: House) -> None:
    copy = house.folder / "before.db"
    house.database.scrub()
    copy.write_bytes((house.folder / "gateway.db").read_bytes())
    before = erase(house, "--prove", "--copy", str(copy))
    assert before.code == ExitCode.INVALID
    assert "the copy gives away: consents.consent_jws in 1 rows" in before.out
    assert erase(house, "--yes", "--copy", str(copy)).code != ExitCode.OK, "it belongs to --prove"
    assert erase(house, "--yes").code == ExitCode.OK
    assert await house.upkeep.round()
    after = erase(house, "--prove", "--copy", str(copy), "--json")
    assert (after.code, json.loads(after.out)["copy"]) == (ExitCode.OK, {"readable": {}, "sealed": 4})
    nothing = erase(house, "--prove", "--copy", str(house.folder / "gateway.db"))
    assert (nothing.code, "shows nothing" in nothing.out) == (ExitCode.INVALID, True)


async def test_a_copy_that_is_no_database(house: House) -> None:
    """It is the file that was named, and no server that does not answer."""
    (house.folder / "before.db").write_text("no database")
    for name in ("before.db", "missing.db"):
        ended = erase(house, "--prove", "--copy", str(house.folder / name))
        assert (ended.code, "--copy" in ended.err) == (ExitCode.CONFIGURATION, True)
        assert "Name a SQLite file" in ended.err
