"""What a power cut may not take away, killed processes and unreadable folders included."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from ledger import durable_files
from ledger.durable_files import READABLE, make_folder, new_folder, replace_file, write_new
from tests.support.synced_disk import SyncedDisk


class Killed(BaseException):
    """The process is gone; nothing is cleaned up that it would have had to do itself."""


def test_a_folder_is_durable_with_all_that_had_to_be_made_above_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SyncedDisk(tmp_path, monkeypatch)
    make_folder(tmp_path / "a" / "b" / "c", 0o700)
    assert disk.lost() == []
    assert stat.S_IMODE((tmp_path / "a" / "b" / "c").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o777 & ~_umask()


def test_the_disk_of_these_tests_would_lose_what_nobody_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = SyncedDisk(tmp_path, monkeypatch)
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "file").write_bytes(b"content")
    assert disk.lost() == ["a", "a/b", "a/file"]
    durable_files.sync_folder(tmp_path)
    durable_files.sync_folder(tmp_path / "a")
    assert disk.lost() == ["a/file"]


@pytest.mark.parametrize("done", [False, True])
def test_whoever_was_killed_in_making_folders_is_made_good_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, done: bool
) -> None:
    """At each call of the first process in turn, before or after it was done."""
    disk = SyncedDisk(tmp_path, monkeypatch)
    for number in count():
        folder = tmp_path / str(number) / "a" / "b"
        with monkeypatch.context() as patched:
            calls = _killed_at(number, done, patched)
            try:
                make_folder(folder)
            except Killed:
                pass
            else:
                break
        make_folder(folder)
        assert disk.lost() == []
    assert calls() == number == 7  # three folders, three syncs, and that of what was there


def _killed_at(number: int, done: bool, patched: pytest.MonkeyPatch) -> Callable[[], int]:
    """Dies at the call with this number; how many there were so far."""
    calls = 0

    def dying(true_call: Callable[..., object], *arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls <= number:
            return true_call(*arguments)
        if done:
            true_call(*arguments)
        raise Killed

    for name in ("mkdir", "fsync"):
        patched.setattr(os, name, partial(dying, getattr(os, name)))
    return lambda: calls


def test_a_folder_that_others_gave_us_may_lie_where_we_may_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a service's own folder in one that only root lists. (Root may, so the refusal is played.)"""
    given, true_sync = tmp_path / "private" / "given", durable_files.sync_folder
    given.mkdir(parents=True)

    def sync_folder(folder: Path) -> None:
        if folder == tmp_path / "private":
            raise PermissionError(13, "Permission denied")
        true_sync(folder)

    disk = SyncedDisk(tmp_path, monkeypatch)
    monkeypatch.setattr(durable_files, "sync_folder", sync_folder)
    make_folder(given)
    make_folder(given / "state")
    assert disk.lost() == []
    with pytest.raises(PermissionError):
        make_folder(tmp_path / "private" / "new")  # made by us: either its name is durable, or we say that it is not


def test_where_a_file_stands_no_folder_is_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OSError, match=r"exists|Not a directory"):
            make_folder(path)


def test_new_and_replaced_files_are_durable_and_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk, path = SyncedDisk(tmp_path, monkeypatch), tmp_path / "file"
    write_new(path, b"first")
    assert (disk.lost(), path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == ([], b"first", 0o600)
    with pytest.raises(FileExistsError):
        write_new(path, b"second")
    assert path.read_bytes() == b"first"
    replace_file(path, b"third")
    assert (disk.lost(), path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == ([], b"third", 0o600)
    replace_file(path, b"for all", READABLE)
    assert stat.S_IMODE(path.stat().st_mode) == READABLE & ~_umask()
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("write", [write_new, replace_file])
def test_a_full_disk_leaves_nothing_of_a_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path, bytes], None]
) -> None:
    def full(_file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path / "file", b"content")
    assert list(tmp_path.iterdir()) == []


def test_a_new_folder_is_there_with_all_that_was_put_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk, path = SyncedDisk(tmp_path, monkeypatch), tmp_path / "above" / "folder"
    with new_folder(path) as partial:
        write_new(partial / "file", b"content")
        assert not path.exists()
    assert (disk.lost(), [each.name for each in path.iterdir()]) == ([], ["file"])
    assert [each.name for each in path.parent.iterdir()] == ["folder"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_folder_that_is_not_filled_is_not_there(tmp_path: Path, error: BaseException) -> None:
    def fill(partial: Path) -> None:
        write_new(partial / "file", b"content")
        raise error

    with pytest.raises(type(error)), new_folder(tmp_path / "folder") as partial:
        fill(partial)
    assert list(tmp_path.iterdir()) == []


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
