"""A log in files at hand: an export or a database, read without asking the ledger, and therefore unrecorded.

Only what the stored checkpoint counts is shown. Nothing here is verified but that a receipt's path leads to the
checkpoint's root; commands verify against a policy when they are given one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Protocol

from ledger.checkpoint import Checkpoint
from ledger.entry import leaf_hash, parse
from ledger.errors import ExportInvalid, NotFound
from ledger.export import WRITE_CHUNK, read_checkpoint, read_leaves, read_tile
from ledger.merkle import verify_inclusion
from ledger.note import Note
from ledger.proof import TlogProof
from ledger.receipt import Receipt
from ledger.search import matches
from ledger.storage.interface import LogReader
from ledger.storage.searchable import SearchFilters
from ledger.tiles import nodes_from_tiles
from ledger.tree import NodeId, stored_inclusion_proof
from ledger_service.storages import open_reader

CACHED_TILES = 64
"""Tiles kept while a proof is made; it needs two per level and side."""


class LocalLog(Protocol):
    """What the offline commands need."""

    note: bytes
    checkpoint: Checkpoint

    def leaves(self) -> Iterator[bytes]:
        """All leaves that the checkpoint counts, or as many as there are."""
        ...

    def leaf(self, seq: int) -> bytes:
        """One leaf; raises NotFound beyond the checkpoint."""
        ...

    def nodes(self, ids: Sequence[NodeId]) -> Mapping[NodeId, bytes]:
        """Hashes of complete subtrees."""
        ...

    def search(self, filters: SearchFilters, after_seq: int | None, limit: int) -> list[bytes]:
        """Leaves for which all filters hold, in order of seq, at most `limit`."""
        ...


@contextmanager
def opened_log(place: Path | str) -> Iterator[LocalLog]:
    """The log at a path, where a directory is an export and a file a database, or at a configured `database`."""
    if isinstance(place, Path) and place.is_dir():
        yield ExportLog(place)
        return
    reader = open_reader(str(place))
    try:
        yield DatabaseLog(reader)
    finally:
        reader.close()


def receipt_of(log: LocalLog, seq: int, leaf: bytes | None = None) -> Receipt:
    """The leaf (which may have been read already) with its inclusion in the stored checkpoint; raises ProofInvalid when
    they do not fit.
    """
    leaf, checkpoint = log.leaf(seq) if leaf is None else leaf, log.checkpoint
    path = stored_inclusion_proof(seq, checkpoint.size, log.nodes)
    verify_inclusion(seq, checkpoint.size, leaf_hash(leaf), path, checkpoint.root)
    return Receipt(leaf, TlogProof(seq, tuple(path), log.note).encode())


def seq_of_hash(log: LocalLog, digest: bytes) -> int:
    """Where the leaf with this hash is; raises NotFound."""
    for seq, leaf in enumerate(log.leaves()):
        if leaf_hash(leaf) == digest:
            return seq
    raise NotFound("no leaf has this hash")


class ExportLog:
    """An exported directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._read_tile = lru_cache(CACHED_TILES)(self._tile)
        self.note = read_checkpoint(directory)
        self.checkpoint = _checkpoint(self.note)

    def leaves(self) -> Iterator[bytes]:
        """As LocalLog."""
        return islice(read_leaves(self._directory), self.checkpoint.size)

    def leaf(self, seq: int) -> bytes:
        """As LocalLog."""
        found = next(islice(self.leaves(), seq, None), None)
        if found is None:
            raise NotFound(f"there is no entry {seq}")
        return found

    def nodes(self, ids: Sequence[NodeId]) -> Mapping[NodeId, bytes]:
        """As LocalLog, from the hash tiles."""
        return nodes_from_tiles(ids, self.checkpoint.size, self._read_tile)

    def search(self, filters: SearchFilters, after_seq: int | None, limit: int) -> list[bytes]:
        """As LocalLog, leaf by leaf; raises ExportInvalid when leaves are missing: they might be what is looked for."""
        start = 0 if after_seq is None else after_seq + 1
        later = islice(self._all_leaves(), start, None)
        return list(islice((leaf for leaf in later if matches(parse(leaf), filters)), limit))

    def _all_leaves(self) -> Iterator[bytes]:
        count = 0
        for leaf in self.leaves():
            yield leaf
            count += 1
        if count < self.checkpoint.size:
            raise ExportInvalid(f"there are {count} leaves, but the checkpoint counts {self.checkpoint.size}")

    def _tile(self, path: str) -> bytes:
        return read_tile(self._directory, path)


class DatabaseLog:
    """A ledger's database file, read-only."""

    def __init__(self, reader: LogReader) -> None:
        self._reader = reader
        note = reader.checkpoint()
        if note is None:
            raise ExportInvalid("the database holds no witnessed checkpoint yet")
        self.note = note
        self.checkpoint = _checkpoint(note)

    def leaves(self) -> Iterator[bytes]:
        """As LocalLog, a chunk at a time."""
        size = self.checkpoint.size
        for start in range(0, size, WRITE_CHUNK):
            yield from self._reader.leaves(start, min(start + WRITE_CHUNK, size))

    def leaf(self, seq: int) -> bytes:
        """As LocalLog."""
        found = self._reader.leaves(seq, seq + 1) if seq < self.checkpoint.size else []
        if not found:
            raise NotFound(f"there is no entry {seq}")
        return found[0]

    def nodes(self, ids: Sequence[NodeId]) -> Mapping[NodeId, bytes]:
        """As LocalLog."""
        return self._reader.nodes(ids)

    def search(self, filters: SearchFilters, after_seq: int | None, limit: int) -> list[bytes]:
        """As LocalLog, by the database's indexes."""
        found = self._reader.search(filters, after_seq, limit)
        return [leaf for leaf in found if parse(leaf).seq < self.checkpoint.size]


def _checkpoint(note: bytes) -> Checkpoint:
    return Checkpoint.parse(Note.parse(note).text)
