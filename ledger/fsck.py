"""Does a ledger database agree with itself? Whatever can be derived from leaf bytes is derived again and compared.

Leaves are the source: hashes, chain, tree nodes, head and the searchable columns follow from them. Idempotency keys do
not (they are opaque and not in the leaf): each entry of a kind that others append has one, bound to its leaf by a
digest that finds accidents, but not somebody who alters key and digest together.

The index follows the log, so it may lack the newest entries, or be missing. What it has must be right, and complete as
far as it says that it goes.

All findings are collected, each with its place, up to a bound. Whether the database is the one that witnesses saw is
another question, which a policy answers (`ledger verify`); the second place knows whether it is the newest copy.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ledger.checkpoint import Checkpoint
from ledger.entry import ZERO_HASH, Entry, leaf_hash, parse
from ledger.errors import CheckpointInvalid, EntryInvalid
from ledger.export import Progress
from ledger.note import Note
from ledger.storage.audit import NOTHING, Audit, SearchableRow, StoredEntry
from ledger.storage.interface import MAX_KEY, Head, key_binding
from ledger.storage.searchable import searchable
from ledger.tree import Frontier, Node

MAX_FINDINGS = 100
"""Findings that are kept; the others are counted."""
PROGRESS_STEP = 1024
"""Entries between two steps of the progress bar."""
KEYLESS_KINDS = frozenset({"anchor.tsa", "log.closed", "log.opened"})
"""Kinds that the log records of its own accord, without an idempotency key."""


@dataclass(frozen=True)
class Finding:
    """One disagreement: where, and what differs; never a value from a leaf."""

    place: str
    problem: str


@dataclass(frozen=True)
class FsckReport:
    """`entries` were examined; of them, the first `indexed` are in the index, and the first `witnessed` in the stored
    checkpoint, None without one.
    """

    entries: int
    indexed: int
    witnessed: int | None
    findings: tuple[Finding, ...]
    omitted: int

    @property
    def clean(self) -> bool:
        """Nothing was found."""
        return not self.findings


def fsck(audit: Audit, signed: Checkpoint | None = None, progress: Progress | None = None) -> FsckReport:
    """Examines a database; `signed` is the checkpoint in the second place, if that is at hand.

    Raises StorageFailed when the database cannot be read.
    """
    found = _Findings()
    # 1. The database's own structures.
    found.extend("database", audit.damage())
    found.extend("schema", (f"{name} is not as this version made it" for name in audit.altered_schema()))
    # 2. Every entry, and what is derived from it.
    examined = _Examined(audit, found, _sizes_of_interest(audit, signed))
    head = audit.head()
    total = head.size if head is not None else 0
    for number, entry in enumerate(audit.entries(), start=1):
        examined.take(entry)
        if progress is not None and number % PROGRESS_STEP == 0:
            progress(number, max(number, total))
    # 3. What stands for the whole, and rows without an entry.
    examined.finish(head, signed)
    for stray in audit.strays(examined.size):
        found.add(f"{stray.table} {stray.where}", "belongs to no entry")
    return FsckReport(examined.size, examined.indexed, examined.witnessed, tuple(found.kept), found.omitted)


@dataclass
class _Findings:
    kept: list[Finding] = field(default_factory=list)
    omitted: int = 0

    def add(self, place: str, problem: str) -> None:
        if len(self.kept) < MAX_FINDINGS:
            self.kept.append(Finding(place, problem))
        else:
            self.omitted += 1

    def extend(self, place: str, problems: Iterable[str]) -> None:
        for problem in problems:
            self.add(place, problem)


def _sizes_of_interest(audit: Audit, signed: Checkpoint | None) -> set[int]:
    """Tree sizes at which the root will be compared."""
    stored = _stored_checkpoint(audit)
    return {checkpoint.size for checkpoint in (stored, signed) if checkpoint is not None}


def _stored_checkpoint(audit: Audit) -> Checkpoint | None:
    row = audit.checkpoint()
    try:
        return None if row is None else Checkpoint.parse(Note.parse(row[1]).text)
    except CheckpointInvalid:
        return None


class _Examined:
    """The history as the leaf bytes tell it, up to the entry taken last."""

    def __init__(self, audit: Audit, found: _Findings, interesting: set[int]) -> None:
        self._audit = audit
        self._found = found
        self._interesting = interesting
        self._frontier = Frontier()
        self._last = ZERO_HASH
        self._origin: str | None = None
        self._roots: dict[int, bytes] = {0: Frontier().root()}
        self.size = 0
        self.indexed = audit.indexed()
        self.witnessed: int | None = None

    def take(self, stored: StoredEntry) -> None:
        """Examines the next entry."""
        place = f"entry {stored.seq}"
        if stored.seq != self.size:
            self._found.add(f"entry {self.size}", f"is missing; the next one stored is {stored.seq}")
        digest = leaf_hash(stored.leaf)
        if digest != stored.leaf_hash:
            self._found.add(place, "leaf bytes do not have the stored leaf hash")
        try:
            entry = parse(stored.leaf)
        except EntryInvalid as error:
            self._found.add(place, f"leaf is not valid: {error}")
        else:
            self._check_entry(place, entry, stored)
        self._grow(stored, digest)

    def finish(self, head: Head | None, signed: Checkpoint | None) -> None:
        """Examines head, index, stored checkpoint and second place."""
        if self.indexed > self.size:
            self._found.add("index", "says that it has more entries than are stored")
        if head is None:
            self._found.add("head", "is missing")
        elif head != Head(self.size, self._last):
            what = "size" if head.size != self.size else "last leaf hash"
            self._found.add("head", f"{what} is not that of the {self.size} entries stored")
        self._check_checkpoint()
        if signed is not None:
            self._compare_root("second place", signed, behind="the database is an old copy: the log signed further")

    def _check_entry(self, place: str, entry: Entry, stored: StoredEntry) -> None:
        self._origin = self._origin or entry.log
        if entry.seq != stored.seq:
            self._found.add(place, "leaf names another seq")
        if entry.log != self._origin:
            self._found.add(place, "leaf belongs to another log")
        if entry.prev != self._last:
            self._found.add(place, "leaf does not name the hash of the leaf before it")
        self._check_key(place, stored, entry.kind)
        self._check_index(stored, entry)

    def _check_key(self, place: str, stored: StoredEntry, kind: str) -> None:
        if stored.key is None:
            if kind not in KEYLESS_KINDS:
                self._found.add(place, "has no key")
            return
        if not 1 <= len(stored.key) <= MAX_KEY:
            self._found.add(place, f"its key does not have 1 to {MAX_KEY} characters")
        # Either hash will do: that the two differ is told already, and is not the key's fault.
        hashes = (stored.leaf_hash, leaf_hash(stored.leaf))
        if stored.binding not in [key_binding(digest, stored.key) for digest in hashes]:
            self._found.add(place, "its key is not the one that was recorded with this leaf")

    def _check_index(self, stored: StoredEntry, entry: Entry) -> None:
        seq, found = stored.seq, stored.found
        if seq >= self.indexed:
            if found != NOTHING:
                self._found.add(f"searchable {seq}", "is indexed beyond the size that the index says it has")
            return
        expected = searchable(entry)
        if found.searchable is None:
            self._found.add(f"searchable {seq}", "is missing")
        else:
            for column in SearchableRow._fields:
                if getattr(found.searchable, column) != getattr(expected, column):
                    self._found.add(f"searchable {seq}", f"column {column} is not what the leaf says")
        if found.categories != frozenset(expected.categories):
            self._found.add(f"category {seq}", "categories are not those of the leaf")
        if found.keys != frozenset(key for key in (stored.key,) if key is not None):
            self._found.add(f"idempotency {seq}", "the entry's key is not indexed, or another one is")

    def _grow(self, stored: StoredEntry, digest: bytes) -> None:
        self._frontier, completed = self._frontier.extend([digest])
        # After a gap positions no longer match: only the gap is told, not everything that follows from it.
        if self._frontier.size == stored.seq + 1:
            for node in completed:
                self._check_node(node, stored.nodes.get(node.id))
        self._last = digest.hex()
        self.size = stored.seq + 1
        if self._frontier.size in self._interesting:
            self._roots[self._frontier.size] = self._frontier.root()

    def _check_node(self, node: Node, stored: bytes | None) -> None:
        if stored != node.hash:
            problem = "is missing" if stored is None else "is not the hash of the leaves below it"
            self._found.add(f"node {node.id.level}/{node.id.position}", problem)

    def _check_checkpoint(self) -> None:
        row, checkpoint = self._audit.checkpoint(), _stored_checkpoint(self._audit)
        if row is None:
            return
        if checkpoint is None:
            self._found.add("checkpoint", "the stored note is malformed")
            return
        self.witnessed = checkpoint.size
        if row[0] != checkpoint.size:
            self._found.add("checkpoint", "column size is not that of the note")
        self._compare_root("checkpoint", checkpoint, behind="it counts more entries than are stored")

    def _compare_root(self, place: str, checkpoint: Checkpoint, *, behind: str) -> None:
        if self._origin is not None and checkpoint.origin != self._origin:
            self._found.add(place, "belongs to another log than the leaves")
        if checkpoint.size > self.size:
            self._found.add(place, behind)
        elif self._roots.get(checkpoint.size) != checkpoint.root:
            self._found.add(place, f"the first {checkpoint.size} leaves do not hash to its root")
