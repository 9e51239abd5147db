"""A report's tables as DuckDB reads them, which nobody here wrote: the same rows in both, and the figures by SQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ledger_service.report.summary import Summary
from tests.conformance.strangers import module
from tests.support.report_files import ReportHouse
from tests.support.sample_log import export_log, sample_log

# ruff: noqa: S608 - every word of these questions stands here
duckdb = module("duckdb")

pytestmark = pytest.mark.oracles

COUNTED = {"by_kind": "kind", "by_institution": "institution", "by_purpose": "purpose", "by_reason": "reason"}
UTC = "make_timestamp(epoch_us({0}))"
"""A column with a time zone as a time of UTC, without DuckDB's extension for time zones."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> ReportHouse:
    folder = tmp_path_factory.mktemp("house")
    return ReportHouse.built(folder, export_log(sample_log(repeat=40), folder / "export"))


@pytest.fixture(scope="module")
def summary(house: ReportHouse) -> Summary:
    return Summary.parse((house.report / "summary.json").read_bytes())


def ask(report: Path, question: str) -> list[tuple[Any, ...]]:
    """SQL over the tables `typed` (Parquet) and `plain` (CSV, all of it text)."""
    with duckdb.connect(config={"autoinstall_known_extensions": False}) as connection:
        connection.sql(f"CREATE VIEW typed AS SELECT * FROM '{report / 'entries.parquet'}'")
        options = "header = true, all_varchar = true, nullstr = '', auto_detect = false, delim = ',', quote = '\"'"
        names = [row[0] for row in connection.sql("DESCRIBE typed").fetchall()]
        columns = "{" + ", ".join(f"'{name}': 'VARCHAR'" for name in names) + "}"
        table = f"read_csv('{report / 'entries.csv'}', {options}, columns = {columns})"
        connection.sql(f"CREATE VIEW plain AS SELECT * FROM {table}")
        found: list[tuple[Any, ...]] = connection.sql(question).fetchall()
    return found


def test_both_tables_hold_the_same_rows(house: ReportHouse, summary: Summary) -> None:
    forms = {"BIGINT": "{0}::VARCHAR", "VARCHAR": "{0}", "VARCHAR[]": "array_to_string({0}, ' ')"}
    forms["TIMESTAMP WITH TIME ZONE"] = f"strftime({UTC}, '%Y-%m-%dT%H:%M:%S.%fZ')"
    described = ask(house.report, "DESCRIBE typed")
    as_text = ", ".join(forms[row[1]].format(f'"{row[0]}"') for row in described)
    assert {row[1] for row in described} == set(forms)
    assert ask(house.report, "SELECT count(*) FROM plain") == [(summary.figures.entries,)]
    assert ask(house.report, f"SELECT {as_text} FROM typed ORDER BY seq") == ask(
        house.report, "SELECT * FROM plain ORDER BY seq::BIGINT"
    )


def test_the_figures_are_what_sql_counts(house: ReportHouse, summary: Summary) -> None:
    figures = summary.figures
    for figure, column in COUNTED.items():
        counted = ask(house.report, f"SELECT {column}, count(*) FROM typed WHERE {column} IS NOT NULL GROUP BY 1")
        assert dict(counted) == getattr(figures, figure)
    assert ask(house.report, "SELECT count(DISTINCT subject) FROM typed") == [(figures.tokens,)]
    categories = ask(
        house.report, "SELECT name, count(*) FROM (SELECT unnest(categories) AS name FROM typed) GROUP BY 1"
    )
    assert dict(categories) == figures.by_category
    month = f"strftime({UTC.format('time')}, '%Y-%m')"
    months = ask(house.report, f"SELECT {month}, count(*) FROM typed GROUP BY 1")
    assert dict(months) == figures.by_month
    denials = ask(house.report, "SELECT reason, count(*) FROM typed WHERE verdict = 'deny' GROUP BY 1")
    assert dict(denials) == figures.denials_by_reason
