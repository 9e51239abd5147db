"""The `department-adapter` command: serve, and find out beforehand what would not work.

Manners (design 5, rule 13): results on stdout, as JSON with `--json`; what went wrong and what would help on stderr;
exit codes of `consentgate.terminal.ExitCode`; no traceback for a mistake in a file.
"""

from __future__ import annotations

import asyncio
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from consentgate import logs
from consentgate.anchors import Anchors
from consentgate.doctor import healthy
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.findings import show_findings
from consentgate.logs import LogLevel
from consentgate.signing import PersonSigner
from consentgate.terminal import ExitCode, new_app, note, print_error, run, show
from department_adapter import examination, registry
from department_adapter.catalogue import Catalogue
from department_adapter.cli_erase import erase_command
from department_adapter.config import AdapterConfig
from department_adapter.mapping import Mapping
from department_adapter.rebuilding import check_projection
from department_adapter.registry import Mandate, NamedKey
from department_adapter.server import open_adapter
from ledger.note import SignatureType
from ledger_service.keys import create_key

app = new_app("A department's side of Consentgate: encrypted columns, against evidence only.")
app.command("erase")(erase_command)

Config = Annotated[Path, typer.Option("--config", "-c", help="The adapter's configuration (adapter.toml).")]
Development = Annotated[bool, typer.Option("--development", help="Accept a development CA.")]
AsJson = Annotated[bool, typer.Option("--json", help="Results as JSON.")]
ADAPTER_TOML = Path("adapter.toml")
CLOCK_TOLERANCE = timedelta(minutes=5)
"""Attestations begin this long ago, for machines whose clocks differ."""


@app.command()
def serve(
    config: Config = ADAPTER_TOML,
    development: Development = False,
    log_level: Annotated[LogLevel, typer.Option(help="How much to log, as JSON lines on stderr.")] = LogLevel.INFO,
) -> None:
    """Serve until SIGTERM or SIGINT: features against evidence, direct revocations, witnessing."""
    logs.configure(log_level)
    asyncio.run(_serve(AdapterConfig.load(config), development))


async def _serve(config: AdapterConfig, development: bool) -> None:
    async with open_adapter(config, allow_development_ca=development) as adapter:
        await adapter.run(config)


@app.command()
def check(config: Config = ADAPTER_TOML, development: Development = False, as_json: AsJson = False) -> None:
    """Check configuration, mapping, database, certificates, anchors and ledger: each with cause and cure."""
    findings = examination.examine(config, allow_development_ca=development)
    show_findings(findings, as_json)
    if not examination.ready(findings):
        raise typer.Exit(ExitCode.CONFIGURATION)
    if not healthy(findings):
        raise typer.Exit(ExitCode.UNAVAILABLE)


@app.command()
def fsck(
    log: Annotated[Path, typer.Option(help="An export of the ledger, or a copy of its database file.", exists=True)],
    config: Config = ADAPTER_TOML,
    as_json: AsJson = False,
) -> None:
    """Make the projection of the ledger again from a verified log, and compare it with what this department has."""
    rebuilt = check_projection(AdapterConfig.load(config), log)
    members = {"clean": not rebuilt.findings, "entries": rebuilt.entries, "findings": rebuilt.findings}
    if rebuilt.findings:
        show({**members, "omitted": rebuilt.omitted}, [], True) if as_json else None
        error = ConsentgateError(ErrorCode.LEDGER_INVALID, field=rebuilt.findings[0], hint=_NOT_THE_LEDGERS)
        print_error(error, [*rebuilt.findings[1:], *([f"and {rebuilt.omitted} more"] if rebuilt.omitted else [])])
        raise typer.Exit(ExitCode.INVALID)
    show({**members, "omitted": 0}, [f"all of it follows from the first {rebuilt.entries} entries"], as_json)


@app.command()
def catalogue(config: Config = ADAPTER_TOML, as_json: AsJson = False) -> None:
    """Show the columns that this department can release, as GetCatalogue returns them."""
    content = AdapterConfig.load(config)
    found = Catalogue(content.department, Mapping.load(content.mapping).columns)
    columns = [
        {"category": entry.category, "specification": entry.column.to_json(), "high_risk": entry.high_risk}
        for entry in found.columns
    ]
    lines = [f"{found.department}, version {found.version}"]
    lines += [
        f"  {entry.column.name:24} {entry.category:32} {entry.column.to_json()['kind']}"
        f"{', high-risk: never in recipient custody' if entry.high_risk else ''}"
        for entry in found.columns
    ]
    show({"department": found.department, "version": found.version, "columns": columns}, lines, as_json)


@app.command()
def attest(
    company: Annotated[str, typer.Option(help="Unified social credit code of the company.")],
    signatory: Annotated[
        list[str],
        typer.Option(help="Public key (x) of a person who signs, as `company keygen` shows it; repeat for several."),
    ],
    out: Annotated[Path, typer.Option(help="New file for the signed attestation.")],
    threshold: Annotated[int, typer.Option(min=1, help="How many of them must sign together.")] = 1,
    entity: Annotated[str | None, typer.Option(help="Opaque id for certificates, 32 hex digits. Default: new.")] = None,
    days: Annotated[int, typer.Option(min=1, max=3660, help="Valid for this many days.")] = 365,
    config: Config = ADAPTER_TOML,
    as_json: AsJson = False,
) -> None:
    """Attest who signs for a company. Only at the registry: needs `registry.signing_key`."""
    content = AdapterConfig.load(config)
    if content.registry is None:
        raise ConsentgateError(
            ErrorCode.CONFIG_INVALID,
            field=f"{config}: registry.signing_key",
            hint="Only the company registry attests; it names its key in this entry.",
        )
    now = datetime.now(UTC)
    mandate = Mandate(
        company=company,
        entity=entity or secrets.token_hex(16),
        threshold=threshold,
        signatories=[NamedKey.parse(text) for text in signatory],
        valid_from=now - CLOCK_TOLERANCE,
        valid_for=timedelta(days=days),
    )
    signer = PersonSigner.load(content.registry.signing_key)
    _write_new(out, registry.attest(mandate, signer, Anchors.load(content.anchors), now))
    persons = [named.person for named in mandate.signatories]
    members = {"file": str(out), "entity": mandate.entity, "persons": persons, "threshold": threshold}
    lines = [f"{out}: attestation for {days} days", f"entity {mandate.entity}: the id for the company's certificate"]
    show(members, lines, as_json)


@app.command()
def keygen(
    name: Annotated[str, typer.Option(help="Name of the witness's key, as the policy will list it.")],
    out: Annotated[Path, typer.Option(help="New private key file (PEM, 0600).")],
    as_json: AsJson = False,
) -> None:
    """Make the cosigning key of this department as a witness; its public part belongs into the ledger policy."""
    key = create_key(out, name, SignatureType.COSIGNATURE)
    show({"file": str(out), "key": str(key)}, [str(key)], as_json)
    note(f"{out}: private key, keep it to yourself")


_NOT_THE_LEDGERS = (
    "What this department believes was altered or damaged: stop the adapter and keep its state as evidence."
)


def _write_new(path: Path, content: bytes) -> None:
    try:
        with path.open("xb") as file:
            file.write(content)
    except OSError as error:
        raise ConsentgateError(
            ErrorCode.CONFIG_INVALID, field=str(path), hint="The file exists already, or its folder cannot be written."
        ) from error


def main() -> None:
    """Entry point of the `department-adapter` script."""
    run(app)
