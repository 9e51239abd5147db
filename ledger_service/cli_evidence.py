"""`ledger evidence`: make a bundle that shows a log's fork or rollback to strangers, and explain one.

For whoever holds two of a log's checkpoints that do not fit: an officer, a department, a bank with a kept receipt. A
bundle holds all that is needed to verify it but the verifier's own trust in the log's key.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from consentgate.anchors import Anchors
from consentgate.terminal import new_app, show
from ledger.errors import NotEvidence
from ledger.evidence import Finding, Material
from ledger.evidence_folder import make_bundle, members, read_bundle
from ledger.evidence_words import dated, limits, lines, proves, title
from ledger.policy import LogPolicy
from ledger_service.cli_output import explaining, load_policy
from ledger_service.exhibits import Exhibit, ask, connect, open_exhibit, require_two
from ledger_service.local_log import opened_log
from ledger_service.officer import OfficerConfig, OfficerLedger

evidence = new_app("Evidence of a fork or rollback: make a bundle that strangers can verify, or explain one.")

Policy = Annotated[
    Path | None, typer.Option(help="Log key and witness keys (ledger-policy.txt).", exists=True, dir_okay=False)
]
AnchorsFile = Annotated[
    Path | None, typer.Option("--anchors", help="Instead of --policy: anchors.toml.", exists=True, dir_okay=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Result as JSON.")]


@evidence.command("make")
def make(
    directory: Annotated[Path, typer.Argument(help="Directory to be made.")],
    exhibits: Annotated[
        list[Path],
        typer.Argument(
            help="Two of: a checkpoint (note), a receipt (NAME.proof), an export, a database file, a witness's state;"
            " or one folder of what a witness or a department refused.",
            exists=True,
        ),
    ],
    log: Annotated[
        list[Path] | None,
        typer.Option(help="An export or database file that holds the larger tree; may be repeated.", exists=True),
    ] = None,
    running: Annotated[
        Path | None,
        typer.Option(help="Instead of a second one: ask the running ledger, as officer.toml says.", exists=True),
    ] = None,
    unanswered: Annotated[
        bool, typer.Option("--unanswered", help="The log was asked to connect the two and gave no proof.")
    ] = False,
    policy: Policy = None,
    anchors: AnchorsFile = None,
    development: Annotated[bool, typer.Option("--development", help="Accept a development CA.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make one folder of two checkpoints that contradict each other, with proof and explanation.

    For example: ledger evidence make BUNDLE OLD-EXPORT NEW-EXPORT --policy ledger-policy.txt
    """
    if directory.exists():
        raise typer.BadParameter("exists already; evidence is never overwritten", param_hint="DIRECTORY")
    trusted = load_keys(policy, anchors)
    with explaining(as_json), ExitStack() as opened:
        held = [open_exhibit(path, trusted, opened) for path in exhibits]
        logs = [opened.enter_context(opened_log(path)) for path in log or []]
        if running is None:
            pair = require_two(held)
            found = pair if isinstance(pair, Material) else connect(*pair, logs, unanswered=unanswered)
            finding = make_bundle(directory, found, trusted)
        else:
            config = OfficerConfig.load(running)
            ledger = opened.enter_context(OfficerLedger.open(config, allow_development_ca=development))
            finding = _against_running(directory, held, ledger, trusted)
    show({"directory": str(directory), **explained_members(finding)}, [f"made {directory}", *lines(finding)], as_json)


@evidence.command("explain")
def explain(
    directory: Annotated[Path, typer.Argument(help="A bundle.", exists=True, file_okay=False)],
    policy: Policy = None,
    anchors: AnchorsFile = None,
    as_json: AsJson = False,
) -> None:
    """Verify a bundle by your own keys, and say in words what it proves and what it does not."""
    explain_bundle(directory, load_keys(policy, anchors), as_json)


def explain_bundle(directory: Path, policy: LogPolicy, as_json: bool) -> None:
    """Shows the finding; ends the command with ExitCode.INVALID for a bundle that does not hold."""
    with explaining(as_json):
        finding = read_bundle(directory, policy)
    show(explained_members(finding), lines(finding), as_json)


def load_keys(policy: Path | None, anchors: Path | None) -> LogPolicy:
    """The verifier's own keys, from either file."""
    if (policy is None) == (anchors is None):
        raise typer.BadParameter("give either --policy or --anchors: nothing is verified without your own keys")
    return Anchors.load(anchors).log_policy if anchors is not None else load_policy(policy or Path())


def explained_members(finding: Finding) -> dict[str, object]:
    """The finding as JSON members, with its words."""
    return {
        "valid": True,
        **members(finding),
        "title": title(finding),
        "proves": proves(finding),
        "does_not_prove": list(limits(finding)),
        "dated_by": dated(finding),
    }


def _against_running(
    directory: Path, held: Sequence[Exhibit | Material], ledger: OfficerLedger, policy: LogPolicy
) -> Finding:
    """What is held against whatever the ledger says today."""
    if len(held) != 1 or not isinstance(held[0], Exhibit):
        raise NotEvidence("the running ledger is one side: give exactly one checkpoint or receipt as the other")
    *others, last = ask(ledger, held[0])
    for answer in others:
        try:
            return make_bundle(directory, connect(held[0], answer), policy)
        except NotEvidence:
            continue
    return make_bundle(directory, connect(held[0], last), policy)
