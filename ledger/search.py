"""Which entries a search means, decided from the leaf alone: for logs without an index (exports), and for the newest
entries of a storage, which its index has not reached.

A storage answers the same question from its index; a test compares the two.
"""

from __future__ import annotations

from ledger.entry import Entry, format_time
from ledger.storage.searchable import Searchable, SearchFilters, searchable, searchable_leaf

_EQUAL = ("subject", "institution", "kind", "purpose", "verdict", "reason")


def matches(entry: Entry, filters: SearchFilters) -> bool:
    """Whether all filters that are given hold."""
    return _hold(searchable(entry), filters)


def leaf_matches(leaf: bytes, filters: SearchFilters) -> bool:
    """The same of a stored leaf, which is not verified here: whoever shows it does that."""
    return _hold(searchable_leaf(leaf), filters)


def _hold(found: Searchable, filters: SearchFilters) -> bool:
    equal = all(getattr(filters, name) in (None, getattr(found, name)) for name in _EQUAL)
    late_enough = filters.not_before is None or found.ts >= format_time(filters.not_before)
    early_enough = filters.not_after is None or found.ts <= format_time(filters.not_after)
    in_category = filters.category is None or filters.category in found.categories
    is_about_one = not filters.subjects or found.subject in filters.subjects
    return equal and late_enough and early_enough and in_category and is_about_one
