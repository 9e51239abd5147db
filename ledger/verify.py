"""Verification for people who trust nobody: receipts, extensions, whole exports.

Needs hashing, Ed25519 and JSON only: no SQLAlchemy, no gRPC, no database, so that an auditor installs almost
nothing (an import contract keeps it so). Formats: docs/ledger-format.md. Left out: RFC 3161 tokens.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

from ledger.chain import Chain
from ledger.checkpoint import Checkpoint
from ledger.entry import MAX_LEAF, Entry, leaf_hash, parse
from ledger.errors import ConsistencyInvalid, EntryInvalid, LogMismatch, NotFound, ProofInvalid, QuorumNotMet
from ledger.merkle import verify_inclusion
from ledger.note import MAX_NOTE
from ledger.policy import LogPolicy, WitnessedCheckpoint
from ledger.proof import TlogProof
from ledger.receipt import Receipt

CHECKPOINT_FILE = "checkpoint"
ENTRIES_FOLDER = "entries"
ENTRIES_SUFFIX = ".jsonl"
VERIFY_CHUNK = 1024
"""Leaves held in memory at a time."""

Progress = Callable[[int, int], None]
"""Called with (leaves verified, leaves in all)."""


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
    # 2.
    checkpoint = witnessed.checkpoint
    if len(receipt.leaf) > MAX_LEAF:
        raise EntryInvalid("leaf")
    digest = leaf_hash(receipt.leaf)
    verify_inclusion(proof.index, checkpoint.size, digest, proof.hashes, checkpoint.root)
    # 3.
    entry = parse(receipt.leaf)
    if entry.log != checkpoint.origin:
        raise LogMismatch("the leaf belongs to another log than the checkpoint")
    if entry.seq != proof.index:
        raise ProofInvalid("the leaf's seq is not its index in the tree")
    return VerifiedLeaf(entry, digest, proof.index, checkpoint, witnessed.cosigned_at)


def verify_extension(
    old: Chain, leaves: Iterable[bytes], note: bytes, policy: LogPolicy
) -> tuple[Chain, list[Entry], WitnessedCheckpoint]:
    """Grows a verified history by `leaves` to exactly the witnessed checkpoint in `note`; raises a
    LedgerError otherwise.
    """
    witnessed = policy.check(note)
    grown, entries = old.extend(leaves)
    check_head(grown, witnessed.checkpoint)
    return grown, entries, witnessed


def check_head(chain: Chain, checkpoint: Checkpoint) -> None:
    """Raises LogMismatch or ConsistencyInvalid unless the checkpoint is the head of exactly this history."""
    if checkpoint.origin != chain.origin:
        raise LogMismatch("the checkpoint belongs to another log")
    if checkpoint.size != chain.size:
        raise ConsistencyInvalid(f"there are {chain.size} leaves, but the checkpoint counts {checkpoint.size}")
    if checkpoint.root != chain.root():
        raise ConsistencyInvalid("the leaves do not hash to the checkpoint's root")


def verify_leaves(leaves: Iterable[bytes], note: bytes, policy: LogPolicy, progress: Progress | None = None) -> Report:
    """Verifies chain, tree and checkpoint over a whole log, streaming: memory does not grow with the log."""
    witnessed = policy.check(note)
    checkpoint = witnessed.checkpoint
    chain, tally, remaining = Chain(checkpoint.origin), _Tally(), iter(leaves)
    while chunk := list(islice(remaining, VERIFY_CHUNK)):
        chain, entries = chain.extend(chunk)
        if chain.size > checkpoint.size:
            raise ConsistencyInvalid(f"there are more leaves than the checkpoint's {checkpoint.size}")
        tally.count(entries)
        if progress is not None:
            progress(chain.size, checkpoint.size)
    check_head(chain, checkpoint)
    return Report(checkpoint, witnessed.cosigned_at, dict(tally.kinds), tally.first, tally.last, tally.steps_back)


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


def verify_export(directory: Path, policy: LogPolicy, progress: Progress | None = None) -> Report:
    """Verifies an exported directory (`ledger.export`) over every leaf; raises a LedgerError that names what
    is wrong.
    """
    return verify_leaves(read_leaves(directory), read_checkpoint(directory), policy, progress)


def read_checkpoint(directory: Path) -> bytes:
    """The checkpoint note of an export."""
    path = directory / CHECKPOINT_FILE
    if not path.is_file():
        raise NotFound(f"the export has no file {CHECKPOINT_FILE}")
    with path.open("rb") as file:
        return file.read(MAX_NOTE + 1)


def read_leaves(directory: Path) -> Iterator[bytes]:
    """The leaves of an export in order, one per line; a leaf holds no raw newline, because JCS escapes
    them.
    """
    folder = directory / ENTRIES_FOLDER
    if not folder.is_dir():
        raise NotFound(f"the export has no folder {ENTRIES_FOLDER}")
    for path in sorted(folder.iterdir()):
        if path.suffix != ENTRIES_SUFFIX or not path.is_file():
            raise NotFound(f"folder {ENTRIES_FOLDER} holds something that is no entries file")
        with path.open("rb") as file:
            while line := file.readline(MAX_LEAF + 2):
                if not line.endswith(b"\n"):
                    raise EntryInvalid("leaf")
                yield line[:-1]
