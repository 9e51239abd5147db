"""A report of a database is, byte for byte, the report of its export: whichever database holds the log."""

from __future__ import annotations

from pathlib import Path

import pytest

from consentgate.terminal import ExitCode
from ledger_service.cli import app
from tests.contract.log_storages import SQLITE, StorageKind
from tests.support.command_line import run_command
from tests.support.ledger_files import write_ledger_config
from tests.support.sample_log import export_log, fill_storage, sample_log
from tests.support.witnessed_log import log_signer

LOG = sample_log(repeat=150)


@pytest.fixture
def config(kind: StorageKind, place: str, tmp_path: Path) -> Path:
    """`ledger.toml` of the operator whose database holds the log, and four entries that nobody witnessed yet."""
    fill_storage(LOG, kind.open(place), witnessed=len(LOG.leaves) - 4)
    path = write_ledger_config(tmp_path)
    (tmp_path / "log.key").write_bytes(log_signer("the log").to_pem())
    if kind is not SQLITE:
        path.write_text(path.read_text().replace("sqlite:///ledger.db", place))
    return path


def test_database_and_export_give_the_same(config: Path, tmp_path: Path) -> None:
    ended = run_command(app, ["report", tmp_path / "from-database", "--ledger", config, "--json"])
    assert ended.code is ExitCode.OK, ended.err
    assert ended.members["tree"]["size"] == len(LOG.leaves) - 4
    exported = run_command(app, ["export", tmp_path / "export", "--config", config])
    assert exported.code is ExitCode.OK, exported.err
    again = run_command(app, ["report", tmp_path / "from-export", "--ledger", config, "--from", tmp_path / "export"])
    assert again.code is ExitCode.OK, again.err
    for path in (tmp_path / "from-database").iterdir():
        if path.name != "summary.jws":
            assert path.read_bytes() == (tmp_path / "from-export" / path.name).read_bytes(), path.name
    verified = run_command(app, ["report", "--verify", tmp_path / "from-export", "--ledger", config, "--json"])
    assert (verified.code, verified.members["rows_compared_with_log"]) == (ExitCode.OK, True)


def test_a_longer_log_still_vouches_for_an_earlier_report(config: Path, tmp_path: Path) -> None:
    """The report is of a tree that the log has left behind."""
    assert run_command(app, ["report", tmp_path / "report", "--ledger", config]).code is ExitCode.OK
    longer = export_log(sample_log(repeat=160), tmp_path / "longer")
    verified = run_command(app, ["report", "--verify", tmp_path / "report", "--ledger", config, "--from", longer])
    assert verified.code is ExitCode.OK, verified.err
