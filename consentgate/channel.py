"""Channels to other members: mutual TLS, and certainty about who answers.

A channel is opened to an address *and* a SPIFFE id. gRPC compares the server's certificate with a name;
the name is the DNS form of the expected id, which only the member CA puts into a certificate. So an
address that was hijacked, or mistyped, ends in PEER_MISMATCH and no byte of a message leaves.

Calls without a deadline get one of a minute, except streams that are meant to stay open.
"""

from __future__ import annotations

import json

import grpc
import grpc.aio

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

OPEN_ENDED = (
    ("consentgate.v1.LedgerService", "Tail"),
    ("grpc.health.v1.Health", "Watch"),
    ("grpc.reflection.v1alpha.ServerReflection", "ServerReflectionInfo"),
)
"""Streams without a default deadline."""


def open_channel(
    address: str, peer: SpiffeId, tls: TlsFiles, *, allow_development_ca: bool = False
) -> grpc.Channel:
    """A channel to `peer` at `address` (host:port) for threads; close it, or use it as a context.

    Raises CERTIFICATE_* or DEVELOPMENT_CA for this side's own files; connects with the first call.
    """
    credentials = channel_credentials(tls, allow_development_ca=allow_development_ca)
    return grpc.secure_channel(address, credentials, _options(peer))


def open_aio_channel(
    address: str, peer: SpiffeId, tls: TlsFiles, *, allow_development_ca: bool = False
) -> grpc.aio.Channel:
    """The same for asyncio; to be opened inside the running loop."""
    credentials = channel_credentials(tls, allow_development_ca=allow_development_ca)
    return grpc.aio.secure_channel(address, credentials, _options(peer))


def _options(peer: SpiffeId) -> list[tuple[str, str | int]]:
    return [
        ("grpc.ssl_target_name_override", peer.dns_name),
        ("grpc.service_config", _service_config()),
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


def _service_config() -> str:
    """gRPC's service config: the default deadline for all methods but the open-ended ones."""
    open_ended = [{"service": service, "method": method} for service, method in OPEN_ENDED]
    return json.dumps(
        {
            "methodConfig": [
                {"name": [{}], "timeout": f"{DEFAULT_DEADLINE_SECONDS}s"},
                {"name": open_ended},
            ]
        }
    )
