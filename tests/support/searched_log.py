"""Entries of many kinds with keys, and what every search of them must answer, decided from the leaves alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from ledger.chain import Chain
from ledger.search import leaf_matches
from ledger.storage.interface import LogReader, LogStorage
from ledger.storage.searchable import SearchFilters
from ledger.storage.sqlite import SqliteStorage
from tests.support.log_batches import NOW, Wanted, batch_after, head_of
from tests.support.sample_log import OTHER_SUBJECT, SUBJECT, sample_entries

FILTERS = [
    SearchFilters(),
    SearchFilters(kind="query.decision"),
    SearchFilters(subject=SUBJECT),
    SearchFilters(subjects=(SUBJECT, OTHER_SUBJECT), institution="bank-b"),
    SearchFilters(institution="bank-a", purpose="credit.origination"),
    SearchFilters(verdict="deny"),
    SearchFilters(reason="ALLOWED"),
    SearchFilters(category="customs.trade"),
    SearchFilters(category="tax.basic", not_before=NOW + timedelta(seconds=12)),
    SearchFilters(not_before=NOW + timedelta(seconds=5), not_after=NOW + timedelta(seconds=26)),
    SearchFilters(not_after=NOW + timedelta(seconds=4)),
    SearchFilters(category="tax"),
]
ALL = 100_000
"""More entries than any log here has."""

Answers = tuple[list[list[bytes]], list[list[bytes]], Mapping[str, int]]
"""Whole searches, their second pages, and every key."""


def entries(start: int, end: int) -> list[Wanted]:
    """Entries `start` to `end` of a log: kinds in turn, `key <seq>`, a second later each."""
    kinds = sample_entries()
    return [Wanted(*kinds[seq % len(kinds)], f"key {seq}", seq) for seq in range(start, end)]


def add(storage: LogStorage, chain: Chain, wanted: Sequence[Wanted]) -> Chain:
    """Appends them as one batch; the history afterwards."""
    batch, grown = batch_after(chain, wanted)
    storage.append(head_of(chain), batch)
    return grown


def grow(path: Path, chain: Chain, wanted: Sequence[Wanted]) -> Chain:
    """Opens the log, appends, and closes it."""
    with closing(SqliteStorage.open(path)) as storage:
        return add(storage, chain, wanted)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file, by name."""
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def answers(reader: LogReader, size: int) -> Answers:
    """What a log of this size answers; keys that it cannot have are asked for too."""
    keys = [f"key {seq}" for seq in range(size + 5)]
    whole = [reader.search(filters, None, ALL) for filters in FILTERS]
    return whole, [reader.search(filters, 12, 3) for filters in FILTERS], dict(reader.find_keys(keys))


def expected(leaves: Sequence[bytes]) -> Answers:
    """What it must answer when every entry has its key."""
    whole = [[leaf for leaf in leaves if leaf_matches(leaf, filters)] for filters in FILTERS]
    pages = [[leaf for leaf in leaves[13:] if leaf_matches(leaf, filters)][:3] for filters in FILTERS]
    return whole, pages, {f"key {seq}": seq for seq in range(len(leaves))}


def answers_rightly(reader: LogReader, size: int) -> bool:
    """Whether a log of this size answers what its leaves say."""
    leaves = reader.leaves(0, ALL)
    return len(leaves) == size and answers(reader, size) == expected(leaves)
