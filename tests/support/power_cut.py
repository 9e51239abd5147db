"""What may be on a disk after its power was cut, from a recording of what processes asked their operating system for.

    recording = Recording.before(path, ("log",))      # what is there is durable already
    …                                                 # a process works in it, `recorded` in a journal
    recording.add(journal)
    recording.image(moment, fate).write(elsewhere)

The method is that of ALICE (Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014): a write is durable
when a call of `fsync` or `fdatasync` on its file began after the write had ended, and itself ended before the cut. Of
every other write nothing is known: it may be there, or not, or some of its sectors, whatever became of the others. A
sector is old or new as a whole (what SQLite calls powersafe overwrite). What lies between is zeros.

A name (a file made, renamed, unlinked) is durable when its *folder* was synchronised so; syncing the file alone does
nothing for it. Names that are not durable appear in their order, folder by folder, as file systems' journals keep it.
What a process maps for writing leaves no calls behind: only SQLite's `-shm` may be mapped, which is made anew anyway.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.recorded_calls import NEVER, Call, read_calls

SHARED_MEMORY = "-shm"
"""Ends the name of SQLite's index of its write-ahead log."""

NAMING = ("rename", "unlink", "link", "mkdir", "rmdir", "truncate")
"""Calls that name their files."""

Part = tuple[int, bytes]
"""Bytes, and where in the file they begin."""


@dataclass(frozen=True)
class Change:
    """A write, or a file that was cut off or lengthened, or a name that leads to another file now."""

    begun: int
    ended: int
    durable: int = NEVER
    """From when on nothing can undo it."""
    offset: int = 0
    data: bytes | None = None
    """None for a change that is no write: the file then ends at the offset."""
    names: tuple[tuple[Path, int | None], ...] = ()


Fate = Callable[[Change], Sequence[Part] | None]
"""What there is of a change that is not durable; None when it never happened. For a change that is no write any answer
but None means that it did.
"""


@dataclass(frozen=True)
class Lie:
    """A disk that said it had kept what it was told since a line, and had not; in these of its folders."""

    since: int
    folders: tuple[str, ...]


@dataclass(frozen=True)
class Image:
    """Names and contents after a cut, relative to the folder."""

    files: dict[Path, bytes]

    def write(self, folder: Path) -> None:
        """Into a folder that is new."""
        for name, content in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)


