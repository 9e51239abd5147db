"""The ledger's comparison: a small run gives every figure, and what cannot be measured is said and not invented."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import sqlite3
import sys
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks.ledger import measure, peers, picture, report, rounds, slower_disk, verifying
from benchmarks.ledger.appending import Appended
from benchmarks.ledger.floor import Floor
from benchmarks.ledger.samples import FULL, QUICK, Plan, Samples, quantile
from benchmarks.ledger.workload import Workload
from benchmarks.progress import shown_progress
from ledger.kinds import KINDS

TINY = Plan(1_100, 1, 64, 8, 2, {1: 2, 64: 64}, 2, (1000,))
ISSUE = [
    "append_per_s_sqlite",
    "append_per_s_postgres",
    "append_vs_naive_sqlite",
    "append_vs_naive_postgres",
    "p99_ms_64_writers",
    "receipt_ms",
    "verify_entries_per_s",
    "million_verify_s",
    "million_verify_rss_mb",
    "proof_bytes_1m",
    "search_ms_1m",
]
"""The figures that issue 5 names."""


@contextmanager
def no_server() -> Any:
    yield None


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One small run without PostgreSQL and without peers."""
    told: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "_server", no_server)
        patch.setattr(peers, "PEERS_PYTHON", tmp_path_factory.mktemp("nobody") / "python")
        patch.setattr(rounds, "SMALL", 200)
        patch.setattr(measure, "SMALL", 200)
        found = measure.run(TINY, lambda stage, done, total: told.append(f"{stage} {done}/{total}"))
    assert "a large log grows 1100/1100" in told
    assert "appends, ours and naive 2/2" in told
    return json.loads(json.dumps(found))


def test_a_run_gives_every_figure_of_the_issue(result: dict[str, Any]) -> None:
    missing = {name for name in ISSUE if result[name] is None}
    assert missing == {"append_per_s_postgres", "append_vs_naive_postgres"}
    assert all(result[name] > 0 for name in ISSUE if name not in missing)
    assert result["extrapolated_to_a_million"]


def test_ratios_are_those_of_the_figures_beside_them(result: dict[str, Any]) -> None:
    ratio = result["append_per_s_sqlite"] / result["naive_per_s_sqlite"]
    assert result["append_vs_naive_sqlite"] == pytest.approx(ratio, rel=0.02)
    assert result["append_vs_naive_64_writers_sqlite"] >= result["append_vs_naive_sqlite"]
    assert result["p99_vs_fsync"] == pytest.approx(result["p99_ms_64_writers"] / result["fsync_ms"], rel=0.02)
    assert result["p99_needs_per_s"] == pytest.approx(6400 / result["fsync_ms"], rel=0.02)


def test_a_slower_disk_is_slower_by_what_was_asked_for(result: dict[str, Any]) -> None:
    """Where strace may not trace, nothing is said of slower disks."""
    slower = result["p99_on_slower_disks"]
    if shutil.which("strace") is None:
        assert (slower, result["p99_vs_fsync_1ms"]) == ([], None)
        pytest.skip("no strace")
    assert [each["fsync_ms"] > 1 for each in slower] == [True]
    assert result["p99_vs_fsync_1ms"] == pytest.approx(slower[0]["p99_ms"] / slower[0]["fsync_ms"], rel=0.02)


def test_the_floor_stores_what_it_is_given_and_does_nothing_else(tmp_path: Path, result: dict[str, Any]) -> None:
    floor = Floor(tmp_path / "floor.db")
    appended = floor.sequence(Workload(100), 130, 64)
    floor.close()
    assert len(appended.latencies) == 130
    with closing(sqlite3.connect(tmp_path / "floor.db")) as stored:
        rows = stored.execute("SELECT seq, leaf, hash FROM entry ORDER BY seq").fetchall()
    assert [(seq, digest) for seq, _, digest in rows] == [
        (seq, hashlib.sha256(leaf).digest()) for seq, (_, leaf, _) in enumerate(rows)
    ]
    assert len(rows) == 130
    assert result["floor_per_s"] > 0
    assert result["floor_p99_vs_fsync"] > 0


def test_without_strace_nothing_is_said_of_slower_disks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert slower_disk.measure(1000, 1, 64) is None


def test_what_was_not_measured_is_said(result: dict[str, Any]) -> None:
    shown = report.table(result)
    assert "| … times pymerkle on SQLite | not measured |" in shown
    assert "| durable appends/s, PostgreSQL, 64 writers | not measured |" in shown
    assert "not measured (PostgreSQL)" in report.facts(result)
    bars = ElementTree.fromstring(picture.draw(result, "a <machine>"))  # noqa: S314 - our own picture
    assert len(bars.findall("{http://www.w3.org/2000/svg}rect")) == 1 + 3


def test_both_languages_have_words_for_every_row() -> None:
    rows = {name for name, _ in report.ROWS}
    assert rows == report.ENGLISH.rows.keys() == report.CHINESE.rows.keys()


def test_the_quick_run_is_smaller_in_everything() -> None:
    assert QUICK.entries == 20_000
    assert FULL.entries == 1_000_000
    assert (QUICK.rounds, QUICK.appends, QUICK.repeat) < (FULL.rounds, FULL.appends, FULL.repeat)


def test_the_workload_is_the_same_every_time_and_of_known_kinds() -> None:
    first, second = Workload(100), Workload(100)
    wanted = [next(first) for _ in range(30)]
    assert wanted == [next(second) for _ in range(30)]
    assert len({item.key for item in wanted}) == 30
    for item in wanted:
        KINDS[item.kind].check(item.body)


def test_quantiles_and_medians() -> None:
    values = [float(value) for value in range(100, 0, -1)]
    assert (quantile(values, 0.5), quantile(values, 0.99)) == (51.0, 100.0)
    assert Appended(1.0, values).quantile(0.99) == 100.0
    samples = Samples()
    samples.add("rate", 1, 5)
    samples.add("rate", 2)
    assert samples.median("rate") == 2


def test_a_log_that_does_not_verify_is_no_figure(tmp_path: Path) -> None:
    (tmp_path / "policy").write_text("quorum none\n")
    with pytest.raises(RuntimeError, match="did not verify"):
        verifying.verify(tmp_path / "export", tmp_path / "policy", lambda done, total: None)  # noqa: ARG005


def test_beside_a_file_progress_is_a_line_per_tenth(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    with shown_progress() as tell:
        for done in range(0, 101):
            tell("it grows", done, 100)
    assert len(screen.getvalue().splitlines()) == 11
    assert screen.getvalue().endswith("… it grows: 100 of 100\n")
