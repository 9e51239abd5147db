"""The `consentgate` command: what every member needs, whatever its role."""

from __future__ import annotations

from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Annotated

import typer

from consentgate.doctor import Finding, TlsPaths, examine_files, healthy
from consentgate.doctor_connection import examine_connection
from consentgate.findings import show_findings
from consentgate.identity import SpiffeId
from consentgate.terminal import ExitCode, new_app, run, show

app = new_app("Consentgate: scores on encrypted records. For all members: find out what is wrong.")


@app.command()
def doctor(
    certificate: Annotated[Path, typer.Option(help="Own TLS certificate (chain), PEM.")],
    private_key: Annotated[Path, typer.Option(help="Its private key, PEM.")],
    member_ca: Annotated[Path, typer.Option(help="Certificate of the member CA, PEM.")],
    address: Annotated[str | None, typer.Option(help="Also try this address, host:port.")] = None,
    peer: Annotated[str | None, typer.Option(help="SPIFFE id expected at the address.")] = None,
    development: Annotated[bool, typer.Option("--development", help="Accept a development CA.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Findings as JSON.")] = False,
) -> None:
    """Check certificate, key, CA, clock and, with --address, a connection: each with cause and cure."""
    expected = None if peer is None else SpiffeId.parse(peer)
    paths = TlsPaths(certificate, private_key, member_ca)
    own = examine_files(paths, allow_development_ca=development)
    other: list[Finding] = []
    if address is not None:
        other = examine_connection(paths, address, expected, allow_development_ca=development)
    show_findings([*own, *other], as_json)
    if not healthy(own):
        raise typer.Exit(ExitCode.CONFIGURATION)
    if not healthy(other):
        raise typer.Exit(ExitCode.UNAVAILABLE)


@app.command()
def version(as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """Show the installed version."""
    number = installed_version("consentgate")
    show({"version": number}, [f"consentgate {number}"], as_json)


def main() -> None:
    """Entry point of the `consentgate` script."""
    run(app)
