"""`python -m ledger` (`ledger-verify`): how it ends when files, arguments or its output are in trouble."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.__main__ import main
from tests.support.sample_log import export_log, sample_log
from tests.support.witnessed_log import policy_text

ROOT = Path(__file__).resolve().parents[3]
UNWRITTEN, USAGE, INVALID, INTERRUPTED = 1, 2, 5, 130


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "ledger-policy.txt"
    path.write_text(policy_text())
    return path


@pytest.fixture
def export(tmp_path: Path) -> Path:
    return export_log(sample_log(), tmp_path / "export")


def ended(*arguments: object) -> int:
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    return int(caught.value.code or 0)


def test_it_holds(export: Path, policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(export, "--policy", policy, "--json") == 0
    assert json.loads(capsys.readouterr().out)["valid"] is True


@pytest.mark.parametrize("option", [[], ["--evidence"]])
def test_what_is_no_folder_says_nothing_about_a_log(
    tmp_path: Path, policy: Path, option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (tmp_path / "missing", policy):
        assert ended(*option, path, "--policy", policy) == USAGE
        out, err = capsys.readouterr()
        assert (out, str(path) in err, "tampered" in err) == ("", True, False)


def test_a_policy_that_is_none_is_the_callers_mistake(
    export: Path, policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy.write_text("log nothing")
    assert ended(export, "--policy", policy) == USAGE
    assert "c2sp.org/tlog-policy" in capsys.readouterr().err


def test_a_damaged_copy_is_not_called_evidence_of_two_checkpoints(
    export: Path, policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = export / "entries" / "000000000000.jsonl"
    entries.write_bytes(b"".join(entries.read_bytes().splitlines(keepends=True)[:-1]))
    assert ended(export, "--policy", policy) == INVALID
    assert "A damaged or altered copy looks so: compare with another." in capsys.readouterr().err


def test_it_can_be_interrupted(
    export: Path, policy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ledger.__main__.verify_export", interrupted)
    assert ended(export, "--policy", policy) == INTERRUPTED
    assert capsys.readouterr() == ("", "interrupted\n")


def _full() -> int:
    return os.open("/dev/full", os.O_WRONLY)


def _left() -> int:
    reading, writing = os.pipe()
    os.close(reading)
    return writing


@pytest.mark.parametrize("output", [_full, _left])
def test_a_result_that_nobody_gets_is_none(export: Path, policy: Path, output: Callable[[], int]) -> None:
    """In a process of its own: what the interpreter does at its end counts, too."""
    command = [sys.executable, "-m", "ledger", str(export), "--policy", str(policy)]
    descriptor = output()
    try:
        done = subprocess.run(
            command, stdout=descriptor, stderr=subprocess.PIPE, text=True, timeout=60, check=False, cwd=ROOT
        )
    finally:
        os.close(descriptor)
    assert done.returncode == UNWRITTEN
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("error ")
