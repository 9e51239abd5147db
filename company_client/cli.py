"""The `company` command: keys of signatories, consents, and who used them.

When the mandate asks for several persons, `--draft FILE` writes what was signed so far instead of sending it; each
further person runs `company sign`, and `company join` sends the joined statement. Whoever signs is shown what the bytes
say.

Manners (design 5, rule 13): results on stdout, as JSON with `--json`; what went wrong and what would help on stderr;
exit codes of `consentgate.terminal.ExitCode`; no traceback for a mistake of the user or a refusal of the gateway.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from company_client import render
from company_client.client import CompanyClient
from company_client.completeness import CompleteAccesses
from company_client.consents import ConsentTerms, Draft
from company_client.proof_folder import read_proofs, refuse_taken, write_proofs
from company_client.terms import parse_data_range, parse_day, parse_departments, parse_frequency
from consentgate.anchors import Anchors
from consentgate.certificates import refuse_development_ca
from consentgate.errors import AnswerRefused, ConsentgateError, ErrorCode
from consentgate.signing import PersonSigner
from consentgate.statements import TransitionAction, Use
from consentgate.terminal import confirm, new_app, note, run, show, show_line
from ledger.kinds import MAX_INTEGER

app = new_app("A company's side of Consentgate: consent, and see who used it.")

Config = Annotated[Path, typer.Option("--config", "-c", help="The company's configuration (company.toml).")]
Development = Annotated[
    bool, typer.Option("--development", help="Accept a development CA, which anybody can make: for demos only.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Results as JSON.")]
DraftTo = Annotated[
    Path | None, typer.Option("--draft", help="Write a draft for further signatories instead of sending.")
]
ConsentId = Annotated[str, typer.Argument(help="Consent id, 32 hex digits.")]
Version = Annotated[int | None, typer.Option(help="Version of the consent. Default: the newest signed here.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before signing.")]
COMPANY_TOML = Path("company.toml")


@app.command()
def keygen(
    out: Annotated[Path, typer.Argument(help="New private key file (PEM, 0600).")], as_json: AsJson = False
) -> None:
    """Make a signatory's key. The registry attests its public part."""
    signer = PersonSigner.generate()
    try:
        signer.save(out)
    except FileExistsError as error:
        hint = "A key is never overwritten. Name a new file."
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=str(out), hint=hint) from error
    jwk = signer.jwk.model_dump()
    lines = [f"{out}: private key, keep it to yourself", f"to be attested by the registry: x = {jwk['x']}"]
    show({"file": str(out), "jwk": jwk, "kid": signer.kid}, lines, as_json)


@app.command()
def grant(
    grantee: Annotated[str, typer.Option(help="SPIFFE id of the bank.")],
    group: Annotated[str, typer.Option(help="Grantee group of the bank.")],
    purpose: Annotated[str, typer.Option(help="Purpose code, e.g. credit.origination.")],
    category: Annotated[list[str], typer.Option(help="Category of data; repeat for several.")],
    data_range: Annotated[str, typer.Option(help="Periods covered: 2025-01..2026-12.")],
    days: Annotated[int, typer.Option(min=1, help="Valid for this many days.")] = 90,
    valid_from: Annotated[str | None, typer.Option(help="First day, YYYY-MM-DD. Default: now.")] = None,
    frequency: Annotated[str, typer.Option(help="At most, e.g. 4/MONTH (HOUR, DAY, MONTH, YEAR).")] = "4/MONTH",
    total_uses: Annotated[int, typer.Option(min=1, help="At most, over its whole life.")] = 12,
    data_life_days: Annotated[int, typer.Option(min=0, help="The bank may keep results this long.")] = 90,
    supersede: Annotated[
        str | None, typer.Option(help="Id of a consent whose next version this is: it replaces the one before.")
    ] = None,
    draft: DraftTo = None,
    config: Config = COMPANY_TOML,
    development: Development = False,
    as_json: AsJson = False,
    yes: Yes = False,
) -> None:
    """Grant a bank a consent, or a new version of one."""
    start = datetime.now(UTC) if valid_from is None else parse_day(valid_from)
    terms = ConsentTerms(
        grantee=grantee,
        group=group,
        purpose=purpose,
        categories=category,
        valid_from=start,
        valid_until=start + timedelta(days=days),
        frequency=parse_frequency(frequency),
        total_uses=total_uses,
        data_range=parse_data_range(data_range),
        data_life_days=data_life_days,
        use=Use.SCORE,
    )
    with CompanyClient.from_config(config, allow_development_ca=development) as company:
        before = None if supersede is None else company.newest_version(supersede)
        _send_or_save(company, company.draft_consent(terms, before), draft, as_json, yes)


@app.command()
def sign(
    file: Annotated[Path, typer.Argument(help="A draft that others began.")],
    out: Annotated[Path, typer.Option(help="New file for the draft with the added signature.")],
    key: Annotated[Path, typer.Option(help="The signing person's private key (PEM).")],
    yes: Yes = False,
) -> None:
    """Add one person's signature to a draft. Works without network and without configuration."""
    draft = Draft.load(file)
    _show_and_ask(draft, yes)
    signed = draft.signed_by(PersonSigner.load(key))
    signed.save(out)
    note(f"{out}: {len(signed.signatures)} signatures")


@app.command()
def join(
    files: Annotated[list[Path], typer.Argument(help="Drafts of one statement, signed by several persons.")],
    draft: DraftTo = None,
    config: Config = COMPANY_TOML,
    development: Development = False,
    as_json: AsJson = False,
) -> None:
    """Join the signatures of several drafts and send the statement (or write the joined draft)."""
    first, *others = [Draft.load(file) for file in files]
    with CompanyClient.from_config(config, allow_development_ca=development) as company:
        _send_or_save(company, first.joined(*others), draft, as_json, yes=True)


@app.command()
def pause(
    consent: ConsentId,
    version: Version = None,
    draft: DraftTo = None,
    config: Config = COMPANY_TOML,
    development: Development = False,
    as_json: AsJson = False,
    yes: Yes = False,
) -> None:
    """Suspend a consent."""
    _transition(TransitionAction.PAUSE, consent, version, draft, config, development, as_json, yes)


@app.command()
def resume(
    consent: ConsentId,
    version: Version = None,
    draft: DraftTo = None,
    config: Config = COMPANY_TOML,
    development: Development = False,
    as_json: AsJson = False,
    yes: Yes = False,
) -> None:
    """Put a suspended consent back into force."""
    _transition(TransitionAction.RESUME, consent, version, draft, config, development, as_json, yes)


@app.command()
def revoke(
    consent: ConsentId,
    version: Version = None,
    draft: DraftTo = None,
    config: Config = COMPANY_TOML,
    development: Development = False,
    as_json: AsJson = False,
    yes: Yes = False,
) -> None:
    """End a consent for ever."""
    _transition(TransitionAction.REVOKE, consent, version, draft, config, development, as_json, yes)


@app.command("revoke-at-department")
def revoke_at_department(
    consent: ConsentId,
    address: Annotated[str, typer.Option(help="Where the department answers, host:port.")],
    department: Annotated[str, typer.Option(help="Department id; what answers must prove to be it.")],
    version: Version = None,
    draft: Annotated[
        Path | None,
        typer.Option("--signed-draft", help="A draft of the revocation that enough persons signed."),
    ] = None,
    config: Config = COMPANY_TOML,
    development: Development = False,
    as_json: AsJson = False,
    yes: Yes = False,
) -> None:
    """Hand a revocation to one department directly, when the gateway does not forward it."""
    with CompanyClient.from_config(config, allow_development_ca=development) as company:
        if draft is None:
            statement = company.draft_transition(TransitionAction.REVOKE, consent, version)
        else:
            statement = Draft.load(draft)
        if statement.claims().consent_id != consent:
            raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="--signed-draft")
        _show_and_ask(statement, yes)
        peer = f"spiffe://{company.anchors.trust_domain}/department/{department}"
        company.submit_to_department(address, peer, statement)
    show(
        {"consent_id": consent, "department": department, "accepted": True},
        [f"{department} accepted it: it answers no more questions under this consent"],
        as_json,
    )


@app.command()
def consents(config: Config = COMPANY_TOML, development: Development = False, as_json: AsJson = False) -> None:
    """This company's consents and their state, newest first."""
    with CompanyClient.from_config(config, allow_development_ca=development) as company:
        records = company.list_consents()
    lines = [line for record in records for line in render.consent_lines(record)]
    members = {"consents": [render.consent_members(record) for record in records]}
    show(members, lines or ["no consents yet"], as_json)


