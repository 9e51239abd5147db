"""A disk that can be full: a file system of a few megabytes in memory, mounted for one test.

Mounting needs root; without it the test is skipped (SQLite's own bound on pages is tested anyway).
"""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

BALLAST = "ballast"
STEP = 4096
"""The file system's page: what is left when it is full is less."""


class NoSmallDisk(pytest.skip.Exception):
    """Nothing may be mounted here: the test that asked for it is skipped."""


@dataclass(frozen=True)
class SmallDisk:
    """Mounted at `path`."""

    path: Path

    def fill(self) -> None:
        """Not a page is left."""
        with (self.path / BALLAST).open("ab", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(bytes(STEP))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    def make_room(self) -> None:
        """As much as there was before it was filled."""
        (self.path / BALLAST).unlink()


@contextmanager
def small_disk(path: Path, megabytes: int) -> Iterator[SmallDisk]:
    """At `path`, which is made."""
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(path)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        raise NoSmallDisk("mounting a file system needs root")
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)
