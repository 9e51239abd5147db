"""Which entries a search means, decided from the leaf alone: for logs without an index (exports).

A storage answers the same question from its projection; a test compares the two.
"""

from __future__ import annotations

from ledger.entry import Entry, format_time
from ledger.storage.searchable import SearchFilters, searchable

_EQUAL = ("subject", "institution", "kind", "purpose", "verdict", "reason")


def matches(entry: Entry, filters: SearchFilters) -> bool:
    """Whether all filters that are given hold."""
    found = searchable(entry)
    equal = all(getattr(filters, name) in (None, getattr(found, name)) for name in _EQUAL)
    late_enough = filters.not_before is None or found.ts >= format_time(filters.not_before)
    early_enough = filters.not_after is None or found.ts <= format_time(filters.not_after)
    in_category = filters.category is None or filters.category in found.categories
    is_about_one = not filters.subjects or found.subject in filters.subjects
    return equal and late_enough and early_enough and in_category and is_about_one
