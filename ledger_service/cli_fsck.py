"""`ledger fsck`: does the database agree with itself, and with the second place?

For the operator, offline or beside a running ledger (one read-only snapshot), on SQLite and PostgreSQL alike. It needs
no policy: whether witnesses saw this history is the question of `ledger verify`, which examines files in this way too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from consentgate.anchors import Anchors
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.terminal import ExitCode, print_error, show
from ledger.checkpoint import Checkpoint
from ledger.fsck import FsckReport
from ledger.fsck import fsck as examine
from ledger.second_place import SecondPlace
from ledger.storage.postgres_address import POSTGRESQL
from ledger_service.cli_output import explaining, measuring
from ledger_service.config import LedgerConfig
from ledger_service.storages import open_audit

HINT = (
    "The database was altered or damaged. Keep it as evidence and restore a copy that `ledger verify` accepts."
    " Where only searchable, category or idempotency is named, the log is sound: let the ledger make its index"
    " anew (docs/operations.md)."
)


def fsck(
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="The ledger's configuration (ledger.toml).")
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(help="Instead: a database file or a postgresql:// address, without a second place."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Result as JSON.")] = False,
) -> None:
    """Derive chain, tree, head and search columns from the stored leaves again, and compare."""
    if (config is None) == (database is None):
        raise typer.BadParameter("give either --config or --database")
    if database is not None and not database.startswith(POSTGRESQL) and not Path(database).is_file():
        raise typer.BadParameter("there is no such file", param_hint="--database")
    with explaining(as_json):
        place, signed = (database or "", None) if config is None else _configured(LedgerConfig.load(config))
        report = examine_database(place, signed)
    lines = [f"{report.entries} entries, {report.indexed} of them indexed, {_witnessed(report)}: nothing differs"]
    show(fsck_members(report), lines, as_json) if report.clean else end_with_findings(report, as_json)


def examine_database(place: str, signed: Checkpoint | None = None) -> FsckReport:
    """`ledger.fsck` of a file or an address, with a progress bar."""
    with open_audit(place) as audit, measuring("Examining") as progress:
        return examine(audit, signed, progress)


def fsck_members(report: FsckReport) -> dict[str, object]:
    """The report as JSON members."""
    return {
        "clean": report.clean,
        "entries": report.entries,
        "indexed": report.indexed,
        "witnessed": report.witnessed,
        "findings": [{"place": found.place, "problem": found.problem} for found in report.findings],
        "omitted": report.omitted,
    }


def end_with_findings(report: FsckReport, as_json: bool) -> None:
    """Shows every finding and ends the command with ExitCode.INVALID."""
    lines = finding_lines(report)
    if as_json:
        show(fsck_members(report), [], True)
    print_error(ConsentgateError(ErrorCode.LEDGER_INVALID, field=lines[0], hint=HINT), lines[1:])
    raise typer.Exit(ExitCode.INVALID)


def finding_lines(report: FsckReport) -> list[str]:
    """One line for each finding."""
    lines = [f"{found.place}: {found.problem}" for found in report.findings]
    return [*lines, f"and {report.omitted} more"] if report.omitted else lines


def _witnessed(report: FsckReport) -> str:
    return "no witnessed checkpoint yet" if report.witnessed is None else f"{report.witnessed} witnessed"


def _configured(content: LedgerConfig) -> tuple[str, Checkpoint | None]:
    keys = [key for key in Anchors.load(content.anchors).log_policy.logs if key.name == content.origin]
    signed = SecondPlace(content.second_place, keys).read()
    return content.database, None if signed is None else signed[1]
