"""`ledger verify`: does it hold? An export, a database file, one receipt, against a policy file, offline.

It trusts nothing but the policy: neither the ledger's process nor its operator. Exit code INVALID (5) when something
does not hold; stderr then says what, and which leaf is at fault. Left out: evidence bundles (`bank verify`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from consentgate.terminal import show
from ledger.errors import LedgerError
from ledger.receipt import Receipt
from ledger.verify import Report, verify_export, verify_leaves, verify_receipt
from ledger_service.cli_fsck import end_with_findings, examine_file, finding_lines
from ledger_service.cli_output import entry_lines, entry_members, explaining, load_policy, measuring
from ledger_service.local_log import opened_log
from ledger_service.receipt_files import read_receipt

Policy = Annotated[
    Path, typer.Option(help="Log key, witness keys and quorum (ledger-policy.txt).", exists=True, dir_okay=False)
]


def verify(
    policy: Policy,
    path: Annotated[
        Path | None, typer.Argument(help="An exported directory, or a ledger's database file.", exists=True)
    ] = None,
    receipt: Annotated[
        Path | None, typer.Option(help="One receipt: NAME.leaf or NAME.proof, both files.", dir_okay=False)
    ] = None,
    earlier: Annotated[
        Path | None,
        typer.Option(help="Checkpoint of an earlier export, which PATH must continue.", exists=True, dir_okay=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Result as JSON.")] = False,
) -> None:
    """Verify an export, a database file or a receipt offline: signatures, quorum, tree, chain, every leaf."""
    if (path is None) == (receipt is None) or (path is None and earlier is not None):
        raise typer.BadParameter("give either PATH, with --earlier or without, or --receipt")
    kept = None if earlier is None else earlier.read_bytes()
    if receipt is not None:
        _verify_receipt(read_receipt(receipt), policy, as_json)
    elif path is not None and path.is_dir():
        _verify_export(path, policy, kept, as_json)
    elif path is not None:
        _verify_database(path, policy, kept, as_json)


def _verify_receipt(receipt: Receipt, policy: Path, as_json: bool) -> None:
    with explaining(as_json):
        found = verify_receipt(receipt, load_policy(policy))
    members = {
        "valid": True,
        **entry_members(found.entry, found.leaf_hash),
        "tree_size": found.checkpoint.size,
        "cosigned_at": found.cosigned_at.isoformat(),
    }
    lines = [f"recorded: the quorum had seen it at {found.cosigned_at.isoformat()}"]
    show(members, lines + entry_lines(found.entry, found.leaf_hash), as_json)


def _verify_export(directory: Path, policy: Path, earlier: bytes | None, as_json: bool) -> None:
    with explaining(as_json), measuring("Verifying") as progress:
        report = verify_export(directory, load_policy(policy), progress, earlier)
    show(report_members(report), report_lines(report), as_json)


def _verify_database(path: Path, policy: Path, earlier: bytes | None, as_json: bool) -> None:
    """The witnessed history as in an export; then every row, also of what is not witnessed yet."""
    trusted = load_policy(policy)
    with explaining(as_json):
        examined = examine_file(path)
        try:
            with opened_log(path) as log, measuring("Verifying") as progress:
                report = verify_leaves(log.leaves(), log.note, trusted, progress, earlier=earlier)
        except LedgerError as error:
            for line in finding_lines(examined):
                error.add_note(line)
            raise
    if not examined.clean:
        end_with_findings(examined, as_json)
    waiting = examined.entries - report.checkpoint.size
    lines = [*report_lines(report), *([f"  {waiting} further entries are not witnessed yet"] if waiting else [])]
    show({**report_members(report), "not_witnessed": waiting}, lines, as_json)


def report_members(report: Report) -> dict[str, object]:
    """A full verification's result as JSON members."""
    return {
        "valid": True,
        "origin": report.checkpoint.origin,
        "entries": report.checkpoint.size,
        "root": report.checkpoint.root.hex(),
        "cosigned_at": None if report.cosigned_at is None else report.cosigned_at.isoformat(),
        "first": report.first,
        "last": report.last,
        "kinds": dict(sorted(report.kinds.items())),
        "clock_steps_back": report.clock_steps_back,
    }


def report_lines(report: Report) -> list[str]:
    """The same for a person."""
    when = "no quorum in the policy" if report.cosigned_at is None else report.cosigned_at.isoformat()
    lines = [
        f"{report.checkpoint.origin}: {report.checkpoint.size} entries hold",
        f"  {'root':16} {report.checkpoint.root.hex()}",
        f"  {'quorum reached':16} {when}",
        f"  {'first, last':16} {report.first or '–'}, {report.last or '–'}",
    ]
    lines += [f"  {kind:24} {count:>8}" for kind, count in sorted(report.kinds.items())]
    if report.clock_steps_back:
        lines.append(f"  {report.clock_steps_back} entries are dated before the entry in front of them")
    return lines
