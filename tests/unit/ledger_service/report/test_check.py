"""Verifying a report: every altered bit is refused, and so is what a dishonest signer makes."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from consentgate.anchors import Anchors
from consentgate.errors import ConsentgateError, ErrorCode
from ledger.errors import ConsistencyInvalid, LedgerError, LogMismatch
from ledger_service.local_log import opened_log
from ledger_service.report.check import Verified, check_report
from ledger_service.report.folder import ALL_FILES
from ledger_service.report.reading import VerifiedLog, files_source
from ledger_service.report.summary import Bounds, Summary
from tests.support.flipped_bits import with_flipped_bit
from tests.support.report_files import NOW, ReportHouse, make_report, sign_again, sign_summary
from tests.support.sample_log import OPENED_AT, SUBJECT, export_log, sample_log
from tests.support.witnessed_log import WitnessedLog, policy_text

FLIPS = 60
"""Bits flipped in each file, at places that are the same in every run."""


def check(directory: Path, house: ReportHouse, log: Path | None = None) -> Verified:
    if log is None:
        return check_report(directory, house.anchors, NOW)
    with opened_log(log) as opened:
        reading = VerifiedLog(files_source(opened), house.anchors.log_policy)
        return check_report(directory, house.anchors, NOW, reading)


def refusal(directory: Path, house: ReportHouse, log: Path | None = None) -> str:
    with pytest.raises(ConsentgateError) as caught:
        check(directory, house, log)
    assert caught.value.code is ErrorCode.REPORT_INVALID
    return str(caught.value.field)


def test_holds_alone_and_against_the_log(house: ReportHouse) -> None:
    alone, compared = check(house.report, house), check(house.report, house, house.export)
    assert (alone.against_log, compared.against_log) == (False, True)
    assert alone.signer == "spiffe://consentgate.test/officer/officer-1"
    assert alone.summary == compared.summary
    assert alone.issued_at == NOW


@pytest.mark.parametrize("period", ["2026-11-24", "2026-11-25"])
def test_a_report_of_a_period_by_the_logs_key(house: ReportHouse, tmp_path: Path, period: str) -> None:
    make_report(tmp_path / "report", house.export, house.anchors, house.operator, period)
    assert check(tmp_path / "report", house, house.export).signer == "consentgate.test/ledger"


@pytest.mark.parametrize("name", sorted(ALL_FILES))
def test_every_flipped_bit_is_refused(house: ReportHouse, tmp_path: Path, name: str) -> None:
    directory = house.copy(tmp_path)
    content = (directory / name).read_bytes()
    for bit in random.Random(name).sample(range(8 * len(content)), FLIPS):  # noqa: S311 - no secret
        (directory / name).write_bytes(with_flipped_bit(content, bit))
        with pytest.raises((ConsentgateError, LedgerError)):
            check(directory, house)
    (directory / name).write_bytes(content)
    check(directory, house)


@pytest.mark.parametrize("name", sorted(ALL_FILES))
def test_a_missing_cut_or_lengthened_file(house: ReportHouse, tmp_path: Path, name: str) -> None:
    directory = house.copy(tmp_path)
    content = (directory / name).read_bytes()
    for altered in (content[:-1], content + b"\n", b""):
        (directory / name).write_bytes(altered)
        refusal(directory, house)
    (directory / name).unlink()
    assert refusal(directory, house) == f"{name} is missing"
    (directory / name).symlink_to(house.report / name)
    assert refusal(directory, house) == f"{name} is no file"


def test_a_file_too_many(house: ReportHouse, tmp_path: Path) -> None:
    directory = house.copy(tmp_path)
    (directory / "entries.xlsx").write_bytes(b"")
    assert refusal(directory, house) == "entries.xlsx does not belong to a report"


def _alter(directory: Path, house: ReportHouse, name: str, old: bytes, new: bytes) -> None:
    """By a signer whose statement fits again."""
    content = (directory / name).read_bytes()
    assert old in content
    (directory / name).write_bytes(content.replace(old, new, 1))
    sign_again(directory, house.officer)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (b"bank-b", b"bank-a", "entries.parquet: row group 0"),
        (b"\r\n1,", b"\r\n0,", "entries.csv: order of rows after seq 0"),
        (b"\r\n27,", b"\r\n28,", "entries.csv: order of rows after seq 26"),
        (b"bank-b", b"=bank-b", "entries.csv line 6"),
        (b"customs.trade,", b"customs.trade,,", "entries.csv line 5"),
        (b"seq,time", b"seq,when", "entries.csv line 1"),
        (b"2026-11-24T04:00:05", b"2026-11-24T04:00:65", "entries.csv line 7"),
    ],
)
def test_a_signer_who_alters_the_csv(house: ReportHouse, tmp_path: Path, old: bytes, new: bytes, problem: str) -> None:
    directory = house.copy(tmp_path)
    _alter(directory, house, "entries.csv", old, new)
    assert refusal(directory, house) == problem


def test_a_signer_who_leaves_out_rows(house: ReportHouse, tmp_path: Path) -> None:
    directory = house.copy(tmp_path)
    lines = (directory / "entries.csv").read_bytes().splitlines(keepends=True)
    (directory / "entries.csv").write_bytes(b"".join(lines[:-1]))
    sign_again(directory, house.officer)
    assert refusal(directory, house) == "entries.parquet: row group 0"


def test_a_signer_who_swaps_tables(house: ReportHouse, tmp_path: Path) -> None:
    """CSV and Parquet of another, whole report."""
    directory = house.copy(tmp_path)
    make_report(tmp_path / "empty", house.export, house.anchors, house.officer, "2020")
    for name, problem in (("entries.parquet", "entries.parquet: ends early"), ("entries.csv", "summary.json: figures")):
        (directory / name).write_bytes((tmp_path / "empty" / name).read_bytes())
        sign_again(directory, house.officer)
        assert refusal(directory, house) == problem
    (directory / "entries.parquet").write_bytes((house.report / "entries.parquet").read_bytes())
    sign_again(directory, house.officer)
    assert refusal(directory, house) == "entries.parquet: has more rows"
    (directory / "entries.parquet").write_bytes(b"PAR1 no PAR1")
    sign_again(directory, house.officer)
    assert refusal(directory, house) == "entries.parquet: cannot be read"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda s: {"figures": s.figures.model_copy(update={"tokens": 3})}, "summary.json: figures"),
        (lambda s: {"figures": s.figures.model_copy(update={"denials_by_reason": {}})}, "summary.json: figures"),
        (lambda _: {"log": "other.test/ledger"}, "checkpoint: not the summary's tree"),
        (lambda s: {"tree": s.tree.model_copy(update={"size": 27})}, "checkpoint: not the summary's tree"),
        (lambda s: {"tree": s.tree.model_copy(update={"root": "00" * 32})}, "checkpoint: not the summary's tree"),
        (lambda s: {"tree": s.tree.model_copy(update={"cosigned_at": None})}, "checkpoint: not the summary's tree"),
        (lambda _: {"files": {}}, "summary.json: files"),
        (lambda s: {"files": {**s.files, "more": "00" * 32}}, "summary.json: files"),
    ],
)
def test_a_signer_whose_summary_says_something_else(
    house: ReportHouse, tmp_path: Path, change: Callable[[Summary], dict[str, object]], problem: str
) -> None:
    directory = house.copy(tmp_path)
    summary = Summary.parse((directory / "summary.json").read_bytes())
    sign_summary(directory, summary.model_copy(update=change(summary)), house.officer)
    assert refusal(directory, house) == problem


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"v":1,"v":1}', b'{"v":1.0}', b"\xff"])
def test_a_signed_summary_that_is_none(house: ReportHouse, tmp_path: Path, content: bytes) -> None:
    directory = house.copy(tmp_path)
    summary = Summary.parse((directory / "summary.json").read_bytes())

    class Wrong(Summary):
        def encode(self) -> bytes:
            return content

    sign_summary(directory, Wrong.model_validate(summary.model_dump()), house.officer)
    assert refusal(directory, house).startswith("summary.json")


def test_a_statement_that_says_something_else_than_its_summary(house: ReportHouse, tmp_path: Path) -> None:
    directory = house.copy(tmp_path)
    for claims in ({"entries": 27}, {"size": 27}, {"root": "00" * 32}, {"log": "other.test/ledger"}):
        sign_again(directory, house.officer, **claims)
        assert refusal(directory, house) == "summary.json: not what the statement says"


def test_a_statement_older_than_its_checkpoint(house: ReportHouse, tmp_path: Path) -> None:
    directory = house.copy(tmp_path)
    sign_again(directory, house.officer, iat=int((NOW - timedelta(minutes=4)).timestamp()))
    check(directory, house)
    sign_again(directory, house.officer, iat=int((NOW - timedelta(minutes=6)).timestamp()))
    assert refusal(directory, house) == "checkpoint: later than the statement"


def test_rows_of_another_period(house: ReportHouse, tmp_path: Path) -> None:
    directory = house.copy(tmp_path)
    summary = Summary.parse((directory / "summary.json").read_bytes())
    october = Bounds(not_before="2026-10-01T00:00:00.000000Z", before="2026-11-01T00:00:00.000000Z")
    sign_summary(directory, summary.model_copy(update={"period": october}), house.officer)
    assert refusal(directory, house) == "entries.csv: seq 0 is outside the period"
    november = Bounds(not_before="2026-11-24T04:00:00.000001Z", before="2026-12-01T00:00:00.000000Z")
    sign_summary(directory, summary.model_copy(update={"period": november}), house.officer)
    assert refusal(directory, house) == "entries.csv: seq 0 is outside the period"


def test_a_period_that_is_not_the_one_of_the_rows(house: ReportHouse, tmp_path: Path) -> None:
    """An empty report of a period in which the log has entries: all agrees, but not with the log."""
    make_report(tmp_path / "report", house.export, house.anchors, house.officer, "2020")
    summary = Summary.parse((tmp_path / "report" / "summary.json").read_bytes())
    november = Bounds(not_before="2026-11-01T00:00:00.000000Z", before="2026-12-01T00:00:00.000000Z")
    sign_summary(tmp_path / "report", summary.model_copy(update={"period": november}), house.officer)
    assert check(tmp_path / "report", house).summary.figures.entries == 0
    assert refusal(tmp_path / "report", house, house.export) == "entries.csv: seq 0 is not what the ledger holds"


def _lying_report(house: ReportHouse, tmp_path: Path, log: WitnessedLog) -> Path:
    """Rows of another history under the true checkpoint: everything agrees but the ledger."""
    other = export_log(log, tmp_path / "other")
    make_report(tmp_path / "report", other, house.anchors, house.officer)
    for name in ("checkpoint",):
        (tmp_path / "report" / name).write_bytes((house.report / name).read_bytes())
    true = Summary.parse((house.report / "summary.json").read_bytes())
    summary = Summary.parse((tmp_path / "report" / "summary.json").read_bytes())
    files = {**summary.files, "checkpoint": true.files["checkpoint"]}
    sign_summary(tmp_path / "report", summary.model_copy(update={"tree": true.tree, "files": files}), house.officer)
    return tmp_path / "report"


def test_only_the_log_tells_invented_rows(house: ReportHouse, tmp_path: Path) -> None:
    log = WitnessedLog(OPENED_AT)
    for number in range(1, 28):
        log.append("erasure.performed", {"subject": SUBJECT}, OPENED_AT + timedelta(seconds=number))
    directory = _lying_report(house, tmp_path, log)
    assert check(directory, house).summary.figures.by_kind == {"erasure.performed": 27, "log.opened": 1}
    assert refusal(directory, house, house.export) == "entries.csv: seq 1 is not what the ledger holds"


def test_only_the_log_tells_hidden_rows(house: ReportHouse, tmp_path: Path) -> None:
    directory = _lying_report(house, tmp_path, sample_log(repeat=2))
    check(directory, house)
    assert refusal(directory, house, house.export) == "entries.csv: seq 19 is not what the ledger holds"


def test_a_log_that_grew_since_then_and_one_that_is_shorter(house: ReportHouse, tmp_path: Path) -> None:
    assert check(house.report, house, export_log(sample_log(repeat=5), tmp_path / "longer")).against_log
    with pytest.raises(ConsistencyInvalid, match="there are 19 leaves, but the checkpoint counts 28"):
        check_entries(house, export_log(sample_log(repeat=2), tmp_path / "shorter"))


def check_entries(house: ReportHouse, log: Path) -> None:
    """A report whose rows all are in the shorter log."""
    summary = Summary.parse((house.report / "summary.json").read_bytes())
    with opened_log(log) as opened:
        reading = VerifiedLog(files_source(opened), house.anchors.log_policy)
        witnessed = house.anchors.log_policy.check((house.report / "checkpoint").read_bytes())
        assert witnessed.checkpoint.size == summary.tree.size
        list(reading.entries_of(witnessed.checkpoint))


def test_another_history_of_the_same_log(house: ReportHouse, tmp_path: Path) -> None:
    fork = sample_log(repeat=2)
    for number in range(9):
        fork.append("erasure.performed", {"subject": SUBJECT}, OPENED_AT + timedelta(seconds=19 + number))
    assert "is not what the ledger holds" in refusal(house.report, house, export_log(fork, tmp_path / "fork"))
    with pytest.raises(ConsistencyInvalid, match="do not hash to the checkpoint's root"):
        check_entries(house, tmp_path / "fork")


def test_a_checkpoint_of_strangers(house: ReportHouse, tmp_path: Path) -> None:
    """The reader's own policy decides who must have witnessed."""
    strict = house.anchors.log_policy.parse(_policy_demanding_all())
    anchors = Anchors(**{**vars(house.anchors), "log_policy": strict})
    with pytest.raises(LedgerError, match="quorum"):
        check_report(house.report, anchors, NOW)
    other = house.anchors.log_policy.parse(_policy_of_another_log())
    with pytest.raises((LogMismatch, LedgerError)):
        check_report(house.report, Anchors(**{**vars(house.anchors), "log_policy": other}), NOW)


def _policy_demanding_all() -> str:
    return policy_text().replace("group departments 3", "group departments 4")


def _policy_of_another_log() -> str:
    return policy_text("another log")
