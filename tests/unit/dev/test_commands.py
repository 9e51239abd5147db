"""Commands of the demo: what is shown, what is kept, which code a refusal has."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dev.commands import ERRORS, CommandFailed, Outcome, run_command, succeeded

REFUSES = "import sys; print('error CONSENT_PURPOSE: NOT for this (purpose)', file=sys.stderr); sys.exit(3)"


def test_members_and_exit_code(tmp_path: Path) -> None:
    outcome = run_command(tmp_path, [sys.executable, "-c", "print('{\"score\": 612}')"])
    assert (outcome.code, outcome.members, outcome.reason) == (0, {"score": 612}, "")
    assert not (tmp_path / ERRORS).exists()


def test_a_refusal_has_the_catalogues_code_and_is_kept(tmp_path: Path) -> None:
    outcome = run_command(tmp_path, [sys.executable, "-c", REFUSES])
    assert (outcome.code, outcome.reason) == (3, "CONSENT_PURPOSE")
    assert "CONSENT_PURPOSE" in (tmp_path / ERRORS).read_text()
    with pytest.raises(CommandFailed, match="exit code 3"):
        succeeded(outcome)


def test_a_crash_has_no_reason_of_the_catalogue() -> None:
    outcome = Outcome("x", 1, {}, "Traceback ... NONSENSE_CODE", 0.1)
    assert outcome.reason == ""


def test_long_ids_and_paths_are_shown_short(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", "", "/some/where/file.json", "a" * 64, "--days"]
    assert run_command(tmp_path, arguments).shown.endswith("file.json 'aaaaaaaa…' --days")
