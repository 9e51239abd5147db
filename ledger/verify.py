"""Verification for people who trust nobody: receipts, pages of entries, whole exports.

Needs hashing, Ed25519 and JSON only: no SQLAlchemy, no gRPC, no database, so that an auditor installs almost
nothing (an import contract keeps it so). Formats: docs/ledger-format.md. Left out: RFC 3161 tokens.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, islice
from pathlib import Path

from ledger.chain import Chain
from ledger.checkpoint import Checkpoint
from ledger.entry import MAX_LEAF, Entry, leaf_hash, parse
from ledger.errors import ConsistencyInvalid, EntryInvalid, ExportInvalid, LogMismatch, ProofInvalid, QuorumNotMet
from ledger.export import (
    ENTRIES_FOLDER,
    Progress,
    check_files,
    read_checkpoint,
    read_leaf_hashes,
    read_leaves,
    read_tile,
)
from ledger.merkle import verify_inclusion
from ledger.note import Note
from ledger.policy import LogPolicy
from ledger.proof import TlogProof
from ledger.receipt import Receipt
from ledger.tiles import Tiler
from ledger.tree import Frontier

__all__ = ["ENTRIES_FOLDER", "Report", "VerifiedLeaf", "check_head", "name_leaves", "verify_export"]
__all__ += ["verify_inclusions", "verify_leaves", "verify_receipt"]

VERIFY_CHUNK = 1024
"""Leaves held in memory at a time."""
NAMED_RANGES = 20
"""Runs of altered leaves that an explanation names."""

Observer = Callable[[Sequence[bytes]], None]
"""Called with the leaf hashes of each chunk that fits the chain so far."""


@dataclass(frozen=True)
class VerifiedLeaf:
    """An entry that is recorded: `cosigned_at` is when the quorum of witnesses had seen it."""

    entry: Entry
    leaf_hash: bytes
    index: int
    checkpoint: Checkpoint
    cosigned_at: datetime


@dataclass(frozen=True)
class Report:
    """What a full verification found. `clock_steps_back` counts entries dated before their predecessor: not
    forbidden, but odd.
    """

    checkpoint: Checkpoint
    cosigned_at: datetime | None
    kinds: Mapping[str, int]
    first: str | None
    last: str | None
    clock_steps_back: int


def verify_receipt(receipt: Receipt, policy: LogPolicy) -> VerifiedLeaf:
    """The entry in a receipt, if it is recorded; otherwise raises the error that names what is wrong.

    1. a log of the policy signed the checkpoint, and the quorum cosigned it;
    2. the leaf is in that tree, at the index the proof names;
    3. the leaf is a canonical entry of that log and of that index.
    """
    # 1. Size and root come from the verified checkpoint and from nowhere else.
    proof = TlogProof.parse(receipt.proof)
    witnessed = policy.check(proof.note)
    if witnessed.cosigned_at is None:
        raise QuorumNotMet("the policy names no quorum, so nobody says when the entry was seen")
    # 2. and 3.
    return _verify_leaf(receipt.leaf, proof.index, proof.hashes, witnessed.checkpoint, witnessed.cosigned_at)


def verify_inclusions(
    leaves: Sequence[bytes], paths: Sequence[Sequence[bytes]], note: bytes, policy: LogPolicy
) -> list[VerifiedLeaf]:
    """The entries in leaves that were proven under one checkpoint, each at the index that it names itself: as many
    receipts, whose note is verified once.
    """
    witnessed = policy.check(note)
    if witnessed.cosigned_at is None:
        raise QuorumNotMet("the policy names no quorum, so nobody says when the entries were seen")
    if len(leaves) != len(paths):
        raise ProofInvalid("there is not one proof for each leaf")
    found = zip(leaves, paths, strict=True)
    checkpoint, at = witnessed.checkpoint, witnessed.cosigned_at
    return [_verify_leaf(leaf, parse(leaf).seq, path, checkpoint, at) for leaf, path in found]


def _verify_leaf(
    leaf: bytes, index: int, path: Sequence[bytes], checkpoint: Checkpoint, cosigned_at: datetime
) -> VerifiedLeaf:
    """Steps 2 and 3 of a receipt's verification."""
    # 2.
    if len(leaf) > MAX_LEAF:
        raise EntryInvalid("leaf")
    digest = leaf_hash(leaf)
    verify_inclusion(index, checkpoint.size, digest, path, checkpoint.root)
    # 3.
    entry = parse(leaf)
    if entry.log != checkpoint.origin:
        raise LogMismatch("the leaf belongs to another log than the checkpoint")
    if entry.seq != index:
        raise ProofInvalid("the leaf's seq is not its index in the tree")
    return VerifiedLeaf(entry, digest, index, checkpoint, cosigned_at)


def check_head(chain: Chain, checkpoint: Checkpoint) -> None:
    """Raises LogMismatch or ConsistencyInvalid unless the checkpoint is the head of exactly this history."""
    if checkpoint.origin != chain.origin:
        raise LogMismatch("the checkpoint belongs to another log")
    if checkpoint.size != chain.size:
        raise ConsistencyInvalid(f"there are {chain.size} leaves, but the checkpoint counts {checkpoint.size}")
    if checkpoint.root != chain.root():
        raise ConsistencyInvalid("the leaves do not hash to the checkpoint's root")


