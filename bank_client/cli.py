"""The `bank` command: make and register a key, ask for scores, keep and verify evidence.

Manners (design 5, rule 13): results on stdout, as JSON with `--json`; what went wrong and what would help on stderr;
exit codes of `consentgate.terminal.ExitCode`; no traceback for a mistake of the user or a refusal of the gateway.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from bank_client import archive, keystore, render, scoring
from bank_client.cli_scorecard import BANK_TOML, AsJson, Config, Development, read_scorecard, scorecards
from bank_client.client import BankClient
from bank_client.config import BankConfig
from bank_client.question import new_request_id
from bank_client.session import load_anchors
from consentgate.errors import ConsentgateError, ErrorCode, judging_answer
from consentgate.signing import InstitutionSigner
from consentgate.terminal import ExitCode, new_app, note, passphrase, run, show, working
from paillier.private.phe_form import export_unencrypted_phe_json
from paillier.public_key import DEFAULT_KEY_BITS

app = new_app("A bank's side of Consentgate: scores on records that stay encrypted.")
app.add_typer(scorecards, name="scorecard")

Company = Annotated[str, typer.Option(help="Unified social credit code of the company.")]
Purpose = Annotated[str, typer.Option(help="Purpose code, e.g. credit.origination.")]


@app.command()
def keygen(
    config: Config = BANK_TOML,
    bits: Annotated[int, typer.Option(help="2048, 3072 or 4096.")] = DEFAULT_KEY_BITS,
    registration_only: Annotated[
        bool, typer.Option(help="Keep the key, sign its registration again (after renewing a certificate).")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a recipient key: encrypted private key file, and the signed registration to be sent."""
    content = BankConfig.load(config)
    signer = InstitutionSigner.load(content.signing.certificate, content.signing.private_key)
    files, now = content.paillier, datetime.now(UTC)
    if registration_only:
        private = keystore.load_private(files, _ask_passphrase)
        with working("Proving that the modulus is well formed"):
            keystore.write_registration(files.registration, private, signer, now)
        key_id = private.public.key_id
    else:
        secret = keystore.read_passphrase(files, lambda: passphrase("New passphrase", confirm=True))
        with working(f"Making a key of {bits} bits and proving that it is well formed"):
            key_id = keystore.create(files, signer, secret, now, bits).key_id
    members = {"key_id": key_id, "registration": str(files.registration)}
    show(members, [f"key {key_id}", f"registration {files.registration}; next: bank register-key"], as_json)


@app.command("register-key")
def register_key(config: Config = BANK_TOML, development: Development = False, as_json: AsJson = False) -> None:
    """Register the recipient key with the gateway and the ledger. Harmless to repeat."""
    with BankClient.from_config(config, allow_development_ca=development) as bank, working("Registering the key"):
        registered = bank.register_key()
    members = render.registered_key_members(registered)
    seq = registered.leaf.entry.seq
    show(members, [f"key {registered.key_id}", f"ledger entry {seq}, verified"], as_json)


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
    client = BankClient.from_config(config, _ask_passphrase, allow_development_ca=development)
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
    file: Annotated[Path, typer.Argument(help="A file of the archive, or the folder it was unpacked to.")],
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


@app.command("export-phe-private-key")
def export_phe_private_key(
    out: Annotated[Path, typer.Argument(help="New file that will hold the UNENCRYPTED private key.")],
    i_understand_that_the_file_is_not_encrypted: Annotated[
        bool, typer.Option("--i-understand-that-the-file-is-not-encrypted", help="Required.")
    ] = False,
    config: Config = BANK_TOML,
) -> None:
    """Write the private key IN CLEAR, in phe's form. Whoever reads the file can open every score ever received."""
    if not i_understand_that_the_file_is_not_encrypted:
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="--i-understand-that-the-file-is-not-encrypted")
    files = BankConfig.load(config).paillier
    private = keystore.load_private(files, _ask_passphrase)
    try:
        out.touch(mode=0o600, exist_ok=False)
        out.write_text(export_unencrypted_phe_json(private) + "\n")
    except OSError as error:
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=str(out)) from error
    note(f"WARNING: {out} holds the private key UNENCRYPTED. Delete it as soon as it has served.")


def _ask_passphrase() -> bytes:
    return passphrase("Passphrase of the key file")


def main() -> None:
    """Entry point of the `bank` script."""
    run(app)