class Recording:
    """Of everything in one folder. `lossy` are its folders on the disk whose power is cut; all else is on other
    machines, and stays as the calls had made it until then.
    """

    def __init__(
        self, folder: Path, lossy: Sequence[str], working: Path | None = None, *, names_follow: bool = False
    ) -> None:
        """`working`: the directory where the processes are, for names that are relative. `names_follow`: a file's sync
        makes its name durable too. POSIX does not promise it; ext4, XFS and Btrfs do it, and PostgreSQL needs it.
        """
        self.folder = folder
        self._working = working or folder
        self._names_follow = names_follow
        self.calls: list[Call] = []
        """Those that concern the folder, in the order in which they began."""
        self._lossy = frozenset(lossy)
        self._before: list[bytes] = []
        """Of each file that ever was, what it held at the beginning."""
        self._at_risk: set[int | Path] = set()
        """Those of them, and of the folders, that are on the disk."""
        self._first: dict[Path, int] = {}
        self._names: dict[Path, int] = {}
        """Which file each name led to, at the beginning and at the end."""
        self._changes: dict[int | Path, list[Change]] = defaultdict(list)
        """Of each file, and of the names in each folder."""
        self._syncs: dict[int | Path, list[tuple[int, int]]] = defaultdict(list)
        self._positions: dict[tuple[int, int], int] = {}
        """Of descriptors in a thread, for writes without an offset."""
        self.end = 0
        """The line after the last."""

    @classmethod
    def before(
        cls, folder: Path, lossy: Sequence[str], working: Path | None = None, *, names_follow: bool = False
    ) -> Recording:
        """Everything that is there now is durable."""
        made = cls(folder, lossy, working, names_follow=names_follow)
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            made._first[path] = made._new_file(path, path.read_bytes())
        made._names = dict(made._first)
        return made

    def add(self, journal: Path) -> None:
        """What one more process did, and nobody else meanwhile."""
        calls, self.end = read_calls(journal, self.end)
        ours = [call for call in calls if any(self._is_ours(path) for path in self._paths(call))]
        self._positions.clear()
        for call in ours:
            self._read(call)
        self.calls += ours
        for key, changes in self._changes.items():
            changes[:] = [dataclasses.replace(change, durable=self._durable(key, change)) for change in changes]

    def image(self, moment: int, fate: Fate, lie: Lie | None = None) -> Image:
        """After a cut at this line."""
        names = self._names_at(moment, fate, lie)
        files = {
            path.relative_to(self.folder): self._content(file, moment, fate, _known(path, moment, lie, self.folder))
            for path, file in names.items()
            if not path.name.endswith(SHARED_MEMORY)
        }
        return Image(files)

    def undecided(self, moment: int) -> list[int]:
        """When the changes began that a cut at this line leaves open."""
        return [
            change.begun for key in self._at_risk for change in self._begun(key, moment) if change.durable >= moment
        ]

    def _content(self, file: int, moment: int, fate: Fate, known: int) -> bytes:
        content = bytearray(self._before[file])
        for change in self._begun(file, moment):
            parts = _whole(change) if change.durable < known or file not in self._at_risk else fate(change)
            if parts is not None:
                _apply(content, change, parts)
        return bytes(content)

    def _begun(self, key: int | Path, moment: int) -> list[Change]:
        return [change for change in self._changes.get(key, ()) if change.begun < moment]

    def _names_at(self, moment: int, fate: Fate, lie: Lie | None) -> dict[Path, int]:
        names: dict[Path, int | None] = dict(self._first)
        for folder in [key for key in self._changes if isinstance(key, Path)]:
            changes = self._begun(folder, moment)
            kept = len(changes)
            if folder in self._at_risk:
                known = _known(folder, moment, lie, self.folder)
                kept = max((number for number, each in enumerate(changes, start=1) if each.durable < known), default=0)
                while kept < len(changes) and fate(changes[kept]) is not None:
                    kept += 1
            for change in changes[:kept]:
                names.update(change.names)
        return {path: file for path, file in names.items() if file is not None}

    def _durable(self, key: int | Path, change: Change) -> int:
        keys = [key, *(file for _, file in change.names if file is not None and self._names_follow)]
        syncs = (sync for each in keys for sync in self._syncs[each])
        return min((ended for begun, ended in syncs if begun > change.ended), default=NEVER)

    def _is_ours(self, path: Path) -> bool:
        return path == self.folder or self.folder in path.parents

    def _paths(self, call: Call) -> list[Path]:
        if call.file is not None:
            return [call.file]
        return [self._working / name.decode() for name in call.strings] if call.name in NAMING else []

    def _is_lossy(self, path: Path) -> bool:
        return path != self.folder and path.relative_to(self.folder).parts[0] in self._lossy

    def _new_file(self, path: Path, content: bytes = b"") -> int:
        self._before.append(content)
        file = len(self._before) - 1
        if self._is_lossy(path):
            self._at_risk |= {file, path.parent}
        return file

    # What each call means.

    def _read(self, call: Call) -> None:
        match call.name:
            case "openat":
                self._open(call)
            case "close":
                self._positions.pop((call.thread, call.descriptor), None)
            case "pwrite64" | "pwritev":
                self._change(call, call.numbers[-1], b"".join(call.strings)[: call.result])
            case "write":
                self._append(call)
            case "ftruncate":
                self._change(call, call.numbers[0], None)
            case "lseek":
                self._positions[call.thread, call.descriptor] = call.result
            case "fsync" | "fdatasync":
                self._sync(call)
            case "rename" | "unlink":
                self._rename(call)
            case "mmap":
                self._refuse_mapped(call)
            case "sync_file_range":
                pass  # promises nothing
            case name:
                raise AssertionError(f"the recording has a call that nobody has taught it: {name}")

    def _open(self, call: Call) -> None:
        if call.file is None:  # the process died in it
            return
        self._positions[call.thread, call.descriptor] = 0
        if "O_DIRECTORY" in call.arguments or call.file.is_dir():
            return
        if call.file not in self._names:
            assert "O_CREAT" in call.arguments, call
            self._name(call, ((call.file, self._new_file(call.file)),))
        elif "O_TRUNC" in call.arguments:
            self._change(call, 0, None)
        if "O_APPEND" in call.arguments:
            self._positions[call.thread, call.descriptor] = NEVER

    def _append(self, call: Call) -> None:
        data = call.strings[0][: call.result]
        position = self._positions.get((call.thread, call.descriptor), NEVER)
        if position == NEVER:
            position = self._size(call)
        else:
            self._positions[call.thread, call.descriptor] += len(data)
        self._change(call, position, data)

    def _size(self, call: Call) -> int:
        file = self._names.get(call.file) if call.file is not None else None
        if file is None:
            return 0
        size = len(self._before[file])
        for change in self._changes.get(file, ()):
            size = change.offset if change.data is None else max(size, change.offset + len(change.data))
        return size

    def _change(self, call: Call, offset: int, data: bytes | None) -> None:
        if call.file is None:  # unlinked
            return
        if call.file not in self._names:
            assert not self._is_lossy(call.file), f"nobody saw who made {call.file}"
            self._names[call.file] = self._first[call.file] = self._new_file(call.file)
        change = Change(call.begun, call.ended, offset=offset, data=data)
        self._changes[self._names[call.file]].append(change)

    def _sync(self, call: Call) -> None:
        assert call.file is not None
        self._syncs[self._names.get(call.file, call.file)].append((call.begun, call.ended))

    def _rename(self, call: Call) -> None:
        old, *new = self._paths(call)
        file = self._names[old]
        self._name(call, ((old, None), *((path, file) for path in new)))

    def _name(self, call: Call, names: tuple[tuple[Path, int | None], ...]) -> None:
        (folder,) = {path.parent for path, _ in names}
        self._changes[folder].append(Change(call.begun, call.ended, names=names))
        for path, file in names:
            if file is None:
                del self._names[path]
            else:
                self._names[path] = file

    def _refuse_mapped(self, call: Call) -> None:
        written = "MAP_SHARED" in call.arguments and "PROT_WRITE" in call.arguments
        assert call.file is not None
        assert not written or call.file.name.endswith(SHARED_MEMORY), f"{call.file} is written without calls"


def _known(path: Path, moment: int, lie: Lie | None, folder: Path) -> int:
    """Before which line a change must have been synchronised."""
    return lie.since if lie is not None and path.relative_to(folder).parts[0] in lie.folders else moment


def _whole(change: Change) -> list[Part]:
    return [] if change.data is None else [(change.offset, change.data)]


def _apply(content: bytearray, change: Change, parts: Sequence[Part]) -> None:
    if change.data is None:
        content[:] = content[: change.offset].ljust(change.offset, b"\x00")
    for offset, data in parts:
        content.extend(bytes(max(0, offset - len(content))))
        content[offset : offset + len(data)] = data
