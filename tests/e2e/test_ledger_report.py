"""After the demo: the officer's report of its ledger, by the installed command, verified by somebody else's."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from consentgate.identity import Role
from dev.companies import extract, sample_companies
from dev.layout import BANK, OFFICER, Layout
from dev.ledger_story import EXPORT
from tests.e2e.conftest import TEST_SECONDS, DemoRun

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(TEST_SECONDS)]

LEDGER = Path(sys.executable).parent / "ledger"


def ledger(*arguments: object) -> str:
    done = subprocess.run(
        [LEDGER, "report", *map(str, arguments), "--development", "--json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=TEST_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def report(demo_run: DemoRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert demo_run.code == 0, demo_run.output
    officer = Layout(demo_run.directory, (), {}).member(Role.OFFICER, OFFICER) / "officer.toml"
    directory = tmp_path_factory.mktemp("report") / "report"
    ledger(directory, "--config", officer, "--from", demo_run.directory / EXPORT)
    return directory


def test_a_bank_verifies_the_officers_report_against_the_log(report: Path, demo_run: DemoRun) -> None:
    anchors = Layout(demo_run.directory, (), {}).member(Role.BANK, BANK) / "anchors.toml"
    found = json.loads(ledger("--verify", report, "--anchors", anchors, "--from", demo_run.directory / EXPORT))
    assert (found["valid"], found["rows_compared_with_log"]) == (True, True)
    assert found["signer"].endswith(f"/officer/{OFFICER}")
    assert found["figures"]["by_verdict"]["allow"] >= 1
    assert found["figures"]["denials_by_reason"]


def test_rows_are_the_logs_entries(report: Path, demo_run: DemoRun) -> None:
    stored = (demo_run.directory / EXPORT / "entries" / "000000000000.jsonl").read_text().splitlines()
    leaves = [json.loads(line) for line in stored]
    with (report / "entries.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["seq"], row["kind"]) for row in rows] == [(str(leaf["seq"]), leaf["kind"]) for leaf in leaves]


def test_no_company_is_named(report: Path) -> None:
    companies = sample_companies(extract())
    secrets = [text for company in companies for text in (company.code, company.name)]
    for path in report.iterdir():
        content = path.read_bytes()
        assert [secret for secret in secrets if secret.encode() in content] == [], path.name
