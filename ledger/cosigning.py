"""Collects the witnesses' cosignatures on a signed head.

Every witness has a worker of its own, which always takes up the newest head: a slow or dead witness delays neither the
others nor the next head, and a witness that was away is brought forward by one proof, however much it missed. A
witness that knows another size than the log believed says which (WitnessConflict) and is asked again from there; so a
restart of either side needs nothing else. A witness that knows *more* than the log has signed is the sign of an old
database: when no quorum is left without such witnesses, the log must not go on.

A witness that is asked dates its cosignature itself, and verifiers judge freshness by a quorum's times. So a single one
that dates falsely must not get into a quorum that does without it: a cosignature far from the log's own clock counts
only when nothing better comes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

import structlog

from ledger.errors import LedgerError, LedgerRolledBack, QuorumNotMet, WitnessConflict, WitnessFailed
from ledger.head_signer import SignedHead
from ledger.note import Note, VerifierKey, parse_signatures
from ledger.policy import LogPolicy

WITNESS_SECONDS = 2.0
"""Longest wait for one witness's answer before it is asked again."""
PAUSE_SECONDS = 0.25
"""After a witness failed, before it is asked again; doubled up to the longest."""
LONGEST_PAUSE_SECONDS = 2.0
TIMELY = timedelta(seconds=2)
"""A cosignature dated further from the log's clock is untimely: less than the bound by which verifiers call one stale
(5 s), and more than honest clocks differ.
"""
UNTIMELY_SECONDS = 0.25
"""So long a quorum that needs an untimely cosignature waits for better ones; the clock that is wrong may be the log's.
"""
ATTEMPTS = 3
"""Askings in one go: with the size believed, with the size the witness says, and once more if that moved."""

_log = structlog.get_logger("ledger.cosigning")

Prove = Callable[[int, int], Awaitable[list[bytes]]]
"""Consistency proof between two tree sizes."""


class WitnessPort(Protocol):
    """A witness as the log reaches it."""

    async def add_checkpoint(self, old_size: int, proof: Sequence[bytes], checkpoint: bytes) -> bytes:
        """One cosignature line. Raises WitnessConflict, or WitnessFailed for whatever else went wrong."""
        ...


class Cosignature(NamedTuple):
    """A verified cosignature, and whether its time is about now by the log's clock."""

    line: bytes
    timely: bool


class Round:
    """One head, and the cosignatures that came in for it so far."""

    def __init__(self, number: int, head: SignedHead, policy: LogPolicy, asked: int) -> None:
        self.number = number
        self.head = head
        self._policy = policy
        self._asked = asked
        self._lines: dict[str, bytes] = {}
        self._timely: set[str] = set()
        self._settling: asyncio.TimerHandle | None = None
        self._met = asyncio.Event()
        self._complete = asyncio.Event()
        self._fault: LedgerRolledBack | None = None
        self._joined: Callable[[], None] | None = None
        self._judge()

    def add(self, witness: str, cosignature: Cosignature) -> None:
        """Also one that comes after the quorum."""
        self._lines[witness] = cosignature.line
        if cosignature.timely:
            self._timely.add(witness)
        self._judge()
        if self._joined is not None:
            self._joined()

    def when_joined(self, joined: Callable[[], None]) -> None:
        """From now on `joined` is called for every further cosignature."""
        self._joined = joined

    def fail(self, fault: LedgerRolledBack) -> None:
        """There will be no quorum for this head, ever."""
        self._fault = fault
        self._met.set()

    def note(self) -> bytes:
        """The checkpoint with all cosignatures so far."""
        return self.head.note.encode() + b"".join(self._lines.values())

    async def quorum(self, seconds: float) -> None:
        """Returns once the policy is content; raises QuorumNotMet after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._met.wait()
        except TimeoutError:
            raise QuorumNotMet(f"{len(self._lines)} of {self._asked} witnesses cosigned in time") from None
        if self._fault is not None:
            raise self._fault

    async def complete(self) -> None:
        """Returns once every witness has cosigned, which may be never."""
        await self._complete.wait()

    def _judge(self) -> None:
        if self._policy.is_met_by(frozenset(self._timely)):
            self._met.set()
        elif self._settling is None and self._policy.is_met_by(frozenset(self._lines)):
            self._settling = asyncio.get_running_loop().call_later(UNTIMELY_SECONDS, self._met.set)
        if len(self._lines) == self._asked:
            self._complete.set()


class Cosigning:
    """`begin` a round from any task while `run` runs."""

    def __init__(
        self,
        policy: LogPolicy,
        witnesses: Mapping[str, WitnessPort],
        prove: Prove,
        clock: Callable[[], datetime],
    ) -> None:
        """`witnesses` by the names that the policy gives them; `clock` is the log's own."""
        self._policy = policy
        keys = policy.witnesses
        self._workers = [_Worker(name, port, keys[name], prove, clock) for name, port in witnesses.items()]
        self._round: Round | None = None
        self._announced = asyncio.Event()

    def begin(self, head: SignedHead) -> Round:
        """Asks all witnesses to cosign this head; every call asks anew, also for the same tree."""
        number = 1 if self._round is None else self._round.number + 1
        self._round = Round(number, head, self._policy, len(self._workers))
        self._announced.set()
        self._announced = asyncio.Event()
        return self._round

    async def run(self) -> None:
        """Works until cancelled."""
        async with asyncio.TaskGroup() as group:
            for worker in self._workers:
                group.create_task(self._work(worker))

    async def _work(self, worker: _Worker) -> None:
        handled = 0
        while True:
            current = await self._newer_than(handled)
            try:
                cosignature = await worker.ask(current.head)
            except LedgerError as error:
                self._note_failure(worker, error, current)
                await asyncio.sleep(worker.next_pause())
                continue
            handled = current.number
            worker.note_success(cosignature)
            current.add(worker.name, cosignature)

    async def _newer_than(self, number: int) -> Round:
        while self._round is None or self._round.number <= number:
            await self._announced.wait()
        return self._round

    def _note_failure(self, worker: _Worker, error: LedgerError, current: Round) -> None:
        worker.note_failure(error)
        ahead = {each.name for each in self._workers if each.is_ahead}
        others = frozenset(each.name for each in self._workers) - ahead
        if ahead and not self._policy.is_met_by(others):
            current.fail(LedgerRolledBack("witnesses have cosigned a larger tree than this database holds"))


