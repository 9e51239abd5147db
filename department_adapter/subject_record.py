"""What the ledger says about one subject token, read anew from its beginning and verified leaf by leaf.

For an erasure: the tail's projection knows consents but not whose they are, and what it follows may be minutes old when
no adapter runs. Whatever is read must lead through what this department verified before, and end at a checkpoint that
the quorum cosigned just now. Nothing but the entries of this one token is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime

from consentgate.anchors import Anchors
from consentgate.errors import ConsentgateError, ErrorCode
from department_adapter.ledger_feed import Extension, LedgerFeed
from department_adapter.projection import TERMINAL, ConsentFact, Lesson, Projection, project
from department_adapter.state.tail import Position
from ledger.chain import Chain
from ledger.entry import Entry, leaf_hash
from ledger.errors import ConsistencyInvalid, LedgerError, QuorumNotMet
from ledger.history import subject_of
from ledger.verify import check_head

STALE_CHECKPOINTS = 10
"""Checkpoints at the log's end that may be too old before it counts as stale; the ledger sends one every other second.
"""
USES = frozenset({"query.decision", "query.release"})
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%f%z"


@dataclass(frozen=True)
class SubjectRecord:
    """Consents by id, how long any version of them is valid at most, when the token was last used, and how many entries
    say so.
    """

    consents: dict[str, ConsentFact] = field(default_factory=dict)
    valid_until: dict[str, datetime] = field(default_factory=dict)
    last_use: datetime | None = None
    entries: int = 0

    def ended(self, now: datetime) -> frozenset[str]:
        """Consents that nobody can use again: revoked or expired on the ledger, or over by their own time."""
        return frozenset(
            name for name, fact in self.consents.items() if fact.state in TERMINAL or self.valid_until[name] <= now
        )


async def read_record(
    feed: LedgerFeed, known: Position | None, anchors: Anchors, token: str, clock: Callable[[], datetime]
) -> SubjectRecord:
    """Raises LEDGER_UNAVAILABLE, LEDGER_STALE, LEDGER_QUORUM, and LEDGER_INVALID for a history that does not hold."""
    origins = {log.name for log in anchors.log_policy.logs}
    reading = _Reading(Chain(next(iter(origins))), known, token)
    stale = 0
    try:
        async with aclosing(feed.follow(0)) as extensions:
            async for extension in extensions:
                cosigned_at = await asyncio.to_thread(reading.take, extension, anchors)
                if cosigned_at is None or not reading.reached:
                    continue
                if abs(clock() - cosigned_at) <= anchors.freshness:
                    return reading.record()
                stale += 1
                if stale > STALE_CHECKPOINTS:
                    break
    except QuorumNotMet as error:
        raise ConsentgateError(ErrorCode.LEDGER_QUORUM, private=type(error).__name__) from error
    except LedgerError as error:
        raise ConsentgateError(ErrorCode.LEDGER_INVALID, private=type(error).__name__) from error
    raise ConsentgateError(ErrorCode.LEDGER_STALE, field="ledger")


class _Reading:
    """The chain so far, and the entries of one token in it."""

    def __init__(self, chain: Chain, known: Position | None, token: str) -> None:
        self._chain = chain
        self._known = None if known is None else known.chain
        self._token = token
        self._lessons: list[Lesson] = []
        self._entries: list[Entry] = []

    @property
    def reached(self) -> bool:
        """Whether everything that this department had verified was read."""
        return self._known is None or self._chain.size >= self._known.size

    def take(self, extension: Extension, anchors: Anchors) -> datetime | None:
        """Adds leaves; when a checkpoint closes them, its time by the witnesses' clocks. Raises a LedgerError."""
        self._chain, entries = self._chain.extend(extension.leaves)
        for leaf, entry in zip(extension.leaves, entries, strict=True):
            digest = leaf_hash(leaf).hex()
            if self._known is not None and entry.seq == self._known.size - 1 and digest != self._known.last:
                raise ConsistencyInvalid(f"leaf {entry.seq} is not the one that was verified before")
            if subject_of(entry) == self._token:
                self._entries.append(entry)
                self._lessons.append(Lesson(entry, digest))
        if not extension.checkpoint:
            return None
        witnessed = anchors.log_policy.check(extension.checkpoint)
        check_head(self._chain, witnessed.checkpoint)
        return witnessed.cosigned_at

    def record(self) -> SubjectRecord:
        """What the entries say together; pure."""
        consents = dict(project(Projection(), self._lessons, "").consents)
        valid_until: dict[str, datetime] = {}
        for entry in self._entries:
            if entry.kind == "consent.granted":
                name, until = str(entry.body["consent_id"]), _time(str(entry.body["valid_until"]))
                valid_until[name] = max(until, valid_until.get(name, until))
        uses = [_time(entry.ts) for entry in self._entries if entry.kind in USES]
        return SubjectRecord(consents, valid_until, max(uses, default=None), len(self._entries))


def _time(text: str) -> datetime:
    return datetime.strptime(text, TIME_FORMAT).astimezone(UTC)
