"""One log over many lives, each ended by SIGKILL at some moment, and the judgement of what is left.

    with nursery() as lives:
        log = KilledLog(folder, database, lives, chance)
        for _ in range(20): log.live()
        log.judge()

`end_lives` does so again and again, with a new log every ten lives. After every death, on the files and tables as the
dead process left them:

1. every receipt that a writer ever had verifies; a repeat with the same key gave the same entry again;
2. the database agrees with itself in everything that is derived (`ledger.fsck`), and with the second place;
3. every acknowledged entry stands where its receipt says, and no entry is there that nobody asked for.

At the end the log is opened once more, as an operator would, and then 4. one history leads to the newest cosigned
checkpoint, the tree of every receipt is part of it, and the witnesses know it.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path

from ledger.chain import Chain
from ledger.errors import NotFound, StorageFailed
from ledger.fsck import fsck
from ledger.proof import TlogProof
from ledger.receipt import AppendReceipt
from ledger.second_place import SecondPlace
from ledger.storage import sqlite_checkpoints
from ledger.storage.interface import LogReader
from ledger.storage.sqlite_reader import SqliteReader
from ledger.verify import VerifiedLeaf, verify_leaves, verify_receipt
from tests.contract.log_storages import POSTGRESQL, SQLITE
from tests.support.injected_calls import Fault, happened, injected
from tests.support.mortal_log import ENDLESS, Life, acknowledged, body_of, key_of
from tests.support.recorded_calls import recorded
from tests.support.running_log import KIND, POLICY, LogFolder, eventually, published_size
from tests.support.witnessed_log import ORIGIN

WRITERS = 16
FEW_WRITERS = 4
FEW_ENTRIES = 3
"""Of each writer, in a life that ends by itself."""
ROOT = Path(__file__).parents[2]
EARLY_SHARE = 0.25
"""Of the deaths: so soon that the log is still being opened."""
EARLY_SECONDS = 0.08
WORKING_SECONDS = 0.15
"""Longest time between the first acknowledgement of a life and its death."""
BIRTH_SECONDS = 60.0
"""Until a life must have acknowledged something; the log opens without anybody's help."""
LIVES_PER_LOG = 10
"""Then a new one: so deaths meet new databases too, and reading all of a log after each death stays cheap."""
COPIED_AFTER = (1, 32, 256, sqlite_checkpoints.PAGES)
"""In every life the write-ahead log is copied after other numbers of pages: deaths also meet that at every moment."""
STRIKE_EVERY = 5
"""One of so many lives also sees its database server fail."""
VERIFIED = 10_000
"""Receipts that are verified once, though many copies of one log are looked at."""
ALL = 10_000_000
"""More entries than any of these logs has."""


class Nursery:
    """The process that forks all lives (`tests.support.mortal_log`)."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._living: int | None = None

    def begin(self, life: Life) -> int:
        """The process id of a new life."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asdict(life)) + "\n")
        self._process.stdin.flush()
        self._living = int(self._told("born"))
        return self._living

    def end(self) -> int:
        """The exit status of the life that was begun last, once it has ended; negative for a signal."""
        status = int(self._told("died"))
        self._living = None
        return status

    def close(self) -> None:
        """Leaves no process behind, also when a test has failed."""
        if self._living is not None:
            with suppress(ProcessLookupError):
                os.kill(self._living, signal.SIGKILL)
        assert self._process.stdin is not None
        self._process.stdin.close()

    def _told(self, word: str) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().split()
        assert line[:1] == [word], line
        return line[1]


