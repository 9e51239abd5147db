"""Addresses of members, `host:port`, with a port that exists: resolvers and gRPC take larger numbers modulo 65536."""

from __future__ import annotations

import re

from consentgate.errors import ConsentgateError, ErrorCode

LARGEST_PORT = 65_535

_PORT = re.compile(r"[0-9]{1,5}")


def split_address(address: str, entry: str) -> tuple[str, int]:
    """Host (an IPv6 one without its brackets) and port; raises CONFIG_INVALID naming `entry`."""
    host, _, port = address.rpartition(":")
    if not host or not _PORT.fullmatch(port) or int(port) > LARGEST_PORT:
        raise ConsentgateError(
            ErrorCode.CONFIG_INVALID, field=f"{entry}: {address}", private="not an address with a port"
        )
    return host.removeprefix("[").removesuffix("]"), int(port)
