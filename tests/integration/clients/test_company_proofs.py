"""What a company hands on: a folder that anybody verifies, and in which nothing can be altered or left out."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from company_client.cli import main
from consentgate.terminal import ExitCode
from ledger_service.cli import main as ledger
from tests.integration.clients.commands import Outcome, run
from tests.integration.clients.company_story import Story
from tests.integration.clients.member_folders import write_company
from tests.support.federation import Federation
from tests.support.subject_histories import statement


def accesses(config: Path, *words: object) -> Outcome:
    return run(main, "accesses", *words, "--config", config)


def verify(folder: Path, anchors: Path) -> Outcome:
    return run(main, "verify", folder, "--anchors", anchors, "--json")


@pytest.fixture
def anchors(tmp_path: Path, federation: Federation) -> Path:
    """Of a court, which is no member."""
    return write_company(tmp_path / "court", federation, "127.0.0.1:1").with_name("anchors.toml")


@pytest.fixture
def proofs(story: Story, company_toml: Path, tmp_path: Path) -> Path:
    """As a company makes it, with two departments' word."""
    story.gateway.histories = story.honest("tax", "customs")
    made = accesses(company_toml, "--complete", "--proofs", tmp_path / "proofs")
    assert made.code == ExitCode.OK
    assert "company verify" in made.err
    return tmp_path / "proofs"


def test_a_stranger_verifies_what_a_company_hands_on(proofs: Path, anchors: Path, story: Story) -> None:
    found = verify(proofs, anchors)
    assert found.code == ExitCode.OK, found.err
    assert [access["seq"] for access in found.members["accesses"]] == story.entries
    assert found.members["tokens"] == sorted([story.token, story.unused])
    size = len(story.federation.log.leaves)
    assert [(one["department"], one["tree_size"], one["entries"]) for one in found.members["complete"]] == [
        ("customs", size, 2),
        ("tax", size, 2),
    ]
    text = run(main, "verify", proofs, "--anchors", anchors).out
    assert f"tax signed: of the first {size} ledger entries 2 bear one of these tokens" in text
    assert story.company.config.company not in text


def test_no_company_code_is_handed_on(proofs: Path, story: Story) -> None:
    code = story.company.config.company.encode()
    assert not any(code in path.read_bytes() for path in proofs.rglob("*") if path.is_file())


def test_each_receipt_verifies_alone(proofs: Path, anchors: Path, story: Story) -> None:
    receipt = proofs / "entries" / f"{story.entries[0]}.leaf"
    policy = anchors.with_name("ledger-policy.txt")
    found = run(ledger, "verify", "--receipt", receipt, "--policy", policy, "--json")
    assert (found.code, found.members["seq"]) == (ExitCode.OK, story.entries[0])


def _drop_entry(folder: Path, story: Story) -> None:
    for suffix in ("leaf", "proof"):
        (folder / "entries" / f"{story.entries[0]}.{suffix}").unlink()


def _alter_entry(folder: Path, story: Story) -> None:
    path = folder / "entries" / f"{story.entries[0]}.leaf"
    path.write_bytes(path.read_bytes().replace(b"bank-a", b"bank-b"))


def _rename_entry(folder: Path, story: Story) -> None:
    for suffix in ("leaf", "proof"):
        (folder / "entries" / f"{story.entries[0]}.{suffix}").rename(folder / "entries" / f"0.{suffix}")


def _half_receipt(folder: Path, story: Story) -> None:
    (folder / "entries" / f"{story.entries[0]}.proof").unlink()


def _alter_statement(folder: Path, story: Story) -> None:
    path = folder / "histories" / f"tax.{story.token}.jws"
    path.write_bytes(path.read_bytes()[:-4] + b"AAAA")


def _alter_checkpoint(folder: Path, story: Story) -> None:
    path = folder / "histories" / f"tax.{story.token}.note"
    path.write_bytes(path.read_bytes()[:-4])


def _half_statement(folder: Path, story: Story) -> None:
    (folder / "histories" / f"tax.{story.token}.note").unlink()


def _of_another_department(folder: Path, story: Story) -> None:
    for suffix in ("jws", "note"):
        kept = folder / "histories" / f"tax.{story.token}.{suffix}"
        kept.with_name(f"courts.{story.token}.{suffix}").write_bytes(kept.read_bytes())


