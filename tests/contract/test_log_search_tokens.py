"""Searches for a company's tokens go through a log of several blocks in order, page by page, whatever else is asked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from ledger.chain import Chain
from ledger.entry import parse
from ledger.search import matches
from ledger.storage import sqlite_search
from ledger.storage.interface import LogReader
from ledger.storage.searchable import TIME_BLOCK_BITS, SearchFilters
from tests.contract.log_storages import StorageKind
from tests.support.log_batches import NOW, Wanted, batch_after, head_of
from tests.support.witnessed_log import ORIGIN

BLOCK = 1 << TIME_BLOCK_BITS
TOKENS = [f"{number:032x}" for number in range(5)]
RARE = "e" * 32


def entries() -> list[Wanted]:
    """Two blocks and a piece of a third. One entry in eight bears a token, the rare one stands in the outer blocks."""
    found = []
    for number in range(2 * BLOCK + 50):
        subject = RARE if number in (7, 2 * BLOCK + 20) else TOKENS[number // 8 % 5] if number % 8 == 3 else None
        kind, body = ("log.opened", {}) if subject is None else ("erasure.performed", {"subject": subject})
        found.append(Wanted(kind, body, None, number))
    return found


@pytest.fixture
def reader(kind: StorageKind, place: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[LogReader]:
    monkeypatch.setattr(sqlite_search, "WALKED", 1)  # so that three blocks are three steps
    storage = kind.open(place)
    chain = Chain(ORIGIN)
    batch, _ = batch_after(chain, entries())
    storage.append(head_of(chain), batch)
    yield storage
    storage.close()


def pages(reader: LogReader, filters: SearchFilters, limit: int) -> list[bytes]:
    """Everything, a page at a time."""
    found: list[bytes] = []
    after = None
    while page := reader.search(filters, after, limit):
        assert len(page) <= limit
        found += page
        after = parse(page[-1]).seq
    return found


def test_pages_of_tokens_are_what_the_leaves_say(reader: LogReader) -> None:
    leaves = reader.leaves(0, 3 * BLOCK)
    late = NOW + timedelta(seconds=BLOCK + 100)
    for filters, limit in [
        (SearchFilters(subject=RARE), 1),
        (SearchFilters(subjects=(RARE, TOKENS[2])), 170),
        (SearchFilters(subjects=TOKENS, kind="erasure.performed", not_before=late), 100),
        (SearchFilters(subjects=TOKENS, kind="log.opened"), 100),
        (SearchFilters(subject=TOKENS[1], subjects=TOKENS, not_after=late), 100),
        (SearchFilters(subject=RARE, subjects=TOKENS), 100),
        (SearchFilters(subject="f" * 32), 10),
    ]:
        expected = [leaf for leaf in leaves if matches(parse(leaf), filters)]
        assert pages(reader, filters, limit) == expected
    assert [parse(leaf).seq for leaf in pages(reader, SearchFilters(subject=RARE), 5)] == [7, 2 * BLOCK + 20]
