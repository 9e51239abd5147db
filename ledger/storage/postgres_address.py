"""Addresses of PostgreSQL databases: `postgresql://user@/ledger?host=/run/postgresql`, read strictly.

Kept apart from the storage, so that a configuration can be judged where the driver is not installed. A password never
stands in an address: libpq finds it in the `passfile` (or ~/.pgpass), or the server knows the user by the socket
(`peer`) or by his certificate. Over TCP the connection is TLS with `sslmode=verify-full`, and no address can say
otherwise. Left out: several hosts in one address. A failover to a standby that lacks commits is a rollback, so it is a
decision of people, not of a driver.
"""

from __future__ import annotations

from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

POSTGRESQL = "postgresql://"
VERIFIED = "verify-full"
SYSTEM_ROOTS = "system"
"""libpq's name for the roots of the operating system."""

_FILES = ("passfile", "sslrootcert", "sslcert", "sslkey")
_PARAMETERS = frozenset({"host", "port", "user", "dbname", "sslmode", *_FILES})


def parse_address(address: str) -> dict[str, str]:
    """The parameters of a connection; raises ValueError naming the flaw, never the value."""
    if not address.startswith(POSTGRESQL):
        raise ValueError("the address does not begin with postgresql://")
    parts, port, query = _split(address)
    if parts.password is not None:
        raise ValueError("no password in an address: use passfile, the socket or a client certificate")
    found = dict(_located(parts.username, parts.hostname, port, parts.path))
    for name, value in query:
        if name not in _PARAMETERS:
            raise ValueError("the address has an unknown parameter")
        if name in found:
            raise ValueError(f"{name} is given twice")
        found[name] = value
    _check_files(found)
    return _secured(found)


def _split(address: str) -> tuple[SplitResult, int | None, list[tuple[str, str]]]:
    try:
        parts = urlsplit(address)
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        return parts, parts.port, query
    except ValueError:  # its text quotes the address
        raise ValueError("the address is malformed") from None


def _located(user: str | None, host: str | None, port: int | None, path: str) -> list[tuple[str, str]]:
    parts = (("user", user), ("host", host), ("port", port), ("dbname", path.removeprefix("/")))
    return [(name, unquote(str(value))) for name, value in parts if value]


def _check_files(found: dict[str, str]) -> None:
    for name in _FILES:
        value = found.get(name, "/")
        if not value.startswith("/") and (name, value) != ("sslrootcert", SYSTEM_ROOTS):
            raise ValueError(f"{name} must be an absolute path")


def _secured(found: dict[str, str]) -> dict[str, str]:
    """By socket, the operating system protects what is said; otherwise only verified TLS does."""
    host = found.get("host", "")
    if "dbname" not in found:
        raise ValueError("the address names no database")
    if not host:
        raise ValueError("the address names no host: give a name, or the directory of the socket as host")
    if "," in host:
        raise ValueError("the address names several hosts")
    if host.startswith("/"):
        return found
    if found.setdefault("sslmode", VERIFIED) != VERIFIED:
        raise ValueError("sslmode over TCP is verify-full and nothing else")
    return found
