"""A verified log, entry by entry and in order, through a consumer: how anybody rebuilds what he makes of a ledger.

    class Counting:
        def take(self, entries): ...      # verified leaves in order; nothing counts yet
        def close(self, position, witnessed): ...    # what was taken is under a witnessed checkpoint: now it counts

    replay(export_pieces(directory), policy, Chain(origin), Counting())

A leaf is handed on when it continues the chain; it counts when a checkpoint, which a log of the policy signed and the
quorum cosigned, is the head of exactly what was taken. A consumer therefore makes nothing final before `close`, as the
departments' tails do. Resuming: keep the position of the last `close` (`encode_position`) and begin there; the leaves
before it need not be read again. Pure: hashing, Ed25519 and JSON only; who reads from a server brings the pieces.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

from ledger.chain import Chain
from ledger.entry import Entry, canonical_json, leaf_hash
from ledger.errors import ConsistencyInvalid
from ledger.export import read_checkpoint, read_leaves
from ledger.policy import LogPolicy, WitnessedCheckpoint
from ledger.tree import Frontier
from ledger.verify import VERIFY_CHUNK, check_head

Piece = tuple[Sequence[bytes], bytes]
"""Leaves, and the note of a checkpoint that counts exactly the leaves so far; empty inside the log."""


@dataclass(frozen=True)
class ReplayedEntry:
    """One entry, its exact bytes, and their hash."""

    entry: Entry
    leaf: bytes
    leaf_hash: bytes


class Consumer(Protocol):
    """Who is told. Whatever it raises ends the replay."""

    def take(self, entries: Sequence[ReplayedEntry]) -> None:
        """Some entries in order, each once. They count with the next `close`, and not at all if none comes."""
        ...

    def close(self, position: Chain, witnessed: WitnessedCheckpoint) -> None:
        """Everything up to here is witnessed; also told when nothing is new but the cosignatures."""
        ...


def replay(pieces: Iterable[Piece], policy: LogPolicy, begin: Chain, consumer: Consumer) -> Chain:
    """Hands everything after `begin` on and returns the last position that was closed; raises a LedgerError that names
    the leaf which does not hold, and ConsistencyInvalid when leaves are left that no checkpoint closes, or when there
    is none at all: who ends without a word has not said that nothing is new.
    """
    growing = closed = begin
    witnessed: WitnessedCheckpoint | None = None
    for leaves, note in pieces:
        growing, entries = growing.extend(leaves)
        if leaves:
            consumer.take([ReplayedEntry(*item, leaf_hash(item[1])) for item in zip(entries, leaves, strict=True)])
        if note:
            witnessed = policy.check(note)
            check_head(growing, witnessed.checkpoint)
            closed = growing
            consumer.close(closed, witnessed)
    if growing.size > closed.size:
        raise ConsistencyInvalid(f"no checkpoint closes the {growing.size - closed.size} entries at the end")
    if witnessed is None:
        raise ConsistencyInvalid("the log ended without a checkpoint")
    return closed


def export_pieces(directory: Path, start: int = 0) -> Iterator[Piece]:
    """An exported directory, from a leaf on."""
    yield from closed_pieces(islice(read_leaves(directory), start, None), read_checkpoint(directory))


def closed_pieces(leaves: Iterable[bytes], note: bytes) -> Iterator[Piece]:
    """Leaves some at a time, and the checkpoint that closes them all."""
    remaining = iter(leaves)
    while chunk := list(islice(remaining, VERIFY_CHUNK)):
        yield chunk, b""
    yield [], note


def encode_position(position: Chain) -> bytes:
    """As a small file, to go on from later. Whoever can alter it decides what is believed: keep it like a key."""
    members = {
        "frontier": [value.hex() for value in position.frontier.hashes],
        "last": position.last,
        "origin": position.origin,
        "size": position.size,
    }
    return canonical_json(members) + b"\n"


def parse_position(data: bytes) -> Chain:
    """Raises ValueError for anything that `encode_position` did not write."""
    try:
        found = json.loads(data)
        hashes = tuple(bytes.fromhex(value) for value in found["frontier"])
        position = Chain(found["origin"], found["last"], Frontier(found["size"], hashes))
        if encode_position(position) != data:
            raise ValueError("not as it is written")
    except (TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError("not a position") from error
    return position
