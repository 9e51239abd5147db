"""What the tail teaches: the state of consents, the head of each group's approval chain, registered keys, decisions.

A pure function over verified entries: `touched` says which facts a batch of entries speaks of, whoever stores them
loads those, and `project` returns them as they are after the batch. Rules:

 1. Only the newest version of a consent id counts; the ones before it are superseded. Of two statements recorded under
    the same version the first counts.
 2. ACTIVE ⇄ PAUSED → REVOKED, EXPIRED. Nothing leaves REVOKED or EXPIRED, not even a newer version: whoever writes the
    ledger could otherwise undo the company's word.
 3. A move counts only for the version in force.
 4. An approval counts when it follows its group's head (sequence + 1, and `previous` is the head's digest); the first
    has sequence 1. What does not follow is ignored, so that nobody can fork the chain.
 5. Keys are added and never taken away.
 6. Of decisions only those are remembered that can still be acted upon.

The gateway wrote these entries and is not trusted: the statements behind them are verified with each evidence bundle,
and the digests here only say which of them were recorded, and in which order. Entries of other kinds teach nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from consentgate.errors import ConsentgateError, ErrorCode
from ledger.entry import ZERO_HASH, Entry


class ConsentState(StrEnum):
    """Where the newest version of a consent stands on the ledger."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"


TERMINAL = frozenset({ConsentState.REVOKED, ConsentState.EXPIRED})
MOVES = {
    "consent.paused": ConsentState.PAUSED,
    "consent.resumed": ConsentState.ACTIVE,
    "consent.revoked": ConsentState.REVOKED,
    "consent.expired": ConsentState.EXPIRED,
}
APPROVALS = frozenset({"scorecard.approved", "scorecard.retired"})
TEACHING = frozenset({"consent.granted", "key.registered", "query.decision", *MOVES, *APPROVALS})
"""Kinds of entries that a projection learns from."""

_UNUSABLE = {
    ConsentState.PAUSED: ErrorCode.CONSENT_PAUSED,
    ConsentState.REVOKED: ErrorCode.CONSENT_REVOKED,
    ConsentState.EXPIRED: ErrorCode.CONSENT_EXPIRED,
}


@dataclass(frozen=True)
class ConsentFact:
    """The version in force of one consent id. `resumed_at` is the index of its newest `consent.resumed`, -1 if none."""

    version: int
    digest: str
    state: ConsentState
    resumed_at: int = -1

    def check_usable(self, version: int, digest: str) -> None:
        """Raises unless this very statement is in force and ACTIVE: CONSENT_REVOKED, _PAUSED, _EXPIRED, _VERSION."""
        if self.state is not ConsentState.ACTIVE:
            raise ConsentgateError(_UNUSABLE[self.state], field="consent_jws")
        if version != self.version:
            raise ConsentgateError(
                ErrorCode.CONSENT_VERSION,
                field="consent_jws.version",
                hint="The ledger knows another newest version of this consent; ask under that one.",
            )
        if digest != self.digest:
            raise ConsentgateError(
                ErrorCode.CONSENT_VERSION,
                field="consent_jws",
                hint="The ledger recorded another statement under this consent id and version.",
            )


@dataclass(frozen=True)
class ApprovalHead:
    """The newest link of one group's approval chain."""

    sequence: int
    digest: str


@dataclass(frozen=True)
class DecisionFact:
    """A recorded decision: the hash of its leaf, and its time as the leaf spells it."""

    leaf_hash: str
    ts: str


@dataclass(frozen=True)
class RegisteredKey:
    """A recipient key and the bank (last part of its SPIFFE id) that registered it."""

    institution: str
    key_id: str


@dataclass(frozen=True)
class Lesson:
    """An entry that teaches, with the hash of its leaf."""

    entry: Entry
    leaf_hash: str


@dataclass(frozen=True)
class Projection:
    """Facts: by consent id, by group, by key, by index of the decision."""

    consents: Mapping[str, ConsentFact] = field(default_factory=dict)
    approvals: Mapping[str, ApprovalHead] = field(default_factory=dict)
    keys: frozenset[RegisteredKey] = frozenset()
    decisions: Mapping[int, DecisionFact] = field(default_factory=dict)


@dataclass(frozen=True)
class Touched:
    """What a batch of entries speaks of: consent ids and groups whose facts must be known to judge it."""

    consents: frozenset[str]
    groups: frozenset[str]


def touched(lessons: Iterable[Lesson]) -> Touched:
    """The facts that `project` needs to be given."""
    consents, groups = set(), set()
    for lesson in lessons:
        entry = lesson.entry
        if entry.kind == "consent.granted" or entry.kind in MOVES:
            consents.add(str(entry.body["consent_id"]))
        elif entry.kind in APPROVALS:
            groups.add(str(entry.body["group"]))
    return Touched(frozenset(consents), frozenset(groups))


def project(before: Projection, lessons: Iterable[Lesson], decisions_since: str) -> Projection:
    """`before` after these entries, in order; decisions dated before `decisions_since` are not remembered."""
    consents, approvals = dict(before.consents), dict(before.approvals)
    keys, decisions = set(before.keys), dict(before.decisions)
    for lesson in lessons:
        entry, body = lesson.entry, lesson.entry.body
        if entry.kind == "consent.granted":
            consent_id = str(body["consent_id"])
            consents[consent_id] = _granted(consents.get(consent_id), entry)
        elif entry.kind in MOVES:
            _move(consents, entry)
        elif entry.kind in APPROVALS:
            _approve(approvals, entry)
        elif entry.kind == "key.registered":
            keys.add(RegisteredKey(str(body["institution"]), str(body["key_id"])))
        elif entry.kind == "query.decision" and entry.ts >= decisions_since:
            decisions[entry.seq] = DecisionFact(lesson.leaf_hash, entry.ts)
    return Projection(consents, approvals, frozenset(keys), decisions)


def _granted(known: ConsentFact | None, entry: Entry) -> ConsentFact:
    """Rules 1 and 2."""
    version, digest = _integer(entry, "version"), str(entry.body["digest"])
    if known is not None and (known.state in TERMINAL or version <= known.version):
        return known
    return ConsentFact(version, digest, ConsentState.ACTIVE)


def _move(consents: dict[str, ConsentFact], entry: Entry) -> None:
    """Rules 2 and 3."""
    consent_id = str(entry.body["consent_id"])
    known = consents.get(consent_id)
    if known is None or known.state in TERMINAL or _integer(entry, "version") != known.version:
        return
    resumed_at = entry.seq if entry.kind == "consent.resumed" else known.resumed_at
    consents[consent_id] = replace(known, state=MOVES[entry.kind], resumed_at=resumed_at)


def _approve(approvals: dict[str, ApprovalHead], entry: Entry) -> None:
    """Rule 4."""
    group = str(entry.body["group"])
    head = approvals.get(group, ApprovalHead(0, ZERO_HASH))
    sequence, previous = _integer(entry, "sequence"), str(entry.body["previous"])
    if (sequence, previous) == (head.sequence + 1, head.digest):
        approvals[group] = ApprovalHead(sequence, str(entry.body["approval"]))


def _integer(entry: Entry, name: str) -> int:
    value = entry.body[name]
    if not isinstance(value, int):
        raise TypeError(f"{name} of a {entry.kind} entry is checked by the entry parser")
    return value
