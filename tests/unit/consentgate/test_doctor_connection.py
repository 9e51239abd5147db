"""`consentgate doctor --address`: TCP, TLS, peer, health, step by step, against real servers on loopback."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from consentgate import doctor_connection
from consentgate.doctor import Finding, TlsPaths, Verdict, healthy
from consentgate.doctor_connection import examine_connection
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.identity import SpiffeId
from consentgate.server import build_server
from tests.support.loopback import SERVER, Loopback, loopback
from tests.support.member_ca import MemberCa, certificate_pem
from tests.support.tls_files import TlsFolder, spiffe_id


@pytest.fixture
async def running(tmp_path: Path):
    async with loopback(tmp_path) as found:
        yield found


def _paths(running: Loopback, **changes: object) -> TlsPaths:
    files = running.folder.member("bank", "bank-a", **changes)
    return TlsPaths(files.certificate, files.private_key, running.folder.ca_path)


async def _examined(paths: TlsPaths, address: str, peer: SpiffeId | None = SERVER) -> list[Finding]:
    return await asyncio.to_thread(examine_connection, paths, address, peer)


def _last(findings: list[Finding], check: str) -> Finding:
    """The step that failed is the last one; those before it are well."""
    assert [found.verdict for found in findings[:-1]] == [Verdict.OK] * (len(findings) - 1)
    assert (findings[-1].check, findings[-1].verdict) == (check, Verdict.FAILED)
    assert findings[-1].cure
    return findings[-1]


async def test_all_is_well(running: Loopback):
    findings = await _examined(_paths(running), running.server.address)
    assert [(found.check, found.verdict) for found in findings] == [
        (check, Verdict.OK) for check in ("TCP", "TLS", "peer", "health")
    ]
    assert findings[-1].cause == "SERVING"


async def test_without_peer_whoever_answers_is_named(running: Loopback):
    findings = await _examined(_paths(running), running.server.address, None)
    assert healthy(findings)
    assert str(SERVER) in findings[2].cause


async def test_nothing_at_the_address(running: Loopback):
    found = _last(await _examined(_paths(running), "127.0.0.1:1"), "TCP")
    assert found.code is ErrorCode.CONNECTION_REFUSED


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:x", "127.0.0.1:99999", ""])
async def test_address_that_is_none(running: Loopback, address: str):
    found = _last(await _examined(_paths(running), address), "TCP")
    assert found.code is ErrorCode.CONFIG_INVALID


async def test_another_member_answers(running: Loopback):
    found = _last(await _examined(_paths(running), running.server.address, spiffe_id("ledger", "l")), "peer")
    assert found.code is ErrorCode.PEER_MISMATCH
    assert str(SERVER) in found.cure


async def test_own_certificate_expired(running: Loopback):
    paths = _paths(running, not_after=datetime.now(UTC) - timedelta(hours=1))
    assert _last(await _examined(paths, running.server.address), "TLS").code is ErrorCode.CERTIFICATE_REFUSED


async def test_own_certificate_of_another_ca(running: Loopback, tmp_path: Path):
    """The other side refuses; this side trusts the right CA."""
    stranger = TlsFolder(tmp_path / "other", MemberCa.create("other ca")).member("bank", "bank-a")
    paths = TlsPaths(stranger.certificate, stranger.private_key, running.folder.ca_path)
    assert _last(await _examined(paths, running.server.address), "TLS").code is ErrorCode.CERTIFICATE_REFUSED


async def test_server_of_another_ca(running: Loopback):
    paths = _paths(running)
    other = running.folder.path / "other-ca.pem"
    other.write_bytes(certificate_pem(MemberCa.create("other ca").certificate))
    found = _last(await _examined(TlsPaths(paths.certificate, paths.private_key, other), running.server.address), "TLS")
    assert found.code is ErrorCode.CERTIFICATE_UNTRUSTED
    assert "--member-ca" in found.cure


async def test_own_files_unreadable(running: Loopback):
    paths = _paths(running)
    paths.private_key.unlink()
    assert _last(await _examined(paths, running.server.address), "TLS").code is ErrorCode.CERTIFICATE_MISSING


async def test_no_tls_at_the_address(running: Loopback):
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        found = _last(await _examined(_paths(running), address), "TLS")
    assert found.code is ErrorCode.PEER_MISMATCH
    assert "does not speak TLS" in found.cure


async def test_something_that_says_nothing(running: Loopback, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor_connection, "STEP_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        found = _last(await _examined(_paths(running), address), "TLS")
    assert found.code is ErrorCode.CERTIFICATE_REFUSED


async def test_server_that_cannot_work(tmp_path: Path):
    async def truth() -> None:
        raise ConsentgateError(ErrorCode.STORE_UNAVAILABLE)

    async with loopback(tmp_path, truth=truth) as running:
        found = _last(await _examined(_paths(running), running.server.address), "health")
    assert found.code is ErrorCode.UNAVAILABLE
    assert "log" in found.cure


async def test_server_that_is_not_started_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """It listens, but answers nothing: the step says so instead of waiting for ever."""
    monkeypatch.setattr(doctor_connection, "STEP_SECONDS", 0.2)
    folder = TlsFolder(tmp_path)
    server = await build_server(folder.member("gateway", "gateway"), "127.0.0.1:0", [])
    files = folder.member("bank", "bank-a")
    paths = TlsPaths(files.certificate, files.private_key, folder.ca_path)
    findings = await _examined(paths, server.address)
    await server.grpc.stop(0)
    assert not healthy(findings)


async def test_a_role_without_access_still_sees_health(running: Loopback):
    files = running.folder.member("company", "somebody")
    paths = TlsPaths(files.certificate, files.private_key, running.folder.ca_path)
    assert healthy(await _examined(paths, running.server.address))
