"""What was refused is kept once, whole, and over whatever happens to the process."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from ledger.errors import StorageFailed
from ledger.evidence import Material, Verdict
from ledger.evidence_material import is_material, material_files, read_material
from ledger.policy import LogPolicy
from ledger.refused import Refusals
from tests.support.forked_log import EARLIER, forked
from tests.support.synced_disk import SyncedDisk
from tests.support.witnessed_log import policy_text

POLICY = LogPolicy.parse(policy_text())
FORK = forked(3, 9, 9)


def material(number: int = 0) -> Material:
    """A fork; `number` makes it another one."""
    return Material(FORK.honest.note(EARLIER), FORK.other.note(EARLIER + timedelta(seconds=number)))


def test_what_is_kept_is_what_was_given(tmp_path: Path) -> None:
    refusals = Refusals(tmp_path / "refused")
    finding = refusals.keep(material(), POLICY)
    assert finding is not None
    assert finding.verdict is Verdict.SAME_SIZE
    assert read_material(tmp_path / "refused" / "same-size") == material()
    assert (refusals.kept(), refusals.forks()) == ([Verdict.SAME_SIZE], [Verdict.SAME_SIZE])


def test_what_is_kept_survives_a_power_cut_with_the_folders_above_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SyncedDisk(tmp_path, monkeypatch)
    Refusals(tmp_path / "state" / "refused").keep(material(), POLICY)
    assert disk.lost() == []


def test_nothing_is_kept_of_what_an_honest_log_can_have_signed(tmp_path: Path) -> None:
    refusals = Refusals(tmp_path / "refused")
    same = Material(material().first, material().first)
    forged = Material(material().first, FORK.other.note(EARLIER, log_signs=False))
    assert [refusals.keep(each, POLICY) for each in (same, forged)] == [None, None]
    assert not (tmp_path / "refused").exists()


def test_the_strongest_comes_first(tmp_path: Path) -> None:
    refusals = Refusals(tmp_path / "refused")
    larger = forked(3, 8, 13).other.note(EARLIER)
    refusals.keep(Material(material().first, larger, answer=()), POLICY)
    assert (refusals.kept(), refusals.forks()) == ([Verdict.UNANSWERED], [])
    refusals.keep(material(), POLICY)
    assert refusals.kept() == [Verdict.SAME_SIZE, Verdict.UNANSWERED]


def test_a_process_that_died_while_keeping_leaves_nothing_that_counts(tmp_path: Path) -> None:
    """Killed after any file of it was written: the next one keeps."""
    files = material_files(material())
    for count in range(len(files) + 1):
        refusals = Refusals(tmp_path / f"killed {count}")
        partial = refusals.folder / ".same-size.0badf00d"
        partial.mkdir(parents=True)
        for name, content in list(files.items())[:count]:
            (partial / name).write_bytes(content)
        assert refusals.kept() == []
        refusals.keep(material(1), POLICY)
        assert read_material(refusals.folder / "same-size") == material(1)


def test_of_many_at_once_one_is_kept_whole(tmp_path: Path) -> None:
    for number in range(10):
        folder = tmp_path / f"race {number}"
        with ThreadPoolExecutor(8) as threads:
            findings = list(threads.map(lambda each, at=folder: Refusals(at).keep(material(each), POLICY), range(8)))
        assert all(finding is not None for finding in findings)
        assert read_material(folder / "same-size") in [material(each) for each in range(8)]
        assert [path.name for path in folder.iterdir()] == ["same-size"]


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "refused").write_text("a file")
    with pytest.raises(StorageFailed, match="cannot keep"):
        Refusals(tmp_path / "refused").keep(material(), POLICY)
    assert not is_material(tmp_path / "refused" / "same-size")
