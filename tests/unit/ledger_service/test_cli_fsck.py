"""`ledger fsck`."""

from __future__ import annotations

from pathlib import Path

import pytest

from consentgate.terminal import ExitCode
from ledger.checkpoint import Checkpoint
from ledger.entry import leaf_hash
from ledger.merkle import root
from ledger.second_place import SecondPlace
from ledger_service.cli import app
from tests.support.command_line import Ended, run_command
from tests.support.ledger_files import write_ledger_config
from tests.support.sample_log import alter, sample_log, store_log
from tests.support.witnessed_log import ORIGIN, WitnessedLog, log_signer


def fsck(*arguments: object) -> Ended:
    return run_command(app, ["fsck", *arguments])


def sign_in_second_place(log: WitnessedLog, path: Path) -> None:
    signer = log_signer("the log")
    checkpoint = Checkpoint(ORIGIN, len(log.leaves), root([leaf_hash(leaf) for leaf in log.leaves]))
    SecondPlace(path, [signer.verifier_key]).write(checkpoint.sign(signer))


def test_sound(tmp_path: Path) -> None:
    database = store_log(sample_log(), tmp_path / "ledger.db")
    ended = fsck("--database", database, "--json")
    assert ended.code is ExitCode.OK
    assert ended.members == {
        "clean": True,
        "entries": 10,
        "indexed": 10,
        "witnessed": 10,
        "findings": [],
        "omitted": 0,
    }
    assert fsck("--database", database).out == "10 entries, 10 of them indexed, 10 witnessed: nothing differs\n"


def test_findings(tmp_path: Path) -> None:
    database = store_log(sample_log(), tmp_path / "ledger.db")
    alter(database, "UPDATE searchable SET reason = 'X' WHERE seq IN (1, 2)")
    ended = fsck("--database", database, "--json")
    assert ended.code is ExitCode.INVALID
    assert ended.members["clean"] is False
    assert [found["place"] for found in ended.members["findings"]] == ["searchable 1", "searchable 2"]
    assert "searchable 1: column reason is not what the leaf says" in ended.err
    assert "searchable 2: column reason is not what the leaf says" in ended.err


def test_an_old_copy_is_found_by_the_second_place(tmp_path: Path) -> None:
    config = write_ledger_config(tmp_path)
    store_log(sample_log(), tmp_path / "ledger.db")
    assert fsck("--config", config).code is ExitCode.OK
    sign_in_second_place(sample_log(), tmp_path / "second-place")
    assert fsck("--config", config).code is ExitCode.OK
    sign_in_second_place(sample_log(repeat=2), tmp_path / "second-place")
    ended = fsck("--config", config)
    assert ended.code is ExitCode.INVALID
    assert "second place: the database is an old copy: the log signed further" in ended.err
    assert fsck("--database", tmp_path / "ledger.db").code is ExitCode.OK


@pytest.mark.parametrize("options", [[], ["--config", "x", "--database"]])
def test_needs_one_source(tmp_path: Path, options: list[str]) -> None:
    database = store_log(sample_log(), tmp_path / "ledger.db")
    arguments = [*options, database] if options else []
    assert fsck(*arguments).code is ExitCode.USAGE


def test_missing_database(tmp_path: Path) -> None:
    ended = fsck("--config", write_ledger_config(tmp_path))
    assert ended.code is ExitCode.REFUSED
    assert "NOT_FOUND" in ended.err
    assert fsck("--database", tmp_path / "none.db").code is ExitCode.USAGE
