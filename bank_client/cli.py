"""The `bank` command: make and register a key, ask for scores, keep and verify evidence.

Manners (design 5, rule 13): results on stdout, as JSON with `--json`; what went wrong and what would help on stderr;
exit codes of `consentgate.terminal.ExitCode`; no traceback for a mistake of the user or a refusal of the gateway.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bank_client import archive, cli_keys, render, scoring
from bank_client.cli_erase import erase_command
from bank_client.cli_options import BANK_TOML, AsJson, Config, Development, ask_passphrase
from bank_client.cli_scorecard import read_scorecard, scorecards
from bank_client.client import BankClient
from bank_client.config import BankConfig
from bank_client.question import new_request_id
from bank_client.session import load_anchors
from consentgate.errors import judging_answer
from consentgate.terminal import ExitCode, new_app, note, run, show, working

app = new_app("A bank's side of Consentgate: scores on records that stay encrypted.")
cli_keys.add_to(app)
app.add_typer(scorecards, name="scorecard")
app.command("erase")(erase_command)

Company = Annotated[str, typer.Option(help="Unified social credit code of the company.")]
Purpose = Annotated[str, typer.Option(help="Purpose code, e.g. credit.origination.")]


@app.command()
def score(
    company: Company,
    scorecard: Annotated[str, typer.Option(help="Scorecard id, or a file with header and weights to be compared.")],
    purpose: Purpose,
    as_of: Annotated[str | None, typer.Option(help="Period asked about, YYYY-MM. Default: this month.")] = None,
    request_id: Annotated[
        str | None, typer.Option(help="Repeat an earlier question; needs an archive in the configuration.")
    ] = None,
    config: Config = BANK_TOML,
    development: Development = False,
    as_json: AsJson = False,
) -> None:
    """Ask for one score; verify everything, then decrypt."""
    wanted = request_id or new_request_id()
    # Said before it is sent: whoever loses the connection needs it to ask again without a second use.
    note(f"request id {wanted}")
    client = BankClient.from_config(config, ask_passphrase, allow_development_ca=development)
    with client as bank:
        bank.session.key()  # asked for before anything turns and spins
        with working("Asking; then verifying consent, scorecard, key and both receipts"):
            result = bank.score(
                company=company,
                scorecard=read_scorecard(scorecard),
                purpose=purpose,
                as_of=as_of,
                request_id=wanted,
            )
    show(render.score_members(result), render.score_lines(result), as_json)


@app.command("dry-run")
def dry_run(
    company: Company,
    scorecard: Annotated[str, typer.Option(help="Scorecard id.")],
    purpose: Purpose,
    config: Config = BANK_TOML,
    development: Development = False,
    as_json: AsJson = False,
) -> None:
    """Would a question be allowed now, and if not, what would have to change? Exit code as for a denial if not."""
    with BankClient.from_config(config, allow_development_ca=development) as bank:
        forecast = bank.dry_run(company=company, scorecard=scorecard, purpose=purpose)
    show(render.dry_run_members(forecast), render.dry_run_lines(forecast), as_json)
    if not forecast.allowed:
        raise typer.Exit(ExitCode.REFUSED)


@app.command()
def requests(
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most this many, newest first.")] = 50,
    config: Config = BANK_TOML,
    development: Development = False,
    as_json: AsJson = False,
) -> None:
    """This bank's own requests, as the gateway counts them."""
    with BankClient.from_config(config, allow_development_ca=development) as bank:
        records = bank.list_requests(limit)
    members = {"requests": [render.request_members(record) for record in records]}
    show(members, [render.request_line(record) for record in records] or ["no requests yet"], as_json)


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(exists=True, help="A file of the archive, or the folder it was unpacked to.")],
    anchors: Annotated[Path | None, typer.Option(help="The verifier's own anchors.toml. Default: the bank's.")] = None,
    config: Config = BANK_TOML,
    development: Development = False,
    as_json: AsJson = False,
) -> None:
    """Verify kept evidence offline: consent, request, scorecard, key, answers, receipts. Needs no private key."""
    path = anchors if anchors is not None else BankConfig.load(config).anchors
    held = load_anchors(path, allow_development_ca=development)
    with judging_answer():
        verified = scoring.verify_answer(archive.read(file), held)
    show(render.verified_members(file, verified), render.verified_lines(file, verified), as_json)


def main() -> None:
    """Entry point of the `bank` script."""
    run(app)
