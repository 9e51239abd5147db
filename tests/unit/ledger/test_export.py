"""Exports: written whole or not at all, and no bit of one can change unnoticed. Named defects are in the vectors."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from datetime import timedelta
from itertools import islice, pairwise
from pathlib import Path

import pytest

from ledger import export
from ledger.errors import ConsistencyInvalid, ExportInvalid, LedgerError, StorageFailed
from ledger.export import read_leaf_hashes, read_leaves, write_export
from ledger.policy import LogPolicy
from ledger.verify import verify_export
from tests.support.sample_log import COSIGNED_AT, OPENED_AT, SUBJECT, export_log, sample_entries, sample_log
from tests.support.witnessed_log import WitnessedLog
from tests.vectors.ledger.policies import GOOD_POLICIES


def tiny_export(directory: Path) -> LogPolicy:
    """Two entries and one witness, so that every bit can be tried; returns the policy."""
    log = WitnessedLog(OPENED_AT)
    log.append("erasure.performed", {"subject": SUBJECT}, OPENED_AT + timedelta(seconds=1))
    write_export(directory, log.note(COSIGNED_AT, witnesses=["tax"]), log.leaves)
    return LogPolicy.parse(GOOD_POLICIES["urls"])


def files_of(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.is_file())


def test_layout(tmp_path: Path) -> None:
    log = sample_log(repeat=60)
    directory = export_log(log, tmp_path / "export")
    assert [path.relative_to(directory).as_posix() for path in files_of(directory)] == [
        "SHA256SUMS",
        "checkpoint",
        "entries/000000000000.jsonl",
        "tile/0/000",
        "tile/0/001",
        "tile/0/002.p/29",
        "tile/1/000.p/2",
    ]
    assert list(read_leaves(directory)) == log.leaves
    hashes = list(read_leaf_hashes(directory, len(log.leaves)))
    assert hashes == [hashlib.sha256(b"\x00" + leaf).digest() for leaf in log.leaves]
    assert verify_export(directory, log.policy).checkpoint.size == len(log.leaves)
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


def test_sums_are_for_sha256sum(tmp_path: Path) -> None:
    directory = export_log(sample_log(), tmp_path / "export")
    command = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0
    assert done.stdout.count(": OK") == 3


def test_entries_are_divided_into_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "ENTRIES_PER_FILE", 8)
    monkeypatch.setattr(export, "WRITE_CHUNK", 4)
    log = sample_log(repeat=2)
    directory = export_log(log, tmp_path / "export")
    names = [path.name for path in files_of(directory / "entries")]
    assert names == ["000000000000.jsonl", "000000000008.jsonl", "000000000016.jsonl"]
    assert list(read_leaves(directory)) == log.leaves
    verify_export(directory, log.policy)


@pytest.mark.parametrize("lengths", [(20,), (17, 3), (4, 4, 4, 8), (8, 8, 0, 4), (8, 7, 4)])
def test_entries_are_divided_in_no_other_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lengths: tuple[int, ...]
) -> None:
    """Nobody can move a leaf into another file, and the sums be right."""
    monkeypatch.setattr(export, "ENTRIES_PER_FILE", 8)
    monkeypatch.setattr(export, "WRITE_CHUNK", 4)
    log = sample_log(repeat=2)
    directory, rest = export_log(log, tmp_path / "export"), iter(log.leaves)
    shutil.rmtree(directory / "entries")
    (directory / "entries").mkdir()
    for number, length in enumerate(lengths):
        lines = b"".join(leaf + b"\n" for leaf in islice(rest, length))
        (directory / "entries" / f"{8 * number:012}.jsonl").write_bytes(lines)
    export.write_sums(directory)
    with pytest.raises(ExportInvalid, match="entries/"):
        verify_export(directory, log.policy)


def test_empty_log(tmp_path: Path) -> None:
    log = sample_log()
    write_export(tmp_path / "export", log.note(COSIGNED_AT, size=0), [])
    assert verify_export(tmp_path / "export", log.policy).checkpoint.size == 0


@pytest.mark.parametrize("leaves", [slice(0, 9), slice(1, 10), slice(0, 0)])
def test_leaves_that_are_not_the_checkpoints_are_not_exported(tmp_path: Path, leaves: slice) -> None:
    log = sample_log()
    with pytest.raises(ConsistencyInvalid):
        write_export(tmp_path / "export", log.note(COSIGNED_AT), log.leaves[leaves])
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    log = sample_log()
    directory = export_log(log, tmp_path / "export")
    with pytest.raises(StorageFailed):
        export_log(sample_log(repeat=2), directory)
    assert verify_export(directory, log.policy).checkpoint.size == len(log.leaves)
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


def test_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageFailed):
        export_log(sample_log(), tmp_path / "file" / "export")


def test_progress(tmp_path: Path) -> None:
    log, steps = sample_log(), []
    write_export(tmp_path / "export", log.note(COSIGNED_AT), log.leaves, lambda *step: steps.append(step))
    assert steps == [(10, 10)]


@pytest.mark.parametrize("name", ["SHA256SUMS", "checkpoint", "entries/000000000000.jsonl", "tile/0/000.p/2"])
def test_every_bit_counts(tmp_path: Path, name: str) -> None:
    directory = tmp_path / "export"
    policy, path = tiny_export(directory), directory / name
    data = bytearray(path.read_bytes())
    accepted = []
    for position in range(8 * len(data)):
        data[position // 8] ^= 1 << (position % 8)
        path.write_bytes(data)
        try:
            verify_export(directory, policy)
            accepted.append(position)
        except LedgerError:
            pass
        data[position // 8] ^= 1 << (position % 8)
    assert accepted == []
    path.write_bytes(data)
    verify_export(directory, policy)


def test_a_flipped_bit_in_a_leaf_is_located(tmp_path: Path) -> None:
    """Whatever a flip does to the leaf, the leaf itself is named, and no other."""
    log = sample_log()
    directory = export_log(log, tmp_path / "export")
    path = directory / "entries" / "000000000000.jsonl"
    data = bytearray(path.read_bytes())
    starts = [0]
    for leaf in log.leaves:
        starts.append(starts[-1] + len(leaf) + 1)
    for index, (start, end) in enumerate(pairwise(starts)):
        for position in range(start, end - 1, 7):
            # The lowest bit never makes a newline of a byte that occurs in a leaf.
            data[position] ^= 1
            path.write_bytes(data)
            with pytest.raises(LedgerError) as raised:
                verify_export(directory, log.policy)
            assert raised.value.__notes__ == [f"Leaf {index} is not the leaf that was recorded."]
            data[position] ^= 1


def test_without_true_tiles_the_leaf_cannot_be_named(tmp_path: Path) -> None:
    """Whoever rewrites leaves and tiles hides which leaf it was, not that it was."""
    log, rewritten = sample_log(), WitnessedLog(OPENED_AT + timedelta(days=1))
    for kind, body in sample_entries():
        rewritten.append(kind, body, OPENED_AT)
    directory = export_log(log, tmp_path / "export")
    export_log(rewritten, tmp_path / "other")
    (tmp_path / "other" / "checkpoint").write_bytes((directory / "checkpoint").read_bytes())
    with pytest.raises(ConsistencyInvalid) as raised:
        verify_export(tmp_path / "other", log.policy)
    assert raised.value.__notes__ == [
        "The hash tiles do not lead to the signed root either, so the altered leaves cannot be named."
    ]


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("name", ["entries/notes.txt", "entries/folder", "tile/0/001", "extra", "entries/1.jsonl"])
def test_nothing_else_may_be_there(tmp_path: Path, name: str, listed: bool) -> None:
    log = sample_log()
    directory = export_log(log, tmp_path / "export")
    if name.endswith("folder"):
        (directory / name).mkdir()
    else:
        (directory / name).write_bytes(b"")
    if listed:
        export.write_sums(directory)
    with pytest.raises(ExportInvalid):
        verify_export(directory, log.policy)


def test_symbolic_links_are_refused(tmp_path: Path) -> None:
    log = sample_log()
    directory = export_log(log, tmp_path / "export")
    (directory / "checkpoint").rename(tmp_path / "elsewhere")
    (directory / "checkpoint").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ExportInvalid, match="neither a file nor a folder"):
        verify_export(directory, log.policy)


def test_folders_that_are_missing(tmp_path: Path) -> None:
    log = sample_log()
    with pytest.raises(ExportInvalid, match="checkpoint"):
        verify_export(tmp_path, log.policy)
    (tmp_path / "checkpoint").write_bytes(log.note(COSIGNED_AT))
    with pytest.raises(ExportInvalid, match="entries"):
        verify_export(tmp_path, log.policy)
