"""A PostgreSQL server of its own for tests: temporary folder, socket only, as user `postgres` when root.

    with postgresql_server() as url: Database(url)
    with postgresql_server(durable=True) as url: PostgresStorage.open(new_database(url))
    with running_postgresql(durable=True) as server: server.kill(); server.start()
    server.dump(address, file); copy = server.restored(file)

Where Debian's binaries are not installed the test is skipped.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import psycopg
import pytest

BINARIES = Path("/usr/lib/postgresql")
OWNER = "postgres"
START_SECONDS = 60


class NoPostgresql(pytest.skip.Exception):  # type: ignore[name-defined,misc]  # an attribute of an object
    """Nothing to test with: the test that asked for it is skipped."""


@dataclass(frozen=True)
class PostgresqlServer:
    """One server on its folder: it can be ended as hard as a server ends, and started again on what it left."""

    binaries: Path
    folder: Path
    options: str

    @property
    def url(self) -> str:
        """SQLAlchemy address of its first database."""
        return f"postgresql+psycopg://{OWNER}@/{OWNER}?host={self.folder}"

    def start(self) -> None:
        """Returns when it answers: after a crash, once it has read its write-ahead log."""
        self._control("-o", self.options, "-l", self.folder / "log", "-w", "-t", START_SECONDS, "start")

    def stop_at_once(self) -> None:
        """Nothing is finished and nothing written (`immediate`); the next start is a recovery."""
        self._control("-m", "immediate", "stop")

    def kill(self) -> None:
        """SIGKILL of the server and of all its processes, as when the machine kills them for memory."""
        processes = self.processes()
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        while any(_is_alive(process) for process in processes):
            time.sleep(0.005)
        # A dead process that nobody has collected yet would pass for a running server. All are dead, so this is safe.
        for lock in (self.folder / "data" / "postmaster.pid", *self.folder.glob(".s.PGSQL.*.lock")):
            lock.unlink()

    def processes(self) -> list[int]:
        """All of its processes, the main one first."""
        main = self.main_process()
        return [main, *(int(pid) for pid in Path(f"/proc/{main}/task/{main}/children").read_text().split())]

    def laid_out_at(self, folder: Path) -> PostgresqlServer:
        """A server on a copy of its folder, on a machine that has just started: nobody holds its locks any more."""
        for lock in (folder / "data" / "postmaster.pid", *folder.glob(".s.PGSQL.*.lock")):
            lock.unlink(missing_ok=True)
        if os.geteuid() == 0:
            for path in [folder, *folder.rglob("*")]:
                shutil.chown(path, OWNER)
        return PostgresqlServer(self.binaries, folder, self.options.replace(str(self.folder), str(folder)))

    def is_up(self) -> bool:
        """Whether it has not ended."""
        try:
            return _is_alive(self.main_process())
        except (FileNotFoundError, IndexError, ValueError):
            return False

    def told(self, words: str) -> int:
        """How often they are in its log."""
        return (self.folder / "log").read_text().count(words)

    def main_process(self) -> int:
        """Its process id."""
        return int((self.folder / "data" / "postmaster.pid").read_text().split("\n")[0])

    def dump(self, address: str, file: Path) -> None:
        """`pg_dump` of one database, as an operator backs it up; it may be written to meanwhile."""
        _run(self.binaries / "pg_dump", "--format=custom", f"--dbname={address}", f"--file={file}")

    def restored(self, file: Path) -> str:
        """The address of a new database with what was dumped, by `pg_restore`, which stops at the first error."""
        copy = new_database(self.url)
        _run(self.binaries / "pg_restore", "--exit-on-error", "--single-transaction", f"--dbname={copy}", file)
        return copy

    def _control(self, *arguments: object) -> None:
        _run(self.binaries / "pg_ctl", "-D", self.folder / "data", *arguments)


@contextmanager
def running_postgresql(
    *, durable: bool = False, wal: Path | None = None, within: Path | None = None
) -> Iterator[PostgresqlServer]:
    """A server that ends with the context. `durable` waits for the disk. `wal` is a folder on a small disk, for its
    write-ahead log, which then has segments of a megabyte. `within` is where its folder is made.
    """
    binaries = _binaries()
    folder = Path(mkdtemp(prefix="pg-", dir=within))
    if os.geteuid() == 0:
        shutil.chown(folder, OWNER)
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync={'on' if durable else 'off'}"
    server = PostgresqlServer(binaries, folder, options)
    try:
        elsewhere = [] if wal is None else [f"--waldir={wal}", "--wal-segsize=1"]
        made = ["-D", folder / "data", "-U", OWNER, "-A", "trust", "--no-sync", "-E", "UTF8", *elsewhere]
        _run(binaries / "initdb", *made)
        server.start()
        try:
            yield server
        finally:
            server.stop_at_once()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def postgresql_server(*, durable: bool = False) -> Iterator[str]:
    """SQLAlchemy address of an empty database; the server ends with the context. `durable` waits for the disk."""
    with running_postgresql(durable=durable) as server:
        yield server.url


def new_database(url: str) -> str:
    """A new, empty database on the server of `url`, by the address that the ledger reads (libpq's)."""
    address = url.replace("postgresql+psycopg://", "postgresql://")
    name = f"test_{secrets.token_hex(8)}"
    with psycopg.connect(address, autocommit=True) as session:
        session.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload,unused-ignore]
    return address.replace(f"@/{OWNER}?", f"@/{name}?")


@contextmanager
def dropped(address: str) -> Iterator[str]:
    """A database that the block alone needs."""
    yield address
    server, _, rest = address.partition("@/")
    name, _, host = rest.partition("?")
    with psycopg.connect(f"{server}@/{OWNER}?{host}", autocommit=True) as session:
        session.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[call-overload,unused-ignore]


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


def _is_alive(process: int) -> bool:
    """A zombie that nobody has collected yet is dead."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


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
