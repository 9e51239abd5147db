"""A member's real server on loopback with mutual TLS, and channels to it: for tests of what stands before handlers.

The servicers are made of functions that a test may replace; nothing about transport, identity or errors is replaced.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio

from consentgate import interceptors
from consentgate.channel import open_aio_channel
from consentgate.identity import SpiffeId
from consentgate.server import MemberServer, ServerLimits, Service, build_server
from consentgate.tls import TlsFiles
from consentgate.v1 import keys_pb2, keys_pb2_grpc, ledger_pb2, ledger_pb2_grpc
from tests.support.member_ca import MemberCa, certificate_pem
from tests.support.tls_files import TlsFolder, spiffe_id

SERVER = spiffe_id("gateway", "gateway")
REQUEST = keys_pb2.RegisterKeyRequest(registration_jws=b"x" * 16)
"""Well formed, so that it passes the gate."""


@dataclass
class Handlers:
    """What the servicers do; tests set them."""

    register: Callable[[Any, Any], Awaitable[keys_pb2.RegisterKeyResponse]] | None = None
    tail: Callable[[Any, Any], AsyncIterator[ledger_pb2.TailResponse]] | None = None
    seen: list[SpiffeId] = field(default_factory=list)


class KeyServicer(keys_pb2_grpc.KeyServiceServicer):
    """Answers with whom it saw."""

    def __init__(self, handlers: Handlers) -> None:
        self._handlers = handlers

    async def RegisterKey(self, request, context):  # noqa: N802 - gRPC's name
        self._handlers.seen.append(interceptors.caller())
        if self._handlers.register is not None:
            return await self._handlers.register(request, context)
        return keys_pb2.RegisterKeyResponse(key_id=str(interceptors.caller()))


class LedgerServicer(ledger_pb2_grpc.LedgerServiceServicer):
    """Streams what the test wants."""

    def __init__(self, handlers: Handlers) -> None:
        self._handlers = handlers

    async def Tail(self, request, context):  # noqa: N802 - gRPC's name
        if self._handlers.tail is not None:
            async for response in self._handlers.tail(request, context):
                yield response
            return
        for index in range(3):
            yield ledger_pb2.TailResponse(leaves=[str(index).encode()])


@dataclass(frozen=True)
class Loopback:
    """A running server with its folder of certificates."""

    folder: TlsFolder
    files: TlsFiles
    server: MemberServer
    handlers: Handlers

    @asynccontextmanager
    async def channel(self, role: str = "bank", name: str = "bank-a", peer: SpiffeId = SERVER):
        """A channel of a good member."""
        async with open_aio_channel(self.server.address, peer, self.folder.member(role, name)) as channel:
            yield channel

    @asynccontextmanager
    async def raw_channel(self, files: TlsFiles | None, trusted: MemberCa | None = None):
        """A channel without our own checks of its files; `files` None shows no certificate."""
        roots = certificate_pem((trusted or self.folder.ca).certificate)
        pair = (None, None) if files is None else (files.private_key.read_bytes(), files.certificate.read_bytes())
        credentials = grpc.ssl_channel_credentials(roots, *pair)
        options = [("grpc.ssl_target_name_override", SERVER.dns_name), ("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.secure_channel(self.server.address, credentials, options) as channel:
            yield channel


@asynccontextmanager
async def loopback(path, *, limits: ServerLimits | None = None, truth=None, start: bool = True):
    """The server, started, with KeyService and LedgerService."""
    folder = TlsFolder(path)
    files = folder.member(str(SERVER.role), SERVER.id)
    handlers = Handlers()
    services = [
        Service("consentgate.v1.KeyService", keys_pb2_grpc.add_KeyServiceServicer_to_server, KeyServicer(handlers)),
        Service(
            "consentgate.v1.LedgerService",
            ledger_pb2_grpc.add_LedgerServiceServicer_to_server,
            LedgerServicer(handlers),
        ),
    ]
    limits = limits or ServerLimits(stop_grace_seconds=0.2)
    server = await build_server(files, "127.0.0.1:0", services, limits=limits, truth=truth)
    if start:
        await server.start()
    try:
        yield Loopback(folder, files, server, handlers)
    finally:
        await server.stop()


async def register(channel: grpc.aio.Channel, request: Any = REQUEST, **options: Any) -> keys_pb2.RegisterKeyResponse:
    """One unary call that banks may make."""
    return await keys_pb2_grpc.KeyServiceStub(channel).RegisterKey(request, **options)


async def tail(channel: grpc.aio.Channel, **options: Any) -> list[bytes]:
    """One streaming call that departments may make, to its end."""
    stub = ledger_pb2_grpc.LedgerServiceStub(channel)
    return [leaf async for response in stub.Tail(ledger_pb2.TailRequest(), **options) for leaf in response.leaves]


async def until(holds: Callable[[], bool], seconds: float = 5.0) -> None:
    """Returns once `holds()`; raises TimeoutError else."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what is waited for is somebody else's state
            await asyncio.sleep(0.005)
