"""Batches of real entries for a storage, chained on from any history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ledger.chain import Chain
from ledger.entry import Entry, encode, format_time, leaf_hash, new_nonces
from ledger.storage.interface import Batch, Head, Record
from tests.support.witnessed_log import ORIGIN

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Wanted:
    """One entry to be; `second` dates it."""

    kind: str
    body: Mapping[str, object]
    key: str | None = None
    second: int = 0


def batch_after(chain: Chain, wanted: Sequence[Wanted]) -> tuple[Batch, Chain]:
    """The batch that appends these entries, and the history after it."""
    size, last, records = chain.size, chain.last, []
    for item in wanted:
        moment = format_time(NOW + timedelta(seconds=item.second))
        entry = Entry(ORIGIN, size, last, moment, item.kind, new_nonces(1)[0], item.body)
        leaf = encode(entry)
        digest = leaf_hash(leaf)
        records.append(Record(leaf, digest, item.key))
        size, last = size + 1, digest.hex()
    frontier, nodes = chain.frontier.extend(record.leaf_hash for record in records)
    return Batch(records, nodes, Head(size, last)), Chain(ORIGIN, last, frontier)


def opened(count: int, first_key: int = 0) -> list[Wanted]:
    """Entries without a body, with keys `key <n>`."""
    return [Wanted("log.opened", {}, f"key {number}") for number in range(first_key, first_key + count)]


def head_of(chain: Chain) -> Head:
    """The head a storage has after this history."""
    return Head(chain.size, chain.last)
