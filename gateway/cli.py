"""The `gateway` command: serve, migrate, and find out beforehand what would not work.

Manners (design 5, rule 13): results on stdout, as JSON with `--json`; what went wrong and what would help on stderr;
exit codes of `consentgate.terminal.ExitCode`; no traceback for a mistake in a file. Sub-commands for policies,
reviewers, keys and erasure are in `cli_*.py`.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from consentgate import logs
from consentgate.doctor import healthy
from consentgate.findings import show_findings
from consentgate.logs import LogLevel
from consentgate.terminal import ExitCode, new_app, run, show
from gateway import examination
from gateway.cli_erase import erase_command
from gateway.cli_keys import discard_command, keygen_command, rewrap_command
from gateway.cli_policy import policies
from gateway.cli_scorecard import scorecards
from gateway.config import GatewayConfig
from gateway.server import open_gateway
from gateway.store import migrate as migrations

app = new_app("The postman: checks consent and law, computes on ciphertexts, records every decision.")
app.add_typer(policies, name="policy")
app.add_typer(scorecards, name="scorecard")
app.command("erase")(erase_command)
app.command("keygen")(keygen_command)
app.command("rewrap")(rewrap_command)
app.command("discard-unreadable")(discard_command)

Config = Annotated[Path, typer.Option("--config", "-c", help="The gateway's configuration (gateway.toml).")]
Development = Annotated[bool, typer.Option("--development", help="Accept a development CA.")]
AsJson = Annotated[bool, typer.Option("--json", help="Results as JSON.")]
GATEWAY_TOML = Path("gateway.toml")


@app.command()
def serve(
    config: Config = GATEWAY_TOML,
    development: Development = False,
    log_level: Annotated[LogLevel, typer.Option(help="How much to log, as JSON lines on stderr.")] = LogLevel.INFO,
) -> None:
    """Serve until SIGTERM or SIGINT; brings the database to the newest schema first."""
    logs.configure(log_level)
    asyncio.run(_serve(GatewayConfig.load(config), development))


async def _serve(config: GatewayConfig, development: bool) -> None:
    async with open_gateway(config, allow_development_ca=development) as gateway:
        await gateway.run(config)


@app.command()
def migrate(config: Config = GATEWAY_TOML, as_json: AsJson = False) -> None:
    """Bring both databases to the newest schema, as a start would. Harmless to repeat."""
    database = GatewayConfig.load(config).open_store()
    try:
        before, _ = migrations.revisions(database.engine)
        migrations.upgrade(database)
        after, _ = migrations.revisions(database.engine)
    finally:
        database.close()
    lines = [f"schema {after}, as before" if before == after else f"schema {before or 'none'} → {after}"]
    show({"before": before, "after": after}, lines, as_json)


@app.command()
def check(config: Config = GATEWAY_TOML, development: Development = False, as_json: AsJson = False) -> None:
    """Check configuration, anchors, policies, database, certificate, ledger and departments: cause and cure of each."""
    findings = examination.examine(config, allow_development_ca=development)
    show_findings(findings, as_json)
    if not examination.ready(findings):
        raise typer.Exit(ExitCode.CONFIGURATION)
    if not healthy(findings):
        raise typer.Exit(ExitCode.UNAVAILABLE)


def main() -> None:
    """Entry point of the `gateway` script."""
    run(app)
