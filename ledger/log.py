"""The log: entries in, receipts out. Puts together sequencer, head signer, witnesses and what is published.

    append → queue → batch → commit (durable)            ledger.sequencer
           → stored bytes read again → signed, second place   ledger.head_signer
           → cosigned by the quorum                           ledger.cosigning
           → published, receipts made                         ledger.published

Commits go on while a head is being cosigned; the next head then takes all of them at once. While nothing is added, the
same head is cosigned again every second, so that verifiers can tell a quiet log from one that stopped.

After trouble that writing could make worse (an old database, altered bytes, a second sequencer) the log is *read-only*:
`check` raises, appends are refused, nothing is signed, and what was published stays readable. Only a restart ends that.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import structlog

from ledger.cosigning import Cosigning, Round, WitnessPort
from ledger.errors import (
    HeadConflict,
    KeyInvalid,
    LedgerError,
    LedgerReadOnly,
    LedgerStopped,
    PolicyInvalid,
    QuorumNotMet,
    StorageFailed,
)
from ledger.head_signer import HeadSigner
from ledger.note import MAX_SIGNATURES, Signer
from ledger.policy import LogPolicy
from ledger.published import Publication, Published
from ledger.receipt import AppendReceipt
from ledger.second_place import SecondPlace
from ledger.sequencer import Sequencer
from ledger.storage.interface import LogStorage
from ledger.witness import utc_now

REFRESH_SECONDS = 1.0
"""Between two cosigned checkpoints of a quiet log; verifiers call one older than their bound (5 s) stale."""
FRESH_SECONDS = 1.5
"""A repeated append gets a checkpoint that was begun at most this long ago."""
STALE_SECONDS = 4.0
"""Without a new cosigned checkpoint for this long the log is not well."""
QUORUM_SECONDS = 5.0
"""An append waits this long for its witnesses; the entry is durable then, and the caller repeats."""
ROUND_SECONDS = 2.0
"""Before a head without quorum makes room for a newer one."""
GRACE_SECONDS = 0.25
"""A refreshed checkpoint, for which nobody waits, waits this long for witnesses beyond the quorum."""
STORAGE_PAUSE_SECONDS = 0.25
"""Before a head is signed again after the storage failed."""
PROVE_THREADS = 2
"""Signing, witnesses' proofs and receipts: what appends wait for."""
READ_THREADS = 4
"""Everything that others read."""
OPENING_KIND = "log.opened"

_log = structlog.get_logger("ledger.log")


@dataclass(frozen=True)
class LogParts:
    """Everything a log works with. `witnesses` bear the names that the policy gives them."""

    signer: Signer
    policy: LogPolicy
    storage: LogStorage
    second_place: Path
    witnesses: Mapping[str, WitnessPort] = field(default_factory=dict)
    clock: Callable[[], datetime] = utc_now


