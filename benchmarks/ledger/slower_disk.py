"""p99 on disks that need longer than this one: the same appends under strace, which lets each fsync return later.

p99 is the time of a commit by the processor, which stays, and that of the disk, which varies from one to the next by a
factor of a hundred: so one disk's ratio says little of another's.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.ledger import appending, disk
from benchmarks.ledger.samples import P99, SMALL, WRITERS, ms
from benchmarks.ledger.workload import Workload
from ledger.storage.sqlite import SqliteStorage

SYNCS = 100
"""Probes of the slower disk before a turn."""
CALLS = "fsync,fdatasync"
SECONDS = 120


def measure(delay_us: int, turns: int, appends: int) -> dict[str, float] | None:
    """`fsync_ms`, `p99_ms` and their ratio, medians of `turns`; None without strace, or where it may not trace."""
    traced = ["strace", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", f"trace={CALLS}"]
    slowly = ["-e", f"inject={CALLS}:delay_exit={delay_us}"]
    command = [sys.executable, "-m", __spec__.name, str(turns), str(appends)]
    try:
        done = subprocess.run([*traced, *slowly, *command], capture_output=True, text=True, check=True, timeout=SECONDS)
    except (OSError, subprocess.SubprocessError):
        return None
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _measure_here(turns: int, appends: int) -> dict[str, float]:
    syncs, p99s, work = [], [], Workload(appends)
    with TemporaryDirectory(prefix="ledger-bench-") as folder:
        storage = SqliteStorage.open(Path(folder) / "slow.db")
        appending.grow(storage, work, SMALL)
        for _ in range(turns):
            appending.settle()
            syncs += disk.sync_seconds(Path(folder), SYNCS)
            p99s.append(appending.sequence(storage, work, appends, WRITERS).quantile(P99))
        storage.close()
    sync, p99 = statistics.median(syncs), statistics.median(p99s)
    return {"fsync_ms": ms(sync), "p99_ms": ms(p99), "p99_vs_fsync": round(p99 / sync, 2)}


if __name__ == "__main__":
    json.dump(_measure_here(*map(int, sys.argv[1:])), sys.stdout)
