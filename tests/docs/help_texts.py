"""What the commands' `--help` prints, at a fixed width and without colours."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

SCRIPTS = Path(sys.executable).parent
COLUMNS = 100
"""characters; fits a page without scrolling."""


@lru_cache
def help_text(command: str) -> str:
    """`command --help`, lines without trailing blanks."""
    program, *words = command.split()
    environment = {
        **os.environ,
        "COLUMNS": str(COLUMNS),
        "TERMINAL_WIDTH": str(COLUMNS),
        "NO_COLOR": "1",
        "TERM": "dumb",
    }
    finished = subprocess.run(
        [str(SCRIPTS / program), *words, "--help"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    lines = [line.rstrip() for line in finished.stdout.strip().splitlines()]
    return "\n".join(lines) + "\n"