def _of_another_token(folder: Path, story: Story) -> None:
    for suffix in ("jws", "note"):
        kept = folder / "histories" / f"tax.{story.unused}.{suffix}"
        kept.write_bytes((folder / "histories" / f"tax.{story.token}.{suffix}").read_bytes())


def _lying_department(folder: Path, story: Story) -> None:
    lie = statement(story.federation, story.token, datetime.now(UTC), entries=1)
    (folder / "histories" / f"tax.{story.token}.jws").write_bytes(lie.statement_jws)
    (folder / "histories" / f"tax.{story.token}.note").write_bytes(lie.checkpoint)


def _nobody_speaks_of_its_token(folder: Path, story: Story) -> None:
    for path in (folder / "histories").glob(f"*.{story.token}.*"):
        path.unlink()


def _something_else(folder: Path, _story: Story) -> None:
    (folder / "entries" / "readme.txt").write_text("all of it is true")


def _no_folder(folder: Path, _story: Story) -> None:
    (folder / "histories").rename(folder / "history")


DEFECTS = [
    (_drop_entry, "HISTORY_MISMATCH"),
    (_alter_entry, "RECEIPT_INVALID"),
    (_rename_entry, "RECEIPT_MISMATCH"),
    (_half_receipt, "INVALID_ARGUMENT_FIELD"),
    (_alter_statement, "HISTORY_INVALID"),
    (_alter_checkpoint, "HISTORY_INVALID"),
    (_half_statement, "HISTORY_INVALID"),
    (_of_another_department, "HISTORY_INVALID"),
    (_of_another_token, "HISTORY_INVALID"),
    (_lying_department, "HISTORY_MISMATCH"),
    (_nobody_speaks_of_its_token, "DEPARTMENT_UNAVAILABLE"),
    (_something_else, "INVALID_ARGUMENT_FIELD"),
    (_no_folder, "INVALID_ARGUMENT_FIELD"),
]


@pytest.mark.parametrize(("defect", "code"), DEFECTS)
def test_what_was_altered_or_left_out_is_refused(
    proofs: Path, anchors: Path, story: Story, defect: Callable[[Path, Story], None], code: str
) -> None:
    defect(proofs, story)
    found = verify(proofs, anchors)
    assert (found.code, found.members["valid"], found.members["error"]) == (ExitCode.INVALID, False, code), found.err


def test_without_departments_the_entries_are_proven_and_no_more(
    story: Story, company_toml: Path, anchors: Path, tmp_path: Path
) -> None:
    made = accesses(company_toml, "--proofs", tmp_path / "proofs")
    assert made.code == ExitCode.OK
    assert "not that none was left out" in made.err
    found = verify(tmp_path / "proofs", anchors)
    assert (found.code, found.members["verified"], found.members["complete"]) == (ExitCode.OK, 2, [])
    text = run(main, "verify", tmp_path / "proofs", "--anchors", anchors).out
    assert "no department says that there is no other entry" in text


def test_proofs_are_never_overwritten_and_nobody_is_asked_for_nothing(
    story: Story, company_toml: Path, tmp_path: Path
) -> None:
    for words in (["--proofs", tmp_path], ["--proofs", tmp_path / "new", "--after", 1], ["--proofs", "x", "--watch"]):
        assert accesses(company_toml, *words).code == ExitCode.USAGE
    assert story.gateway.requests == []


def test_no_half_folder_stays_on_a_full_disk(
    story: Story, company_toml: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("ledger.durable_files.os.fsync", full)
    before = sorted(tmp_path.iterdir())
    made = accesses(company_toml, "--complete", "--proofs", tmp_path / "proofs")
    assert (made.code, "No space left on device" in made.err) == (ExitCode.UNAVAILABLE, True)
    assert sorted(tmp_path.iterdir()) == before


def test_a_company_whose_tokens_are_lost_is_not_told_that_nobody_looked(story: Story, company_toml: Path) -> None:
    story.company.config.tokens.unlink()
    story.gateway.entries.clear()
    ended = accesses(company_toml, "--complete")
    assert (ended.code, ended.out) == (ExitCode.CONFIGURATION, "")
    assert "Restore it from its backup" in ended.err


@pytest.mark.parametrize("after", [-1, 2**53, 10**30])
def test_there_are_no_such_entries(story: Story, company_toml: Path, after: int) -> None:
    assert accesses(company_toml, "--after", after).code == ExitCode.USAGE
    assert story.gateway.requests == []
