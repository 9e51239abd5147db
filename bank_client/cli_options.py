"""Options that many `bank` commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from consentgate.terminal import passphrase

BANK_TOML = Path("bank.toml")

Config = Annotated[Path, typer.Option("--config", "-c", help="The bank's configuration (bank.toml).")]
Development = Annotated[
    bool, typer.Option("--development", help="Accept a development CA, which anybody can make: for demos only.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Results as JSON.")]


def ask_passphrase() -> bytes:
    """Asked at the terminal when the configuration names no passphrase file."""
    return passphrase("Passphrase of the key file")


def ask_new_passphrase() -> bytes:
    """The same for a key file that is about to be made: twice, since a slip would lock the bank out."""
    return passphrase("New passphrase", confirm=True)
