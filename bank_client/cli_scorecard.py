"""`bank scorecard`: register a scorecard, look at one. Approving is for the reviewers (`gateway scorecard review`).

A scorecard file is one JSON object {"header": {...}, "weights": {...}} in the forms of docs/wire.md, "Scorecards"; it
need not be canonical, it is made so when it is read.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from bank_client import render
from bank_client.client import BankClient
from consentgate import canonical
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.scorecard import Scorecard, ScorecardHeader, ScorecardWeights
from consentgate.terminal import new_app, show

MAX_SCORECARD_FILE_BYTES = 1048576
"""bytes; header and weights together, each bounded by 256 KiB on the wire, with white space."""
BANK_TOML = Path("bank.toml")

_ID = re.compile(r"[0-9a-f]{64}")

scorecards = new_app("Register and show scorecards.")

Config = Annotated[Path, typer.Option("--config", "-c", help="The bank's configuration (bank.toml).")]
Development = Annotated[
    bool, typer.Option("--development", help="Accept a development CA, which anybody can make: for demos only.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Results as JSON.")]


@scorecards.command()
def register(
    file: Annotated[Path, typer.Argument(help="JSON file with header and weights.")],
    config: Config = BANK_TOML,
    development: Development = False,
    as_json: AsJson = False,
) -> None:
    """Register a scorecard of this bank. Harmless to repeat; nobody may ask with it before reviewers approve it."""
    scorecard = load_scorecard(file)
    with BankClient.from_config(config, allow_development_ca=development) as bank:
        registered = bank.register_scorecard(scorecard)
    lines = [f"scorecard {registered.scorecard}", f"ledger entry {registered.leaf.entry.seq}, verified"]
    show(render.registered_scorecard_members(registered), lines, as_json)


@scorecards.command("show")
def show_scorecard(
    scorecard: Annotated[str, typer.Argument(help="Scorecard id, 64 hex digits.")],
    config: Config = BANK_TOML,
    development: Development = False,
    as_json: AsJson = False,
) -> None:
    """Header, groups that may use it and, for its owner, the weights (with --json)."""
    with BankClient.from_config(config, allow_development_ca=development) as bank:
        view = bank.get_scorecard(scorecard)
    show(render.scorecard_members(view), render.scorecard_lines(view), as_json)


def read_scorecard(text: str) -> str | Scorecard:
    """An id as it stands, anything else as the name of a scorecard file."""
    return text if _ID.fullmatch(text) else load_scorecard(Path(text))


def load_scorecard(path: Path) -> Scorecard:
    """Header and weights from a file, checked to belong together."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SCORECARD_FILE_BYTES + 1)
    except OSError as error:
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=str(path)) from error
    if len(data) > MAX_SCORECARD_FILE_BYTES:
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=str(path))
    content = canonical.parse(data, str(path))
    if set(content) != {"header", "weights"}:
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=f"{path}: header, weights")
    return Scorecard(
        ScorecardHeader.parse(canonical.encode(content["header"]), "header"),
        ScorecardWeights.parse(canonical.encode(content["weights"]), "weights"),
    )
