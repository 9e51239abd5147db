"""A member's server: port, health that tells the truth, certificates that follow their files, a graceful end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
import structlog
from cryptography import x509
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from consentgate import health as health_module
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.health import WHOLE_SERVER, Health
from consentgate.server import ServerLimits, build_server, serve_until_signal, write_ready_file
from consentgate.v1 import keys_pb2
from tests.support.loopback import Loopback, loopback, register, until
from tests.support.member_ca import p256_key
from tests.support.tls_files import TlsFolder, spiffe_id, write_pair

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
KEY_SERVICE = "consentgate.v1.KeyService"


@pytest.fixture
async def running(tmp_path: Path):
    async with loopback(tmp_path) as found:
        yield found


async def _status(channel: grpc.aio.Channel, service: str = WHOLE_SERVER) -> int:
    stub = health_pb2_grpc.HealthStub(channel)
    return (await stub.Check(health_pb2.HealthCheckRequest(service=service))).status


# Address.


async def test_free_port_is_taken_and_told(running: Loopback):
    host, _, port = running.server.address.rpartition(":")
    assert host == "127.0.0.1"
    assert int(port) > 0


async def test_address_that_is_taken(running: Loopback):
    """Two processes on one port would each get half of the calls."""
    files = running.folder.member("gateway", "second")
    with pytest.raises(ConsentgateError) as caught:
        await build_server(files, running.server.address, [])
    assert caught.value.code is ErrorCode.CONFIG_INVALID
    assert caught.value.field == f"listen: {running.server.address}"


@pytest.mark.parametrize(
    "address", ["127.0.0.1:99999", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:-1", ""]
)
async def test_address_that_is_none(tmp_path: Path, address: str):
    files = TlsFolder(tmp_path).member("gateway", "g")
    with pytest.raises(ConsentgateError) as caught:
        await build_server(files, address, [])
    assert caught.value.code is ErrorCode.CONFIG_INVALID


async def test_server_with_a_clients_certificate_does_not_start(tmp_path: Path):
    files = TlsFolder(tmp_path).member("bank", "bank-a", dns=[])
    with pytest.raises(ConsentgateError) as caught:
        await build_server(files, "127.0.0.1:0", [])
    assert caught.value.code is ErrorCode.CERTIFICATE_ROLE


# Health.


@pytest.mark.parametrize("role", ["bank", "company", "department", "ledger", "officer", "reviewer"])
async def test_every_member_may_ask_for_health(running: Loopback, role: str):
    async with running.channel(role, "somebody") as channel:
        assert await _status(channel) == SERVING
        assert await _status(channel, KEY_SERVICE) == SERVING


async def test_health_follows_the_truth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(health_module, "TRUTH_SECONDS", 0.01)
    reasons: list[Exception] = [ConsentgateError(ErrorCode.STORE_UNAVAILABLE)]

    async def truth() -> None:
        if reasons:
            raise reasons[0]

    with structlog.testing.capture_logs() as lines:
        async with loopback(tmp_path, truth=truth) as running, running.channel() as channel:
            assert await _status(channel) == NOT_SERVING
            assert await _status(channel, KEY_SERVICE) == NOT_SERVING
            reasons.clear()
            await until(lambda: any(line.get("code") == "SERVING" for line in lines))
            assert await _status(channel) == SERVING
            reasons.append(KeyError("a value"))
            await until(lambda: any(line.get("code") == "KeyError" for line in lines))
            assert await _status(channel) == NOT_SERVING
            assert (await register(channel)).key_id  # health is advice: the server answers as well as it can
    assert "a value" not in str(lines)


async def test_truth_without_answer_counts_as_no(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(health_module, "TRUTH_DEADLINE_SECONDS", 0.01)

    async def truth() -> None:
        await asyncio.sleep(60)

    health = Health([KEY_SERVICE], truth)
    with structlog.testing.capture_logs():
        await health.prepare()
        await health.start()
    assert health.servicer._server_status[WHOLE_SERVER] == NOT_SERVING
    await health.stop()


async def test_changes_of_health_are_streamed(running: Loopback):
    """`Watch` writes its answers instead of yielding them, which the gatekeeper must let pass, too."""
    async with running.channel("officer", "o") as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=KEY_SERVICE))
        assert (await watch.read()).status == SERVING
        await running.server.health.stop()
        assert (await watch.read()).status == NOT_SERVING
        watch.cancel()


async def test_stopping_is_said_before_it_happens(running: Loopback):
    async with running.channel() as channel:
        assert await _status(channel) == SERVING
        await running.server.health.stop()
        assert await _status(channel) == NOT_SERVING


async def test_reflection_lists_what_is_offered(running: Loopback):
    async with running.channel("officer", "o") as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
        answers = [answer async for answer in call]
    names = {service.name for service in answers[0].list_services_response.service}
    assert {KEY_SERVICE, "consentgate.v1.LedgerService", "grpc.health.v1.Health"} <= names


# Certificates follow their files.


async def test_renewed_certificate_is_shown_to_the_next_connection(running: Loopback):
    before = await asyncio.to_thread(_shown, running)
    files, identity = running.files, spiffe_id("gateway", "gateway")
    end = datetime.now(UTC) + timedelta(days=30)
    renewed = write_pair(
        files.certificate, files.private_key, running.folder.ca, identity, key=p256_key("renewed"), not_after=end
    )
    after = await asyncio.to_thread(_shown, running)
    assert before.serial_number != after.serial_number == renewed.serial_number
    async with running.channel() as channel:
        assert (await register(channel)).key_id


async def test_half_replaced_files_keep_the_server_going(running: Loopback):
    before = await asyncio.to_thread(_shown, running)
    running.files.certificate.write_bytes(b"half")
    after = await asyncio.to_thread(_shown, running)
    assert after.serial_number == before.serial_number


def _shown(running: Loopback) -> x509.Certificate:
    """The certificate that the server shows in a handshake."""
    client = running.folder.member("bank", "bank-a")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(running.folder.ca_path)
    context.load_cert_chain(client.certificate, client.private_key)
    context.set_alpn_protocols(["h2"])
    with socket.create_connection(("127.0.0.1", running.server.port), 5) as raw, context.wrap_socket(raw) as connection:
        return x509.load_der_x509_certificate(connection.getpeercert(binary_form=True) or b"")


# Start and end.


def test_ready_file_is_whole_or_absent(tmp_path: Path):
    path = tmp_path / "ready.json"
    write_ready_file(path, "127.0.0.1:1234")
    assert json.loads(path.read_text()) == {"address": "127.0.0.1:1234", "pid": os.getpid()}
    assert [entry.name for entry in tmp_path.iterdir()] == ["ready.json"]
    assert stat.S_ISREG(path.stat().st_mode)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signal_ends_the_server_gracefully(tmp_path: Path, number: signal.Signals):
    ready = tmp_path / "ready.json"
    async with loopback(tmp_path / "tls", start=False) as running:
        serving = asyncio.ensure_future(serve_until_signal(running.server, ready_file=ready))
        await until(ready.exists)
        assert json.loads(ready.read_text())["address"] == running.server.address
        async with running.channel() as channel:
            assert await _status(channel) == SERVING
        os.kill(os.getpid(), number)
        await asyncio.wait_for(serving, 5)
        assert not ready.exists()


async def test_running_calls_get_their_grace(tmp_path: Path):
    begun = asyncio.Event()

    async def handler(_request: Any, _context: Any) -> keys_pb2.RegisterKeyResponse:
        begun.set()
        await asyncio.sleep(0.1)
        return keys_pb2.RegisterKeyResponse(key_id="done")

    async with loopback(tmp_path, limits=ServerLimits(stop_grace_seconds=5)) as running, running.channel() as channel:
        running.handlers.register = handler
        call = asyncio.ensure_future(register(channel))
        await asyncio.wait_for(begun.wait(), 5)
        await running.server.stop()
        assert (await call).key_id == "done"


async def test_background_work_that_fails_ends_the_server_with_its_error(tmp_path: Path):
    async def fail() -> None:
        await asyncio.sleep(0)
        raise ConsentgateError(ErrorCode.LEDGER_READ_ONLY)

    cancelled = asyncio.Event()

    async def other() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()

    async with loopback(tmp_path, start=False) as running:
        with pytest.raises(ConsentgateError) as caught:
            await asyncio.wait_for(serve_until_signal(running.server, background=[fail(), other()]), 5)
    assert caught.value.code is ErrorCode.LEDGER_READ_ONLY
    assert cancelled.is_set()


async def test_a_start_that_fails_leaves_no_ready_file(tmp_path: Path):
    ready = tmp_path / "absent" / "ready.json"
    async with loopback(tmp_path / "tls", start=False) as running:
        with pytest.raises(FileNotFoundError):
            await serve_until_signal(running.server, ready_file=ready)
