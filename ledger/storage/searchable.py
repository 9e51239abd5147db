"""What of an entry can be searched for: a projection of the leaf, never a source. Whatever is shown is
parsed from leaf bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from ledger.entry import Entry
from ledger.errors import LedgerCorrupt

TIME_BLOCK_BITS = 12
"""The storages index times by blocks of 2^12 entries; the index is part of their schemas."""


class Searchable(NamedTuple):
    """Searchable columns of one entry, in the order of the table's; None where its kind has no such field."""

    kind: str
    ts: str
    subject: str | None
    institution: str | None
    purpose: str | None
    verdict: str | None
    reason: str | None
    categories: tuple[str, ...]


@dataclass(frozen=True)
class SearchFilters:
    """All that are given must hold. `not_before` and `not_after` are inclusive and aware."""

    subject: str | None = None
    institution: str | None = None
    kind: str | None = None
    purpose: str | None = None
    category: str | None = None
    verdict: str | None = None
    reason: str | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None
    subjects: Sequence[str] = ()
    """Entries that bear any of these tokens (a company's own); empty does not filter."""


def searchable(entry: Entry) -> Searchable:
    """The projection of an entry."""
    return _projection(entry.kind, entry.ts, entry.body)


def searchable_leaf(leaf: bytes) -> Searchable:
    """The projection of stored leaf bytes, which are read and not verified; raises LedgerCorrupt where they are no
    entry at all.
    """
    try:
        value = json.loads(leaf)
        kind, ts, body = value["kind"], value["ts"], value["body"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise LedgerCorrupt("a stored leaf is no entry") from error
    if not (isinstance(kind, str) and isinstance(ts, str) and isinstance(body, dict)):
        raise LedgerCorrupt("a stored leaf is no entry")
    return _projection(kind, ts, body)


def _projection(kind: str, ts: str, body: Mapping[str, object]) -> Searchable:
    categories = body.get("categories")
    return Searchable(
        kind=kind,
        ts=ts,
        subject=_text(body.get("subject")),
        institution=_text(body.get("institution")),
        purpose=_text(body.get("purpose")),
        verdict=_text(body.get("verdict")),
        reason=_text(body.get("reason")),
        categories=tuple(dict.fromkeys(map(str, categories))) if isinstance(categories, list) else (),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
