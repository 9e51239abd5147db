"""A PostgreSQL server of its own for tests: temporary folder, socket only, as user `postgres` when root.

    with postgresql_server() as url: Database(url)
    with postgresql_server(durable=True) as url: PostgresStorage.open(new_database(url))

Raises `NoPostgresql` where Debian's binaries are not installed; tests skip then.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

import psycopg

BINARIES = Path("/usr/lib/postgresql")
OWNER = "postgres"
START_SECONDS = 60


class NoPostgresql(RuntimeError):
    """Nothing to test with."""


@contextmanager
def postgresql_server(*, durable: bool = False) -> Iterator[str]:
    """SQLAlchemy address of an empty database; the server ends with the context. `durable` waits for the disk."""
    binaries = _binaries()
    folder = Path(mkdtemp(prefix="pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, OWNER)
    data = folder / "data"
    try:
        _run(binaries / "initdb", "-D", data, "-U", OWNER, "-A", "trust", "--no-sync", "-E", "UTF8")
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync={'on' if durable else 'off'}"
        _run(binaries / "pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "-t", START_SECONDS, "start")
        try:
            yield f"postgresql+psycopg://{OWNER}@/{OWNER}?host={folder}"
        finally:
            _run(binaries / "pg_ctl", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def new_database(url: str) -> str:
    """A new, empty database on the server of `url`, by the address that the ledger reads (libpq's)."""
    address = url.replace("postgresql+psycopg://", "postgresql://")
    name = f"test_{secrets.token_hex(8)}"
    with psycopg.connect(address, autocommit=True) as session:
        session.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload,unused-ignore]
    return address.replace(f"@/{OWNER}?", f"@/{name}?")


def emptied(address: str) -> str:
    """The same database without its ledger. One for all tests: a durable server syncs 300 files for every new one."""
    with psycopg.connect(address, autocommit=True) as session:
        session.execute("DROP SCHEMA IF EXISTS ledger CASCADE")
    return address


def _binaries() -> Path:
    found = sorted(BINARIES.glob("*/bin/initdb"))
    if not found:
        raise NoPostgresql(f"no binaries in {BINARIES}")
    return found[-1].parent


def _run(*arguments: object) -> None:
    """As the owner: PostgreSQL refuses to run as root."""
    user = OWNER if os.geteuid() == 0 else None
    subprocess.run(
        [str(argument) for argument in arguments],
        check=True,
        stdout=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        user=user,
        cwd="/",
    )
