"""The second place: what was written last is read, whatever happened to a write in between."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ledger.checkpoint import Checkpoint
from ledger.errors import CheckpointInvalid, LedgerCorrupt, StorageFailed
from ledger.note import Note, NoteSignature, SignatureType, Signer
from ledger.second_place import SLOT_BYTES, SecondPlace
from tests.support.witnessed_log import ORIGIN, log_signer

SIGNER = log_signer("the log")
KEYS = [SIGNER.verifier_key]


def note(size: int, signer: Signer = SIGNER) -> Note:
    return Checkpoint(ORIGIN, size, bytes([size]) * 32).sign(signer)


def size_in(path: Path) -> int:
    found = SecondPlace(path, KEYS).read()
    assert found is not None
    return found[1].size


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "place"


def test_without_a_file_there_is_no_checkpoint(path: Path) -> None:
    assert SecondPlace(path, KEYS).read() is None


def test_the_newest_checkpoint_is_read_by_another_process(path: Path) -> None:
    place = SecondPlace(path, KEYS)
    for size in range(1, 6):
        place.write(note(size))
        found = SecondPlace(path, KEYS).read()
        assert found is not None
        assert found == (note(size), Checkpoint(ORIGIN, size, bytes([size]) * 32))
    assert path.stat().st_size == 2 * SLOT_BYTES
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_place_that_was_read_goes_on_with_the_older_slot(path: Path) -> None:
    SecondPlace(path, KEYS).write(note(1))
    for size in (2, 3, 4):
        place = SecondPlace(path, KEYS)
        place.read()
        place.write(note(size))
        assert size_in(path) == size


@pytest.mark.parametrize("torn_after", [0, 1, 31, 32, 100, SLOT_BYTES - 1])
@pytest.mark.parametrize("written", [1, 2, 3])
def test_a_torn_write_leaves_the_one_before(path: Path, written: int, torn_after: int) -> None:
    place = SecondPlace(path, KEYS)
    for size in range(1, written + 1):
        place.write(note(size))
    before = path.read_bytes()
    place.write(note(written + 1))
    after = path.read_bytes()
    slot = written % 2
    start = slot * SLOT_BYTES
    torn = before[:start] + after[start : start + torn_after] + before[start + torn_after :]
    path.write_bytes(torn)
    # Written to the last byte that is not padding, it may be whole already; torn anywhere else it is not there.
    assert size_in(path) == (written + 1 if torn == after else written)


@pytest.mark.parametrize("call", ["pwrite", "fdatasync", "open"])
def test_a_failed_write_is_a_named_error_and_can_be_repeated(
    path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    place = SecondPlace(path, KEYS)
    place.write(note(1))
    place.write(note(2))

    def fail(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, call, fail)
        with pytest.raises(StorageFailed, match="No space left"):
            place.write(note(3))
    assert size_in(path) in (2, 3)
    place.write(note(3))
    place.write(note(4))
    assert size_in(path) == 4


def test_every_write_reaches_the_disk_before_it_returns(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    for name in ("pwrite", "fdatasync", "fsync"):
        true_call = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, _call=true_call, _name=name: (calls.append(_name), _call(*a))[1])
    place = SecondPlace(path, KEYS)
    place.write(note(1))
    assert calls == ["pwrite", "fsync", "fsync"]  # the file, then its folder
    calls.clear()
    place.write(note(2))
    assert calls == ["pwrite", "fdatasync"]
    calls.clear()
    again = SecondPlace(path, KEYS)
    again.read()
    again.write(note(3))
    assert calls == ["pwrite", "fdatasync", "fsync"]  # the process before it may have died before it came to the folder


@pytest.mark.parametrize("written", [0, 2])
def test_a_write_that_the_disk_took_in_part_is_a_failed_one(
    path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    place = SecondPlace(path, KEYS)
    for size in range(1, written + 1):
        place.write(note(size))
    true_call = os.pwrite
    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", lambda file, content, offset: true_call(file, content[:50], offset))
        with pytest.raises(StorageFailed, match="No space left"):
            place.write(note(3))
    if written:
        assert size_in(path) == written
    place.write(note(3))
    assert size_in(path) == 3


class Killed(BaseException):
    """The process is gone; nothing is cleaned up that it would have had to do itself."""


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("call", ["open", "pwrite", "fsync", "rename"])
def test_a_process_that_dies_while_it_makes_the_file_leaves_none_or_a_whole_one(
    path: Path, monkeypatch: pytest.MonkeyPatch, call: str, done: bool
) -> None:
    true_call = getattr(os, call)

    def die(*arguments: object) -> None:
        if done:
            true_call(*arguments)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(os, call, die)
        with pytest.raises(Killed):
            SecondPlace(path, KEYS).write(note(1))
    found = SecondPlace(path, KEYS).read()
    assert (found is not None) == (call == "rename" and done)
    SecondPlace(path, KEYS).write(note(2))
    assert size_in(path) == 2


@pytest.mark.parametrize("content", [b"", b"\x00" * 2 * SLOT_BYTES, b"x" * 2 * SLOT_BYTES, b"x" * 10])
def test_a_file_without_any_checkpoint_is_corrupt_and_not_new(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(LedgerCorrupt):
        SecondPlace(path, KEYS).read()


def test_a_checkpoint_of_a_stranger_is_refused(path: Path) -> None:
    SecondPlace(path, KEYS).write(note(1, Signer.generate(ORIGIN, SignatureType.ED25519)))
    with pytest.raises(LedgerCorrupt, match="signature is absent"):
        SecondPlace(path, KEYS).read()


def test_a_former_key_of_the_log_is_accepted_while_it_is_listed(path: Path) -> None:
    former = Signer.generate(ORIGIN, SignatureType.ED25519)
    SecondPlace(path, [former.verifier_key]).write(note(7, former))
    found = SecondPlace(path, [*KEYS, former.verifier_key]).read()
    assert found is not None
    assert found[1].size == 7


def test_a_note_that_does_not_fit_is_refused_before_anything_is_written(path: Path) -> None:
    large = Note(note(1).text, tuple(NoteSignature(f"key{number}", b"1234", b"s" * 64) for number in range(40)))
    with pytest.raises(CheckpointInvalid, match="fit"):
        SecondPlace(path, KEYS).write(large)
    assert not path.exists()
