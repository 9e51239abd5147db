"""`ledger verify`: does it hold? An export, a database file, one receipt, an evidence bundle, offline; or the running
ledger, which an officer asks for every leaf.

It trusts nothing but the policy or the anchors it is given: neither the ledger's process nor its operator. Exit code
INVALID (5) when something does not hold; stderr then says what, and which leaf is at fault. Left out: answers and
release of a bank's archive (`bank verify`).
"""

from __future__ import annotations

from contextlib import closing
from itertools import chain, islice
from pathlib import Path
from typing import Annotated

import typer

from consentgate import evidence
from consentgate.anchors import Anchors
from consentgate.certificates import refuse_development_ca
from consentgate.errors import judging_answer
from consentgate.terminal import note, show
from ledger.errors import LedgerError
from ledger.evidence_folder import is_bundle
from ledger.policy import LogPolicy
from ledger.receipt import Receipt
from ledger.timestamp_files import verify_timestamps
from ledger.verify import Report, verify_export, verify_leaves, verify_receipt
from ledger_service.cli_evidence import explain_bundle, load_keys
from ledger_service.cli_fsck import end_with_findings, examine_database, finding_lines
from ledger_service.cli_output import entry_lines, entry_members, explaining, load_policy, load_roots, measuring, plain
from ledger_service.evidence_files import read_evidence
from ledger_service.local_log import opened_log
from ledger_service.officer import OfficerConfig, OfficerLedger
from ledger_service.receipt_files import read_receipt

Policy = Annotated[
    Path | None,
    typer.Option(
        help="Log key, witness keys and quorum (ledger-policy.txt): your own copy, not one that came with PATH.",
        exists=True,
        dir_okay=False,
    ),
]


