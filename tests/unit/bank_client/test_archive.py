"""What the archive keeps can be verified later; whatever else stands in such a file is refused before it is read."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from bank_client import archive, scoring
from bank_client.archive import MAX_PART_BYTES, Archive
from consentgate.errors import ConsentgateError, ErrorCode
from tests.support.federation import hex16
from tests.support.synced_disk import SyncedDisk
from tests.unit.bank_client.exchange import Exchange

REQUEST = hex16("request")


@pytest.fixture
def kept(honest: Exchange, tmp_path: Path) -> Path:
    return Archive(tmp_path / "archive").keep(REQUEST, honest.received)


def test_what_was_kept_is_read_back_unchanged(honest: Exchange, kept: Path) -> None:
    assert archive.read(kept) == honest.received


def test_a_kept_answer_verifies_offline(honest: Exchange, kept: Path) -> None:
    verified = scoring.verify_answer(archive.read(kept), honest.federation.anchors)
    assert verified.order.request.request_id == REQUEST


def test_an_unpacked_archive_reads_the_same(honest: Exchange, kept: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(kept) as file:
        file.extractall(tmp_path / "unpacked")
    assert archive.read(tmp_path / "unpacked") == honest.received


def test_files_are_for_their_owner_only(kept: Path) -> None:
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700


def test_keeping_again_leaves_one_file(honest: Exchange, kept: Path) -> None:
    Archive(kept.parent).keep(REQUEST, honest.received)
    assert [entry.name for entry in kept.parent.iterdir()] == [kept.name]


def test_a_question_is_remembered_and_never_replaced(tmp_path: Path) -> None:
    kept = Archive(tmp_path)
    assert kept.remember_question(REQUEST, b"first") == b"first"
    assert kept.remember_question(REQUEST, b"second") == b"first"
    assert kept.question(REQUEST) == b"first"


def test_questions_and_answers_survive_a_power_cut_with_the_folders_above_them(
    honest: Exchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, kept = SyncedDisk(tmp_path, monkeypatch), Archive(tmp_path / "bank" / "archive")
    kept.remember_question(REQUEST, b"question")
    assert disk.lost() == []
    kept.keep(REQUEST, honest.received)
    assert disk.lost() == []


def test_an_unknown_question_is_none(tmp_path: Path) -> None:
    assert Archive(tmp_path).question(REQUEST) is None


@pytest.mark.parametrize("request_id", ["../escape", "", "A" * 32, "0" * 31, "0" * 32 + "\n"])
def test_a_request_id_that_is_none_names_no_file(tmp_path: Path, request_id: str) -> None:
    with pytest.raises(ConsentgateError) as refusal:
        Archive(tmp_path).question(request_id)
    assert refusal.value.code is ErrorCode.INVALID_ARGUMENT_FIELD


def rewritten(path: Path, parts: dict[str, bytes], drop: str = "") -> Path:
    with zipfile.ZipFile(path) as old:
        content = {name: old.read(name) for name in old.namelist() if name != drop}
    with zipfile.ZipFile(path, "w", compression=zipfile.ZIP_DEFLATED) as new:
        for name, data in {**content, **parts}.items():
            new.writestr(name, data)
    return path


def refusal_of(path: Path) -> ConsentgateError:
    with pytest.raises(ConsentgateError) as refusal:
        archive.read(path)
    assert refusal.value.code is ErrorCode.INVALID_ARGUMENT_FIELD
    return refusal.value


@pytest.mark.parametrize(
    "defect",
    [
        {"drop": "release.proof"},
        {"parts": {"notes.txt": b"x"}},
        {"parts": {"../escape": b"x"}},
        {"parts": {"format.txt": b"consentgate/score-archive/v2\n"}},
        {"parts": {"ciphertext.bin": bytes(MAX_PART_BYTES + 1)}},
        {"parts": {"answer-07.jws": b"x"}},
    ],
    ids=["part missing", "part unknown", "path", "format unknown", "part too long", "answers with a gap"],
)
def test_a_file_of_another_shape_is_refused(kept: Path, defect: dict[str, object]) -> None:
    refusal_of(rewritten(kept, **{"parts": {}, **defect}))  # type: ignore[arg-type]  # keywords by name


def test_a_part_that_stands_there_twice_is_refused(kept: Path) -> None:
    with zipfile.ZipFile(kept, "a") as file, pytest.warns(UserWarning, match="Duplicate name"):
        file.writestr("consent.json", b"another")
    refusal_of(kept)


def test_a_truncated_file_is_refused(kept: Path) -> None:
    kept.write_bytes(kept.read_bytes()[:-100])
    refusal_of(kept)


def test_a_flipped_byte_inside_a_part_is_refused(kept: Path) -> None:
    data = kept.read_bytes()
    kept.write_bytes(data[:2000] + bytes([data[2000] ^ 1]) + data[2001:])
    refusal_of(kept)


def test_no_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    assert "absent.zip" in str(refusal_of(tmp_path / "absent.zip").field)
