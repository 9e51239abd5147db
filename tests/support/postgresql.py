"""A PostgreSQL server of its own for tests: temporary folder, socket only, as user `postgres` when root.

    with postgresql_server() as url: Database(url)

Raises `NoPostgresql` where Debian's binaries or the driver (extra `postgresql`) are not installed; tests skip then.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

BINARIES = Path("/usr/lib/postgresql")
OWNER = "postgres"
START_SECONDS = 60


class NoPostgresql(RuntimeError):
    """Nothing to test with."""


@contextmanager
def postgresql_server() -> Iterator[str]:
    """SQLAlchemy address of an empty database; the server ends with the context."""
    binaries = _binaries()
    folder = Path(mkdtemp(prefix="pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, OWNER)
    data = folder / "data"
    try:
        _run(binaries / "initdb", "-D", data, "-U", OWNER, "-A", "trust", "--no-sync", "-E", "UTF8")
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        _run(binaries / "pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "-t", START_SECONDS, "start")
        try:
            yield f"postgresql+psycopg://{OWNER}@/{OWNER}?host={folder}"
        finally:
            _run(binaries / "pg_ctl", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _binaries() -> Path:
    if importlib.util.find_spec("psycopg") is None:
        raise NoPostgresql("psycopg is not installed (extra postgresql)")
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
