"""`gateway scorecard`: for the reviewers, persons who do not belong to the operator.

    fetch    → a package with report, scorecards and the statement to be signed       (connected)
    review   → recompute and show the report; with --key, sign one reviewer's part    (offline)
    combine  → join the reviewers' signatures into the approval statement             (offline)
    submit   → hand the statement in                                                  (connected)

Only `fetch`, `list` and `submit` need a connection, with a reviewer's TLS certificate.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from consentgate.anchors import Anchors
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.identity import SpiffeId
from consentgate.signing import PersonSigner
from consentgate.statements import ScorecardApprovalClaims
from consentgate.terminal import confirm, note, show, working
from consentgate.tls import TlsFiles
from gateway import review as reviewing
from gateway.review import Action, ReviewPackage
from gateway.review_client import ReviewClient
from gateway.review_report import package_lines
from ledger.durable_files import READABLE, write_new

MAX_FILE_BYTES = 64 * 1024 * 1024
"""bytes; a judged set of a thousand scorecards with their weights stays below."""

scorecards = typer.Typer(help="Review, approve and retire scorecards.", no_args_is_help=True)

GatewayAddress = Annotated[str, typer.Option("--gateway", help="Address of the gateway, host:port.")]
Peer = Annotated[str, typer.Option(help="SPIFFE id of the gateway.")]
AnchorsFile = Annotated[Path, typer.Option("--anchors", help="The reviewer's own anchors.toml.")]
Certificate = Annotated[Path, typer.Option(help="The reviewer's TLS certificate, PEM.")]
PrivateKey = Annotated[Path, typer.Option(help="Its private key, PEM.")]
Development = Annotated[bool, typer.Option("--development", help="Accept a development CA.")]
AsJson = Annotated[bool, typer.Option("--json", help="Results as JSON.")]
ANCHORS_TOML = Path("anchors.toml")
TLS_CERTIFICATE = Path("tls.pem")
TLS_KEY = Path("tls.key")


@scorecards.command("list")
def list_scorecards(
    gateway: GatewayAddress,
    peer: Peer,
    anchors: AnchorsFile = ANCHORS_TOML,
    certificate: Certificate = TLS_CERTIFICATE,
    private_key: PrivateKey = TLS_KEY,
    development: Development = False,
    as_json: AsJson = False,
) -> None:
    """List the registered scorecards with the groups for which they are approved."""
    with _connected(gateway, peer, Anchors.load(anchors), certificate, private_key, development) as client:
        listed = client.list()
    members = [
        {
            "scorecard": entry.scorecard,
            "name": entry.name,
            "departments": list(entry.departments),
            "approved_groups": list(entry.approved_groups),
        }
        for entry in listed
    ]
    lines = [
        f"{entry.scorecard} {entry.name}: {', '.join(entry.departments)}; "
        f"approved for {', '.join(entry.approved_groups) or 'nobody'}"
        for entry in listed
    ]
    show({"scorecards": members}, lines or ["no scorecards yet"], as_json)


@scorecards.command()
def fetch(
    gateway: GatewayAddress,
    peer: Peer,
    group: Annotated[str, typer.Option(help="Grantee group whose judged set grows or shrinks.")],
    scorecard: Annotated[str, typer.Option(help="Scorecard id, 64 hex digits.")],
    out: Annotated[Path, typer.Option(help="New file for the package.")],
    member: Annotated[
        list[str] | None, typer.Option(help="SPIFFE id of a bank of the group; only for a group's first approval.")
    ] = None,
    retire: Annotated[bool, typer.Option("--retire", help="Retire the scorecard instead of approving it.")] = False,
    anchors: AnchorsFile = ANCHORS_TOML,
    certificate: Certificate = TLS_CERTIFICATE,
    private_key: PrivateKey = TLS_KEY,
    development: Development = False,
    as_json: AsJson = False,
) -> None:
    """Fetch what is to be reviewed, and fix the statement that all reviewers will sign."""
    action: Action = "RETIRE" if retire else "APPROVE"
    held = Anchors.load(anchors)
    with _connected(gateway, peer, held, certificate, private_key, development) as client, working("Fetching"):
        package = client.fetch(group, scorecard, action, member or [], datetime.now(UTC))
    _write_new(out, package.encode())
    members = {"file": str(out), **_claims_members(package.claims)}
    show(members, [f"{out}: {action} of {scorecard} for {group}", "next: gateway scorecard review"], as_json)


@scorecards.command()
def review(
    file: Annotated[Path, typer.Argument(help="The package that `fetch` wrote.")],
    key: Annotated[Path | None, typer.Option(help="The reviewer's own signing key, PEM: signs after review.")] = None,
    out: Annotated[Path | None, typer.Option(help="New file for the signature; needed with --key.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Sign without asking: the report was read before.")] = False,
    anchors: AnchorsFile = ANCHORS_TOML,
    as_json: AsJson = False,
) -> None:
    """Recompute the disclosure report, show it with the scorecard and, with --key, sign one reviewer's part."""
    if (key is None) != (out is None):
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="--key, --out")
    held = Anchors.load(anchors)
    package = ReviewPackage.parse(_read(file))
    report = package.check(held)
    if key is None or out is None:
        members = {**_claims_members(package.claims), "report": json.loads(report.encode()), "signature": None}
        show(members, package_lines(package, report), as_json)
        return
    if not yes:
        note("\n".join(package_lines(package, report)))
        confirm(f"Sign {package.claims.action} of {package.claims.scorecard} for {package.claims.group}?")
    _write_new(out, reviewing.sign(package, PersonSigner.load(key), held))
    members = {**_claims_members(package.claims), "report": json.loads(report.encode()), "signature": str(out)}
    show(members, [f"{out}: one reviewer's signature", "next: gateway scorecard combine"], as_json)


