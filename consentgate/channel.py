"""Channels to other members: mutual TLS, and certainty about who answers.

A channel is opened to an address *and* a SPIFFE id. gRPC compares the server's certificate with a name;
the name is the DNS form of the expected id, which only the member CA puts into a certificate. So an
address that was hijacked, or mistyped, ends in PEER_MISMATCH and no byte of a message leaves.

Calls that answer once and whose caller set no deadline get one of a minute; streams are meant to stay
open. (An interceptor does that: the timeout of gRPC's service config counts from the start of the process
in 1.85.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import grpc
import grpc.aio

from consentgate.addresses import split_address
from consentgate.identity import SpiffeId
from consentgate.tls import TlsFiles, channel_credentials

DEFAULT_DEADLINE_SECONDS = 60
"""seconds for a call whose caller set none; a decision lives as long, nothing sensible takes longer."""
MAX_MESSAGE_BYTES = 4 * 1024 * 1024
"""bytes of one message (docs/wire.md, section 12); the largest is an answer of many ciphertexts."""
KEEPALIVE_MILLISECONDS = 30_000
"""between pings on a quiet connection: a peer that lost power is noticed within this plus the timeout."""
KEEPALIVE_TIMEOUT_MILLISECONDS = 10_000
"""until an unanswered ping ends the connection."""
FIRST_RECONNECT_MILLISECONDS = 200
"""before a broken connection is tried again; doubled up to the largest."""
LARGEST_RECONNECT_MILLISECONDS = 3_000
"""a restarted peer is found again within this."""


def open_channel(address: str, peer: SpiffeId, tls: TlsFiles, *, allow_development_ca: bool = False) -> grpc.Channel:
    """A channel to `peer` at `address` (host:port) for threads; close it, or use it as a context.

    Raises CERTIFICATE_* or DEVELOPMENT_CA for this side's own files, CONFIG_INVALID for an address that is none;
    connects with the first call.
    """
    split_address(address, "address")
    credentials = channel_credentials(tls, allow_development_ca=allow_development_ca)
    return grpc.intercept_channel(grpc.secure_channel(address, credentials, _options(peer)), _DefaultDeadline())


def open_aio_channel(
    address: str, peer: SpiffeId, tls: TlsFiles, *, allow_development_ca: bool = False
) -> grpc.aio.Channel:
    """The same for asyncio; to be opened inside the running loop."""
    split_address(address, "address")
    credentials = channel_credentials(tls, allow_development_ca=allow_development_ca)
    return grpc.aio.secure_channel(address, credentials, _options(peer), interceptors=[_AioDefaultDeadline()])


class _Details(NamedTuple):
    """gRPC wants the details of a call as an object with these attributes."""

    method: str
    timeout: float | None
    metadata: Any
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: grpc.Compression | None


class _DefaultDeadline(grpc.UnaryUnaryClientInterceptor):
    def intercept_unary_unary(
        self,
        continuation: Callable[[grpc.ClientCallDetails, Any], Any],
        client_call_details: grpc.ClientCallDetails,
        request: Any,
    ) -> Any:
        """Passes the call on with a deadline."""
        return continuation(_with_deadline(client_call_details), request)


class _AioDefaultDeadline(grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(
        self,
        continuation: Callable[[grpc.aio.ClientCallDetails, Any], Any],
        client_call_details: grpc.aio.ClientCallDetails,
        request: Any,
    ) -> Any:
        """Passes the call on with a deadline."""
        return await continuation(_with_deadline(client_call_details), request)


def _with_deadline(details: Any) -> Any:
    if details.timeout is not None:
        return details
    return _Details(
        details.method,
        DEFAULT_DEADLINE_SECONDS,
        details.metadata,
        details.credentials,
        details.wait_for_ready,
        getattr(details, "compression", None),
    )


def _options(peer: SpiffeId) -> list[tuple[str, str | int]]:
    return [
        ("grpc.ssl_target_name_override", peer.dns_name),
        # Neither DNS nor the environment may say where and how to connect.
        ("grpc.service_config_disable_resolution", 1),
        ("grpc.enable_http_proxy", 0),
        # A connection belongs to the identity and expectation of this channel and is not shared with another.
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ("grpc.keepalive_time_ms", KEEPALIVE_MILLISECONDS),
        ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MILLISECONDS),
        ("grpc.initial_reconnect_backoff_ms", FIRST_RECONNECT_MILLISECONDS),
        ("grpc.min_reconnect_backoff_ms", FIRST_RECONNECT_MILLISECONDS),
        ("grpc.max_reconnect_backoff_ms", LARGEST_RECONNECT_MILLISECONDS),
    ]
