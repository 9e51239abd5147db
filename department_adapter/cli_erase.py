"""`department-adapter erase`: forget the company behind a token, and prove that nothing here leads to it.

Reads the ledger from its beginning first, to know that no consent under the token can still be used; works beside a
running adapter or without one. Company codes are asked for on a terminal or read from stdin, never from the command
line, where every process of the machine could read them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from consentgate.anchors import Anchors
from consentgate.channel import open_aio_channel
from consentgate.database import Database
from consentgate.erasure_terminal import ask_company, check_token, elsewhere_lines
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.identity import SpiffeId
from consentgate.terminal import ExitCode, confirm, show, working
from consentgate.tls import TlsFiles
from department_adapter.config import AdapterConfig
from department_adapter.erasure import ELSEWHERE, Erased, Proof, erase, prove
from department_adapter.ledger_feed import GrpcFeed
from department_adapter.state import migrate
from department_adapter.state import tail as positions
from department_adapter.subject_record import SubjectRecord, read_record

Result = TypeVar("Result")
_OLD = "The state is not there yet, or of an older program: start the adapter once."


def erase_command(
    token: Annotated[str, typer.Argument(help="Subject token, 32 hex digits.")],
    proof: Annotated[bool, typer.Option("--prove", help="Erase nothing: search the whole state.")] = False,
    company: Annotated[
        bool, typer.Option("--company", help="With --prove: ask for the company code, and search for it too.")
    ] = False,
    config: Annotated[Path, typer.Option("--config", "-c", help="The adapter's configuration.")] = Path("adapter.toml"),
    development: Annotated[bool, typer.Option("--development", help="Accept a development CA.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Results as JSON.")] = False,
) -> None:
    """Forget the company behind a token, once its consents and the retention have ended; or prove it."""
    check_token(token)
    settings = AdapterConfig.load(config)
    if proof:
        _prove(settings, token, ask_company() if company else None, as_json)
        return
    if not yes:
        confirm("Delete what leads from this token to its company here? There is no way back.")
    done = _with_state(settings, lambda database: _erase(settings, database, token, development))
    show(_members(done), [*_lines(done), *elsewhere_lines(ELSEWHERE)], as_json)


def _erase(settings: AdapterConfig, database: Database, token: str, development: bool) -> Erased:
    with working("Reading the ledger"):
        record = asyncio.run(_read(settings, database, token, development))
    return erase(database, token, record, timedelta(days=settings.retention_days), datetime.now(UTC))


async def _read(settings: AdapterConfig, database: Database, token: str, development: bool) -> SubjectRecord:
    anchors = Anchors.load(settings.anchors)
    tls = TlsFiles(settings.tls.certificate, settings.tls.private_key, anchors.member_ca)
    known = await database.run(positions.load_position)
    ledger = settings.ledger
    channel = open_aio_channel(ledger.address, SpiffeId.parse(ledger.peer), tls, allow_development_ca=development)
    async with channel:
        return await read_record(GrpcFeed(channel), known, anchors, token, lambda: datetime.now(UTC))


def _prove(settings: AdapterConfig, token: str, company: str | None, as_json: bool) -> None:
    found = _with_state(settings, lambda database: prove(database, token, company))
    members = {"complete": found.complete, "remaining": found.remaining, "files": list(found.files)}
    show({**members, "elsewhere": list(ELSEWHERE)}, [*_findings(found), *elsewhere_lines(ELSEWHERE)], as_json)
    if not found.complete:
        raise typer.Exit(ExitCode.INVALID)


def _with_state(settings: AdapterConfig, work: Callable[[Database], Result]) -> Result:
    database = Database(settings.state, "state")
    try:
        before, newest = migrate.revisions(database.engine)
        if before != newest:
            raise ConsentgateError(ErrorCode.CONFIG_INVALID, field="state", hint=_OLD)
        return work(database)
    finally:
        database.close()


def _members(done: Erased) -> dict[str, object]:
    deleted = done.deleted
    return {
        "pins": deleted.pins,
        "restrictions": deleted.restrictions,
        "uses": deleted.uses,
        "kept_restrictions": done.kept_restrictions,
        "elsewhere": list(ELSEWHERE),
    }


def _lines(done: Erased) -> list[str]:
    deleted = done.deleted
    lines = [f"deleted: {deleted.pins} pins, {deleted.restrictions} direct restrictions, {deleted.uses} counted uses"]
    if done.kept_restrictions:
        lines.append(
            f"kept: {done.kept_restrictions} direct restrictions of consents that the ledger does not show as ended"
        )
    return lines


def _findings(found: Proof) -> list[str]:
    lines = [f"still there: {place} in {count} rows" for place, count in sorted(found.remaining.items())]
    lines += [f"still there: company code in {name}" for name in found.files]
    return lines or ["nothing in this state leads from the token to a company"]
