"""Searching without an index means the same as with one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from ledger.entry import parse
from ledger.errors import LedgerCorrupt
from ledger.search import leaf_matches, matches
from ledger.storage.searchable import SearchFilters
from ledger.storage.sqlite_reader import SqliteReader
from tests.support.sample_log import OPENED_AT, OTHER_SUBJECT, SUBJECT, sample_log, store_log

LOG = sample_log(repeat=3)
FILTERS = [
    (SearchFilters(), range(28)),
    (SearchFilters(subject=SUBJECT), [3, 5, 7, 12, 14, 16, 21, 23, 25]),
    (SearchFilters(institution="bank-b"), [4, 6, 13, 15, 22, 24]),
    (SearchFilters(institution="bank-b", kind="query.decision"), [6, 15, 24]),
    (SearchFilters(kind="log.opened"), [0]),
    (SearchFilters(purpose="credit.origination", verdict="allow"), [5, 14, 23]),
    (SearchFilters(reason="CONSENT_REVOKED"), [6, 15, 24]),
    (SearchFilters(category="customs.trade"), [3, 12, 21]),
    (SearchFilters(category="tax"), []),
    (SearchFilters(subjects=(SUBJECT, OTHER_SUBJECT), kind="erasure.performed"), [9, 18, 27]),
    (SearchFilters(subjects=("00" * 16,)), []),
    (SearchFilters(not_before=OPENED_AT + timedelta(seconds=26)), [26, 27]),
    (SearchFilters(not_after=OPENED_AT), [0]),
    (SearchFilters(not_after=OPENED_AT - timedelta(microseconds=1)), []),
    (SearchFilters(not_before=datetime(2026, 11, 24, 12, 0, 27, tzinfo=timezone(timedelta(hours=8)))), [27]),
    (SearchFilters(not_before=datetime(2026, 11, 24, tzinfo=UTC), kind="key.registered"), [1, 10, 19]),
]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> SqliteReader:
    return SqliteReader(store_log(LOG, tmp_path_factory.mktemp("search") / "ledger.db"))


@pytest.mark.parametrize(("filters", "expected"), FILTERS)
def test_index_and_leaf_say_the_same(reader: SqliteReader, filters: SearchFilters, expected: list[int]) -> None:
    by_leaf = [leaf for leaf in LOG.leaves if matches(parse(leaf), filters)]
    assert [parse(leaf).seq for leaf in by_leaf] == list(expected)
    assert reader.search(filters, None, 100) == by_leaf


def test_pages(reader: SqliteReader, tmp_path: Path) -> None:
    filters, after, found = SearchFilters(subject=SUBJECT), None, []
    while page := reader.search(filters, after, 2):
        found += page
        after = parse(page[-1]).seq
    assert [parse(leaf).seq for leaf in found] == [3, 5, 7, 12, 14, 16, 21, 23, 25]


@pytest.mark.parametrize(
    "leaf",
    [
        b"",
        b"not json",
        b"\xff",
        b"[]",
        b"7",
        b"{}",
        b'{"kind":"log.opened","ts":"x"}',
        b'{"body":[],"kind":"log.opened","ts":"x"}',
        b'{"body":{},"kind":7,"ts":"x"}',
        b'{"body":{},"kind":"log.opened","ts":7}',
        b"[" * 10_000,
    ],
)
def test_bytes_that_are_no_entry_are_a_named_error(leaf: bytes) -> None:
    """Not an entry that no filter means: what is behind it would be told as if all were well."""
    with pytest.raises(LedgerCorrupt):
        leaf_matches(leaf, SearchFilters(kind="log.closed"))
