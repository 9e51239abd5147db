"""The columns of a report, and the row of an entry: a projection of the leaf's own fields, nothing joined, nothing
looked up.

Whatever a kind does not have is None. A list without members is None too, since a table in text cannot tell them apart.
Left out are commitments, digests of statements and nonces: they are of use only beside what they commit to, and the
leaf hash leads to the leaf.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ledger.entry import Entry

Cell = int | str | tuple[str, ...] | None
Row = tuple[Cell, ...]


class Form(Enum):
    """How a column is typed."""

    INTEGER = "integer"
    TEXT = "text"
    TIME = "time"
    LIST = "list"


@dataclass(frozen=True)
class Column:
    """One column; the body has its field under the same name."""

    name: str
    form: Form


def _texts(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, Form.TEXT) for name in names)


HEAD = (
    Column("seq", Form.INTEGER),
    Column("time", Form.TIME),
    Column("kind", Form.TEXT),
    Column("leaf_hash", Form.TEXT),
)
"""Of every entry, whatever its kind."""
BODY = (
    *_texts("institution", "group", "subject", "purpose", "use"),
    Column("categories", Form.LIST),
    *_texts("verdict", "reason"),
    Column("rules", Form.LIST),
    *_texts("scorecard", "consent_id"),
    Column("consent_version", Form.INTEGER),
    Column("version", Form.INTEGER),
    Column("valid_from", Form.TIME),
    Column("valid_until", Form.TIME),
    *_texts("request_id", "as_of", "custody", "policy"),
    Column("not_after", Form.TIME),
    Column("departments", Form.LIST),
    Column("missing", Form.LIST),
    *_texts("decision", "key_id", "entity", "officer"),
    Column("returned", Form.INTEGER),
)
"""Of the body, where its kind has the field."""
COLUMNS = (*HEAD, *BODY)
NAMES = tuple(column.name for column in COLUMNS)
POSITION = {name: position for position, name in enumerate(NAMES)}
_BODY_FORMS = tuple((column.name, column.form is Form.LIST) for column in BODY)


def row_of(entry: Entry, leaf_hash: str) -> Row:
    """The row of a verified entry."""
    body = entry.body
    cells = (_listed(body.get(name)) if is_list else body.get(name) for name, is_list in _BODY_FORMS)
    return (entry.seq, entry.ts, entry.kind, leaf_hash, *cells)  # type: ignore[arg-type]  # ledger.kinds checked them


def _listed(value: object) -> tuple[str, ...] | None:
    """Identifiers of a list; of a list of objects (departments of a decision) their `id`."""
    if not isinstance(value, list) or not value:
        return None
    return tuple(str(item["id"]) if isinstance(item, dict) else str(item) for item in value)
