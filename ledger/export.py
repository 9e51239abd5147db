"""An exported log: one directory that anybody with a policy file can verify offline (docs/ledger-format.md,
"Export").

    checkpoint                  the cosigned note
    entries/000000000000.jsonl  exact leaf bytes, one per line; named after the first leaf's index
    tile/<level>/<index>        hash tiles (c2sp.org/tlog-tiles)
    timestamps/                 RFC 3161 tokens, where there are any (`ledger.timestamp_files`)
    SHA256SUMS                  digests of all other files, in the form of sha256sum(1)

Checkpoint and entries are what is verified. The tiles say *which* leaf was altered, for as long as they themselves
lead to the checkpoint's root; the sums find accidents where nothing else would look (a witness's signature that the
reader's policy does not know). A directory is written beside its place and moved there whole.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from itertools import islice
from pathlib import Path

from ledger.checkpoint import Checkpoint
from ledger.entry import MAX_LEAF, leaf_hash
from ledger.errors import ConsistencyInvalid, EntryInvalid, ExportInvalid, StorageFailed
from ledger.merkle import HASH_BYTES
from ledger.note import MAX_NOTE, Note
from ledger.tiles import TILE_WIDTH, Tiler, tile_path
from ledger.tree import Frontier

CHECKPOINT_FILE = "checkpoint"
ENTRIES_FOLDER = "entries"
ENTRIES_SUFFIX = ".jsonl"
SUMS_FILE = "SHA256SUMS"
ENTRIES_PER_FILE = 65_536
"""Leaves in one file of entries: some 40 MB, which editors and version control still open."""
MAX_SUMS = 64 * 1024 * 1024
"""Largest SHA256SUMS in bytes: of an export of 150 million entries."""
WRITE_CHUNK = 1024
"""Leaves held in memory at a time."""

_SUM = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9._/-]+)")
_NO_TILE = re.compile(r"checkpoint|entries/[0-9]{12}\.jsonl|timestamps/[0-9]{12}\.(note|tst)")
"""All that an export may hold beside its tiles and SHA256SUMS."""

Progress = Callable[[int, int], None]
"""Called with (leaves done, leaves in all)."""


def write_export(directory: Path, note: bytes, leaves: Iterable[bytes], progress: Progress | None = None) -> Checkpoint:
    """Writes an export of exactly the leaves that the checkpoint in `note` counts; `directory` must not exist.

    Raises ConsistencyInvalid when the leaves are not those of the checkpoint; signatures are not looked at.
    """
    checkpoint = Checkpoint.parse(Note.parse(note).text)
    partial = directory.with_name(f".{directory.name}.{secrets.token_hex(4)}")
    try:
        partial.mkdir(parents=True)
        try:
            _write_parts(partial, note, checkpoint, leaves, progress)
            partial.rename(directory)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise StorageFailed(f"cannot write the export: {error.strerror}") from error
    return checkpoint


def _write_parts(
    directory: Path, note: bytes, checkpoint: Checkpoint, leaves: Iterable[bytes], progress: Progress | None
) -> None:
    (directory / CHECKPOINT_FILE).write_bytes(note)
    (directory / ENTRIES_FOLDER).mkdir()
    _append_entries(directory / ENTRIES_FOLDER, 0, [])
    tiler, frontier = Tiler(lambda path, data: _write_file(directory / path, data)), Frontier()
    remaining = iter(leaves)
    while chunk := list(islice(remaining, WRITE_CHUNK)):
        _append_entries(directory / ENTRIES_FOLDER, frontier.size, chunk)
        hashes = [leaf_hash(leaf) for leaf in chunk]
        tiler.extend(hashes)
        frontier = frontier.extend(hashes)[0]
        if progress is not None:
            progress(frontier.size, checkpoint.size)
    tiler.finish()
    if (frontier.size, frontier.root()) != (checkpoint.size, checkpoint.root):
        raise ConsistencyInvalid("the stored leaves are not those of the stored checkpoint")
    write_sums(directory)


def _append_entries(folder: Path, start: int, leaves: Sequence[bytes]) -> None:
    """ENTRIES_PER_FILE is a multiple of WRITE_CHUNK, so a chunk never spans two files."""
    with (folder / _entries_file(start - start % ENTRIES_PER_FILE)).open("ab") as file:
        file.writelines(leaf + b"\n" for leaf in leaves)


def _entries_file(first: int) -> str:
    return f"{first:012}{ENTRIES_SUFFIX}"


def _write_file(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def read_checkpoint(directory: Path) -> bytes:
    """The checkpoint note of an export."""
    return read_bounded(directory, CHECKPOINT_FILE, MAX_NOTE)


def read_leaves(directory: Path) -> Iterator[bytes]:
    """The leaves of an export in order, one per line; a leaf holds no raw newline, because JCS escapes them."""
    folder, position = directory / ENTRIES_FOLDER, 0
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    if not paths:
        raise ExportInvalid(f"the export has no file {ENTRIES_FOLDER}/{_entries_file(0)}")
    for number, path in enumerate(paths):
        first = number * ENTRIES_PER_FILE
        if path.name != _entries_file(first) or position != first or not path.is_file():
            raise ExportInvalid(f"{ENTRIES_FOLDER}/{path.name} is not the file in which leaf {position} stands")
        with path.open("rb") as file:
            while line := file.readline(MAX_LEAF + 2):
                if not line.endswith(b"\n"):
                    raise EntryInvalid("leaf", leaf=position)
                if position == first + ENTRIES_PER_FILE:
                    raise ExportInvalid(f"{ENTRIES_FOLDER}/{path.name} holds more than {ENTRIES_PER_FILE} leaves")
                yield line[:-1]
                position += 1


def read_leaf_hashes(directory: Path, size: int) -> Iterator[bytes]:
    """The leaf hashes that the export's level-0 tiles name."""
    for index in range((size + TILE_WIDTH - 1) // TILE_WIDTH):
        tile = read_tile(directory, tile_path(0, index, min(TILE_WIDTH, size - index * TILE_WIDTH)))
        for start in range(0, len(tile), HASH_BYTES):
            yield tile[start : start + HASH_BYTES]


def read_tile(directory: Path, path: str) -> bytes:
    """One tile, whole hashes only."""
    tile = read_bounded(directory, path, TILE_WIDTH * HASH_BYTES)
    if len(tile) % HASH_BYTES:
        raise ExportInvalid(f"{path} is not made of whole hashes")
    return tile


def read_bounded(directory: Path, name: str, limit: int) -> bytes:
    """A file of the export; raises ExportInvalid when it is missing or too long."""
    path = directory / name
    if not path.is_file():
        raise ExportInvalid(f"the export has no file {shown(name)}")
    with path.open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise ExportInvalid(f"{shown(name)} is too long")
    return data


def shown(name: str) -> str:
    """A file's name as it may stand in a message: whoever made the folder chose it, and a terminal does what it is
    told.
    """
    return name if name.isascii() and name.isprintable() else ascii(name)


def write_sums(directory: Path) -> None:
    """Writes SHA256SUMS over what is there now: last of all, and again when something was added."""
    (directory / SUMS_FILE).write_text("".join(f"{digest}  {name}\n" for name, digest in _sums(directory)))


def check_files(directory: Path, tiles: Set[str]) -> None:
    """Raises ExportInvalid unless the export holds exactly the files that SHA256SUMS names, unaltered, and of those
    that there are in an export of such `tiles` no other.
    """
    listed = _read_sums(directory)
    found = dict(_sums(directory))
    for name in sorted(listed.keys() | found.keys()):
        if name not in found:
            raise ExportInvalid(f"the export has no file {name}")
        if name not in listed:
            raise ExportInvalid(f"{shown(name)} does not belong to the export: {SUMS_FILE} does not name it")
        if listed[name] != found[name]:
            raise ExportInvalid(f"{name} does not have the digest that {SUMS_FILE} names")
        if name not in tiles and not _NO_TILE.fullmatch(name):
            raise ExportInvalid(f"{name} does not belong to an export of this log")


def _read_sums(directory: Path) -> dict[str, str]:
    lines = read_bounded(directory, SUMS_FILE, MAX_SUMS).decode("utf-8", "replace").split("\n")
    matches = [_SUM.fullmatch(line) for line in lines[:-1]]
    listed = {match[2]: match[1] for match in matches if match is not None}
    if lines[-1] or len(listed) != len(lines) - 1 or list(listed) != sorted(listed):
        raise ExportInvalid(f"{SUMS_FILE} is malformed")
    return listed


def _sums(directory: Path) -> list[tuple[str, str]]:
    """Name and digest of every file but the sums themselves, in order of name."""
    names = []
    for folder, folders, files in os.walk(directory):
        for name in (*folders, *files):
            path = Path(folder, name)
            if path.is_symlink() or not (path.is_dir() or path.is_file()):
                raise ExportInvalid("the export holds something that is neither a file nor a folder")
        names += [Path(folder, name).relative_to(directory).as_posix() for name in files]
    return [(name, _digest(directory / name)) for name in sorted(names) if name != SUMS_FILE]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
