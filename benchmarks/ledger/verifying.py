"""Verifying an export in a process of its own: `python -m benchmarks.ledger.verifying DIRECTORY POLICY`."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from ledger.policy import LogPolicy
from ledger.verify import verify_export


def run(directory: Path, policy: Path) -> dict[str, float]:
    """Entries, seconds (of the clock, and of the processor: less, when others use it too), peak resident set in MB."""
    begun, worked = time.perf_counter(), time.process_time()
    report = verify_export(directory, LogPolicy.parse(policy.read_text()))
    seconds, worked = time.perf_counter() - begun, time.process_time() - worked
    return {"entries": report.checkpoint.size, "seconds": seconds, "worked": worked, "rss_mb": _peak_kb() / 1024}


def verify(directory: Path, policy: Path) -> dict[str, float]:
    """The same in a fresh process; raises when the log did not verify."""
    command = [sys.executable, "-m", "benchmarks.ledger.verifying", str(directory), str(policy)]
    result: dict[str, float] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return result


def _peak_kb() -> int:
    """High-water mark of this process alone: `getrusage` would count the parent that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]), Path(sys.argv[2]))))
