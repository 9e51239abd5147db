"""What of a folder a power cut may take away: names given since their folder was synced, contents written since theirs.

    disk = SyncedDisk(folder, monkeypatch)    # what is there is durable already
    …
    assert disk.lost() == []

It sees calls of `os.fsync` in this process. Whole processes, and what SQLite does, are `power_cut`'s.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

Names = frozenset[tuple[str, int]]
"""Names in a folder, and the inodes that they lead to."""


class SyncedDisk:
    """Watches one folder from now on."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._names: dict[int, Names] = {}
        self._contents: dict[int, tuple[int, int]] = {}
        for path in [folder, *folder.rglob("*")]:
            self._remember(path)
        true_fsync = os.fsync

        def fsync(file: int) -> None:
            true_fsync(file)
            self._remember(file)

        monkeypatch.setattr(os, "fsync", fsync)

    def lost(self) -> list[str]:
        """What is there and need not be there after a power cut, by its path in the folder."""
        paths = sorted(self._folder.rglob("*"))
        return [str(path.relative_to(self._folder)) for path in paths if not self._is_durable(path)]

    def _is_durable(self, path: Path) -> bool:
        status = path.stat()
        named = (path.name, status.st_ino) in self._names.get(path.parent.stat().st_ino, frozenset())
        return named and (path.is_dir() or self._contents.get(status.st_ino) == _content(status))

    def _remember(self, file: int | Path) -> None:
        status = os.stat(file)
        if stat.S_ISDIR(status.st_mode):
            with os.scandir(file) as entries:
                self._names[status.st_ino] = frozenset((entry.name, entry.inode()) for entry in entries)
        else:
            self._contents[status.st_ino] = _content(status)


def _content(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns
