"""The operator's commands on a ledger in either database, by its `ledger.toml`."""

from __future__ import annotations

from pathlib import Path

import pytest

from consentgate.terminal import ExitCode
from ledger_service.cli import app
from ledger_service.config import LedgerConfig
from ledger_service.storages import open_storage
from tests.contract.ledger_tables import alter
from tests.contract.log_storages import POSTGRESQL, SQLITE, StorageKind
from tests.support.command_line import run_command
from tests.support.ledger_folder import write_ledger
from tests.support.running_log import KIND, LogFolder, transition


@pytest.fixture
async def config(kind: StorageKind, place: str, tmp_path: Path) -> Path:  # type: ignore[misc]
    """A ledger that recorded three entries and was stopped."""
    path = write_ledger(tmp_path)
    database = f"sqlite:///{place}" if kind is SQLITE else place
    path.write_text(path.read_text().replace("sqlite:///data/ledger.db", database))
    config = LedgerConfig.load(path)
    folder = LogFolder(tmp_path)
    folder.second_place = config.second_place
    folder.open_storage = lambda: open_storage(config.database)
    async with folder.running() as log:
        for number in range(3):
            await log.append(KIND, transition(number), f"key {number}")
    return path


def test_a_ledger_in_any_database_is_exported_and_verified(config: Path, tmp_path: Path) -> None:
    ended = run_command(app, ["export", tmp_path / "export", "--config", config, "--json"])
    assert (ended.code, ended.members["entries"]) == (ExitCode.OK, 4)
    ended = run_command(app, ["verify", tmp_path / "export", "--policy", tmp_path / "ledger-policy.txt", "--json"])
    assert (ended.code, ended.members["valid"]) == (ExitCode.OK, True)


def test_a_lost_second_place_is_made_again_from_any_database(config: Path, tmp_path: Path) -> None:
    (tmp_path / "second-place").unlink()
    ended = run_command(app, ["restore-second-place", "--config", config, "--json"])
    assert (ended.code, ended.members["size"]) == (ExitCode.OK, 4)
    assert (tmp_path / "second-place").exists()


def test_fsck_examines_any_database_and_knows_the_second_place(
    kind: StorageKind, config: Path, place: str, tmp_path: Path
) -> None:
    ended = run_command(app, ["fsck", "--config", config, "--json"])
    assert (ended.code, ended.members["clean"], ended.members["entries"]) == (ExitCode.OK, True, 4)
    assert run_command(app, ["fsck", "--database", place]).code is ExitCode.OK
    alter(kind, place, ("UPDATE searchable SET reason = 'X' WHERE seq = 2", []))
    ended = run_command(app, ["fsck", "--config", config, "--json"])
    assert ended.code is ExitCode.INVALID
    assert [found["place"] for found in ended.members["findings"]] == ["searchable 2"]


@pytest.mark.parametrize("kind", [POSTGRESQL], indirect=True, ids=["postgresql"])
def test_a_server_that_does_not_answer_is_no_finding(config: Path, place: str, tmp_path: Path) -> None:
    """What cannot be read is not thereby false: exit code and error are those of something that passes."""
    host = place.partition("host=")[2]
    config.write_text(config.read_text().replace(host, str(tmp_path)))
    for command in (["export", tmp_path / "export"], ["fsck"]):
        ended = run_command(app, [*command, "--config", config])
        assert ended.code is not ExitCode.INVALID
        assert "LEDGER_UNAVAILABLE" in ended.err
