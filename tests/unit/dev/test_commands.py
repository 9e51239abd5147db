"""Commands of the demo: what is shown, what is kept, which code a refusal has."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dev import commands
from dev.commands import ERRORS, CommandFailed, Outcome, patiently, run_command, succeeded

REFUSES = """
import sys
print("error CONSENT_PURPOSE: NOT for this (purpose)\\nhint  Ask for another.", file=sys.stderr)
sys.exit(3)
"""


def test_members_and_exit_code(tmp_path: Path) -> None:
    outcome = run_command(tmp_path, [sys.executable, "-c", "print('{\"score\": 612}')"])
    assert (outcome.code, outcome.members, outcome.reason) == (0, {"score": 612}, "")
    assert not (tmp_path / ERRORS).exists()


def test_a_refusal_has_the_catalogues_code_and_is_kept(tmp_path: Path) -> None:
    outcome = run_command(tmp_path, [sys.executable, "-c", REFUSES])
    assert (outcome.code, outcome.reason, outcome.hint) == (3, "CONSENT_PURPOSE", "Ask for another.")
    assert "CONSENT_PURPOSE" in (tmp_path / ERRORS).read_text()
    with pytest.raises(CommandFailed, match="exit code 3"):
        succeeded(outcome)


def test_a_crash_has_no_reason_of_the_catalogue() -> None:
    outcome = Outcome("x", 1, {}, "Traceback ... NONSENSE_CODE", 0.1)
    assert outcome.reason == ""


def test_long_ids_and_paths_are_shown_short(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", "", "/some/where/file.json", "a" * 64, "--days"]
    assert run_command(tmp_path, arguments).shown.endswith("file.json 'aaaaaaaa…' --days")


def test_a_command_that_decided_nothing_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "PAUSE_SECONDS", 0)
    codes = iter([4, 4, 0])
    assert patiently(lambda: Outcome("x", next(codes), {}, "", 0.1)).code == 0


@pytest.mark.parametrize(("codes", "tries"), [([3] * 9, 1), ([4] * 9, 1 + commands.PATIENCE)])
def test_a_refusal_is_final_and_patience_ends(codes: list[int], tries: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "PAUSE_SECONDS", 0)
    left = list(codes)
    with pytest.raises(CommandFailed):
        patiently(lambda: Outcome("x", left.pop(), {}, "", 0.1))
    assert len(codes) - len(left) == tries
