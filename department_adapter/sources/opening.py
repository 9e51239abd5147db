"""Opens the source that a mapping names."""

from __future__ import annotations

from department_adapter.mapping import CsvFile, Mapping
from department_adapter.sources.csv_file import CsvSource
from department_adapter.sources.interface import Source
from department_adapter.sources.sql import SqlSource


def open_source(mapping: Mapping) -> Source:
    """Raises CONFIG_INVALID naming the entry that does not fit the table, STORE_UNAVAILABLE when it cannot be read."""
    if isinstance(mapping.source, CsvFile):
        return CsvSource(mapping, mapping.source)
    return SqlSource(mapping, mapping.source)
