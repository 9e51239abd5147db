"""Timestamps as files: pairs `NAME.note` and `NAME.tst`, NAME the size of the tree in 12 digits.

The note is the exact checkpoint, the token the DER of an RFC 3161 token over it (`ledger.timestamp`). A ledger keeps a
folder of them; an export holds one named `timestamps`. The note is written first, so a token always has its note.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.x509 import Certificate

from ledger.checkpoint import Checkpoint
from ledger.durable_files import READABLE, make_folder, replace_file
from ledger.entry import parse
from ledger.errors import ConsistencyInvalid, ExportInvalid, LogMismatch, StorageFailed, TimestampInvalid
from ledger.export import read_bounded, read_checkpoint, read_leaf_hashes, read_leaves
from ledger.note import MAX_NOTE, Note
from ledger.policy import LogPolicy
from ledger.timestamp import MAX_TOKEN, token_digest, verify_token
from ledger.tree import Frontier

KIND = "anchor.tsa"
TIMESTAMPS_FOLDER = "timestamps"
NOTE_SUFFIX, TOKEN_SUFFIX = ".note", ".tst"


@dataclass(frozen=True)
class Timestamped:
    """A note and a token over it, unverified."""

    note: bytes
    token: bytes

    def checkpoint(self, policy: LogPolicy) -> Checkpoint:
        """The checkpoint, if a log of the policy signed it."""
        return policy.open(Note.parse(self.note))[0]


@dataclass(frozen=True)
class TimestampReport:
    """What the timestamps of an export prove: the size of each tree, and when it existed. `recorded` are entries
    `anchor.tsa`; for `absent` of them no token is at hand.
    """

    moments: tuple[tuple[int, datetime], ...]
    recorded: int
    absent: int


def read_timestamps(folder: Path) -> list[Timestamped]:
    """All pairs, smallest tree first; none when there is no folder. Raises ExportInvalid for a token without its note,
    StorageFailed when something cannot be read.
    """
    try:
        tokens = sorted(folder.glob(f"*{TOKEN_SUFFIX}"))
        return [
            Timestamped(
                read_bounded(folder, token.with_suffix(NOTE_SUFFIX).name, MAX_NOTE),
                read_bounded(folder, token.name, MAX_TOKEN),
            )
            for token in tokens
        ]
    except OSError as error:
        raise StorageFailed(f"cannot read the timestamps: {error.strerror}") from error


def has_timestamp(folder: Path, size: int) -> bool:
    """Whether the tree of this size has a token already."""
    return (folder / f"{size:012}{TOKEN_SUFFIX}").exists()


def write_timestamp(folder: Path, size: int, pair: Timestamped) -> Path:
    """Writes a pair durably and returns where the token is; one that is there already stays. Raises StorageFailed."""
    token = folder / f"{size:012}{TOKEN_SUFFIX}"
    try:
        make_folder(folder)
        if not token.exists():
            replace_file(token.with_suffix(NOTE_SUFFIX), pair.note, READABLE)
            replace_file(token, pair.token, READABLE)
    except OSError as error:
        raise StorageFailed(f"cannot keep the timestamp: {error.strerror}") from error
    return token


def verify_timestamps(directory: Path, policy: LogPolicy, roots: Sequence[Certificate]) -> TimestampReport:
    """Verifies the timestamps of an export that `verify_export` found good; raises a LedgerError for what is at fault.

    1. a log of the policy signed the note, and its tree is the beginning of this log;
    2. the token is over that note, by an authority that one of `roots` vouches for;
    3. each `anchor.tsa` entry names a tree of this log, and the token at hand for that size.
    """
    head = Checkpoint.parse(Note.parse(read_checkpoint(directory)).text)
    pairs = {pair.checkpoint(policy): pair for pair in read_timestamps(directory / TIMESTAMPS_FOLDER)}
    if not pairs:
        raise ExportInvalid("the export holds no timestamps")
    entries = [entry for leaf in read_leaves(directory) if (entry := parse(leaf)).kind == KIND]
    named = {checkpoint.size for checkpoint in pairs} | {int(str(entry.body["size"])) for entry in entries}
    roots_of = dict(_roots(directory, head.size, named))
    # 1. and 2.
    moments = {}
    for checkpoint, pair in pairs.items():
        if checkpoint.origin != head.origin:
            raise LogMismatch("a timestamp belongs to another log")
        _require_tree(checkpoint.size, checkpoint.root, roots_of)
        moments[checkpoint.size] = verify_token(pair.token, pair.note, roots)
    # 3.
    tokens = {checkpoint.size: token_digest(pair.token) for checkpoint, pair in pairs.items()}
    for entry in entries:
        anchored = int(str(entry.body["size"]))
        _require_tree(anchored, bytes.fromhex(str(entry.body["root"])), roots_of)
        if tokens.get(anchored, entry.body["token"]) != entry.body["token"]:
            raise TimestampInvalid(f"leaf {entry.seq} names another token than the one at hand")
    absent = sum(int(str(entry.body["size"])) not in tokens for entry in entries)
    return TimestampReport(tuple(sorted(moments.items())), len(entries), absent)


def _roots(directory: Path, size: int, wanted: set[int]) -> Iterator[tuple[int, bytes]]:
    """Roots of the log's first trees, from the tiles, which hold the hashes of the leaves."""
    frontier = Frontier()
    hashes = read_leaf_hashes(directory, size)
    for each in sorted(number for number in wanted if number <= size):
        frontier = frontier.extend(next(hashes) for _ in range(each - frontier.size))[0]
        yield each, frontier.root()


def _require_tree(size: int, root: bytes, roots_of: dict[int, bytes]) -> None:
    if roots_of.get(size) != root:
        raise ConsistencyInvalid(f"what was timestamped at {size} entries is not the beginning of this log")


def timestamps_until(folder: Path, policy: LogPolicy, size: int) -> list[tuple[int, Timestamped]]:
    """Sizes and pairs of a ledger's folder that belong into an export of `size` entries."""
    found = [(pair.checkpoint(policy).size, pair) for pair in read_timestamps(folder)]
    return [(each, pair) for each, pair in found if each <= size]
