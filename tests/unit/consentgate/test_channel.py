"""Channels: who answers is certain, a call has a deadline, and nothing from outside says where to connect."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest

from consentgate.addresses import split_address
from consentgate.channel import DEFAULT_DEADLINE_SECONDS, MAX_MESSAGE_BYTES, open_aio_channel, open_channel
from consentgate.error_status import from_rpc_error
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.identity import Role, SpiffeId
from consentgate.v1 import keys_pb2, keys_pb2_grpc, ledger_pb2
from dev.ca import DevelopmentCa
from tests.support.loopback import REQUEST, SERVER, Loopback, loopback, register, tail
from tests.support.member_ca import MemberCa
from tests.support.tls_files import TlsFolder, spiffe_id


@pytest.fixture
async def running(tmp_path: Path):
    async with loopback(tmp_path) as found:
        yield found


async def _error(call: Any) -> ConsentgateError:
    with pytest.raises(grpc.RpcError) as caught:
        await call
    return from_rpc_error(caught.value)


@pytest.mark.parametrize(
    "peer",
    [spiffe_id("gateway", "other"), spiffe_id("bank", "gateway"), SpiffeId("neighbour.test", Role.GATEWAY, "gateway")],
    ids=["other member", "other role", "other federation"],
)
async def test_another_member_than_expected(running: Loopback, peer: SpiffeId):
    """A hijacked or mistyped address: no byte of a message leaves."""
    async with running.channel(peer=peer) as channel:
        assert (await _error(register(channel, timeout=5))).code is ErrorCode.PEER_MISMATCH
    assert running.handlers.seen == []


async def test_server_of_another_ca(running: Loopback, tmp_path: Path):
    stranger = TlsFolder(tmp_path / "stranger", MemberCa.create("stranger ca")).member("bank", "bank-a")
    async with open_aio_channel(running.server.address, SERVER, stranger) as channel:
        assert (await _error(register(channel, timeout=5))).code is ErrorCode.CERTIFICATE_UNTRUSTED


async def test_nothing_at_the_address(running: Loopback):
    files = running.folder.member("bank", "bank-a")
    async with open_aio_channel("127.0.0.1:1", SERVER, files) as channel:
        assert (await _error(register(channel, timeout=5))).code is ErrorCode.CONNECTION_REFUSED


async def test_something_else_at_the_address(running: Loopback):
    """A server that does not speak TLS."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ready\r\n")
        await writer.drain()
        await reader.read()  # closed at once, the connection could be reset before the greeting is read
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        files = running.folder.member("bank", "bank-a")
        async with open_aio_channel(address, SERVER, files) as channel:
            error = await _error(register(channel, timeout=5))
    assert error.code in (ErrorCode.PEER_MISMATCH, ErrorCode.CERTIFICATE_REFUSED)


async def test_own_files_are_checked_first(tmp_path: Path):
    files = DevelopmentCa.create(tmp_path / "ca", "consentgate.test").issue_tls(Role.BANK, "bank-a", tmp_path)
    for opened in (open_channel, open_aio_channel):
        with pytest.raises(ConsentgateError) as caught:
            opened("127.0.0.1:1", SERVER, files)
        assert caught.value.code is ErrorCode.DEVELOPMENT_CA
    async with open_aio_channel("127.0.0.1:1", SERVER, files, allow_development_ca=True):
        pass


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:99999", ":1", "127.0.0.1:", "dns:///x:1:"])
async def test_address_that_is_none(tmp_path: Path, address: str):
    files = TlsFolder(tmp_path).member("bank", "bank-a")
    for opened in (open_channel, open_aio_channel):
        with pytest.raises(ConsentgateError) as caught:
            opened(address, SERVER, files)
        assert caught.value.code is ErrorCode.CONFIG_INVALID
        assert caught.value.field == f"address: {address}"


@pytest.mark.parametrize(
    ("address", "parts"),
    [("127.0.0.1:0", ("127.0.0.1", 0)), ("[::1]:65535", ("::1", 65535)), ("a.test:1", ("a.test", 1))],
)
def test_address(address: str, parts: tuple[str, int]):
    assert split_address(address, "address") == parts


# Deadlines.


def _remaining(seen: list[float | None]) -> Any:
    async def handler(_request: Any, context: Any) -> keys_pb2.RegisterKeyResponse:
        seen.append(context.time_remaining())
        return keys_pb2.RegisterKeyResponse()

    return handler


async def test_call_without_deadline_gets_one(running: Loopback):
    seen: list[float | None] = []
    running.handlers.register = _remaining(seen)
    async with running.channel() as channel:
        await register(channel)
        await register(channel, timeout=5)
    assert seen[0] is not None
    assert seen[1] is not None
    assert DEFAULT_DEADLINE_SECONDS - 5 < seen[0] < DEFAULT_DEADLINE_SECONDS + 1  # gRPC rounds up
    assert seen[1] < 6


async def test_stream_stays_open(running: Loopback):
    seen: list[float | None] = []

    async def handler(_request: Any, context: Any):
        seen.append(context.time_remaining())
        yield ledger_pb2.TailResponse()

    running.handlers.tail = handler
    async with running.channel("department", "tax") as channel:
        await tail(channel)
    assert seen == [None]


async def test_channel_for_threads(running: Loopback):
    """The same manners: identity, deadline, errors."""
    seen: list[float | None] = []
    running.handlers.register = _remaining(seen)
    files = running.folder.member("bank", "bank-a")

    def call(peer: SpiffeId) -> None:
        with open_channel(running.server.address, peer, files) as channel:
            keys_pb2_grpc.KeyServiceStub(channel).RegisterKey(REQUEST)

    await asyncio.to_thread(call, SERVER)
    assert seen[0] is not None
    assert seen[0] < DEFAULT_DEADLINE_SECONDS + 1
    with pytest.raises(grpc.RpcError) as caught:
        await asyncio.to_thread(call, spiffe_id("gateway", "other"))
    assert from_rpc_error(caught.value).code is ErrorCode.PEER_MISMATCH


# Bounds and surroundings.


async def test_oversized_message_does_not_leave(running: Loopback):
    async with running.channel() as channel:
        big = keys_pb2.RegisterKeyRequest(registration_jws=b"x" * (MAX_MESSAGE_BYTES + 1))
        assert (await _error(register(channel, big))).code is ErrorCode.RESOURCE_EXHAUSTED


async def test_the_environment_names_no_proxy(running: Loopback, monkeypatch: pytest.MonkeyPatch):
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with running.channel() as channel:
        assert (await register(channel)).key_id.endswith("bank-a")
