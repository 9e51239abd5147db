"""Fills each department's own database with its share of the companies' ratios, and writes its mapping file."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

from dev.companies import SampleCompany
from dev.departments import CATEGORIES
from dev.points import SCALE


def write_database(path: Path, columns: Sequence[str], companies: Sequence[SampleCompany]) -> None:
    """One table `records`: the company's code and the ratios this department knows."""
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    with connection:
        declared = ", ".join(f"{column.lower()} REAL" for column in columns)
        connection.execute(f"CREATE TABLE records (uscc TEXT PRIMARY KEY, company_name TEXT NOT NULL, {declared})")
        places = ", ".join("?" * (len(columns) + 2))
        connection.executemany(
            f"INSERT INTO records VALUES ({places})",  # noqa: S608  # only placeholders are inserted
            [(c.code, c.name, *(_number(c.row.ratios[column]) for column in columns)) for c in companies],
        )
    connection.close()


def _number(value: str | None) -> float | None:
    return None if value is None else float(value)


def mapping_toml(department: str, edges: Mapping[str, Sequence[int]]) -> str:
    """`mapping.toml` for a department: its table, key and binned columns with their bin edges."""
    parts = [
        '[source]\nkind = "sql"\nurl = "sqlite:///records.db"\ntable = "records"\nkey_column = "uscc"\n',
    ]
    for name, column_edges in edges.items():
        parts.append(
            f'[[columns]]\nname = "{name.lower()}"\ncategory = "{CATEGORIES[department]}"\nsource = "{name.lower()}"\n'
            f'kind = "binned"\nscale = {SCALE}\nedges = {list(column_edges)}\nhigh_risk = false\n'
        )
    return "\n".join(parts)
