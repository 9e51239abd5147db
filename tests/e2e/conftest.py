"""What several end-to-end tests look at: one run of the demo at debug level, as a process of its own; and a federation
whose processes are killed.
"""

from __future__ import annotations

import json
import resource
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from bank_client.scoring import Score
from dev.processes import stop_recorded
from tests.support.kill_house import KillHouse, kill_house

ROOT = Path(__file__).resolve().parents[2]
TEST_SECONDS = 900
"""For one test with what it starts: minutes on an idle machine, and CI machines are seldom idle."""
DEMO_SECONDS = 600


@dataclass(frozen=True)
class DemoRun:
    """How the demo ended and what it left behind."""

    directory: Path
    code: int
    output: str
    cpu_seconds: float

    @cached_property
    def summary(self) -> dict[str, Any]:
        """build/demo/summary.json."""
        content: dict[str, Any] = json.loads((self.directory / "summary.json").read_text())
        return content


@pytest.fixture(scope="session")
def demo_run(tmp_path_factory: pytest.TempPathFactory) -> DemoRun:
    """`python -m dev.demo`, exactly as `make demo` runs it, with everything logged."""
    directory = tmp_path_factory.mktemp("demo")
    arguments = ["--directory", str(directory / "build"), "--log-level", "debug"]
    before = _cpu_of_children()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "dev.demo", *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=DEMO_SECONDS,
        )
    finally:
        stop_recorded(directory / "build")  # after a timeout; else there is nothing to stop
    return DemoRun(directory / "build", done.returncode, done.stdout, _cpu_of_children() - before)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KillHouse]:
    """A federation whose processes are there to be killed, and answer."""
    with kill_house(tmp_path_factory.mktemp("kill") / "build") as house:
        assert isinstance(house.ask(secrets.token_hex(16)), Score), "nothing was killed yet"
        yield house


def _cpu_of_children() -> float:
    """Processor seconds of all descendants that have ended, which the demo waits for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
