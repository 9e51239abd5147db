"""`ledger report`: made and verified from files, by the operator, and from the running ledger, on the record."""

from __future__ import annotations

import asyncio
import csv
import json
from pathlib import Path

import pytest

from consentgate.terminal import ExitCode
from ledger.entry import parse
from ledger_service.cli import app
from ledger_service.report import parquet_table
from tests.support.command_line import Ended, run_command
from tests.support.ledger_files import write_anchors, write_ledger_config, write_officer_config
from tests.support.ledger_server import ServedLedger
from tests.support.report_files import signing_officer_config
from tests.support.running_log import KIND, transition
from tests.support.sample_log import export_log, sample_log, store_log
from tests.support.witnessed_log import log_signer

LOG = sample_log(repeat=2)


def report(*arguments: object) -> Ended:
    return run_command(app, ["report", *arguments])


@pytest.fixture
def export(tmp_path: Path) -> Path:
    return export_log(LOG, tmp_path / "export")


@pytest.fixture
def officer(tmp_path: Path) -> Path:
    return signing_officer_config(tmp_path / "officer", "127.0.0.1:1")


def test_from_an_export_by_an_officer(tmp_path: Path, export: Path, officer: Path) -> None:
    made = report(tmp_path / "report", "--from", export, "--config", officer, "--period", "2026-11", "--json")
    assert made.code is ExitCode.OK, made.err
    assert "not recorded on the ledger" in made.err
    assert (made.members["figures"]["entries"], made.members["tree"]["size"]) == (19, 19)
    assert made.members["period"] == {
        "not_before": "2026-11-01T00:00:00.000000Z",
        "before": "2026-12-01T00:00:00.000000Z",
    }
    anchors = officer.parent / "anchors.toml"
    alone = report("--verify", tmp_path / "report", "--anchors", anchors)
    assert alone.code is ExitCode.OK, alone.err
    assert "the rows were NOT compared with the ledger" in alone.out
    assert "nothing says that the rows are all" in alone.err
    compared = report(tmp_path / "report", "--verify", "--anchors", anchors, "--from", export, "--json")
    assert compared.code is ExitCode.OK, compared.err
    assert (compared.members["valid"], compared.members["rows_compared_with_log"]) == (True, True)
    assert compared.members["signer"].endswith("/officer/officer-1")


def test_by_the_operator_with_the_logs_key(tmp_path: Path) -> None:
    config = write_ledger_config(tmp_path)
    (tmp_path / "log.key").write_bytes(log_signer("the log").to_pem())
    store_log(LOG, tmp_path / "ledger.db")
    made = report(tmp_path / "report", "--ledger", config)
    assert made.code is ExitCode.OK, made.err
    assert "signed by consentgate.test/ledger" in made.out
    verified = report("--verify", tmp_path / "report", "--ledger", config, "--json")
    assert (verified.code, verified.members["rows_compared_with_log"]) == (ExitCode.OK, True)
    (tmp_path / "log.key").write_bytes(log_signer("a stranger").to_pem())
    stranger = report(tmp_path / "another", "--ledger", config)
    assert (stranger.code, "summary.jws.iss" in stranger.err) == (ExitCode.INVALID, True)
    assert not (tmp_path / "another").exists()


def test_what_does_not_hold(tmp_path: Path, export: Path, officer: Path) -> None:
    assert report(tmp_path / "report", "--from", export, "--config", officer).code is ExitCode.OK
    table = tmp_path / "report" / "entries.csv"
    table.write_bytes(table.read_bytes().replace(b"bank-b", b"bank-a", 1))
    ended = report("--verify", tmp_path / "report", "--anchors", officer.parent / "anchors.toml", "--json")
    assert ended.code is ExitCode.INVALID
    assert ended.members == {"valid": False, "error": "REPORT_INVALID", "problem": "entries.csv"}
    assert "entries.csv" in ended.err