def verify_leaves(
    leaves: Iterable[bytes],
    note: bytes,
    policy: LogPolicy,
    progress: Progress | None = None,
    observe: Observer | None = None,
    earlier: bytes | None = None,
) -> Report:
    """Verifies chain, tree and checkpoint over a whole log, streaming: memory does not grow with the log.

    `earlier` is a checkpoint that somebody kept: the log must continue the history it signed then.
    """
    witnessed = policy.check(note)
    checkpoint = witnessed.checkpoint
    kept = None if earlier is None else _kept_checkpoint(earlier, policy, checkpoint)
    chain, tally, remaining = Chain(checkpoint.origin), _Tally(), iter(leaves)
    while chunk := list(islice(remaining, VERIFY_CHUNK)):
        before, (chain, entries) = chain, chain.extend(chunk)
        if chain.size > checkpoint.size:
            raise ConsistencyInvalid(f"there are more leaves than the checkpoint's {checkpoint.size}")
        tally.count(entries)
        hashes = [leaf_hash(leaf) for leaf in chunk]
        if kept is not None and kept.size <= chain.size:
            _check_kept(kept, before.frontier.extend(hashes[: kept.size - before.size])[0].root())
            kept = None
        if observe is not None:
            observe(hashes)
        if progress is not None:
            progress(chain.size, checkpoint.size)
    check_head(chain, checkpoint)
    if kept is not None:  # of no entries, as the whole log
        _check_kept(kept, chain.root())
    return Report(checkpoint, witnessed.cosigned_at, dict(tally.kinds), tally.first, tally.last, tally.steps_back)


def _kept_checkpoint(earlier: bytes, policy: LogPolicy, newest: Checkpoint) -> Checkpoint:
    """The log's own signature is enough: it may not sign two histories, whoever cosigned them."""
    kept = policy.open(Note.parse(earlier))[0]
    if kept.origin != newest.origin:
        raise LogMismatch("the earlier checkpoint belongs to another log")
    if kept.size > newest.size:
        raise ConsistencyInvalid(f"the log was rolled back: it counts {newest.size} entries, and earlier {kept.size}")
    return kept


def _check_kept(kept: Checkpoint, root: bytes) -> None:
    if kept.root != root:
        raise ConsistencyInvalid(f"the log forked: its first {kept.size} entries are not those it signed earlier")


class _Tally:
    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        self.first: str | None = None
        self.last: str | None = None
        self.steps_back = 0

    def count(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self.kinds[entry.kind] += 1
            self.steps_back += self.last is not None and entry.ts < self.last
            self.first = self.first or entry.ts
            self.last = entry.ts


def verify_export(
    directory: Path, policy: LogPolicy, progress: Progress | None = None, earlier: bytes | None = None
) -> Report:
    """Verifies an exported directory (`ledger.export`) over every byte; raises a LedgerError that names what is wrong,
    with notes that name the leaves at fault where that can be known.

    1. a log of the policy signed the checkpoint, and the quorum cosigned it;
    2. the leaves are canonical, chained, and hash to the checkpoint's root; they continue the `earlier` checkpoint;
    3. the tiles hold the hashes of these leaves;
    4. nothing else is there, is missing, or was altered.
    """
    note = read_checkpoint(directory)
    tiles: set[str] = set()
    differing: list[str] = []

    def compare(path: str, tile: bytes) -> None:
        tiles.add(path)
        if read_tile(directory, path) != tile:
            differing.append(path)

    tiler = Tiler(compare)
    # 1. and 2.
    try:
        report = verify_leaves(read_leaves(directory), note, policy, progress, tiler.extend, earlier)
    except (EntryInvalid, ConsistencyInvalid, LogMismatch) as error:
        for line in _locate(directory, note):
            error.add_note(line)
        raise
    # 3.
    tiler.finish()
    if differing:
        raise ExportInvalid(f"{differing[0]} does not hold the hashes of the leaves")
    # 4.
    check_files(directory, tiles)
    return report


def _locate(directory: Path, note: bytes) -> list[str]:
    """Which leaves are not those that were recorded: the export's tiles know, if they lead to the signed root."""
    checkpoint = Checkpoint.parse(Note.parse(note).text)
    try:
        recorded = list(read_leaf_hashes(directory, checkpoint.size))
    except ExportInvalid:
        recorded = []
    if Frontier().extend(recorded)[0].root() != checkpoint.root:
        return ["The hash tiles do not lead to the signed root either, so the altered leaves cannot be named."]
    present = 0
    altered = []
    try:
        for position, leaf in enumerate(islice(read_leaves(directory), len(recorded))):
            present = position + 1
            if leaf_hash(leaf) != recorded[position]:
                altered.append(position)
    except (EntryInvalid, ExportInvalid):
        altered.append(present)
    return name_leaves(altered, present, checkpoint.size)


def name_leaves(altered: Sequence[int], present: int, size: int) -> list[str]:
    """Findings about leaves as lines: altered ones, neighbours together, up to NAMED_RANGES; and what is missing."""
    ranges = list(_ranges(altered))
    lines = [
        f"Leaf {first} is not the leaf that was recorded."
        if first == last
        else f"Leaves {first} to {last} are not the leaves that were recorded."
        for first, last in ranges[:NAMED_RANGES]
    ]
    if len(ranges) > NAMED_RANGES:
        lines.append(f"There are more such leaves, up to leaf {altered[-1]}.")
    if present < size:
        lines.append(f"{size - present} leaves are missing: from leaf {present} on.")
    return lines


def _ranges(positions: Sequence[int]) -> Iterator[tuple[int, int]]:
    """First and last of each run of neighbours."""
    for _, group in groupby(enumerate(positions), key=lambda item: item[1] - item[0]):
        run = [position for _, position in group]
        yield run[0], run[-1]
