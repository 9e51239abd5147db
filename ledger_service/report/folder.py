"""Writes a report: one new folder, whole or not at all.

1. every entry of the log is verified; those of the period become rows, a group at a time;
2. the checkpoint closes the reading: only now is it known that the rows are the log's;
3. page, summary and statement are made from what was counted;
4. the statement is verified with the writer's own anchors, and the folder gets its name.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

from consentgate import canonical
from consentgate.anchors import Anchors
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.statements import LedgerReportClaims
from ledger.entry import Entry, format_time
from ledger.errors import StorageFailed
from ledger.policy import WitnessedCheckpoint
from ledger_service.report.columns import Row, row_of
from ledger_service.report.csv_table import CSV_FILE, CsvTable
from ledger_service.report.page import PAGE_FILE, render
from ledger_service.report.parquet_table import PARQUET_FILE, ROWS_PER_GROUP, ParquetTable
from ledger_service.report.period import Period
from ledger_service.report.reading import VerifiedLog
from ledger_service.report.statement import STATEMENT_FILE, ReportSigner, audience, verify_statement
from ledger_service.report.summary import SUMMARY_FILE, Bounds, Figures, Summary, Tree
from ledger_service.report.tally import Tally
from ledger_service.report.tokens import DistinctTokens

NOTE_FILE = "checkpoint"
SUMMED_FILES = (CSV_FILE, PARQUET_FILE, NOTE_FILE, PAGE_FILE)
"""Files whose digests the summary names."""
ALL_FILES = frozenset({*SUMMED_FILES, SUMMARY_FILE, STATEMENT_FILE})


@dataclass(frozen=True)
class Order:
    """What is wanted: whose anchors, who signs, which period (None: everything), and what time it is."""

    anchors: Anchors
    signer: ReportSigner
    period: Period | None
    now: datetime


def write_report(directory: Path, log: VerifiedLog, order: Order) -> Summary:
    """The summary of what was written; `directory` must not exist. Raises a LedgerError when the log does not hold,
    REPORT_INVALID when the writer's own anchors do not know the signer.
    """
    with _new_folder(directory) as folder:
        figures = _write_rows(folder, rows_of(log.entries(), order.period))
        (folder / NOTE_FILE).write_bytes(log.note)
        summary = _write_page(folder, log, order.period, figures)
        _write_statement(folder, summary, order)
    return summary


def rows_of(entries: Iterable[tuple[Entry, str]], period: Period | None) -> Iterator[Row]:
    """The rows of a report about these entries."""
    return (row_of(entry, digest) for entry, digest in entries if period is None or period.holds(entry.ts))


def grouped(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Row groups: all but the last have ROWS_PER_GROUP rows, none is empty."""
    remaining = iter(rows)
    while group := list(islice(remaining, ROWS_PER_GROUP)):
        yield group


def tree_of(witnessed: WitnessedCheckpoint) -> Tree:
    """The tree as the summary names it."""
    checkpoint, at = witnessed.checkpoint, witnessed.cosigned_at
    when = None if at is None else format_time(at)
    return Tree(size=checkpoint.size, root=checkpoint.root.hex(), cosigned_at=when)


def file_digest(path: Path) -> str:
    """SHA-256, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _new_folder(directory: Path) -> Iterator[Path]:
    """Made beside its place and moved there whole; nothing stays of one that was not finished."""
    partial = directory.with_name(f".{directory.name}.{secrets.token_hex(4)}")
    try:
        partial.mkdir(parents=True)
        try:
            yield partial
            if directory.exists():
                raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=str(directory), hint=_EXISTS)
            partial.rename(directory)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise StorageFailed(f"cannot write the report: {error.strerror}") from error


_EXISTS = "A report is never overwritten: name a new folder."


def _write_rows(folder: Path, rows: Iterator[Row]) -> Figures:
    with (
        (folder / CSV_FILE).open("w", encoding="utf-8", newline="") as file,
        ParquetTable(folder / PARQUET_FILE) as parquet,
        DistinctTokens() as tokens,
    ):
        table, tally = CsvTable(file), Tally(tokens)
        for group in grouped(rows):
            table.write(group)
            parquet.write(group)
            tally.add(group)
        return tally.figures()


def _write_page(folder: Path, log: VerifiedLog, period: Period | None, figures: Figures) -> Summary:
    tree, origin = tree_of(log.witnessed), log.witnessed.checkpoint.origin
    bounds = None if period is None else Bounds(not_before=period.start, before=period.end)
    digests = {name: file_digest(folder / name) for name in SUMMED_FILES if name != PAGE_FILE}
    (folder / PAGE_FILE).write_text(render(origin, bounds, tree, figures, log.note, digests), encoding="utf-8")
    files: Mapping[str, str] = {**digests, PAGE_FILE: file_digest(folder / PAGE_FILE)}
    return Summary(log=origin, period=bounds, tree=tree, figures=figures, files=dict(sorted(files.items())))


def _write_statement(folder: Path, summary: Summary, order: Order) -> None:
    content = summary.encode()
    claims = LedgerReportClaims(
        aud=audience(order.anchors.trust_domain),
        iat=int(order.now.timestamp()),
        iss=order.signer.name,
        log=summary.log,
        size=summary.tree.size,
        root=summary.tree.root,
        entries=summary.figures.entries,
        summary=canonical.digest(content),
    )
    token = order.signer.sign(claims)
    verify_statement(token, order.anchors, order.now)
    (folder / SUMMARY_FILE).write_bytes(content)
    (folder / STATEMENT_FILE).write_bytes(token)
