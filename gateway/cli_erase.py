"""`gateway erase`: forget the company behind a token, and prove that nothing readable is left of it here.

Works on the database, beside a running gateway or without one; the ledger's entry is appended by the gateway itself,
within a minute or at its next start. Company codes are asked for on a terminal or read from stdin, never from the
command line, where every process of the machine could read them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from consentgate.anchors import Anchors
from consentgate.database import Database
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.statements import check_company
from consentgate.terminal import ExitCode, confirm, show
from gateway.config import GatewayConfig
from gateway.erasure import ELSEWHERE, Erased, Proof, erase, prove


def erase_command(
    token: Annotated[str, typer.Argument(help="Subject token, 32 hex digits.")],
    proof: Annotated[
        bool, typer.Option("--prove", help="Erase nothing: search the whole store, and verify the ledger's entry.")
    ] = False,
    company: Annotated[
        bool, typer.Option("--company", help="With --prove: ask for the company code, and search for it too.")
    ] = False,
    config: Annotated[Path, typer.Option("--config", "-c", help="The gateway's configuration.")] = Path("gateway.toml"),
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Results as JSON.")] = False,
) -> None:
    """Forget the company behind a token for ever, or prove that it was forgotten."""
    if len(token) != 32 or set(token) - set("0123456789abcdef"):
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="token")
    settings = GatewayConfig.load(config)
    if proof:
        _prove(settings, token, _asked_company() if company else None, as_json)
        return
    if not yes:
        confirm("Delete everything here that leads from this token to its company? There is no way back.")
    database = Database(settings.database)
    try:
        done = erase(database, token, lambda: datetime.now(UTC))
    finally:
        database.close()
    show({**_members(done), "elsewhere": list(ELSEWHERE)}, [*_lines(done), *_elsewhere()], as_json)


def _prove(settings: GatewayConfig, token: str, company: str | None, as_json: bool) -> None:
    database = Database(settings.database)
    try:
        found = prove(database, token, company, Anchors.load(settings.anchors))
    finally:
        database.close()
    members = {
        "complete": found.complete,
        "remaining": found.remaining,
        "files": list(found.files),
        "seq": found.seq,
        "elsewhere": list(ELSEWHERE),
    }
    show(members, [*_findings(found), *_elsewhere()], as_json)
    if not found.complete:
        raise typer.Exit(ExitCode.INVALID)


def _asked_company() -> str:
    code = str(typer.prompt("Company code", hide_input=True, err=True))
    try:
        check_company(code)
    except (ValueError, IndexError) as error:
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="--company") from error
    return code


def _members(done: Erased) -> dict[str, object]:
    return {"consents": done.consents, "requests": done.requests, "company": done.company}


def _lines(done: Erased) -> list[str]:
    return [
        f"deleted: {done.consents} consents, {done.requests} requests"
        + (", and the company's own row (it had no other token)" if done.company else ""),
        "the running gateway records it on the ledger within a minute; `--prove` shows that it did",
    ]


def _findings(found: Proof) -> list[str]:
    lines = [f"still there: {place} in {count} rows" for place, count in sorted(found.remaining.items())]
    lines += [f"still there: company code in {name}" for name in found.files]
    lines = lines or ["nothing in this store leads from the token to a company"]
    recorded = "not recorded on the ledger yet" if found.seq is None else f"ledger entry {found.seq}, verified"
    return [*lines, f"erasure.performed: {recorded}"]


def _elsewhere() -> list[str]:
    return [f"elsewhere: {line}" for line in ELSEWHERE]
