"""A real log with real witnesses on files in one folder, in process; and ways to make each of them fail on purpose.

Names, keys and policy are those of `witnessed_log` (four witnesses, three must cosign). Starting a log again on the
same folder is what a restart of the process is.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from ledger.errors import LedgerError, LedgerReadOnly, StorageFailed, WitnessFailed
from ledger.log import Log, LogParts
from ledger.note import Signer
from ledger.policy import LogPolicy
from ledger.storage.interface import LogReader, LogStorage
from ledger.storage.sqlite import SqliteStorage
from ledger.storage.sqlite_reader import SqliteReader
from ledger.witness import Witness, utc_now
from tests.support.witnessed_log import WITNESSES, log_signer, policy_text, witness_signer

POLICY = LogPolicy.parse(policy_text())
WAIT = 5.0
"""Seconds any wait of these tests may last; all of them end by an event."""


def transition(number: int = 0) -> dict[str, object]:
    """The body of a `consent.revoked`; `number` makes it different."""
    return {"consent_id": f"{number:032x}", "version": 1, "digest": "1" * 64, "subject": f"{number % 7:032x}"}


KIND = "consent.revoked"


class LocalWitness:
    """WitnessPort over a witness in this process. `dead` refuses; `gate`, while it is not set, makes it wait."""

    def __init__(self, witness: Witness) -> None:
        self.witness = witness
        self.dead = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked: list[int] = []
        """`old_size` of every call."""
        self.shown: list[int] = []
        """Size of the checkpoint of every call."""

    async def add_checkpoint(self, old_size: int, proof: Sequence[bytes], checkpoint: bytes) -> bytes:
        self.asked.append(old_size)
        self.shown.append(int(checkpoint.split(b"\n")[1]))
        await self.gate.wait()
        if self.dead:
            raise WitnessFailed("the test said so")
        return await asyncio.to_thread(self.witness.add_checkpoint, old_size, proof, checkpoint)


class FaultyStorage:
    """A storage whose next call of a method fails: before it does anything (lost), or after (kept)."""

    def __init__(self, storage: LogStorage) -> None:
        self.storage = storage
        self._lost: dict[str, int] = {}
        self._kept: dict[str, int] = {}

    def lose(self, method: str, times: int = 1) -> None:
        self._lost[method] = times

    def keep(self, method: str, times: int = 1) -> None:
        self._kept[method] = times

    def __getattr__(self, name: str) -> object:
        method = getattr(self.storage, name)

        def call(*arguments: object) -> object:
            if self._due(self._lost, name):
                raise StorageFailed(f"{name} failed and was lost")
            result = method(*arguments)
            if self._due(self._kept, name):
                raise StorageFailed(f"{name} failed but was kept")
            return result

        return call

    @staticmethod
    def _due(planned: dict[str, int], name: str) -> bool:
        left = planned.get(name, 0)
        planned[name] = max(0, left - 1)
        return left > 0


class LogFolder:
    """The files of one log and of its witnesses."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.database = path / "log" / "ledger.db"
        self.second_place = path / "second" / "place"
        self.second_place.parent.mkdir(exist_ok=True)
        self.open_storage: Callable[[], LogStorage] = lambda: SqliteStorage.open(self.database)
        self.open_reader: Callable[[], LogReader] = lambda: SqliteReader(self.database)
        self.witnesses = {name: self.restarted_witness(name) for name in WITNESSES}

    def restarted_witness(self, name: str) -> LocalWitness:
        """A new process of the witness on its old file."""
        return LocalWitness(Witness(witness_signer(name), POLICY.logs, self.path / f"{name}.state"))

    def stored_size(self) -> int:
        """Entries in the database, cosigned or not."""
        with contextlib.closing(self.open_reader()) as reader:
            return reader.head().size

    @contextlib.asynccontextmanager
    async def running(
        self,
        *,
        wrap: Callable[[LogStorage], LogStorage] = lambda storage: storage,
        clock: Callable[[], datetime] = utc_now,
        witnesses: Mapping[str, LocalWitness] | None = None,
        policy: LogPolicy = POLICY,
        signer: Signer | None = None,
    ) -> AsyncIterator[Log]:
        """The log at work; at the end it is stopped, and whatever its `run` raised is raised."""
        storage = wrap(self.open_storage())
        ports = self.witnesses if witnesses is None else witnesses
        signer = signer or log_signer("the log")
        log = Log(LogParts(signer, policy, storage, self.second_place, ports, clock))
        task = asyncio.create_task(log.run())
        try:
            yield log
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            log.close()  # a task that is cancelled before it began has closed nothing

    @contextlib.contextmanager
    def old_copy(self) -> Iterator[None]:
        """Afterwards the database is what it was before the block: an old backup, restored."""
        copy = self.path / "copy"
        shutil.copytree(self.database.parent, copy)
        yield
        shutil.rmtree(self.database.parent)
        copy.rename(self.database.parent)


def published_size(log: Log) -> int:
    """Size of the newest cosigned checkpoint; 0 if there is none."""
    return 0 if log.published.newest is None else log.published.newest.checkpoint.size


def is_read_only(log: Log) -> bool:
    """Whether the log has given up writing."""
    try:
        log.check()
    except LedgerReadOnly:
        return True
    except LedgerError:
        return False
    return False


async def eventually(holds: Callable[[], bool]) -> None:
    """Returns once `holds()`; a test that waits in vain fails by its timeout."""
    async with asyncio.timeout(WAIT):
        while not holds():  # noqa: ASYNC110 - what is waited for knows nothing of the test
            await asyncio.sleep(0.005)
