"""The README's two commands print what the README shows, in their stable parts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.outputs import not_found, shown_outputs
from tests.docs.pages import ROOT

DEMO = "make demo"
DEMO_SECONDS = 500
"""Ten times what it takes on a quiet machine."""
PYTHON = Path(sys.executable)


@pytest.mark.parametrize(
    ("shown", "missing"),
    [
        (["1 · first  9.9 s", "…", "last 0123456789abcdef"], None),
        (["…", "score 700", "last 0123456789abcdef"], None),
        (["…", "points 612"], "points #"),
        (["last deadbeef01", "…", "score 612"], "score #"),
        (["1 · first  0.1 s", "last deadbeef01"], "# · first # s"),
    ],
)
def test_the_comparison_sees_changed_moved_and_left_out_lines(shown: list[str], missing: str | None) -> None:
    assert not_found(shown, ["1 · first  0.1 s", "", "score 612", "last deadbeef01"]) == missing


def test_two_commands_are_shown_with_output() -> None:
    assert next(iter(shown_outputs())) == DEMO
    assert len(shown_outputs()) == 2


def test_make_demo_runs_the_demo() -> None:
    recipe = (ROOT / "Makefile").read_text().partition("\ndemo: ")[2].splitlines()[1]
    assert recipe.strip() == "$(BIN)/python -m dev.demo"


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Both commands, run one after the other in an empty folder, as in a fresh clone."""
    folder = tmp_path_factory.mktemp("clone")
    try:
        return {command: _run(_words(command), folder) for command in shown_outputs()}
    finally:
        # A demo that was killed for being too slow leaves its servers; without any this does nothing.
        _run([str(PYTHON), "-m", "dev.up", "stop", "--directory", "build/demo"], folder)


def _words(command: str) -> list[str]:
    """The command as it runs in a clone whose environment is this one."""
    program, *words = command.split()
    return [str(PYTHON), "-m", "dev.demo"] if command == DEMO else [str(PYTHON.parent / Path(program).name), *words]


def _run(words: list[str], folder: Path) -> list[str]:
    finished = subprocess.run(
        words,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=DEMO_SECONDS,
    )
    assert finished.returncode == 0, finished.stdout
    return finished.stdout.splitlines()


@pytest.mark.e2e
@pytest.mark.timeout(2 * DEMO_SECONDS)
@pytest.mark.parametrize("command", shown_outputs(), ids=lambda command: Path(command.split()[0]).name)
def test_output_is_as_shown(command: str, printed: dict[str, list[str]]) -> None:
    assert not_found(shown_outputs()[command], printed[command]) is None
