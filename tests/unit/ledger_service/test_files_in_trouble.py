"""Commands over files that cannot be read or written: the file and the cause are named, and nothing half-written stays.

As root every file may be read, so what the operating system says is put in its mouth.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from consentgate.terminal import ExitCode
from ledger_service.cli import app
from tests.support.command_line import Ended, run_command
from tests.support.sample_log import alter, export_log, sample_log, store_log
from tests.support.witnessed_log import policy_text

LOG = sample_log()


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "ledger-policy.txt"
    path.write_text(policy_text())
    return path


@pytest.fixture
def export(tmp_path: Path) -> Path:
    return export_log(LOG, tmp_path / "export")


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("ledger.durable_files.os.fsync", full)


def _unreadable(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    honest: Callable[..., Any] = Path.open

    def opened(path: Path, *arguments: Any, **named: Any) -> Any:
        if path.name == name:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return honest(path, *arguments, **named)

    monkeypatch.setattr(Path, "open", opened)


def assert_named(ended: Ended, named: str, cause: str) -> None:
    assert ended.code is ExitCode.UNAVAILABLE, ended.err
    assert "FILE_UNAVAILABLE" in ended.err
    assert named in ended.err
    assert f"cause: {cause}" in ended.err
    assert "incident" not in ended.err


@pytest.mark.parametrize("name", ["checkpoint", "000000000000.jsonl"])
@pytest.mark.parametrize("command", ["verify", "search", "show", "replay"])
def test_an_unreadable_part_of_an_export(
    export: Path, policy: Path, monkeypatch: pytest.MonkeyPatch, command: str, name: str
) -> None:
    _unreadable(monkeypatch, name)
    given = [export] if command == "verify" else ["--from", export]
    ended = run_command(app, [command, *given, *(["1"] if command == "show" else []), "--policy", policy])
    assert_named(ended, name, "Permission denied")
    assert ended.out == ""


def test_an_export_that_cannot_be_written_says_where_the_trouble_is(
    tmp_path: Path, policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not that a ledger does not answer."""
    database = store_log(LOG, tmp_path / "ledger.db")
    (tmp_path / "file").write_text("no folder")
    ended = run_command(app, ["export", tmp_path / "file" / "copy", "--database", database, "--policy", policy])
    assert_named(ended, "cannot write the export: Not a directory", "Not a directory")


@pytest.mark.parametrize("command", ["verify", "search", "fsck"])
def test_a_file_that_is_no_ledger_is_not_called_a_full_disk(tmp_path: Path, policy: Path, command: str) -> None:
    other = tmp_path / "gateway.db"
    store_log(LOG, other)
    alter(other, "PRAGMA user_version = 0")
    given = {
        "verify": [other, "--policy", policy],
        "search": ["--from", other],
        "fsck": ["--database", other],
    }
    for _ in range(2):
        ended = run_command(app, [command, *given[command]])
        assert (ended.code, "disk space" in ended.err) == (ExitCode.INVALID, False)
        assert "no ledger's database" in ended.err
        other.write_bytes(b"no database" * 1000)


@pytest.mark.usefixtures("full_disk")
def test_no_half_receipt_stays_on_a_full_disk(export: Path, tmp_path: Path) -> None:
    """The entry is shown all the same: a ledger that was asked has recorded the question."""
    ended = run_command(app, ["show", "7", "--from", export, "--receipt-out", tmp_path / "seven"])
    assert_named(ended, "", "No space left on device")
    assert ended.out.startswith("entry 7 of consentgate.test/ledger\n")
    found = run_command(app, ["search", "--from", export, "--proofs", tmp_path / "receipts", "--json"])
    assert_named(found, "", "No space left on device")
    assert len(found.members["entries"]) == 10
    assert [*tmp_path.glob("seven*"), *(tmp_path / "receipts").iterdir()] == []


def test_a_receipt_without_its_second_file_is_no_receipt(
    export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "seven.proof").mkdir()
    ended = run_command(app, ["show", "7", "--from", export, "--receipt-out", tmp_path / "seven"])
    assert (ended.code, ended.out) == (ExitCode.USAGE, "")
    assert "not overwritten" in ended.err
    assert not (tmp_path / "seven.leaf").exists()


def test_receipts_that_have_no_folder_are_not_asked_for(export: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    ended = run_command(app, ["search", "--from", export, "--proofs", tmp_path / "file" / "receipts"])
    assert_named(ended, "file", "Not a directory")
    assert ended.out == ""


@pytest.mark.usefixtures("full_disk")
def test_a_position_that_cannot_be_kept_is_as_it_was(export: Path, policy: Path, tmp_path: Path) -> None:
    ended = run_command(app, ["replay", "--from", export, "--policy", policy, "--state", tmp_path / "state"])
    assert_named(ended, "", "No space left on device")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["export", "ledger-policy.txt"]


@pytest.mark.usefixtures("full_disk")
def test_a_key_that_cannot_be_kept_leaves_its_name_free(tmp_path: Path) -> None:
    ended = run_command(app, ["keygen", "--name", "consentgate.test/ledger", "--out", tmp_path / "log.key"])
    assert_named(ended, "", "No space left on device")
    assert (ended.out, [*tmp_path.iterdir()]) == ("", [])


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    out = tmp_path / "log.key"
    out.write_text("old")
    ended = run_command(app, ["keygen", "--name", "consentgate.test/ledger", "--out", out])
    assert (ended.code, out.read_text()) == (ExitCode.CONFIGURATION, "old")
    assert "A key is never overwritten." in ended.err


@pytest.mark.parametrize("name", ["two words", "a+b", ""])
def test_a_name_that_no_key_can_have_is_named(tmp_path: Path, name: str) -> None:
    ended = run_command(app, ["keygen", "--name", name, "--out", tmp_path / "log.key"])
    assert (ended.code, "Invalid value for --name" in ended.err) == (ExitCode.USAGE, True)
    assert [*tmp_path.iterdir()] == []