def verify(
    path: Annotated[
        Path | None, typer.Argument(help="An exported directory, or a ledger's database file.", exists=True)
    ] = None,
    policy: Policy = None,
    earlier: Annotated[
        Path | None,
        typer.Option(help="Checkpoint of an earlier export, which PATH must continue.", exists=True, dir_okay=False),
    ] = None,
    tsa_roots: Annotated[
        Path | None,
        typer.Option(
            help="Certificates (PEM): also verify an export's timestamps, by an authority they vouch for.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    receipt: Annotated[
        Path | None, typer.Option(help="Instead: one receipt, NAME.leaf or NAME.proof, both files.", dir_okay=False)
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(
            "--evidence",
            help="Instead: a folder with the parts of an evidence bundle, or with evidence against the log.",
            file_okay=False,
        ),
    ] = None,
    running: Annotated[
        Path | None,
        typer.Option(
            metavar="OFFICER.TOML",
            help="Instead: the running ledger, every entry of it, as an officer; the ledger records it.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    anchors: Annotated[
        Path | None, typer.Option(help="With --evidence: the verifier's own anchors.toml.", exists=True, dir_okay=False)
    ] = None,
    development: Annotated[bool, typer.Option("--development", help="Accept a development CA.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Result as JSON.")] = False,
) -> None:
    """Verify an export, a database file, a receipt or an evidence bundle, offline and without trusting its source.

    Or the running ledger (--running), by the anchors that officer.toml names.

    For example: ledger verify EXPORT --policy ledger-policy.txt --earlier LAST-YEAR/checkpoint
    """
    if sum(given is not None for given in (path, receipt, bundle, running)) != 1:
        raise typer.BadParameter("give one of PATH, --receipt, --evidence and --running")
    if running is not None and policy is not None:
        raise typer.BadParameter("officer.toml names the anchors, and they the policy", param_hint="--policy")
    if tsa_roots is not None and (path is None or not path.is_dir()):
        raise typer.BadParameter("only an exported directory holds timestamps", param_hint="--tsa-roots")
    if bundle is not None and is_bundle(bundle):
        explain_bundle(bundle, load_keys(policy, anchors), as_json)
        return
    if bundle is not None:
        _verify_evidence(bundle, _required(anchors, "--anchors"), development, as_json)
        return
    kept = None if earlier is None else earlier.read_bytes()
    if running is not None:
        _verify_running(OfficerConfig.load(running), kept, development, as_json)
        return
    trusted = load_policy(_required(policy, "--policy"))
    if receipt is not None:
        _verify_receipt(read_receipt(receipt), trusted, as_json)
    elif path is not None and path.is_dir():
        _verify_export(path, trusted, kept, tsa_roots, as_json)
    elif path is not None:
        _verify_database(path, trusted, kept, as_json)


def _required(path: Path | None, option: str) -> Path:
    if path is None:
        raise typer.BadParameter("is needed: nothing is verified without it", param_hint=option)
    return path


def _verify_evidence(folder: Path, anchors: Path, development: bool, as_json: bool) -> None:
    """As of the moment when the quorum had witnessed the decision: an auditor comes later than 60 s."""
    held = Anchors.load(anchors)
    if not development:
        refuse_development_ca(held.member_ca)
    bundle = read_evidence(folder)
    with judging_answer():
        order = evidence.verify(bundle, held, evidence.decision_time(bundle, held))
    members = {
        "valid": True,
        "leaf_hash": order.leaf_hash,
        "seq": order.decision.index,
        "bank": str(order.bank),
        "request_id": order.request.request_id,
        "purpose": order.request.purpose,
        "subject": order.subject,
        "consent_id": order.consent.consent_id,
        "consent_version": order.consent.version,
        "scorecard": order.request.scorecard,
        "departments": {entry.id: list(entry.names()) for entry in order.header.departments},
        "decided_at": order.decided_at.isoformat(),
        "not_after": order.not_after.isoformat(),
    }
    lines = [
        "the evidence holds: this release was ordered",
        *(f"  {name:16} {plain(value)}" for name, value in members.items() if name != "valid"),
    ]
    show(members, lines, as_json)


def _verify_receipt(receipt: Receipt, policy: LogPolicy, as_json: bool) -> None:
    with explaining(as_json):
        found = verify_receipt(receipt, policy)
    members = {
        "valid": True,
        **entry_members(found.entry, found.leaf_hash),
        "tree_size": found.checkpoint.size,
        "cosigned_at": found.cosigned_at.isoformat(),
    }
    lines = [f"recorded: the quorum had seen it at {found.cosigned_at.isoformat()}"]
    show(members, lines + entry_lines(found.entry, found.leaf_hash), as_json)


def _verify_export(
    directory: Path, policy: LogPolicy, earlier: bytes | None, tsa_roots: Path | None, as_json: bool
) -> None:
    roots = None if tsa_roots is None else load_roots(tsa_roots)
    with explaining(as_json):
        with measuring("Verifying") as progress:
            report = verify_export(directory, policy, progress, earlier)
        timestamps = None if roots is None else verify_timestamps(directory, policy, roots)
    members, lines = report_members(report), report_lines(report)
    if timestamps is not None:
        members["timestamps"] = {str(size): moment.isoformat() for size, moment in timestamps.moments}
        members["timestamps_absent"] = timestamps.absent
        lines += [f"  {size} entries existed at {moment.isoformat()}" for size, moment in timestamps.moments]
        lines += [f"  {timestamps.absent} recorded tokens are not at hand"] if timestamps.absent else []
    show(members, lines, as_json)


def _verify_database(path: Path, policy: LogPolicy, earlier: bytes | None, as_json: bool) -> None:
    """The witnessed history as in an export; then every row, also of what is not witnessed yet."""
    with explaining(as_json):
        examined = examine_database(str(path))
        try:
            with opened_log(path) as log, measuring("Verifying") as progress:
                report = verify_leaves(log.leaves(), log.note, policy, progress, earlier=earlier)
        except LedgerError as error:
            for line in finding_lines(examined):
                error.add_note(line)
            raise
    if not examined.clean:
        end_with_findings(examined, as_json)
    waiting = examined.entries - report.checkpoint.size
    lines = [*report_lines(report), *([f"  {waiting} further entries are not witnessed yet"] if waiting else [])]
    show({**report_members(report), "not_witnessed": waiting}, lines, as_json)


def _verify_running(config: OfficerConfig, earlier: bytes | None, development: bool, as_json: bool) -> None:
    """All that the newest checkpoint counts; what comes meanwhile, as the record of this reading, is not looked at."""
    with explaining(as_json), OfficerLedger.open(config, allow_development_ca=development) as ledger:
        note("read from the ledger, which records it (access.read)")
        newest = ledger.checkpoint()
        policy = ledger.anchors.log_policy
        size = policy.check(newest).checkpoint.size
        with closing(ledger.history()) as messages, measuring("Verifying") as progress:
            leaves = islice(chain.from_iterable(leaves for leaves, _ in messages), size)
            report = verify_leaves(leaves, newest, policy, progress, earlier=earlier)
    show(report_members(report), report_lines(report), as_json)


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
