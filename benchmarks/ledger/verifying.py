"""Verifying an export in a process of its own: `python -m benchmarks.ledger.verifying DIRECTORY POLICY`."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from ledger.policy import LogPolicy
from ledger.verify import VERIFY_CHUNK, verify_export

TOLD_EVERY = 20 * VERIFY_CHUNK
"""Leaves between two lines about how far it is."""


def run(directory: Path, policy: Path) -> Mapping[str, float]:
    """Entries, seconds (of the clock, and of the processor: less, when others use it too), peak resident set in MB."""
    begun, worked = time.perf_counter(), time.process_time()
    report = verify_export(directory, LogPolicy.parse(policy.read_text()), _tell)
    seconds, worked = time.perf_counter() - begun, time.process_time() - worked
    return {"entries": report.checkpoint.size, "seconds": seconds, "worked": worked, "rss_mb": _peak_kb() / 1024}


def verify(directory: Path, policy: Path, progress: Callable[[int, int], None]) -> Mapping[str, float]:
    """The same in a fresh process; raises when the log did not verify."""
    command = [sys.executable, "-m", "benchmarks.ledger.verifying", str(directory), str(policy)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [json.loads(line) for line in _told(process.stdout, progress)]
    if process.returncode != 0 or not lines:
        raise RuntimeError("the exported log did not verify")
    result: Mapping[str, float] = lines[-1]
    return result


def _tell(done: int, total: int) -> None:
    if done % TOLD_EVERY < VERIFY_CHUNK:
        print(f"{done} {total}", flush=True)


def _told(lines: Iterable[str], progress: Callable[[int, int], None]) -> Iterator[str]:
    """Passes on how far it is; yields the other lines."""
    for line in lines:
        if line.startswith("{"):
            yield line
        else:
            done, total = line.split()
            progress(int(done), int(total))


def _peak_kb() -> int:
    """High-water mark of this process alone: `getrusage` would count the parent that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]), Path(sys.argv[2]))))
