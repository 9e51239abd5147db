"""The catalogue: which columns this department can release, and whether a scorecard's header still speaks of them.

A scorecard repeats each column's specification in full, so nothing about a column can change under an approved
scorecard: the adapter compares the header with its own catalogue and refuses what differs. Thread-safety: immutable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from consentgate import canonical
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.scorecard import HeaderColumn, HeaderDepartment
from consentgate.statements import Custody
from department_adapter.mapping import MappedColumn


@dataclass(frozen=True)
class Catalogue:
    """A department's releasable columns, in the order of its mapping."""

    department: str
    columns: tuple[MappedColumn, ...]

    @cached_property
    def version(self) -> str:
        """SHA-256 over the canonical JSON of all column specifications, 64 hex digits."""
        return canonical.digest(canonical.encode([entry.column.to_json() for entry in self.columns]))

    @cached_property
    def _by_name(self) -> dict[str, MappedColumn]:
        return {entry.column.name: entry for entry in self.columns}

    def releasable(self, asked: HeaderDepartment, custody: Custody) -> Sequence[MappedColumn]:
        """The columns that a header asks for, in its order; raises for the first that may not be released.

        COLUMN_NOT_RELEASABLE: no such column, or another category of data than the header says. CATALOGUE_CHANGED: its
        specification differs. CUSTODY_NOT_ALLOWED: it is high-risk, and gateway and bank together could open it.
        """
        return [self._releasable(column, custody) for column in asked.columns]

    def _releasable(self, asked: HeaderColumn, custody: Custody) -> MappedColumn:
        where = f"scorecard_header.departments.columns.{asked.column.name}"
        own = self._by_name.get(asked.column.name)
        if own is None or own.category != asked.category:
            raise ConsentgateError(ErrorCode.COLUMN_NOT_RELEASABLE, field=where)
        if own.column != asked.column:
            raise ConsentgateError(ErrorCode.CATALOGUE_CHANGED, field=where)
        if own.high_risk and custody is Custody.RECIPIENT:
            raise ConsentgateError(ErrorCode.CUSTODY_NOT_ALLOWED, field=where)
        return own
