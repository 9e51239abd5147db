"""How long this disk needs to make 4 KiB durable: the floor under every commit."""

from __future__ import annotations

import os
import time
from pathlib import Path

BLOCK = 4096


def sync_seconds(folder: Path, repeat: int) -> list[float]:
    """Times of `fdatasync` after one more block at the end of a file."""
    path = folder / "sync-probe"
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    try:
        return [_append(file) for _ in range(repeat)]
    finally:
        os.close(file)
        path.unlink()


def _append(file: int) -> float:
    os.write(file, b"\x01" * BLOCK)
    begun = time.perf_counter()
    os.fdatasync(file)
    return time.perf_counter() - begun
