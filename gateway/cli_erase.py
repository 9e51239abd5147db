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
from consentgate.erasure_terminal import ask_company, check_token, elsewhere_lines
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.terminal import ExitCode, confirm, show
from gateway.config import GatewayConfig
from gateway.erasure import ELSEWHERE, Erased, Proof, erase, prove
from gateway.store import migrate
from gateway.store.copies import CopyFindings


def erase_command(
    token: Annotated[str, typer.Argument(help="Subject token, 32 hex digits.")],
    proof: Annotated[
        bool, typer.Option("--prove", help="Erase nothing: search the whole store, and verify the ledger's entry.")
    ] = False,
    company: Annotated[
        bool, typer.Option("--company", help="With --prove: ask for the company code, and search for it too.")
    ] = False,
    copy: Annotated[
        str | None,
        typer.Option(
            "--copy",
            metavar="FILE|ADDRESS",
            help="With --prove: try to open this copy of the database from before, with today's keys.",
        ),
    ] = None,
    config: Annotated[Path, typer.Option("--config", "-c", help="The gateway's configuration.")] = Path("gateway.toml"),
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Results as JSON.")] = False,
) -> None:
    """Forget the company behind a token for ever, once its consents have ended; or prove that it was forgotten."""
    check_token(token)
    settings = GatewayConfig.load(config)
    if proof:
        _prove(settings, token, ask_company() if company else None, copy, as_json)
        return
    if copy is not None:
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="--copy", hint="It belongs to --prove.")
    if not yes:
        confirm("Delete everything here that leads from this token to its company? There is no way back.")
    database = settings.open_store()
    try:
        migrate.check(database)
        done = erase(database, token, lambda: datetime.now(UTC))
    finally:
        database.close()
    show({**_members(done), "elsewhere": list(ELSEWHERE)}, [*_lines(done), *elsewhere_lines(ELSEWHERE)], as_json)


def _prove(settings: GatewayConfig, token: str, company: str | None, copy: str | None, as_json: bool) -> None:
    database = settings.open_store()
    try:
        migrate.check(database)
        found = prove(database, token, company, Anchors.load(settings.anchors), copy)
    finally:
        database.close()
    members = {
        "complete": found.complete,
        "remaining": found.remaining,
        "files": list(found.files),
        "seq": found.seq,
        **({} if found.copy is None else {"copy": {"readable": found.copy.readable, "sealed": found.copy.sealed}}),
        "elsewhere": list(ELSEWHERE),
    }
    show(members, [*_findings(found), *elsewhere_lines(ELSEWHERE)], as_json)
    if not found.complete:
        raise typer.Exit(ExitCode.INVALID)


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
    lines += [f"still there: company code or data key in {name}" for name in found.files]
    lines = lines or ["nothing in this store leads from the token to a company"]
    recorded = "not recorded on the ledger yet" if found.seq is None else f"ledger entry {found.seq}, verified"
    return [*lines, f"erasure.performed: {recorded}", *(_copy_lines(found.copy) if found.copy is not None else ())]


def _copy_lines(copy: CopyFindings) -> list[str]:
    lines = [f"the copy gives away: {place} in {count} rows" for place, count in sorted(copy.readable.items())]
    if copy.sealed:
        return [*lines, f"the copy holds {copy.sealed} values under this token that today's keys do not open"]
    return lines or ["the copy holds nothing under this token, and so shows nothing"]
