"""A log that somebody else wrote, in an environment of its own (`make bench` makes .venv-peers).

Tried: pymerkle 7.0.0 with its SQLite storage, which is measured. aics-tlog (Python ≥ 3.12) and tlog-scales build and
verify tiles but store nothing durably; Tessera, Trillian and immudb are servers in Go, which a registry of Python
packages does not have.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).with_name("peer_pymerkle.py")
PEERS_PYTHON = Path(__file__).parents[2] / ".venv-peers" / "bin" / "python"
SECONDS = 120


def pymerkle(folder: Path, entries: int, leaf_bytes: int) -> tuple[float, str] | None:
    """Entries per second and version; None where it is not installed."""
    command = [str(PEERS_PYTHON), "-I", str(SCRIPT), str(folder / "pymerkle.db"), str(entries), str(leaf_bytes)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=SECONDS)
    except (OSError, subprocess.SubprocessError):
        return None
    found = json.loads(done.stdout)
    return float(found["rate"]), str(found["version"])
