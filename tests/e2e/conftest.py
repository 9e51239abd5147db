"""What several end-to-end tests look at: one run of the demo at debug level, as a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEMO_SECONDS = 280


@dataclass(frozen=True)
class DemoRun:
    """How the demo ended and what it left behind."""

    directory: Path
    code: int
    output: str
    seconds: float

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
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "dev.demo", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=DEMO_SECONDS,
    )
    return DemoRun(directory / "build", done.returncode, done.stdout, time.monotonic() - began)
