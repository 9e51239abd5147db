"""What a process did to its files, call by call, as strace wrote it down: the order in which calls began and ended.

    with recorded(process, journal): …
    calls = read_calls(journal)

`begun` and `ended` are lines of the journal: of two threads' calls one may begin before the other has ended, and what
is synchronised is what had ended before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.injected_calls import ATTACH_SECONDS, traced

NAMES = (
    "openat,open,creat,close,write,pwrite64,writev,pwritev,pwritev2,lseek,ftruncate,truncate,fallocate,mmap,fsync,"
    "fdatasync,sync_file_range,rename,renameat,renameat2,unlink,unlinkat,link,linkat,symlink,symlinkat,mkdir,mkdirat,"
    "rmdir,copy_file_range,sendfile"
)
"""Whatever changes a file or its name, and what makes that durable."""
LONGEST = 1 << 20
"""Bytes of one write that strace prints."""
NEVER = 1 << 60
"""When a call ended that never did: the process was killed in it."""

_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
_FILE = re.compile(r"(\d+)<((?:\\x[0-9a-f]{2})*)>(\(deleted\))?")
_RESULT = re.compile(r"\) += (-?\d+|\?)")
_UNFINISHED = " <unfinished ...>"
_RESUMED = re.compile(r"<\.\.\. (\w+) resumed>")


@dataclass(frozen=True)
class Call:
    """One call that succeeded, or was never heard of again."""

    thread: int
    name: str
    begun: int
    ended: int
    arguments: str
    """As strace printed them, without strings and paths of files."""
    strings: tuple[bytes, ...]
    file: Path | None
    """Where its descriptor leads to, for `openat` the one that it returned; None without one, and for a file that was
    unlinked.
    """
    descriptor: int
    result: int
    """NEVER when nobody was told."""

    @property
    def numbers(self) -> list[int]:
        """Its arguments that are plain numbers, after the first."""
        return [int(part) for part in self.arguments.split(", ")[1:] if part.lstrip("-").isdigit()]


@contextmanager
def recorded(process: int, journal: Path, beside: Sequence[int] = ()) -> Iterator[None]:
    """From here on, in a process that has stopped itself; it goes on within the block, and ends there. `beside` are
    others that are at work, whose calls come into the same order, until the block ends.
    """
    printed = ["-y", "-xx", "-s", str(LONGEST), "-e", "abbrev=none", "-e", "signal=none", "-e", f"trace={NAMES}"]
    with traced(process, journal, *printed, *(f"-p{each}" for each in beside)) as tracer:
        yield
        if beside:
            tracer.terminate()
        tracer.wait(ATTACH_SECONDS)  # until it has written down the last call


def read_calls(journal: Path, first: int = 0) -> tuple[list[Call], int]:
    """All calls in the order in which they began, and the number after the last line; the first line is `first`."""
    begun: dict[str, tuple[int, str]] = {}
    calls: list[Call] = []
    number = first
    with journal.open() as lines:
        for number, line in enumerate(lines, start=first):
            thread, _, text = line.rstrip("\n").partition(" ")
            text = text.lstrip()
            if text.endswith(_UNFINISHED):
                begun[thread] = (number, text.removesuffix(_UNFINISHED))
            elif resumed := _RESUMED.match(text):
                start, head = begun.pop(thread)
                calls += _parsed(thread, head + text[resumed.end() :], start, number)
            else:
                calls += _parsed(thread, text, number, number)
    for thread, (start, head) in begun.items():
        calls += _parsed(thread, f"{head}) = ?", start, NEVER)
    return sorted(calls, key=lambda call: call.begun), number + 1


def _parsed(thread: str, text: str, begun: int, ended: int) -> list[Call]:
    """None for a call that failed, and for what is no call."""
    name, _, rest = text.partition("(")
    end = _RESULT.search(rest)  # strings are hexadecimal: nothing in them looks like it
    if end is None or end[1].startswith("-"):
        return []
    result, ended = (NEVER, NEVER) if end[1] == "?" else (int(end[1]), ended)
    strings = _STRING.findall(rest)
    assert not any(cut for _, cut in strings), f"a string of {name} is longer than strace was told to print"
    file = _FILE.search(rest, end.start(1) if name == "openat" else 0)
    path = None if file is None or file[3] else Path(_decoded(file[2]).decode())
    plain = _FILE.sub(r"\1", _STRING.sub('""', rest[: end.start()]))
    descriptor = int(file[1]) if file is not None else -1
    decoded = tuple(_decoded(each) for each, _ in strings)
    return [Call(int(thread), name, begun, ended, plain, decoded, path, descriptor, result)]


def _decoded(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))