@scorecards.command()
def combine(
    signatures: Annotated[list[Path], typer.Argument(help="Signature files of all reviewers.")],
    out: Annotated[Path, typer.Option(help="New file for the approval statement.")],
    anchors: AnchorsFile = ANCHORS_TOML,
    as_json: AsJson = False,
) -> None:
    """Join the reviewers' signatures into one statement, and verify it."""
    token, claims = reviewing.combine([_read(path) for path in signatures], Anchors.load(anchors))
    _write_new(out, token)
    lines = [f"{out}: {claims.action} of {claims.scorecard}, signed by enough reviewers"]
    show({"file": str(out), **_claims_members(claims)}, [*lines, "next: gateway scorecard submit"], as_json)


@scorecards.command()
def submit(
    file: Annotated[Path, typer.Argument(help="The approval statement that `combine` wrote.")],
    gateway: GatewayAddress,
    peer: Peer,
    anchors: AnchorsFile = ANCHORS_TOML,
    certificate: Certificate = TLS_CERTIFICATE,
    private_key: PrivateKey = TLS_KEY,
    development: Development = False,
    as_json: AsJson = False,
) -> None:
    """Hand the statement in; shows the ledger entry that records it, verified. Harmless to repeat."""
    with _connected(gateway, peer, Anchors.load(anchors), certificate, private_key, development) as client:
        leaf = client.submit(_read(file))
    members = {"seq": leaf.entry.seq, "kind": leaf.entry.kind, "leaf": leaf.leaf_hash.hex()}
    show(members, [f"ledger entry {leaf.entry.seq}: {leaf.entry.kind}, verified"], as_json)


@contextmanager
def _connected(
    address: str, peer: str, anchors: Anchors, certificate: Path, private_key: Path, development: bool
) -> Iterator[ReviewClient]:
    tls = TlsFiles(certificate, private_key, anchors.member_ca)
    with ReviewClient.connect(address, SpiffeId.parse(peer), tls, anchors, allow_development_ca=development) as client:
        yield client


def _claims_members(claims: ScorecardApprovalClaims) -> dict[str, object]:
    return {
        "action": claims.action,
        "group": claims.group,
        "members": claims.members,
        "scorecard": claims.scorecard,
        "sequence": claims.sequence,
        "previous": claims.previous,
    }


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=str(path)) from error
    if len(data) > MAX_FILE_BYTES:
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=str(path))
    return data


def _write_new(path: Path, content: bytes) -> None:
    try:
        write_new(path, content, READABLE)
    except FileExistsError as error:
        hint = "The file exists already, and is not overwritten. Name a new one."
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=str(path), hint=hint) from error
