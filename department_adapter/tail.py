"""Following the ledger: every leaf verified, the projection always in step with a witnessed checkpoint (design 3).

Whatever the ledger sends is checked before it counts: each leaf continues the chain that is known, each checkpoint is
signed by the log, cosigned by the quorum of this department's own policy file, and is the head of exactly that chain.
Only then do position and projection move, together in one transaction. A history that contradicts the known one is
refused and said so (`check` raises its error, and so does health), until the ledger shows one that continues it. When
the log itself signed the contradiction, both checkpoints are kept as material for evidence
(`department_adapter.refused`), and the department releases nothing more, over restarts, until an operator has taken
them away.

Freshness is judged by the quorum's cosignatures, not by the arrival of bytes. `Tail.run` is the background task; the
rest answers from memory. Several adapters may share one state database: whoever finds that another was faster takes its
position over. Left out: fetching by ranges (a stream from the known position is enough), and keeping leaves: the ledger
and its exports do that.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from consentgate.anchors import Anchors
from consentgate.database import Database
from consentgate.error_status import translate
from consentgate.errors import ConsentgateError, ErrorCode
from department_adapter.growing_chain import GrowingChain
from department_adapter.learned import Learned
from department_adapter.ledger_feed import LedgerFeed, closing_checkpoint
from department_adapter.refused import RefusedHistory
from department_adapter.state import subjects
from department_adapter.state import tail as store
from department_adapter.state.subjects import VerifiedPrefix
from department_adapter.state.tail import Position
from ledger.chain import Chain
from ledger.entry import format_time
from ledger.errors import LedgerError, QuorumNotMet
from ledger.policy import WitnessedCheckpoint

REMEMBER_DECISIONS = timedelta(minutes=15)
"""Decisions live 60 s; the rest allows for clocks and for a gateway that dates its leaves."""
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 3.0
"""Before the stream is opened again: doubled from the first to the longest, with jitter."""
INTERRUPTIONS = frozenset({ErrorCode.LEDGER_UNAVAILABLE, ErrorCode.STORE_UNAVAILABLE})
"""Trouble that says nothing about the history itself."""

_log = structlog.get_logger("department_adapter.tail")


@dataclass(frozen=True)
class Status:
    """What the tail knows: verified size, when the quorum had seen it (None: nothing yet), and what was wrong with the
    history that was shown last (None: nothing).
    """

    size: int
    cosigned_at: datetime | None
    fault: ErrorCode | None


class Tail:
    """The department's own view of the ledger."""

    def __init__(
        self,
        feed: LedgerFeed,
        database: Database,
        anchors: Anchors,
        clock: Callable[[], datetime],
        patience: timedelta | None = None,
        refused: RefusedHistory | None = None,
    ) -> None:
        """`patience` is how long `reach` waits (default: the freshness bound); `refused` keeps what speaks against the
        log. Raises CONFIG_INVALID unless the policy names exactly one log.
        """
        self._feed = feed
        self._database = database
        self._anchors = anchors
        self._clock = clock
        self._patience = anchors.freshness if patience is None else patience
        self._origin = _only_origin(anchors)
        self._changed = asyncio.Condition()
        self._position = Position(Chain(self._origin), b"")
        self._prefix: VerifiedPrefix | None = None
        self._note = b""
        self._note_size = 0
        self._cosigned_at: datetime | None = None
        self._refused = refused
        self._fault = self._kept_fault()

    @property
    def status(self) -> Status:
        """As of the last message."""
        return Status(self._position.chain.size, self._cosigned_at, self._fault)

    def closing(self, position: Position) -> bytes:
        """The most freshly cosigned note that closes this position."""
        return self._note if self._note_size == position.chain.size else position.note

    def check(self) -> None:
        """Raises the fault of the history shown last, or LEDGER_STALE when the view is older than allowed."""
        if self._fault is not None:
            raise ConsentgateError(self._fault, field="tail")
        if not self._fresh():
            raise ConsentgateError(ErrorCode.LEDGER_STALE, field="tail")

    async def reach(self, size: int) -> None:
        """Waits, with bounded patience, until the view is fresh and holds at least `size` leaves; then raises
        LEDGER_STALE. A fault is not waited out.
        """
        try:
            async with asyncio.timeout(self._patience.total_seconds()), self._changed:
                await self._changed.wait_for(
                    lambda: self._fault is not None or (self._fresh() and self._position.chain.size >= size)
                )
        except TimeoutError:
            raise ConsentgateError(ErrorCode.LEDGER_STALE, field="tail") from None
        self.check()

    def _fresh(self) -> bool:
        """The quorum's cosignatures are neither too old nor from the future."""
        return self._cosigned_at is not None and abs(self._clock() - self._cosigned_at) <= self._anchors.freshness

    async def run(self) -> None:
        """Follows for ever; opens the stream again, after a pause, whenever it ends or shows what cannot be."""
        if self._fault is not None:
            _log.error("alarm: evidence against the log is kept, nothing is released", code=str(self._fault))
        pause = FIRST_PAUSE_SECONDS
        while True:
            before = self._cosigned_at
            try:
                await self._follow()
            except Exception as error:  # a tail that ended silently would let consents look alive
                await self._note_trouble(_understood(error))
            pause = FIRST_PAUSE_SECONDS if self._cosigned_at != before else min(2 * pause, LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, no secret

    async def _follow(self) -> None:
        """One stream, from the stored position."""
        await self._resume()
        growing = self._grow()
        async with aclosing(self._feed.follow(self._position.chain.size)) as extensions:
            async for extension in extensions:
                try:
                    witnessed = await asyncio.to_thread(growing.take, extension, self._anchors)
                except (LedgerError, ConsentgateError):
                    await self._hold_against(await closing_checkpoint(extension, extensions))
                    raise
                if witnessed is None:
                    continue
                if growing.chain.size > self._position.chain.size:
                    await self._advance(growing, extension.checkpoint)
                await self._publish(witnessed, extension.checkpoint)
                growing = self._grow()

    def _grow(self) -> GrowingChain:
        return GrowingChain(self._position.chain, Learned(self._decisions_since()), self._prefix)

    def _decisions_since(self) -> str:
        return format_time(self._clock() - REMEMBER_DECISIONS)

    async def _resume(self) -> None:
        """The stored position, which another adapter on the same state may have moved."""
        stored, self._prefix = await self._database.run(
            lambda session: (store.load_position(session), subjects.load_prefix(session))
        )
        if stored is not None:
            self._position = stored

    async def _advance(self, growing: GrowingChain, note: bytes) -> None:
        """Position and projection in one transaction; raises when another adapter moved them meanwhile."""
        before, after = self._position, Position(growing.chain, note)
        since = self._decisions_since()

        def write(session: Session) -> bool:
            stored = store.load_position(session)
            if (stored or Position(Chain(self._origin), b"")).chain.size != before.chain.size:
                return False
            growing.learned.write(session, since)
            subjects.forget_prefix(session)
            store.save_position(session, after)
            return True

        if not await self._database.run(write):
            raise ConsentgateError(ErrorCode.LEDGER_UNAVAILABLE, private="another adapter was faster")
        self._position, self._prefix = after, None

    async def _publish(self, witnessed: WitnessedCheckpoint, note: bytes) -> None:
        kept = self._kept_fault()
        if self._fault is not None and kept is None:
            _log.info("tail continues", size=self._position.chain.size)
        async with self._changed:
            self._fault = kept
            self._cosigned_at = witnessed.cosigned_at
            self._note, self._note_size = note, witnessed.checkpoint.size
            self._changed.notify_all()

    async def _hold_against(self, shown: bytes) -> None:
        """Keeps the shown checkpoint beside the known one, when the log signed both and cannot have."""
        known = self.closing(self._position)
        if self._refused is not None and shown and known:
            await self._refused.consider(known, shown, self._feed.receipt)

    def _kept_fault(self) -> ErrorCode | None:
        """Evidence that is kept stops the department, whatever the ledger shows now."""
        kept = self._refused is not None and self._refused.speaks_against_the_log()
        return ErrorCode.LEDGER_INVALID if kept else None

    async def _note_trouble(self, error: ConsentgateError) -> None:
        """A ledger that is away makes the view stale by itself; one that contradicts itself makes it worthless."""
        about = {"code": str(error.code), "detail": error.private or "none", "size": self._position.chain.size}
        if error.code in INTERRUPTIONS:
            _log.warning("tail interrupted", **about)
            return
        _log.error("history refused", **about)
        async with self._changed:
            self._fault = self._kept_fault() or error.code
            self._changed.notify_all()


def _understood(error: Exception) -> ConsentgateError:
    """Whatever is wrong with a leaf or a note, the history that it belongs to is not to be believed."""
    if isinstance(error, LedgerError) and not isinstance(error, QuorumNotMet):
        return ConsentgateError(ErrorCode.LEDGER_INVALID, private=type(error).__name__)
    return translate(error)


def _only_origin(anchors: Anchors) -> str:
    origins = {log.name for log in anchors.log_policy.logs}
    if len(origins) != 1:
        raise ConsentgateError(
            ErrorCode.CONFIG_INVALID,
            field="ledger_policy",
            hint="An adapter follows one log: the policy must name exactly one origin.",
        )
    return origins.pop()