@app.command()
def accesses(
    watch: Annotated[bool, typer.Option(help="Go on showing new ones until interrupted.")] = False,
    after: Annotated[
        int | None, typer.Option(help="Only ledger entries after this one.", min=0, max=MAX_INTEGER)
    ] = None,
    complete: Annotated[
        bool, typer.Option("--complete", help="Also check, by departments' signed counts, that none was left out.")
    ] = False,
    ask: Annotated[
        list[str] | None,
        typer.Option(
            help="With --complete: ask this department directly, ID=HOST:PORT; repeat for several. "
            "It learns which tokens are yours."
        ),
    ] = None,
    proofs: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="New folder with the proofs of what is shown, for others: `company verify` verifies it. "
            "Whoever has it knows that these tokens are one company's.",
        ),
    ] = None,
    config: Config = COMPANY_TOML,
    development: Development = False,
    as_json: AsJson = False,
) -> None:
    """Every ledger entry about this company, each verified against the anchors.

    That no other was left out only --complete says.
    """
    if watch and (complete or ask or proofs):
        hint = "Watching has no end: without --watch there are --complete, --ask and --proofs."
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="--watch", hint=hint)
    if proofs is not None:
        refuse_taken(proofs)
        if after is not None:
            hint = "Proofs are of all entries: departments count all of them."
            raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="--after", hint=hint)
    with CompanyClient.from_config(config, allow_development_ca=development) as company:
        if watch:
            for access in company.watch(after):
                show_line(render.access_members(access), render.access_line(access), as_json)
        if complete or ask:
            checked = company.complete_accesses(None if ask is None else parse_departments(ask))
        else:
            note("each entry is proven, but not that none was left out: --complete")
            checked = CompleteAccesses(company.accesses(after), [], [])
    if proofs is not None:
        write_proofs(proofs, checked.accesses, checked.histories)
        note(f"proofs in {proofs}: `company verify {proofs} --anchors anchors.toml`")
    first = -1 if after is None else after
    found = [access for access in checked.accesses if access.seq > first]
    members = {"accesses": [render.access_members(access) for access in found], "verified": len(found)}
    if checked.vouchers:
        members["complete"] = [render.voucher_members(voucher) for voucher in checked.vouchers]
    lines = [render.access_line(access) for access in found] or [render.none_line(bool(checked.vouchers), after)]
    show(members, lines + [render.voucher_line(voucher) for voucher in checked.vouchers], as_json)


@app.command()
def verify(
    directory: Annotated[
        Path, typer.Argument(help="A folder of `company accesses --proofs`.", exists=True, file_okay=False)
    ],
    anchors: Annotated[
        Path, typer.Option(help="The verifier's own anchors.toml; asks no server.", exists=True, dir_okay=False)
    ],
    development: Development = False,
    as_json: AsJson = False,
) -> None:
    """Verify what a company handed on: its ledger entries, and departments' word that there is no other.

    For anybody, offline. Whose the tokens are is not in it: the company's signed consents say that.
    """
    held = Anchors.load(anchors)
    if not development:
        refuse_development_ca(held.member_ca)
    try:
        found = read_proofs(directory, held)
    except AnswerRefused as error:
        if as_json:
            show({"valid": False, "error": str(error.code), "problem": error.field}, [], True)
        raise
    members = {
        "valid": True,
        "tokens": found.tokens,
        "accesses": [render.access_members(access) for access in found.accesses],
        "verified": len(found.accesses),
        "complete": [render.voucher_members(voucher) for voucher in found.vouchers],
    }
    show(members, render.proof_lines(found), as_json)


def _transition(
    action: TransitionAction,
    consent: str,
    version: int | None,
    draft: Path | None,
    config: Path,
    development: bool,
    as_json: bool,
    yes: bool,
) -> None:
    with CompanyClient.from_config(config, allow_development_ca=development) as company:
        _send_or_save(company, company.draft_transition(action, consent, version), draft, as_json, yes)


def _send_or_save(company: CompanyClient, draft: Draft, save_to: Path | None, as_json: bool, yes: bool) -> None:
    _show_and_ask(draft, yes)
    if save_to is None:
        leaf = company.submit(draft)
        show(render.leaf_members(leaf), render.leaf_lines(leaf), as_json)
        return
    draft.save(save_to)
    needed = company.attestation().threshold
    members = {"draft": str(save_to), "signatures": len(draft.signatures), "needed": needed}
    show(members, [f"{save_to}: {len(draft.signatures)} of {needed} signatures"], as_json)


def _show_and_ask(draft: Draft, yes: bool) -> None:
    """A person sees what the bytes say before they count as the company's word; with `--yes` nobody looks."""
    if yes:
        return
    for line in render.claims_lines(draft.claims()):
        note(line)
    confirm("Is this what the company means?")


def main() -> None:
    """Entry point of the `company` script."""
    run(app)
