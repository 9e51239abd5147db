"""The `consentgate` command: findings for people and for machines, and an exit code that says what to do."""

from __future__ import annotations

import asyncio
import json
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from consentgate.cli import app
from consentgate.terminal import ExitCode
from tests.support.loopback import SERVER, loopback
from tests.support.member_ca import MemberCa, certificate_pem
from tests.support.tls_files import TlsFolder


def _invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def _files(folder: TlsFolder, **changes: object) -> list[str]:
    files = folder.member("bank", "bank-a", **changes)
    return [
        "doctor",
        *("--certificate", str(files.certificate)),
        *("--private-key", str(files.private_key)),
        *("--member-ca", str(folder.ca_path)),
    ]


@pytest.fixture
def folder(tmp_path: Path) -> TlsFolder:
    return TlsFolder(tmp_path)


def test_version():
    assert _invoke("version").stdout == f"consentgate {version('consentgate')}\n"
    assert json.loads(_invoke("version", "--json").stdout) == {"version": version("consentgate")}


def test_healthy_files(folder: TlsFolder):
    result = _invoke(*_files(folder))
    assert result.exit_code == ExitCode.OK
    assert result.stdout.count("ok ") == 12
    assert "failed" not in result.stdout


def test_findings_as_json(folder: TlsFolder):
    result = _invoke(*_files(folder, usages=()), "--json")
    answer = json.loads(result.stdout)
    assert result.exit_code == ExitCode.CONFIGURATION
    assert answer["healthy"] is False
    usage = next(found for found in answer["findings"] if found["check"] == "usage")
    assert (usage["verdict"], usage["code"]) == ("failed", "CERTIFICATE_USAGE")
    assert usage["cure"]


def test_cause_and_cure_for_people(folder: TlsFolder):
    arguments = _files(folder)
    folder.ca_path.write_bytes(certificate_pem(MemberCa.create("other ca").certificate))
    result = _invoke(*arguments)
    assert result.exit_code == ExitCode.CONFIGURATION
    lines = result.stdout.splitlines()
    failed = next(index for index, line in enumerate(lines) if line.startswith("failed"))
    assert "issuer" in lines[failed]
    assert "→" in lines[failed + 1]


def test_nothing_at_the_address(folder: TlsFolder):
    result = _invoke(*_files(folder), "--address", "127.0.0.1:1", "--json")
    assert result.exit_code == ExitCode.UNAVAILABLE
    assert json.loads(result.stdout)["findings"][-1]["code"] == "CONNECTION_REFUSED"


async def test_a_server_that_is_well(tmp_path: Path):
    async with loopback(tmp_path) as running:
        arguments = [*_files(running.folder), "--address", running.server.address]
        good = await asyncio.to_thread(_invoke, *arguments, "--peer", str(SERVER))
        wrong = await asyncio.to_thread(_invoke, *arguments, "--peer", "spiffe://consentgate.test/ledger/l")
    assert good.exit_code == ExitCode.OK
    assert "SERVING" in good.stdout
    assert wrong.exit_code == ExitCode.UNAVAILABLE


def test_peer_that_is_no_spiffe_id(folder: TlsFolder):
    result = _invoke(*_files(folder), "--peer", "gateway")
    assert result.exception is not None
    assert "INVALID_ARGUMENT_FIELD" in str(result.exception)


@pytest.mark.parametrize("arguments", [["doctor"], ["doctor", "--certificate"], ["unknown"], []])
def test_usage(arguments: list[str]):
    result = _invoke(*arguments)
    assert result.exit_code == ExitCode.USAGE
