"""Whatever a log holds that the table of kinds allows, at whatever time: its report is made, holds, and reads the same
in both tables.
"""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger_service.local_log import opened_log
from ledger_service.report.check import check_report
from ledger_service.report.csv_table import DANGEROUS
from ledger_service.report.reading import VerifiedLog, files_source
from tests.property.ledger.strategies import KIND_AND_BODY
from tests.support.report_files import NOW, ReportHouse, make_report
from tests.support.sample_log import OPENED_AT, export_log, sample_log
from tests.support.witnessed_log import WitnessedLog

MOMENTS = st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))
PERIODS = st.sampled_from([None, "2026", "1970/9998"])


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> ReportHouse:
    folder = tmp_path_factory.mktemp("house")
    return ReportHouse.built(folder, export_log(sample_log(), folder / "export"))


@settings(max_examples=40)
@given(st.lists(st.tuples(KIND_AND_BODY, MOMENTS), max_size=12), PERIODS)
def test_any_log_has_its_report(
    house: ReportHouse, entries: list[tuple[tuple[str, dict[str, Any]], datetime]], period: str | None
) -> None:
    log = WitnessedLog(OPENED_AT)
    for (kind, body), moment in entries:
        log.append(kind, body, moment)
    with TemporaryDirectory() as folder:
        export, report = export_log(log, Path(folder) / "export"), Path(folder) / "report"
        summary = make_report(report, export, house.anchors, house.operator, period)
        with opened_log(export) as opened:
            reading = VerifiedLog(files_source(opened), house.anchors.log_policy)
            assert check_report(report, house.anchors, NOW, reading).summary == summary
        _check_tables(report, summary.figures.entries)
    if period is None:
        assert summary.figures.entries == len(entries) + 1


def _check_tables(report: Path, entries: int) -> None:
    """No cell begins like a formula, and both have as many rows."""
    with (report / "entries.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert not [cell for row in rows for cell in row if cell[:1] in DANGEROUS]
    assert len(rows) - 1 == pq.read_table(report / "entries.parquet").num_rows == entries
