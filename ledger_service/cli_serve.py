"""`ledger serve`, `keygen`, `restore-second-place` and `witness serve`: what a log or a witness needs to run.

`ledger_service.cli` makes commands of them.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from consentgate import logs
from consentgate.logs import LogLevel
from consentgate.terminal import new_app, show
from ledger.errors import KeyInvalid
from ledger.note import SignatureType
from ledger_service.config import LedgerConfig, WitnessConfig
from ledger_service.keys import create_key
from ledger_service.restore import restore
from ledger_service.server import serve_ledger, serve_witness

witness = new_app("Run a witness: it cosigns what extends the history it has seen, and nothing else.")

Development = Annotated[bool, typer.Option("--development", help="Accept a development CA.")]
Level = Annotated[LogLevel, typer.Option("--log-level", help="Of this process's log, JSON lines on stderr.")]


def serve(
    config: Annotated[Path, typer.Option(help="The ledger's configuration.")] = Path("ledger.toml"),
    development: Development = False,
    log_level: Level = LogLevel.INFO,
) -> None:
    """Serve until SIGTERM or SIGINT: appends, proofs, tails and searches."""
    logs.configure(log_level)
    asyncio.run(serve_ledger(LedgerConfig.load(config), allow_development_ca=development))


def keygen(
    name: Annotated[str, typer.Option(help="Name of the key: the log's origin, or the witness's name.")],
    out: Annotated[Path, typer.Option(help="File for the private key; never overwritten.")],
    witness_key: Annotated[bool, typer.Option("--witness", help="For a witness: a key that cosigns.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Make a signing key and show its verifier key, which belongs into the ledger policy of every member."""
    try:
        key = create_key(out, name, SignatureType.COSIGNATURE if witness_key else SignatureType.ED25519)
    except KeyInvalid as error:
        raise typer.BadParameter(
            "a name without spaces or '+', e.g. tax.witness.example", param_hint="--name"
        ) from error
    line = f"witness {name} {key}" if witness_key else f"log {key}"
    show({"vkey": str(key), "policy_line": line, "private_key": str(out)}, [line], as_json)


def restore_second_place(
    config: Annotated[Path, typer.Option(help="The ledger's configuration.")] = Path("ledger.toml"),
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """After the second place was lost: make it again from the newest cosigned checkpoint in the database.

    Refused while there is a second place. If the database is an old copy, the witnesses still stop the log.
    """
    checkpoint = restore(LedgerConfig.load(config))
    show(
        {"size": checkpoint.size, "root": checkpoint.root.hex()},
        [f"second place made again for {checkpoint.size} entries; start the ledger and look at its health"],
        as_json,
    )


@witness.command("serve")
def serve_witness_command(
    config: Annotated[Path, typer.Option(help="The witness's configuration.")] = Path("witness.toml"),
    development: Development = False,
    log_level: Level = LogLevel.INFO,
) -> None:
    """Serve until SIGTERM or SIGINT. Department adapters are witnesses already; this is for others, the regulator."""
    logs.configure(log_level)
    asyncio.run(serve_witness(WitnessConfig.load(config), allow_development_ca=development))


@witness.callback()
def witness_group() -> None:
    """Run a witness: it cosigns what extends the history it has seen, and nothing else."""