class _Worker:
    """What is known about one witness. Log lines only when something changes: a dead one stays dead for long."""

    def __init__(
        self, name: str, port: WitnessPort, key: VerifierKey, prove: Prove, clock: Callable[[], datetime]
    ) -> None:
        self.name = name
        self.is_ahead = False
        self._port = port
        self._key = key
        self._prove = prove
        self._clock = clock
        self._known_size = 0
        self._failures = 0
        self._told = False

    async def ask(self, head: SignedHead) -> Cosignature:
        """The witness's verified cosignature on this head; raises a LedgerError."""
        size = head.checkpoint.size
        for _ in range(ATTEMPTS):
            try:
                cosignature = await self._add_checkpoint(head, size)
            except WitnessConflict as conflict:
                self.is_ahead = conflict.known_size > size
                if self.is_ahead:
                    raise
                self._known_size = conflict.known_size
            else:
                self._known_size, self.is_ahead = size, False
                return cosignature
        raise WitnessFailed("the witness names another size each time")

    async def _add_checkpoint(self, head: SignedHead, size: int) -> Cosignature:
        proof = await self._prove(self._known_size, size)
        try:
            async with asyncio.timeout(WITNESS_SECONDS):
                line = await self._port.add_checkpoint(self._known_size, proof, head.note.encode())
        except TimeoutError:
            raise WitnessFailed("the witness does not answer") from None
        return self._verified(head, line)

    def _verified(self, head: SignedHead, line: bytes) -> Cosignature:
        signatures = parse_signatures(line)
        mine = self._key.find(Note(head.note.text, signatures))
        if mine is None or len(signatures) != 1:
            raise WitnessFailed("the witness answers something else than its one cosignature")
        moment = self._key.verify_cosignature(head.note.text, mine.signature)
        return Cosignature(mine.line(), abs(moment - self._clock()) <= TIMELY)

    def note_failure(self, error: LedgerError) -> None:
        self._failures += 1
        if self.is_ahead:
            _log.error("witness is ahead of the log", witness=self.name, code=type(error).__name__)
        elif self._failures == 1:
            _log.warning("witness does not cosign", witness=self.name, code=type(error).__name__, detail=str(error))

    def note_success(self, cosignature: Cosignature) -> None:
        if self._failures:
            _log.info("witness cosigns again", witness=self.name, attempt=self._failures)
        self._failures = 0
        if not cosignature.timely and not self._told:
            self._told = True  # once: a clock that is nearly right would say so every second
            _log.warning("witness dates otherwise", witness=self.name)

    def next_pause(self) -> float:
        return float(min(LONGEST_PAUSE_SECONDS, PAUSE_SECONDS * 2 ** min(self._failures - 1, 8)))
