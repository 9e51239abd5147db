"""The power is cut for PostgreSQL and its ledger together: as `cut_log` does for SQLite, on the server's whole folder.

The calls of the ledger and of all the server's processes come into one recording, in which checkpoints fall too. After
each cut a server is started on what its disk may hold, recovers as it does, and the ledger in it is judged.
"""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from threading import Event, Thread
from typing import Any

import psycopg

from tests.support.cut_log import ENTRIES, TOLD, Cuts, Moments, fate_of, judge, laid_out
from tests.support.killed_log import KilledLog, Nursery, nursery
from tests.support.postgresql import PostgresqlServer, running_postgresql
from tests.support.power_cut import Image, Recording

MEMORY = Path("/dev/shm")  # noqa: S108 - a file system, and what is made there has a name of its own
PAUSE_SECONDS = 0.05
"""Between two checkpoints."""
ENOUGH = 1 << 30
"""Bytes for a few copies of a server."""


def cut_servers_power(cuts: int, seed: int = 0) -> Cuts:
    """So many cuts of one recording. A `seed` of 0 is any."""
    seed = seed or random.SystemRandom().randrange(1, 2**32)
    print(f"seed {seed}")
    chance, began, acknowledged, undecided = random.Random(seed), time.monotonic(), 0, 0  # noqa: S311 - no secrets
    with nursery() as lives, open_folder() as path, running_postgresql(durable=True, within=path) as server:
        recording = record(path, server, lives, chance)
        moments = Moments(recording, chance)
        for _ in range(cuts):
            moment = moments.draw()
            image = recording.image(moment, fate_of(recording, moment, chance))
            with recovered(image, server, lives, chance) as log:
                judge(log)
            acknowledged += log.acknowledged
            undecided += len(recording.undecided(moment))
    done = Cuts(cuts, seed, acknowledged, undecided, (time.monotonic() - began) / cuts)
    print(done)
    return done


def record(path: Path, server: PostgresqlServer, lives: Nursery, chance: random.Random) -> Recording:
    """One life of a log on the server."""
    log = KilledLog(path, address_of(server), lives, chance)
    with psycopg.connect(address_of(server), autocommit=True) as session, open_folder() as elsewhere:
        session.execute("CHECKPOINT")
        on_disk = (server.folder.name, "second")
        recording = Recording.before(path, on_disk, server.folder / "data", names_follow=True)
        with checkpoints(session, path / f"{TOLD}1"):
            log.live_recorded(elsewhere / "calls", ENTRIES, server.processes())
        recording.add(elsewhere / "calls")
    return recording


@contextmanager
def checkpoints(session: psycopg.Connection[Any], told: Path) -> Iterator[None]:
    """The server writes its tables again and again, from the first acknowledgement on to the end of the block."""
    ended = Event()

    def ask() -> None:
        while not ended.wait(PAUSE_SECONDS):
            if told.exists() and told.stat().st_size:
                session.execute("CHECKPOINT")

    thread = Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def recovered(image: Image, server: PostgresqlServer, lives: Nursery, chance: random.Random) -> Iterator[KilledLog]:
    """The log, in a server that is started on an image."""
    with open_folder() as path:
        copy = path / server.folder.name
        # An image has files only, and a server has empty folders too.
        for folder in (each for each in server.folder.rglob("*") if each.is_dir()):
            (copy / folder.relative_to(server.folder)).mkdir(parents=True, exist_ok=True)
        (copy / "data").chmod(0o700)
        address = address_of(server).replace(str(server.folder), str(copy))
        log = laid_out(image, path, lives, chance, address)
        started = server.laid_out_at(copy)
        started.start()
        try:
            yield log
        finally:
            started.stop_at_once()


def address_of(server: PostgresqlServer) -> str:
    """Of its first database, by which it is as small as can be."""
    return server.url.replace("postgresql+psycopg://", "postgresql://")


@contextmanager
def open_folder() -> Iterator[Path]:
    """Where the server's own user may go, in memory where there is enough: nothing here waits for a disk."""
    large = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ENOUGH
    folder = Path(mkdtemp(prefix="cut-", dir=MEMORY if large else None))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
