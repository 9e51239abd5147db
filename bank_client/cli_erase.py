"""`bank erase`: delete evidence and scores whose data life is over, and prove that nothing of a company is left.

Works on the archive's folder, without any connection. Without a token it is what a timer runs daily.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from bank_client.cli_options import BANK_TOML, AsJson, Config
from bank_client.config import BankConfig
from bank_client.erasure import ELSEWHERE, Erased, Proof, erase, prove
from consentgate.erasure_terminal import ask_company, check_token, elsewhere_lines
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.terminal import ExitCode, confirm, show

_NO_ARCHIVE = "Without an archive nothing is kept, and nothing can be erased."


def erase_command(
    token: Annotated[
        str | None, typer.Argument(help="Subject token, 32 hex digits. Without: whatever is over, of all companies.")
    ] = None,
    early: Annotated[bool, typer.Option("--early", help="With a token: also what might still be kept.")] = False,
    proof: Annotated[
        bool, typer.Option("--prove", help="With a token: erase nothing, look into every file of the archive.")
    ] = False,
    company: Annotated[
        bool, typer.Option("--company", help="With --prove: ask for the company code, and look for it too.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    config: Config = BANK_TOML,
    as_json: AsJson = False,
) -> None:
    """Delete evidence and scores from the archive whose data life is over; or prove that a company's are gone."""
    if token is not None:
        check_token(token)
    if token is None and (early or proof):
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="token", hint="Name the token.")
    folder = BankConfig.load(config).archive
    if folder is None:
        raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=f"{config}: archive", hint=_NO_ARCHIVE)
    if proof and token is not None:
        _prove(folder, token, ask_company() if company else None, as_json)
        return
    if not yes:
        confirm("Delete evidence and scores from the archive? There is no way back.")
    done = erase(folder, token, datetime.now(UTC), early=early)
    show(_members(done), [*_lines(done), *elsewhere_lines(ELSEWHERE)], as_json)
    if done.unreadable:
        raise typer.Exit(ExitCode.INVALID)


def _prove(folder: Path, token: str, company: str | None, as_json: bool) -> None:
    found = prove(folder, token, company)
    members = {"complete": found.complete, "remaining": list(found.remaining), "unreadable": list(found.unreadable)}
    show({**members, "elsewhere": list(ELSEWHERE)}, [*_findings(found), *elsewhere_lines(ELSEWHERE)], as_json)
    if not found.complete:
        raise typer.Exit(ExitCode.INVALID)


def _members(done: Erased) -> dict[str, object]:
    return {
        "deleted": done.deleted,
        "kept": done.kept,
        **({} if done.next_end is None else {"next_end": done.next_end.isoformat()}),
        "unreadable": list(done.unreadable),
        "elsewhere": list(ELSEWHERE),
    }


def _lines(done: Erased) -> list[str]:
    lines = [f"deleted: files of {done.deleted} requests"]
    if done.next_end is not None:
        lines.append(f"kept: files of {done.kept} requests, the next of them until {done.next_end:%Y-%m-%d %H:%M} UTC")
    return lines + [f"cannot be read, and was left alone: {name}" for name in done.unreadable]


def _findings(found: Proof) -> list[str]:
    lines = [f"still there: {name}" for name in found.remaining]
    lines += [f"cannot be looked into: {name}" for name in found.unreadable]
    return lines or ["nothing in the archive names the token or the company"]