@contextmanager
def nursery() -> Iterator[Nursery]:
    """Python and the ledger's modules are loaded once, in it."""
    command = [sys.executable, "-m", "tests.support.mortal_log"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        lives = Nursery(process)
        try:
            yield lives
        finally:
            lives.close()


class KilledLog:
    """A log on the files of `path`, or in the PostgreSQL database at the address."""

    def __init__(self, path: Path, database: str, lives: Nursery, chance: random.Random) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.folder = LogFolder(path)
        self._database = database
        self._kind = POSTGRESQL if database else SQLITE
        self._place = database or str(self.folder.database)
        self.folder.open_storage = lambda: self._kind.open(self._place)
        self.folder.open_reader = lambda: self._kind.open_reader(self._place)
        self._lives = lives
        self._chance = chance
        self._life = 0
        self.leaves: dict[str, bytes] = {}
        """The leaf that was acknowledged for each key."""
        self._index: dict[str, int] = {}
        self._roots: dict[int, bytes] = {}
        """Size and root of every checkpoint that was ever in a receipt."""
        self._next = [0] * WRITERS

    @property
    def acknowledged(self) -> int:
        """How many entries writers had receipts for."""
        return len(self.leaves)

    def live(self, strike: Callable[[], None] | None = None) -> None:
        """One life and its death; `strike` happens in between, while the writers write."""
        acknowledgements = self._begin()
        if strike is None and self._chance.random() < EARLY_SHARE:
            time.sleep(self._chance.uniform(0, EARLY_SECONDS))
        else:
            _await_content(acknowledgements)
            time.sleep(self._chance.uniform(0, WORKING_SECONDS))
        if strike is not None:
            strike()
            time.sleep(self._chance.uniform(0, WORKING_SECONDS))
        self.kill()
        self.examine(acknowledgements)

    def live_briefly(self, fault: Fault, *, ends_well: bool = False) -> bool:
        """A life of a few entries in which a system call fails, and which ends by itself: with or without an error,
        or certainly without. Returns whether a call did fail.
        """
        acknowledgements = self._begin(FEW_WRITERS, count=FEW_ENTRIES, stopped=True)
        journal = self.folder.path / f"calls-{self._life}"
        timer = threading.Timer(BIRTH_SECONDS, os.kill, (self._pid, signal.SIGKILL))
        with injected(self._pid, fault, journal):
            timer.start()
            status = self._lives.end()
        timer.cancel()
        assert status in (0, 0 if ends_well else 1), (
            f"ended with {status} after {fault}; see {self.folder.path / 'journal'}"
        )
        self.examine(acknowledgements)
        return happened(journal)

    def live_recorded(self, journal: Path, count: int = ENDLESS, beside: Sequence[int] = ()) -> None:
        """A life whose system calls are written down, with those of other processes `beside` it: of `count` entries of
        each writer, or ended by SIGKILL.
        """
        acknowledgements = self._begin(count=count, stopped=True)
        with recorded(self._pid, journal, beside):
            if count == ENDLESS:
                _await_content(acknowledgements)
                time.sleep(self._chance.uniform(0, WORKING_SECONDS))
                self.kill()
            else:
                status = self._lives.end()
                assert status == 0, f"ended with {status}; see {self.folder.path / 'journal'}"
        self.examine(acknowledgements)

    def _begin(self, writers: int = WRITERS, *, count: int = ENDLESS, stopped: bool = False) -> Path:
        self._life += 1
        path = self.folder.path / f"acknowledged-{self._life}"
        # Each writer first repeats what was acknowledged to it last.
        starts = [max(0, number - 1) for number in self._next[:writers]]
        copied = self._chance.choice(COPIED_AFTER)
        self._pid = self._lives.begin(
            Life(str(self.folder.path), self._database, str(path), starts, count, copied, stopped)
        )
        return path

    def kill(self) -> None:
        """The process has no chance to end anything."""
        with suppress(ProcessLookupError):  # its status will tell
            os.kill(self._pid, signal.SIGKILL)
        status = self._lives.end()
        assert status == -signal.SIGKILL, f"ended by itself with {status}; see {self.folder.path / 'journal'}"

    def examine(self, acknowledgements: Path) -> None:
        """Steps 1 to 3, on what the dead process left."""
        self._take(acknowledgements)
        place = SecondPlace(self.folder.second_place, POLICY.logs).read()
        try:
            audit = self._kind.open_audit(self._place)
        except (NotFound, StorageFailed):  # it died before it had made its tables
            assert not self.leaves
            assert place is None
            return
        with audit:
            report = fsck(audit, None if place is None else place[1])
        assert report.clean, report.findings
        with closing(self._open_offline()) as reader:
            self._check_entries(reader, reader.leaves(0, ALL))

    def _open_offline(self) -> LogReader:
        """As tools read what nobody serves: what a cut left half made is the next writer's to mend."""
        return (
            self._kind.open_reader(self._place) if self._database else SqliteReader(self.folder.database, offline=True)
        )

    def _take(self, acknowledgements: Path) -> None:
        for told in acknowledged(acknowledgements):
            verified = _verified(told.receipt)
            known = self.leaves.setdefault(told.key, told.leaf)
            assert known == told.leaf, f"key {told.key}: another entry than before"
            assert told.existing or told.key not in self._index, f"key {told.key} was recorded again"
            self._index[told.key] = verified.index
            checkpoint = verified.checkpoint
            assert self._roots.setdefault(checkpoint.size, checkpoint.root) == checkpoint.root
            writer, number = map(int, told.key.split())
            self._next[writer] = max(self._next[writer], number + 1)

    def _check_entries(self, reader: LogReader, leaves: list[bytes]) -> None:
        # Acknowledged entries, and for each writer at most the one that it was waiting for.
        keys = [key_of(writer, number) for writer, end in enumerate(self._next) for number in range(end + 1)]
        stored = reader.find_keys(keys)
        assert len(stored) + 1 >= len(leaves), "an entry that nobody asked for"
        for key, index in self._index.items():
            assert stored.get(key) == index, f"key {key} was acknowledged and is not there"
            assert leaves[index] == self.leaves[key], f"key {key}: another leaf than the receipt's"
        for key in stored.keys() - self._index.keys():
            assert (
                b'"consent_id":"%b"' % str(body_of(*map(int, key.split()))["consent_id"]).encode()
                in leaves[stored[key]]
            )

    def judge(self) -> None:
        """Step 4. Everything is well again, and nobody has repaired anything."""
        leaves, note = asyncio.run(self._final())
        report = verify_leaves(leaves, note, POLICY)
        assert report.kinds["log.opened"] == 1
        assert report.kinds.get(KIND, 0) == len(leaves) - 1
        chain = Chain(ORIGIN)
        for size, root in sorted(self._roots.items()):
            chain, _ = chain.extend(leaves[chain.size : size])
            assert chain.root() == root, f"the tree of {size} entries is not the one that receipts are proven in"
        known = sorted(local.witness.known_size() for local in self.folder.witnesses.values())
        assert known[1:] == [len(leaves)] * 3
        self.examine(self.folder.path / "nothing")

    async def _final(self) -> tuple[list[bytes], bytes]:
        async with asyncio.timeout(BIRTH_SECONDS), self.folder.running() as log:
            for key, leaf in list(self.leaves.items())[-WRITERS:]:
                again = await log.append(KIND, body_of(*map(int, key.split())), key)
                assert (again.existing, again.leaf) == (True, leaf)
                assert TlogProof.parse(again.proof).index == self._index[key]
            await eventually(lambda: 0 < published_size(log) == self.folder.stored_size())
            note = log.published.current().note
        with closing(self.folder.open_reader()) as reader:
            return reader.leaves(0, ALL), note


@dataclass(frozen=True)
class Lives:
    """What `end_lives` did, to be printed; `seed` brings the same moments again, as far as a machine can."""

    lives: int
    seed: int
    seconds_each: float
    acknowledged: int


def end_lives(
    path: Path,
    lives: int,
    new_database: Callable[[], str],
    strikes: Sequence[Callable[[str], None]] = (),
    seed: int = 0,
) -> Lives:
    """`new_database` gives an address for each log, or nothing for SQLite; every fifth life, one of the `strikes` (in
    turn) hits the server of that address. A `seed` of 0 is any.
    """
    seed = seed or random.SystemRandom().randrange(1, 2**32)
    print(f"seed {seed}")
    chance, began, acknowledged, turns = random.Random(seed), time.monotonic(), 0, itertools.cycle(strikes or [None])  # noqa: S311 - moments of a kill are no secrets
    with nursery() as begun:
        for first in range(0, lives, LIVES_PER_LOG):
            database = new_database()
            log = KilledLog(path / f"log-{first}", database, begun, chance)
            for number in range(first, min(lives, first + LIVES_PER_LOG)):
                strike = next(turns) if number % STRIKE_EVERY == STRIKE_EVERY - 1 else None
                log.live(None if strike is None else partial(strike, database))
            log.judge()
            acknowledged += log.acknowledged
    done = Lives(lives, seed, (time.monotonic() - began) / lives, acknowledged)
    print(done)
    return done


@lru_cache(maxsize=VERIFIED)
def _verified(receipt: AppendReceipt) -> VerifiedLeaf:
    return verify_receipt(receipt, POLICY)


def _await_content(path: Path) -> None:
    deadline = time.monotonic() + BIRTH_SECONDS
    while not (path.exists() and path.stat().st_size):
        assert time.monotonic() < deadline, f"nothing was acknowledged in {BIRTH_SECONDS} s: {path}"
        time.sleep(0.002)