def test_a_tampered_log_gives_no_report(tmp_path: Path, export: Path, officer: Path) -> None:
    path = export / "entries" / "000000000000.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"bank-b"', b'"bank-a"'))
    ended = report(tmp_path / "report", "--from", export, "--config", officer, "--json")
    assert (ended.code, ended.members["valid"]) == (ExitCode.INVALID, False)
    assert not (tmp_path / "report").exists()


def test_an_officer_without_a_signing_certificate(tmp_path: Path, export: Path) -> None:
    config = write_officer_config(tmp_path / "officer", "127.0.0.1:1")
    ended = report(tmp_path / "report", "--from", export, "--config", config)
    assert (ended.code, "signing certificate" in ended.err) == (ExitCode.CONFIGURATION, True)


def test_without_pyarrow_nothing_is_begun(
    tmp_path: Path, export: Path, officer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_table, "HAS_PYARROW", False)
    ended = report(tmp_path / "report", "--from", export, "--config", officer)
    assert (ended.code, "pip install 'consentgate[report]'" in ended.err) == (ExitCode.CONFIGURATION, True)


def test_wrong_usage(tmp_path: Path, export: Path, officer: Path) -> None:
    anchors = write_anchors(tmp_path)
    (tmp_path / "report").mkdir()
    wrong: list[list[object]] = [
        [tmp_path / "new", "--anchors", anchors],
        [tmp_path / "new", "--config", officer, "--ledger", officer],
        [tmp_path / "new", "--config", officer, "--from", export, "--period", "November"],
        [tmp_path / "report", "--config", officer, "--from", export],
        [tmp_path / "missing", "--verify", "--anchors", anchors],
        [tmp_path / "report", "--verify", "--anchors", anchors, "--period", "2026"],
    ]
    for arguments in wrong:
        assert report(*arguments).code is ExitCode.USAGE, arguments


async def test_from_the_running_ledger_on_the_record(served: ServedLedger, tmp_path: Path) -> None:
    await asyncio.gather(*(served.log.append(KIND, transition(number), f"key {number}") for number in range(5)))
    config = signing_officer_config(tmp_path / "officer", served.address)
    made = await asyncio.to_thread(report, tmp_path / "report", "--config", config, "--json")
    assert made.code is ExitCode.OK, made.err
    leaves = await served.log.published.leaves(0, 100)
    recorded = [parse(leaf) for leaf in leaves if parse(leaf).kind == "access.read"]
    assert [(entry.seq, entry.body["officer"]) for entry in recorded] == [(6, "officer-1")]
    with (tmp_path / "report" / "entries.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert (rows[-1]["kind"], rows[-1]["officer"], len(rows)) == ("access.read", "officer-1", 7)
    assert json.loads((tmp_path / "report" / "summary.json").read_text())["tree"]["size"] == 7
    await served.log.append(KIND, transition(9), "later")
    verified = await asyncio.to_thread(report, tmp_path / "report", "--verify", "--config", config, "--json")
    assert verified.code is ExitCode.OK, verified.err
    assert verified.members["rows_compared_with_log"] is True
    assert served.log.published.current().checkpoint.size == 9  # the verification was recorded as well


async def test_a_ledger_that_answers_another_history(
    served: ServedLedger, tmp_path: Path, export: Path, officer: Path
) -> None:
    assert report(tmp_path / "report", "--from", export, "--config", officer).code is ExitCode.OK
    config = signing_officer_config(tmp_path / "officer", served.address)
    ended = await asyncio.to_thread(report, tmp_path / "report", "--verify", "--config", config)
    assert ended.code is ExitCode.INVALID


def test_an_unreachable_ledger(tmp_path: Path, officer: Path) -> None:
    ended = report(tmp_path / "report", "--config", officer)
    assert ended.code is ExitCode.UNAVAILABLE
    assert [path.name for path in tmp_path.iterdir()] == ["officer"]