class Log:
    """One log in one process. `run` must run for anything but reads to go on; it closes the storage at its end."""

    def __init__(self, parts: LogParts) -> None:
        """Raises KeyInvalid or PolicyInvalid when signer, witnesses and policy do not belong together."""
        _check_parts(parts)
        self._parts = parts
        self._writing = ThreadPoolExecutor(1, "ledger-write")
        self._proving = ThreadPoolExecutor(PROVE_THREADS, "ledger-prove")
        self._reading = ThreadPoolExecutor(READ_THREADS, "ledger-read")
        keys = [key for key in parts.policy.logs if key.name == parts.signer.name]
        self._head_signer = HeadSigner(parts.storage, SecondPlace(parts.second_place, keys), parts.signer)
        self.published = Published(parts.storage, self._reading, self._proving)
        prove = self.published.stored_consistency_proof
        self._cosigning = Cosigning(parts.policy, parts.witnesses, prove, parts.clock)
        self._sequencer = Sequencer(
            parts.storage, self._head_signer.load, parts.clock, self._writing, self._note_growth
        )
        self._recorded_size = 0
        self._grown = asyncio.Event()
        self._opened = asyncio.Event()
        self._keeping: asyncio.Future[None] | None = None
        self._fault: LedgerError | None = None
        self._closed = False

    @property
    def origin(self) -> str:
        """The log's name."""
        return self._parts.signer.name

    async def append(self, kind: str, body: Mapping[str, object], key: str | None) -> AppendReceipt:
        """Records one entry and returns when its checkpoint is cosigned by the quorum.

        A known `key` returns the entry recorded first, with a proof under a fresh checkpoint. Raises LedgerFull,
        EntryInvalid, LedgerReadOnly: nothing was written; StorageFailed, LedgerStopped: unknown; QuorumNotMet: the
        entry is durable. After the last three, repeat with the same key.
        """
        self._require_writable()
        try:
            async with asyncio.timeout(QUORUM_SECONDS):
                await self._opened.wait()
        except TimeoutError:
            raise LedgerStopped("the log is not open yet") from None
        self._require_writable()  # what ends all writing ends the waiting, too
        recorded = await self._sequencer.add(kind, body, key)
        not_before = time.monotonic() - FRESH_SECONDS if recorded.existing else float("-inf")
        try:
            async with asyncio.timeout(QUORUM_SECONDS):
                receipt = await self.published.await_receipt(recorded.seq, not_before)
        except TimeoutError:
            raise QuorumNotMet("the entry is durable, but too few witnesses cosigned it yet") from None
        return AppendReceipt(receipt.leaf, receipt.proof, recorded.existing)

    def check(self) -> None:
        """Raises while the log cannot do its work: read-only, storage in trouble, or no quorum for a while."""
        self._require_writable()
        if not self._sequencer.is_settled or not self._opened.is_set():
            raise StorageFailed("the history is not read yet, or a commit failed")
        newest = self.published.newest
        if newest is None or time.monotonic() - newest.begun > STALE_SECONDS:
            raise QuorumNotMet("no fresh checkpoint has been cosigned")

    async def run(self) -> None:
        """Works until cancelled; in read-only state it only waits for that."""
        try:
            await self._restore_publication()
            await self._work()
            await asyncio.Event().wait()
        finally:
            self.close()

    def close(self) -> None:
        """Ends what is under way. For a log that never ran; `run` does it itself."""
        if self._closed:
            return
        self._closed = True
        self._fault = self._fault or LedgerStopped("the log was closed")
        self._opened.set()
        self._sequencer.refuse_all(self._fault)
        self.published.refuse_all(self._fault)
        self._writing.shutdown(wait=True, cancel_futures=True)
        self._put_newest()
        self._proving.shutdown(wait=True, cancel_futures=True)
        self._reading.shutdown(wait=True, cancel_futures=True)
        self._parts.storage.close()

    async def _work(self) -> None:
        """Until cancelled, or until writing must end."""
        works = (self._sequencer.run(), self._cosigning.run(), self._publish_heads(), self._open())
        tasks = [asyncio.create_task(work) for work in works]
        try:
            # Not a TaskGroup: one that fails while it is cancelled forgets that it was cancelled (Python 3.11).
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        # Two tasks can come upon the same trouble at once: that is one alarm.
        faults = {(type(fault), str(fault)): fault for fault in outcomes if isinstance(fault, Exception)}
        for fault in faults.values():
            if not isinstance(fault, LedgerReadOnly | HeadConflict):
                raise fault
            self._end_writing(fault)

    async def _open(self) -> None:
        """`log.opened` is the first entry of every log; its key makes this the same at every start."""
        while not self._opened.is_set():
            with contextlib.suppress(StorageFailed):
                await self._sequencer.add(OPENING_KIND, {}, OPENING_KIND)
                self._opened.set()

    async def _publish_heads(self) -> None:
        while True:
            await self._until_due()
            try:
                await self._publish_head()
            except QuorumNotMet as error:
                _log.warning("no quorum", code=type(error).__name__, size=self._recorded_size)
            except StorageFailed as error:
                _log.error("head not signed", code=type(error).__name__, detail=str(error))
                await asyncio.sleep(STORAGE_PAUSE_SECONDS)

    async def _until_due(self) -> None:
        """Until there is something new, or the newest checkpoint is to be cosigned again."""
        deadline = self._begun + REFRESH_SECONDS
        while not self._has_news:
            left = deadline - time.monotonic()
            if left <= 0:
                return
            self._grown.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._grown.wait()

    async def _publish_head(self) -> None:
        begun = time.monotonic()
        self._grown.clear()
        head = await asyncio.get_running_loop().run_in_executor(self._proving, self._head_signer.sign)
        if head is None:  # an empty log: until its first entry
            await self._grown.wait()
            return
        current = self._cosigning.begin(head)
        await current.quorum(ROUND_SECONDS)
        await self._grant_grace(current)
        publication = Publication(current.note(), head.checkpoint, begun)
        self.published.publish(publication)
        current.when_joined(lambda: self.published.enrich(publication, current.note()))
        self._keep_newest()

    async def _grant_grace(self, current: Round) -> None:
        """While nobody waits for this head or a newer one, slower witnesses may join."""
        newest = self.published.newest
        if newest is None or current.head.checkpoint.size > newest.checkpoint.size or self._has_news:
            return
        self._grown.clear()
        waits = [asyncio.create_task(current.complete()), asyncio.create_task(self._grown.wait())]
        await asyncio.wait(waits, timeout=GRACE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    def _keep_newest(self) -> None:
        """Gives the storage the checkpoint for offline readers, one at a time: what is newest when its turn comes."""
        if self._keeping is not None and not self._keeping.done():
            return
        self._keeping = asyncio.get_running_loop().run_in_executor(self._writing, self._put_newest)

    def _put_newest(self) -> None:
        newest = self.published.newest
        if newest is None:
            return
        try:
            self._parts.storage.put_checkpoint(newest.checkpoint.size, newest.note)
        except LedgerError as error:
            _log.warning("checkpoint not kept", code=type(error).__name__, detail=str(error))

    async def _restore_publication(self) -> None:
        """What an earlier process published last can be read until there is something newer; it is not fresh."""
        try:
            note = await asyncio.get_running_loop().run_in_executor(self._reading, self._parts.storage.checkpoint)
            if note is not None:
                self.published.publish(Publication(note, self._parts.policy.check(note).checkpoint, float("-inf")))
        except LedgerError as error:
            _log.warning("kept checkpoint not used", code=type(error).__name__, detail=str(error))

    @property
    def _begun(self) -> float:
        newest = self.published.newest
        return float("-inf") if newest is None else newest.begun

    @property
    def _has_news(self) -> bool:
        newest = self.published.newest
        return self._recorded_size > (0 if newest is None else newest.checkpoint.size)

    def _note_growth(self, size: int) -> None:
        self._recorded_size = size
        self._grown.set()

    def _end_writing(self, fault: LedgerError) -> None:
        self._fault = fault
        self._opened.set()
        _log.error("alarm: the ledger is read-only", code=type(fault).__name__, detail=str(fault))
        self._sequencer.refuse_all(fault)
        self.published.refuse_all(fault)

    def _require_writable(self) -> None:
        if self._fault is not None:
            # Raised again and again, and without the tracebacks of all former times.
            raise self._fault.with_traceback(None)


def _check_parts(parts: LogParts) -> None:
    if parts.signer.verifier_key not in parts.policy.logs:
        raise KeyInvalid("the policy does not list the log's signing key")
    if unknown := set(parts.witnesses) - set(parts.policy.witnesses):
        raise PolicyInvalid(f"{len(unknown)} of the log's witnesses are not in the policy")
    if len(parts.witnesses) >= MAX_SIGNATURES:  # beside the log's own
        raise PolicyInvalid(f"a note bears the cosignatures of {MAX_SIGNATURES - 1} witnesses at most")
    if not parts.policy.is_met_by(frozenset(parts.witnesses)):
        raise PolicyInvalid("the log's witnesses together are no quorum of the policy")
