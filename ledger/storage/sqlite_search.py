"""How a search is asked of SQLite, so that it does not slow down as the log grows.

The planner keeps no statistics of a log (ANALYZE would have to be repeated for ever), so it is told:

1. bounds in time become bounds of seq, by the blocks of entries that can hold such a moment;
2. of several filters, the one that the fewest entries in those bounds pass leads, by its index and in order of seq;
   tokens always do, block by block;
3. the others are looked at entry by entry, until the page is full.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from ledger.entry import format_time
from ledger.storage.searchable import TIME_BLOCK_BITS, SearchFilters

PROBED = 2000
"""Entries that are counted of each filter at most: one that fewer pass is good enough, whatever the others are."""
WALKED = 64
"""Blocks that one statement asks for a token: their entries are put in order before the first is known."""
_COLUMNS = ("reason", "institution", "purpose", "verdict", "kind")
"""Of filters that many entries pass, the first of these leads."""


@dataclass(frozen=True)
class _Bounds:
    """Seqs from `start` up to, but not including, `end`."""

    start: int
    end: int


@dataclass(frozen=True)
class _Filter:
    """A condition on `table`, whose index is in order of seq behind the condition."""

    table: str
    condition: str
    values: Sequence[str]

    @property
    def looked_at(self) -> str:
        """The same without an index that could lead."""
        if self.table == "category":
            return f"EXISTS (SELECT 1 FROM category WHERE {self.condition} AND category.seq = searchable.seq)"  # noqa: S608
        return f"+{self.condition}"


def search(connection: sqlite3.Connection, filters: SearchFilters, start: int, end: int, limit: int) -> list[bytes]:
    """As LogReader, of the entries from `start` up to, but not including, `end`, all of which are indexed."""
    # 1.
    bounds = _bounds(connection, filters, start, end)
    given = _filters(filters)
    # 2.
    if tokens := _tokens(filters):
        return _search_tokens(connection, filters, tokens, bounds, limit)
    if len(given) > 1:
        given.sort(key=lambda each: _passing(connection, each, bounds))
    source, conditions = "searchable", [each.looked_at for each in given[1:]]
    if given:
        conditions.insert(0, given[0].condition)
        if given[0].table == "category":
            source = "category CROSS JOIN searchable ON searchable.seq = category.seq"
    values = [value for each in given for value in each.values]
    # 3.
    leading = "category" if source.startswith("category") else "searchable"
    conditions += [f"ts {comparison} ?" for comparison, _ in _moments(filters)]
    values += [moment for _, moment in _moments(filters)]
    statement = (
        f"SELECT entry.leaf FROM {source} CROSS JOIN entry ON entry.seq = {leading}.seq"  # noqa: S608 - no values
        f" WHERE {leading}.seq >= ? AND {leading}.seq < ?"
        + "".join(f" AND {condition}" for condition in conditions)
        + f" ORDER BY {leading}.seq LIMIT ?"
    )
    return [row[0] for row in connection.execute(statement, [bounds.start, bounds.end, *values, limit])]


def _search_tokens(
    connection: sqlite3.Connection, filters: SearchFilters, tokens: _Filter, bounds: _Bounds, limit: int
) -> list[bytes]:
    """The index of tokens begins with the block, so the blocks are walked, WALKED at a time."""
    others, moments = _filters(filters), _moments(filters)
    conditions = [tokens.condition, *(each.looked_at for each in others), *(f"ts {sign} ?" for sign, _ in moments)]
    statement = (
        "WITH RECURSIVE block (n) AS (SELECT ? UNION ALL SELECT n + 1 FROM block WHERE n < ?)"  # noqa: S608 - no values
        f" SELECT entry.leaf FROM block CROSS JOIN searchable ON searchable.seq >> {TIME_BLOCK_BITS} = block.n"
        " CROSS JOIN entry ON entry.seq = searchable.seq WHERE "
        + " AND ".join(conditions)
        + " AND +searchable.seq >= ? AND +searchable.seq < ? ORDER BY searchable.seq LIMIT ?"
    )
    values = [*(value for each in (tokens, *others) for value in each.values), *(moment for _, moment in moments)]
    found: list[bytes] = []
    first, last = bounds.start >> TIME_BLOCK_BITS, (bounds.end - 1) >> TIME_BLOCK_BITS
    for block in range(first, last + 1, WALKED):
        walk = (block, min(block + WALKED - 1, last))
        asked = [*walk, *values, bounds.start, bounds.end, limit - len(found)]
        found += [row[0] for row in connection.execute(statement, asked)]
        if len(found) == limit:
            break
    return found


def _tokens(filters: SearchFilters) -> _Filter | None:
    """Either way of naming tokens, or both, as one condition."""
    wanted: set[str | None] = set(filters.subjects) or {filters.subject}
    if filters.subject is not None:
        wanted &= {filters.subject}
    if filters.subject is None and not filters.subjects:
        return None
    marks = ",".join("?" * len(wanted))
    return _Filter("searchable", f"subject IN ({marks})", sorted(str(token) for token in wanted))


def _moments(filters: SearchFilters) -> list[tuple[str, str]]:
    """Bounds in time, as comparisons."""
    given = ((">=", filters.not_before), ("<=", filters.not_after))
    return [(sign, format_time(moment)) for sign, moment in given if moment is not None]


def _filters(filters: SearchFilters) -> list[_Filter]:
    """All but tokens, in the order in which they lead when many entries pass all of them."""
    found = [
        _Filter("searchable", f"{name} = ?", [getattr(filters, name)])
        for name in _COLUMNS
        if getattr(filters, name) is not None
    ]
    if filters.category is not None:
        found.insert(1, _Filter("category", "category = ?", [filters.category]))
    return found


def _passing(connection: sqlite3.Connection, each: _Filter, bounds: _Bounds) -> int:
    statement = (
        f"SELECT count(*) FROM (SELECT 1 FROM {each.table} WHERE {each.condition}"  # noqa: S608 - no values
        " AND seq >= ? AND seq < ? LIMIT ?)"
    )
    count: int = connection.execute(statement, [*each.values, bounds.start, bounds.end, PROBED]).fetchone()[0]
    return count


def _bounds(connection: sqlite3.Connection, filters: SearchFilters, start: int, end: int) -> _Bounds:
    first, last = start >> TIME_BLOCK_BITS, (end - 1) >> TIME_BLOCK_BITS
    if filters.not_before is not None:
        moment, order = format_time(filters.not_before), "ORDER BY ts DESC"
        block = _block(connection, (first, 1, last), f"{order} LIMIT 1) >= ?", moment)
        start = end if block is None else max(start, block << TIME_BLOCK_BITS)
    if filters.not_after is not None:
        block = _block(connection, (last, -1, first), "ORDER BY ts LIMIT 1) <= ?", format_time(filters.not_after))
        end = start if block is None else min(end, (block + 1) << TIME_BLOCK_BITS)
    return _Bounds(start, end)


def _block(connection: sqlite3.Connection, walk: tuple[int, int, int], condition: str, moment: str) -> int | None:
    """The first block on a walk (from, step, to) whose newest or oldest entry meets the condition."""
    begin, step, stop = walk
    if (stop - begin) * step < 0:
        return None
    row = connection.execute(
        "WITH RECURSIVE block (n) AS (SELECT ? UNION ALL SELECT n + ? FROM block WHERE n <> ?)"  # noqa: S608 - constants
        f" SELECT n FROM block WHERE (SELECT ts FROM searchable WHERE seq >> {TIME_BLOCK_BITS} = n {condition} LIMIT 1",
        [begin, step, stop, moment],
    ).fetchone()
    return None if row is None else int(row[0])
