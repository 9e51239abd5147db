"""A real log with its writers and witnesses, as a process that is made to be killed.

`python -m tests.support.mortal_log` is a nursery: for every line on its standard input (a `Life`) it forks a child that
opens the log and appends with many writers; it answers `born PID`, and `died STATUS` once the child has ended. Python
and all modules are loaded once, so a life begins within milliseconds, and most of it is the log's own work.

Whatever was acknowledged to a writer is added to a file before the writer goes on, so it survives the child. A writer
repeats with the same key until it gets an answer, as every caller does.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import traceback
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import structlog

from ledger.errors import LedgerFull, LedgerStopped, QuorumNotMet, StorageFailed
from ledger.log import Log
from ledger.receipt import AppendReceipt
from ledger.storage import sqlite_checkpoints
from ledger.storage.interface import LogStorage
from tests.contract.log_storages import POSTGRESQL, SQLITE
from tests.support.running_log import KIND, LogFolder, transition

REPEATED = (StorageFailed, LedgerStopped, QuorumNotMet, LedgerFull)
"""Errors after which a caller repeats. All others end the process with a status that no kill has."""
ENDLESS = 1_000_000
"""More entries than any writer comes to."""
PAUSE_SECONDS = 0.02
"""Before a repeat."""


@dataclass(frozen=True)
class Life:
    """What one child does. `database` is PostgreSQL's address, or empty for the folder's own SQLite file."""

    folder: str
    database: str
    acknowledgements: str
    starts: list[int]
    """For each writer the number of its first entry."""
    count: int = ENDLESS
    """Entries of each writer; the process ends by itself after them."""
    copied_after: int = sqlite_checkpoints.PAGES
    """Pages after which SQLite's write-ahead log is copied into the file beside the commits."""
    stopped: bool = False
    """Whether the child waits for SIGCONT before it does anything: a tracer then misses nothing."""


@dataclass(frozen=True)
class Acknowledgement:
    """What a writer was told."""

    key: str
    leaf: bytes
    proof: bytes
    existing: bool

    def line(self) -> bytes:
        members = {**asdict(self), "leaf": b64encode(self.leaf).decode(), "proof": self.proof.decode()}
        return json.dumps(members).encode() + b"\n"

    @classmethod
    def parse(cls, line: str) -> Acknowledgement:
        members = json.loads(line)
        return cls(members["key"], b64decode(members["leaf"]), members["proof"].encode(), members["existing"])

    @property
    def receipt(self) -> AppendReceipt:
        return AppendReceipt(self.leaf, self.proof, self.existing)


def acknowledged(path: Path) -> Iterator[Acknowledgement]:
    """All of them; a last line that was cut off by the kill was never told to anybody."""
    *lines, _ = path.read_text().split("\n") if path.exists() else [""]
    return map(Acknowledgement.parse, lines)


def key_of(writer: int, number: int) -> str:
    """The idempotency key of a writer's entry."""
    return f"{writer} {number}"


def body_of(writer: int, number: int) -> dict[str, object]:
    """Its body."""
    return transition(writer * 1_000_000 + number)


@dataclass
class _Child:
    life: Life
    folder: LogFolder = field(init=False)
    told: int = field(init=False)

    def __post_init__(self) -> None:
        self.folder = LogFolder(Path(self.life.folder))
        self.told = os.open(self.life.acknowledgements, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    async def live(self) -> None:
        storage = await self._opened()
        self.folder.open_storage = lambda: storage
        async with self.folder.running() as log, asyncio.TaskGroup() as writers:
            for writer, start in enumerate(self.life.starts):
                writers.create_task(self._write(log, writer, start))

    async def _opened(self) -> LogStorage:
        while True:
            try:
                return self._open()
            except StorageFailed:  # the server comes back, or still holds the lock of the one before
                await asyncio.sleep(PAUSE_SECONDS)

    def _open(self) -> LogStorage:
        if self.life.database:
            return POSTGRESQL.open(self.life.database)
        return SQLITE.open(str(self.folder.database))

    async def _write(self, log: Log, writer: int, start: int) -> None:
        for number in range(start, start + self.life.count):
            key = key_of(writer, number)
            while True:
                try:
                    receipt = await log.append(KIND, body_of(writer, number), key)
                    break
                except REPEATED:
                    with suppress(StorageFailed, QuorumNotMet):
                        log.check()  # a log that has ended says so, and then there is nothing to wait for
                    await asyncio.sleep(PAUSE_SECONDS)
            told = Acknowledgement(key, receipt.leaf, receipt.proof, receipt.existing)
            os.write(self.told, told.line())


class _Loop(asyncio.SelectorEventLoop):
    """Wakes itself by `write` and `read`, not as asyncio's own does: `sendto` and `recvfrom` then are calls on
    connections with the server, which a tracer can make fail alone.
    """

    _csock: socket.socket | None
    _ssock: socket.socket

    def _write_to_self(self) -> None:
        if self._csock is not None:
            with suppress(OSError):
                os.write(self._csock.fileno(), b"\0")

    def _read_from_self(self) -> None:
        with suppress(BlockingIOError):
            while os.read(self._ssock.fileno(), 4096):
                pass


def _live(life: Life) -> None:
    """The child. Never returns."""
    status = 1
    try:
        journal = open(Path(life.folder) / "journal", "a", buffering=1)  # noqa: SIM115 - the process ends with it
        os.dup2(journal.fileno(), 2)
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(journal))
        sqlite_checkpoints.PAGES = life.copied_after
        sqlite_checkpoints.REST = min(sqlite_checkpoints.REST, life.copied_after)
        child = _Child(life)
        if life.stopped:
            os.kill(os.getpid(), signal.SIGSTOP)
        with asyncio.Runner(loop_factory=_Loop if life.database else None) as runner:
            runner.run(child.live())
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def main() -> None:
    """The nursery, until its input ends."""
    for line in sys.stdin:
        life = Life(**json.loads(line))
        child = os.fork()
        if child == 0:
            _live(life)
        print("born", child, flush=True)
        print("died", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
