"""Files and folders that are whole or not there, and stay so through a power cut, for which the folder that holds their
name has to be synced, too.

It stands in the lowest layer, because the ledger installs alone; whoever may import the ledger uses it. All functions
raise OSError.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PRIVATE, READABLE = 0o600, 0o666
"""Modes of files: for their owner's eyes; or made to be handed on, less what the process's umask takes away."""


def sync_folder(folder: Path) -> None:
    """Makes names in `folder`, and their absence, durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """A durable folder, unless it is there; those above it that are missing are made before it, with the umask's mode.

    Also of one that is there the name is synced: whoever made it may have been killed before that.
    """
    if folder.is_dir():
        with suppress(PermissionError):  # where we may not even read, it was made by somebody else
            sync_folder(folder.parent)
        return
    make_folder(folder.parent)
    folder.mkdir(mode, exist_ok=True)
    sync_folder(folder.parent)


def write_new(path: Path, content: bytes, mode: int = PRIVATE) -> None:
    """A durable new file, or none; raises FileExistsError, and any other OSError after removing what was begun."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(path.parent)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def replace_file(path: Path, content: bytes, mode: int = PRIVATE) -> None:
    """The file with this content, or as it was."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        write_new(partial, content, mode)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(path.parent)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder to be filled, which appears at `path` with all that was put in, or not at all."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    make_folder(partial)
    try:
        yield partial
        sync_folder(partial)
        partial.rename(path)
        sync_folder(path.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
