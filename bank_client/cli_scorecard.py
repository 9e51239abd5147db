"""`bank scorecard`: make a scorecard from a points table, register it, look at one.

Approving is for the reviewers (`gateway scorecard review`). The forms of the files: `scorecard_file`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from bank_client import render
from bank_client.cli_options import BANK_TOML, AsJson, Config, Development
from bank_client.client import BankClient
from bank_client.config import BankConfig
from bank_client.scorecard_file import PointsTable, load_scorecard, save_scorecard
from consentgate.scorecard import Scorecard
from consentgate.signing import InstitutionSigner
from consentgate.terminal import new_app, show

_ID = re.compile(r"[0-9a-f]{64}")

scorecards = new_app("Make, register and show scorecards.")


@scorecards.command("import")
def import_points(
    points: Annotated[Path, typer.Argument(help="Points table (TOML): departments, columns, bins, points.")],
    out: Annotated[Path, typer.Option(help="New scorecard file (JSON), to be registered. It holds the weights.")],
    config: Config = BANK_TOML,
    as_json: AsJson = False,
) -> None:
    """Make a scorecard of this bank from a points table. Sends nothing."""
    content = BankConfig.load(config)
    owner = InstitutionSigner.load(content.signing.certificate, content.signing.private_key).identity.id
    scorecard = PointsTable.load(points).scorecard(owner)
    save_scorecard(out, scorecard)
    show(render.made_scorecard_members(out, scorecard), render.made_scorecard_lines(out, scorecard), as_json)


@scorecards.command()
def register(
    file: Annotated[Path, typer.Argument(help="Scorecard file (JSON) with header and weights.")],
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
