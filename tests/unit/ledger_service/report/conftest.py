"""The sample log as an export, and one report of it, made once."""

from __future__ import annotations

import pytest

from tests.support.report_files import ReportHouse
from tests.support.sample_log import export_log, sample_log


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> ReportHouse:
    folder = tmp_path_factory.mktemp("house")
    return ReportHouse.built(folder, export_log(sample_log(repeat=3), folder / "export"))
