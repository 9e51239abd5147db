"""Verifies a report: by the reader's own anchors, and where the log is at hand, row by row against it.

1. the folder holds the six files and nothing else;
2. an officer or the log's key signed the statement, for this federation;
3. the summary is the one that was signed, and every file has the digest that it names;
4. the checkpoint is witnessed by the reader's policy, is the summary's, and was there when the statement was made;
5. CSV and Parquet hold the same rows, in order, all of the period, and the figures are what they add up to;
6. with a log: it continues the checkpoint, and the rows are those of its entries.

Without a log, steps 1 to 5 say who vouches for the rows; that they are the ledger's says only step 6.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from pathlib import Path

from consentgate import canonical
from consentgate.anchors import Anchors
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.statements import LedgerReportClaims
from ledger.checkpoint import Checkpoint
from ledger.export import shown
from ledger.note import MAX_NOTE
from ledger_service.report.columns import POSITION, Row
from ledger_service.report.csv_table import CSV_FILE, read_csv
from ledger_service.report.folder import ALL_FILES, NOTE_FILE, SUMMED_FILES, file_digest, grouped, rows_of, tree_of
from ledger_service.report.parquet_table import PARQUET_FILE, ParquetRows
from ledger_service.report.period import Period
from ledger_service.report.reading import VerifiedLog
from ledger_service.report.statement import MAX_STATEMENT, SKEW, STATEMENT_FILE, verify_statement
from ledger_service.report.summary import MAX_SUMMARY, SUMMARY_FILE, Figures, Summary
from ledger_service.report.tally import Tally
from ledger_service.report.tokens import DistinctTokens


@dataclass(frozen=True)
class Verified:
    """A report that holds. `signer` vouches for it; `against_log` says whether step 6 was made."""

    summary: Summary
    signer: str
    issued_at: datetime
    against_log: bool


def check_report(directory: Path, anchors: Anchors, now: datetime, log: VerifiedLog | None = None) -> Verified:
    """The report in a folder; raises REPORT_INVALID that names file and place, or a LedgerError about its checkpoint
    or the log.
    """
    # 1.
    _check_folder(directory)
    # 2.
    claims = verify_statement(_read(directory, STATEMENT_FILE, MAX_STATEMENT), anchors, now)
    # 3.
    summary = _check_digests(directory, claims)
    # 4.
    checkpoint = _check_checkpoint(directory, summary, claims, anchors)
    # 5. and 6. in one pass.
    period = None if summary.period is None else Period(summary.period.not_before, summary.period.before)
    rows = _ordered(read_csv(directory / CSV_FILE), period, summary.tree.size)
    if log is not None:
        rows = _same(rows, rows_of(log.entries_of(checkpoint), period))
    if _figures(directory, rows) != summary.figures:
        raise _invalid(f"{SUMMARY_FILE}: figures")
    return Verified(summary, claims.iss, claims.issued_at, log is not None)


def _check_folder(directory: Path) -> None:
    found = {path.name for path in directory.iterdir()}
    for name in sorted(found ^ ALL_FILES):
        raise _invalid(f"{name} is missing" if name in ALL_FILES else f"{shown(name)} does not belong to a report")
    for name in sorted(found):
        if (directory / name).is_symlink() or not (directory / name).is_file():
            raise _invalid(f"{name} is no file")


def _read(directory: Path, name: str, limit: int) -> bytes:
    with (directory / name).open("rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise _invalid(f"{name} is too long")
    return content


def _check_digests(directory: Path, claims: LedgerReportClaims) -> Summary:
    content = _read(directory, SUMMARY_FILE, MAX_SUMMARY)
    if canonical.digest(content) != claims.summary:
        raise _invalid(SUMMARY_FILE)
    summary = Summary.parse(content)
    if set(summary.files) != set(SUMMED_FILES):
        raise _invalid(f"{SUMMARY_FILE}: files")
    for name, digest in sorted(summary.files.items()):
        if file_digest(directory / name) != digest:
            raise _invalid(name)
    said = (claims.log, claims.size, claims.root, claims.entries)
    if said != (summary.log, summary.tree.size, summary.tree.root, summary.figures.entries):
        raise _invalid(f"{SUMMARY_FILE}: not what the statement says")
    return summary


def _check_checkpoint(directory: Path, summary: Summary, claims: LedgerReportClaims, anchors: Anchors) -> Checkpoint:
    witnessed = anchors.log_policy.check(_read(directory, NOTE_FILE, MAX_NOTE))
    if witnessed.checkpoint.origin != summary.log or tree_of(witnessed) != summary.tree:
        raise _invalid(f"{NOTE_FILE}: not the summary's tree")
    if witnessed.cosigned_at is not None and witnessed.cosigned_at > claims.issued_at + SKEW:
        raise _invalid(f"{NOTE_FILE}: later than the statement")
    return witnessed.checkpoint


def _ordered(rows: Iterator[Row], period: Period | None, size: int) -> Iterator[Row]:
    """Each row once, in order of seq, of this tree and this period."""
    last = -1
    for row in rows:
        seq, time = row[POSITION["seq"]], row[POSITION["time"]]
        if not isinstance(seq, int) or not last < seq < size or not isinstance(time, str):
            raise _invalid(f"{CSV_FILE}: order of rows after seq {last}")
        if period is not None and not period.holds(time):
            raise _invalid(f"{CSV_FILE}: seq {seq} is outside the period")
        last = seq
        yield row


def _same(rows: Iterator[Row], recorded: Iterator[Row]) -> Iterator[Row]:
    """The rows, when they are those of the log."""
    for row, expected in zip_longest(rows, recorded):
        if row != expected:
            seqs = [str(each[POSITION["seq"]]) for each in (row, expected) if each is not None]
            raise _invalid(f"{CSV_FILE}: seq {min(seqs, key=int)} is not what the ledger holds")
        yield row


def _figures(directory: Path, rows: Iterator[Row]) -> Figures:
    with ParquetRows(directory / PARQUET_FILE) as parquet, DistinctTokens() as tokens:
        tally = Tally(tokens)
        for group in parquet.check_equal(grouped(rows)):
            tally.add(group)
        return tally.figures()


def _invalid(where: str) -> ConsentgateError:
    return ConsentgateError(ErrorCode.REPORT_INVALID, field=where)
