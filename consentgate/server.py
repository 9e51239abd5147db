"""A member's server: mutual TLS, the gatekeeper before every handler, truthful health, reflection.

    services = [Service("consentgate.v1.KeyService", add_KeyServiceServicer_to_server, servicer)]
    server = await build_server(tls, "127.0.0.1:0", services, truth=database.ping)
    await serve_until_signal(server, ready_file=Path("gateway.ready.json"))

There is one listening port, and it is never plaintext. `grpc.aio` needs the running loop, hence the
coroutines.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc.aio
import structlog
from grpc_health.v1 import health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from consentgate.addresses import split_address
from consentgate.channel import KEEPALIVE_TIMEOUT_MILLISECONDS, MAX_MESSAGE_BYTES
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.health import Health, Truth
from consentgate.interceptors import Gatekeeper
from consentgate.tls import TlsFiles, server_credentials

HEALTH_SERVICE = "grpc.health.v1.Health"
STOP_GRACE_SECONDS = 8.0
"""seconds for running calls to end after a signal; supervisors usually kill after ten."""
MAX_CONCURRENT_CALLS = 256
"""calls handled at a time; further ones are refused at once, which is better than a slow death."""
SHORTEST_PING_MILLISECONDS = 10_000
"""between a client's pings; gRPC's default of five minutes would end our own clients' connections."""

_log = structlog.get_logger("consentgate.server")


@dataclass(frozen=True)
class Service:
    """A service to be offered: full proto name, generated `add_…_to_server`, servicer."""

    name: str
    add: Callable[[Any, grpc.aio.Server], None]
    servicer: object


@dataclass(frozen=True)
class ServerLimits:
    """Bounds of one server."""

    message_bytes: int = MAX_MESSAGE_BYTES
    concurrent_calls: int = MAX_CONCURRENT_CALLS
    stop_grace_seconds: float = STOP_GRACE_SECONDS

    def options(self) -> list[tuple[str, int]]:
        """As gRPC's channel arguments."""
        return [
            ("grpc.max_receive_message_length", self.message_bytes),
            ("grpc.max_send_message_length", self.message_bytes),
            ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MILLISECONDS),
            ("grpc.http2.min_ping_interval_without_data_ms", SHORTEST_PING_MILLISECONDS),
            # Two processes on one port would each get half of the calls; the second is to fail instead.
            ("grpc.so_reuseport", 0),
        ]


@dataclass(frozen=True)
class MemberServer:
    """A server that is bound to its port; `start` it, or hand it to `serve_until_signal`."""

    grpc: grpc.aio.Server
    health: Health
    host: str
    port: int
    limits: ServerLimits

    @property
    def address(self) -> str:
        """host:port, with the port that was really taken."""
        return f"{self.host}:{self.port}"

    async def start(self) -> None:
        """Serves, and says so in health."""
        await self.health.prepare()
        await self.grpc.start()
        await self.health.start()
        _log.info("serving", port=self.port)

    async def stop(self) -> None:
        """Health first, so that clients go elsewhere; then running calls get their grace."""
        await self.health.stop()
        await self.grpc.stop(self.limits.stop_grace_seconds)
        _log.info("stopped", port=self.port)


async def build_server(
    tls: TlsFiles,
    address: str,
    services: Sequence[Service],
    *,
    limits: ServerLimits | None = None,
    truth: Truth | None = None,
    allow_development_ca: bool = False,
) -> MemberServer:
    """A server for `services` at `address` (host:port; port 0 takes a free one).

    Raises CERTIFICATE_* or DEVELOPMENT_CA for the files, CONFIG_INVALID when the address cannot be taken.
    """
    limits = limits or ServerLimits()
    server = grpc.aio.server(
        interceptors=[Gatekeeper()], options=limits.options(), maximum_concurrent_rpcs=limits.concurrent_calls
    )
    names = [service.name for service in services]
    health = Health(names, truth)
    for service in services:
        service.add(service.servicer, server)
    health_pb2_grpc.add_HealthServicer_to_server(health.servicer, server)
    reflection.enable_server_reflection([*names, HEALTH_SERVICE, reflection.SERVICE_NAME], server)
    credentials = server_credentials(tls, allow_development_ca=allow_development_ca)
    port = _bind(server, address, credentials)
    return MemberServer(server, health, address.rpartition(":")[0], port, limits)


async def serve_until_signal(
    server: MemberServer,
    *,
    ready_file: Path | None = None,
    background: Sequence[Coroutine[Any, Any, None]] = (),
) -> None:
    """Starts, writes the ready file, and stops gracefully on SIGTERM or SIGINT.

    `background` runs beside the server. It is not expected to end: when one does, the server stops too, and
    what it raised is raised.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    tasks = [asyncio.create_task(work) for work in background]
    try:
        await server.start()
        if ready_file is not None:
            write_ready_file(ready_file, server.address)
        await asyncio.wait([asyncio.create_task(stop.wait()), *tasks], return_when=asyncio.FIRST_COMPLETED)
    finally:
        if ready_file is not None:
            ready_file.unlink(missing_ok=True)  # noqa: ASYNC240 - one system call, at the end
        await server.stop()
        await _end(tasks)


def write_ready_file(path: Path, address: str) -> None:
    """`{"address": …, "pid": …}`, at once: a reader finds all of it or nothing."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(json.dumps({"address": address, "pid": os.getpid()}) + "\n")
    fresh.replace(path)


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancels what still runs; raises what one of them had raised."""
    failed = [task for task in tasks if task.done() and not task.cancelled()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in failed:
        task.result()


def _bind(server: grpc.aio.Server, address: str, credentials: grpc.ServerCredentials) -> int:
    split_address(address, "listen")
    try:
        return server.add_secure_port(address, credentials)
    except RuntimeError as error:
        hint = "The address cannot be taken: another process listens there, or it is none of this machine's."
        raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=f"listen: {address}", hint=hint) from error
