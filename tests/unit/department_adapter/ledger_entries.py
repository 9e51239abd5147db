"""Entries of a log in memory, and a feed that shows it to a tail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from consentgate.errors import ConsentgateError, ErrorCode
from department_adapter.ledger_feed import Extension
from department_adapter.projection import Lesson
from ledger.entry import ZERO_HASH, leaf_hash, parse
from ledger.receipt import Receipt
from tests.support.federation import NOW, hex16
from tests.support.witnessed_log import QUORUM, WitnessedLog

CONSENT = hex16("consent")
SUBJECT = hex16("subject")
GROUP = "group-a"


def digest(label: str) -> str:
    """A digest that belongs to `label`."""
    return hex16(label) * 2


def granted(version: int = 1, consent_id: str = CONSENT, statement: str | None = None) -> tuple[str, dict[str, object]]:
    """A `consent.granted` entry."""
    return "consent.granted", {
        "consent_id": consent_id,
        "version": version,
        "digest": digest(statement or f"consent {version}"),
        "subject": SUBJECT,
        "group": GROUP,
        "institution": "bank-a",
        "purpose": "credit.origination",
        "use": "SCORE",
        "categories": ["tax.declarations"],
        "valid_from": "2026-01-01T00:00:00.000000Z",
        "valid_until": "2027-01-01T00:00:00.000000Z",
    }


def moved(kind: str, version: int = 1, consent_id: str = CONSENT) -> tuple[str, dict[str, object]]:
    """A `consent.paused|resumed|revoked|expired` entry."""
    body: dict[str, object] = {"consent_id": consent_id, "version": version, "subject": SUBJECT}
    if kind != "expired":
        body["digest"] = digest(f"{kind} {version}")
    return f"consent.{kind}", body


def link(
    sequence: int, previous: str, label: str, kind: str = "approved", group: str = GROUP
) -> tuple[str, dict[str, object]]:
    """A link of an approval chain."""
    return f"scorecard.{kind}", {
        "group": group,
        "members": ["bank-a"],
        "sequence": sequence,
        "approval": digest(label),
        "previous": previous,
        "scorecards": [digest("scorecard")],
        "scorecard": digest("scorecard"),
    }


def first_link(label: str = "first") -> tuple[str, dict[str, object]]:
    """The beginning of a chain."""
    return link(1, ZERO_HASH, label)


def registered(institution: str = "bank-a", key: str = "key") -> tuple[str, dict[str, object]]:
    """A `key.registered` entry."""
    return "key.registered", {"key_id": digest(key), "institution": institution, "digest": digest("registration")}


def decided(verdict: str = "allow") -> tuple[str, dict[str, object]]:
    """A `query.decision` entry."""
    return "query.decision", {
        "request_id": hex16("request"),
        "request": digest("request"),
        "institution": "bank-a",
        "scorecard": digest("scorecard"),
        "purpose": "credit.origination",
        "use": "SCORE",
        "verdict": verdict,
        "reason": "ALLOWED",
        "rules": [],
    }


def lessons(*entries: tuple[str, dict[str, object]]) -> list[Lesson]:
    """Entries as a tail hands them to the projection."""
    log = WitnessedLog(NOW - timedelta(minutes=10))
    for kind, body in entries:
        log.append(kind, body, NOW)
    return [Lesson(parse(leaf), leaf_hash(leaf).hex()) for leaf in log.leaves]


@dataclass
class LogFeed:
    """Shows a log as the ledger would: everything from `start`, then whatever comes after `publish`.

    `extensions`, when given, replaces that: each stream sends these and then fails as if the ledger went away.
    `answering`, when given, is another log, from which receipts come.
    """

    log: WitnessedLog
    clock: Callable[[], datetime]
    extensions: list[Extension] | None = None
    witnesses: tuple[str, ...] = QUORUM
    batch: int = 1000
    answering: WitnessedLog | None = None
    asked: list[int] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    _published: asyncio.Event = field(default_factory=asyncio.Event)

    def publish(self) -> None:
        """Wakes the stream."""
        self._published.set()

    async def follow(self, start: int) -> AsyncGenerator[Extension, None]:
        """As `LedgerFeed`."""
        self.starts.append(start)
        if self.extensions is not None:
            for extension in self.extensions:
                yield extension
            raise ConsentgateError(ErrorCode.LEDGER_UNAVAILABLE)
        while True:
            end = len(self.log.leaves)
            for index in range(start, end, self.batch):
                stop = min(index + self.batch, end)
                yield Extension(self.log.leaves[index:stop], self.note() if stop == end else b"")
            if start == end:
                yield Extension([], self.note())
            start = end
            await self._published.wait()
            self._published.clear()

    async def receipt(self, index: int) -> Receipt:
        """As `LedgerFeed`."""
        self.asked.append(index)
        log = self.answering or self.log
        if index >= len(log.leaves):
            raise ConsentgateError(ErrorCode.NOT_FOUND)
        return log.receipt(index, self.clock(), witnesses=self.witnesses)

    def note(self, size: int | None = None) -> bytes:
        """A checkpoint cosigned now."""
        return self.log.note(self.clock(), witnesses=self.witnesses, size=size)
