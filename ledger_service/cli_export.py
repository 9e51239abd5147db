"""`ledger export`: the whole log as a directory that strangers verify with `ledger verify`.

For whoever holds the database file; it reads it (`mode=ro`), also while the ledger runs, and is not recorded on the
ledger: who can read the file can copy it. The export is verified with the ledger's own policy before the command
succeeds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from consentgate.anchors import Anchors
from consentgate.terminal import show
from ledger.export import write_export, write_sums
from ledger.policy import LogPolicy
from ledger.timestamp_files import TIMESTAMPS_FOLDER, timestamps_until, write_timestamp
from ledger.verify import verify_export
from ledger_service.cli_output import explaining, load_policy, measuring
from ledger_service.cli_verify import report_lines, report_members
from ledger_service.config import LedgerConfig
from ledger_service.local_log import opened_log


def export(
    directory: Annotated[Path, typer.Argument(help="Directory to be made.")],
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="The ledger's configuration (ledger.toml).")
    ] = None,
    database: Annotated[
        Path | None, typer.Option(help="Instead: a database file.", exists=True, dir_okay=False)
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(help="With --database: ledger-policy.txt.", exists=True, dir_okay=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Result as JSON.")] = False,
) -> None:
    """Export everything up to the newest witnessed checkpoint, and verify what was written.

    A folder of JSON lines, hash tiles (c2sp.org/tlog-tiles) and the cosigned checkpoint.

    Anybody with a policy file verifies it: ledger verify DIRECTORY --policy ledger-policy.txt
    """
    if directory.exists():
        raise typer.BadParameter("exists already; an export is never overwritten", param_hint="DIRECTORY")
    source, trusted = open_source(config, database, policy)
    with explaining(as_json):
        with opened_log(source) as log, measuring("Exporting") as progress:
            exported = write_export(directory, log.note, log.leaves(), progress)
        _add_timestamps(directory, config, trusted, exported.size)
        with measuring("Verifying") as progress:
            report = verify_export(directory, trusted, progress)
    lines = [f"exported to {directory}", *report_lines(report)]
    show({"directory": str(directory), **report_members(report)}, lines, as_json)


def _add_timestamps(directory: Path, config: Path | None, policy: LogPolicy, size: int) -> None:
    """The ledger's own timestamps (`ledger anchor`) of trees up to this size."""
    table = None if config is None else LedgerConfig.load(config).timestamps
    if table is None:
        return
    for each, pair in timestamps_until(table.folder, policy, size):
        write_timestamp(directory / TIMESTAMPS_FOLDER, each, pair)
    write_sums(directory)


def open_source(config: Path | None, database: Path | None, policy: Path | None) -> tuple[Path | str, LogPolicy]:
    """Database and policy, from the ledger's configuration or given one by one."""
    if config is not None and database is None and policy is None:
        content = LedgerConfig.load(config)
        return content.database, Anchors.load(content.anchors).log_policy
    if config is None and database is not None and policy is not None:
        return database, load_policy(policy)
    raise typer.BadParameter("give either --config, or --database and --policy")
