"""What a disk may hold after a cut, from journals of a few lines: the judge of the power cuts is itself judged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.power_cut import Change, Fate, Lie, Recording

FILE, NEW, FOLDER = "/r/disk/file", "/r/disk/new", "/r/disk"
WITNESS = "/r/elsewhere"


def hexadecimal(text: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in text.encode())


def opened(path: str, flags: str = "O_RDWR|O_CREAT") -> str:
    return f'9 openat(AT_FDCWD<{hexadecimal("/")}>, "{hexadecimal(path)}", {flags}, 0600) = 3<{hexadecimal(path)}>'


def written(path: str, text: str, offset: int = 0) -> str:
    return f'9 pwrite64(3<{hexadecimal(path)}>, "{hexadecimal(text)}", {len(text)}, {offset}) = {len(text)}'


def synced(path: str) -> str:
    return f"9 fsync(3<{hexadecimal(path)}>) = 0"


def renamed(old: str, new: str) -> str:
    return f'9 rename("{hexadecimal(old)}", "{hexadecimal(new)}") = 0'


@pytest.fixture
def recording(tmp_path: Path) -> Callable[..., Recording]:
    def record(*lines: str) -> Recording:
        journal = tmp_path / "journal"
        journal.write_text("".join(f"{line}\n" for line in lines))
        made = Recording(Path("/r"), ("disk",))
        made.add(journal)
        return made

    return record


def lost(change: Change) -> None:
    return None


def kept(change: Change) -> list[tuple[int, bytes]]:
    return [] if change.data is None else [(change.offset, change.data)]


def contents(recording: Recording, fate: Fate, moment: int = 1000, lie: Lie | None = None) -> dict[str, bytes]:
    return {str(name): content for name, content in recording.image(moment, fate, lie).files.items()}


def test_what_is_synced_stays_and_the_rest_may_not(recording: Callable[..., Recording]) -> None:
    made = recording(opened(FILE), synced(FOLDER), written(FILE, "one"), synced(FILE), written(FILE, "two", 3))
    assert contents(made, lost) == {"disk/file": b"one"}
    assert contents(made, kept) == {"disk/file": b"onetwo"}
    assert contents(made, lost, moment=3) == {"disk/file": b""}  # cut in the sync
    assert made.undecided(1000) == [4]


def test_a_name_needs_its_folders_sync(recording: Callable[..., Recording]) -> None:
    made = recording(opened(FILE), written(FILE, "one"), synced(FILE))
    assert contents(made, lost) == {}
    assert contents(made, kept) == {"disk/file": b"one"}


def test_where_a_files_sync_keeps_its_name_it_does(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("\n".join([opened(FILE), written(FILE, "one"), synced(FILE), ""]))
    made = Recording(Path("/r"), ("disk",), names_follow=True)
    made.add(tmp_path / "journal")
    assert contents(made, lost) == {"disk/file": b"one"}


def test_a_rename_may_be_there_without_the_content(recording: Callable[..., Recording]) -> None:
    made = recording(opened(NEW), written(NEW, "one"), renamed(NEW, FILE))
    assert contents(made, lambda change: None if change.data else []) == {"disk/file": b""}
    made = recording(opened(NEW), written(NEW, "one"), synced(NEW), renamed(NEW, FILE))
    assert contents(made, lambda change: None if change.data else []) == {"disk/file": b"one"}


def test_names_come_in_their_order(recording: Callable[..., Recording]) -> None:
    made = recording(opened(NEW), renamed(NEW, FILE))
    assert contents(made, lambda change: None if change.begun == 0 else []) == {}
    assert contents(made, lambda change: None if change.begun == 1 else []) == {"disk/new": b""}


def test_only_what_had_ended_before_a_sync_began_is_synced(recording: Callable[..., Recording]) -> None:
    """Two threads: the write ends while the sync is under way, which need not have seen it."""
    begun, ended = written(FILE, "one").replace("9 ", "8 ", 1).split(" = ")
    made = recording(
        opened(FILE),
        synced(FOLDER),
        f"{begun[:-1]} <unfinished ...>",
        f"9 fsync(3<{hexadecimal(FILE)}> <unfinished ...>",
        f"8 <... pwrite64 resumed>) = {ended}",
        "9 <... fsync resumed>) = 0",
    )
    assert contents(made, lost) == {"disk/file": b""}


def test_calls_that_failed_did_nothing_and_those_of_a_killed_process_may_have(
    recording: Callable[..., Recording],
) -> None:
    failed = written(FILE, "one").rpartition(" = ")[0] + " = -1 EIO (Input/output error)"
    unheard = written(FILE, "two").rpartition(")")[0] + ") = ?"
    made = recording(opened(FILE), synced(FOLDER), failed, unheard, synced(FILE))
    assert contents(made, lost) == {"disk/file": b""}
    assert contents(made, kept) == {"disk/file": b"two"}


def test_other_machines_keep_everything_and_a_liar_nothing(recording: Callable[..., Recording]) -> None:
    made = recording(
        opened(WITNESS), written(WITNESS, "seen"), opened(FILE), synced(FOLDER), written(FILE, "x"), synced(FILE)
    )
    assert contents(made, lost) == {"elsewhere": b"seen", "disk/file": b"x"}
    assert contents(made, lost, lie=Lie(5, ("disk",))) == {"elsewhere": b"seen", "disk/file": b""}


def test_what_it_has_not_been_taught_is_not_passed_over(recording: Callable[..., Recording]) -> None:
    mapped = f"9 mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED, 3<{hexadecimal(FILE)}>, 0) = 0x7f00"
    with pytest.raises(AssertionError, match="without calls"):
        recording(opened(FILE), mapped)
    with pytest.raises(AssertionError, match="fallocate"):
        recording(opened(FILE), f"9 fallocate(3<{hexadecimal(FILE)}>, 0, 0, 4096) = 0")
