"""What `ledger.fsck` reads of a database: every row as it stands, in one snapshot, streamed in order of seq.

Implementations judge nothing but what only the database itself can say: whether its pages and indexes agree, and
whether tables, indexes and triggers are those of the migrations. Memory does not grow with the log: rows of all tables
are merged as they come.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self

from ledger.merkle import MAX_TREE
from ledger.storage.interface import Head
from ledger.tree import NodeId

MAX_STRAYS = 100
"""Rows without an entry that are named, per table."""
MAX_LEVEL = 52
"""Highest level of a node: 2^53 - 1 leaves have no higher complete subtree."""

ENTRIES = (
    "SELECT entry.seq, leaf, leaf_hash, key, binding,"
    " searchable.seq, kind, ts, subject, institution, purpose, verdict, reason"
    " FROM entry LEFT JOIN searchable ON searchable.seq = entry.seq ORDER BY entry.seq"
)
CATEGORIES = "SELECT seq, category FROM category ORDER BY seq"
KEYS = "SELECT seq, key FROM idempotency ORDER BY seq"
INDEXES = ("searchable", "category", "idempotency")
"""Tables of the index; all have a column seq."""
NODES = f"""SELECT ((position + 1) << level) - 1 AS completed, level, position, hash FROM node
    WHERE level <= {MAX_LEVEL} AND position < {MAX_TREE + 1} >> level ORDER BY completed, level"""  # noqa: S608 - constants
"""Each node with the leaf that completes it: the order in which they are derived again. Those of no possible tree are
strays, and left out here: numbers could overflow.
"""


class SearchableRow(NamedTuple):
    """What the table `searchable` says of an entry."""

    kind: str
    ts: str
    subject: str | None
    institution: str | None
    purpose: str | None
    verdict: str | None
    reason: str | None


@dataclass(frozen=True)
class Found:
    """What the index says of one seq; `searchable` is None when that row is missing."""

    searchable: SearchableRow | None
    categories: frozenset[str]
    keys: frozenset[str]


NOTHING = Found(None, frozenset(), frozenset())
"""Of an entry that is not indexed yet."""


@dataclass(frozen=True)
class StoredEntry:
    """All rows that belong to one seq. `key` and what binds it to the leaf are None for an entry without a key. `nodes`
    are those that the leaf completes.
    """

    seq: int
    leaf: bytes
    leaf_hash: bytes
    key: str | None
    binding: bytes | None
    found: Found
    nodes: Mapping[NodeId, bytes]


class Stray(NamedTuple):
    """A row that belongs to no entry, or to no complete subtree."""

    table: str
    where: str


class Audit(Protocol):
    """One snapshot of a database; use as a context. Raises StorageFailed when it cannot be read."""

    def __enter__(self) -> Self:
        """Begins nothing: the snapshot was taken when the audit was opened."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the snapshot."""
        ...

    def damage(self) -> list[str]:
        """What the database finds wrong with its own pages, indexes and constraints; empty when all is well."""
        ...

    def altered_schema(self) -> list[str]:
        """Names of tables, indexes and triggers that are missing, foreign, or not as the migrations made them."""
        ...

    def head(self) -> Head | None:
        """The head row."""
        ...

    def checkpoint(self) -> tuple[int, bytes] | None:
        """Size column and note of the newest witnessed checkpoint."""
        ...

    def indexed(self) -> int:
        """How many entries, from the first on, the index has; 0 where there is none of this log."""
        ...

    def entries(self) -> Iterator[StoredEntry]:
        """All entries with what belongs to them, in order of seq."""
        ...

    def strays(self, size: int) -> list[Stray]:
        """Rows of the other tables that belong to no entry, and nodes that `size` leaves do not complete."""
        ...


Rows = Iterator[tuple[Any, ...]]


def merged(entries: Rows, categories: Rows, keys: Rows, nodes: Rows) -> Iterator[StoredEntry]:
    """The rows of ENTRIES, CATEGORIES, KEYS and NODES, together by seq."""
    category_groups, key_groups, node_groups = _Groups(categories), _Groups(keys), _Groups(nodes)
    for seq, leaf, leaf_hash, key, binding, is_found, *columns in entries:
        found = Found(
            searchable=None if is_found is None else SearchableRow(*columns),
            categories=frozenset(row[1] for row in category_groups.take(seq)),
            keys=frozenset(row[1] for row in key_groups.take(seq)),
        )
        completed = {NodeId(*row[1:3]): blob(row[3]) for row in node_groups.take(seq)}
        yield StoredEntry(
            seq, blob(leaf), blob(leaf_hash), key, None if binding is None else blob(binding), found, completed
        )


def blob(value: object) -> bytes:
    """Nothing, and so wrong, where a crafted SQLite file holds a value of another type than the column's."""
    return value if isinstance(value, bytes) else b""


class _Groups:
    """Rows that begin with seq, in order of it, taken a seq at a time; those of seqs nobody takes are passed over."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._next = next(rows, None)

    def take(self, seq: int) -> list[tuple[Any, ...]]:
        taken = []
        while self._next is not None and self._next[0] <= seq:
            if self._next[0] == seq:
                taken.append(self._next)
            self._next = next(self._rows, None)
        return taken
