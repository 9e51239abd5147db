"""`make real-data`: companies of any file in that layout, through eight departments, without a single mismatch."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dev.processes import recorded, stop_recorded
from tests.e2e.conftest import ROOT, TEST_SECONDS

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(TEST_SECONDS)]

SHARED = ROOT.parent / "shared" / "data" / "polish_companies_5year.arff"
"""The real file, where it lies beside the project; the made-up one is always there."""
KEYS = {
    "companies",
    "departments",
    "columns",
    "mismatches",
    "auc_encrypted",
    "auc_plain",
    "seconds",
    "p50_ms",
    "p99_ms",
}


def made_up(path: Path, ratios: int = 64, name: str = "Attr", companies: int = 240) -> Path:
    """A file of the layout: a fifth of the ratios missing, some enormous; bankrupt companies tend to be lower."""
    source = random.Random(64)  # noqa: S311 - figures, not secrets
    head = ["@relation 'made up'", "", *(f"@attribute {name}{number} numeric" for number in range(1, ratios + 1))]
    lines = [*head, "@attribute class {0,1}", "", "@data"]
    for index in range(companies):
        bankrupt = index % 5 < 2
        values = [
            f"{source.gauss(-1 if bankrupt else 1, 2) * 10 ** source.choice((0, 0, 0, 4)):.5g}" for _ in range(ratios)
        ]
        shown = [value if source.random() > 0.2 else "?" for value in values]
        lines.append(",".join([*shown, str(int(bankrupt))]))
    path.write_text("\n".join(lines) + "\n")
    return path


def real_data(data: Path, rows: int, directory: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dev.real_data", str(data), "--rows", str(rows), "--directory", str(directory)]
    try:
        return subprocess.run(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=TEST_SECONDS,
        )
    finally:
        stop_recorded(directory)  # after a timeout; else there is nothing to stop


def checked(done: subprocess.CompletedProcess[str], directory: Path, rows: int) -> dict[str, Any]:
    """The summary, once everything that must hold for any file holds."""
    assert done.returncode == 0, done.stdout
    summary: dict[str, Any] = json.loads((directory / "summary.json").read_text())
    assert summary.keys() == KEYS
    assert summary["companies"] == rows
    assert summary["departments"] >= 8
    assert summary["mismatches"] == 0
    assert summary["auc_encrypted"] == summary["auc_plain"]
    assert 0 < summary["p50_ms"] <= summary["p99_ms"]
    assert recorded(directory) == {}
    return summary


def test_a_made_up_file_of_the_layout(tmp_path: Path) -> None:
    data = made_up(tmp_path / "companies.arff")
    done = real_data(data, 12, tmp_path / "build")
    assert checked(done, tmp_path / "build", 12)["auc_encrypted"] > 0.8


def test_a_file_of_other_ratios(tmp_path: Path) -> None:
    """Its own ratios are dealt out over the departments."""
    done = real_data(made_up(tmp_path / "other.arff", 10, "X"), 6, tmp_path / "build")
    assert checked(done, tmp_path / "build", 6)["columns"] == 10


@pytest.mark.skipif(not SHARED.exists(), reason="the real file is not beside the project")
def test_the_real_file(tmp_path: Path) -> None:
    done = real_data(SHARED, 30, tmp_path / "build")
    assert checked(done, tmp_path / "build", 30)["auc_encrypted"] > 0.7


def test_a_file_of_another_layout_is_refused_by_line(tmp_path: Path) -> None:
    data = tmp_path / "other.arff"
    data.write_text("@attribute Attr1 numeric\n@attribute class {0,1}\n@data\n1,2,3\n")
    done = real_data(data, 5, tmp_path / "build")
    assert done.returncode == 1
    assert "other.arff:4" in done.stdout
    assert "Traceback" not in done.stdout


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    done = real_data(tmp_path / "nowhere.arff", 5, tmp_path / "build")
    assert done.returncode == 1
    assert "nowhere.arff" in done.stdout
    assert "Traceback" not in done.stdout
