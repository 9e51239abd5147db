"""The `ledger` command: serve, verify, read and export a log."""

from __future__ import annotations

from consentgate.terminal import new_app, run
from ledger_service.cli_anchor import anchor
from ledger_service.cli_evidence import evidence
from ledger_service.cli_export import export
from ledger_service.cli_fsck import fsck
from ledger_service.cli_replay import replay_command
from ledger_service.cli_report import report
from ledger_service.cli_search import search
from ledger_service.cli_serve import keygen, restore_second_place, serve, witness
from ledger_service.cli_show import show
from ledger_service.cli_verify import verify

app = new_app("The consent ledger: serve it, read it, and verify it without trusting it.")
app.command()(serve)
app.command()(keygen)
app.command()(restore_second_place)
app.add_typer(witness, name="witness")
app.command()(verify)
app.command()(show)
app.command()(search)
app.command()(export)
app.command("replay")(replay_command)
app.command()(report)
app.command()(anchor)
app.command()(fsck)
app.add_typer(evidence, name="evidence")


def main() -> None:
    """Entry point of the `ledger` script."""
    run(app)
