"""`ledger search`: entries by what may be searched for, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from consentgate.terminal import note
from consentgate.terminal import show as show_result
from ledger.entry import Entry, leaf_hash, parse
from ledger.storage.searchable import SearchFilters
from ledger_service.cli_output import entry_line, entry_members, explaining
from ledger_service.cli_source import (
    OFFICER_TOML,
    AsJson,
    Config,
    Development,
    From,
    OptionalPolicy,
    OtherAddress,
    local_log,
    officer_ledger,
)

MAX_PAGE = 500
"""Most entries of a page (the wire's bound for SearchEntries)."""


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter("a date or time as in ISO 8601, e.g. 2026-11-24 or 2026-11-24T04:00:00Z") from error
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


Moment = Annotated[datetime | None, typer.Option(parser=_moment, metavar="TIME", help="ISO 8601; UTC unless it says.")]


def search(
    subject: Annotated[str | None, typer.Option(help="Subject token, 32 hex digits.")] = None,
    institution: Annotated[str | None, typer.Option(help="Bank, e.g. bank-a.")] = None,
    kind: Annotated[str | None, typer.Option(help="Kind of entry, e.g. query.decision.")] = None,
    purpose: Annotated[str | None, typer.Option(help="Purpose, e.g. credit.origination.")] = None,
    category: Annotated[str | None, typer.Option(help="Data category of a consent.")] = None,
    verdict: Annotated[str | None, typer.Option(help="allow or deny.")] = None,
    reason: Annotated[str | None, typer.Option(help="Reason code of a decision.")] = None,
    not_before: Moment = None,
    not_after: Moment = None,
    after_seq: Annotated[int | None, typer.Option(help="Only entries after this sequence number.", min=0)] = None,
    limit: Annotated[int, typer.Option(help="Entries of a page.", min=1, max=MAX_PAGE)] = 50,
    source: From = None,
    policy: OptionalPolicy = None,
    config: Config = OFFICER_TOML,
    address: OtherAddress = None,
    development: Development = False,
    as_json: AsJson = False,
) -> None:
    """Search entries: in the ledger, which records the question (access.read), or in files. All filters must hold."""
    filters = SearchFilters(subject, institution, kind, purpose, category, verdict, reason, not_before, not_after)
    with explaining(as_json):
        if source is not None:
            with local_log(source, policy) as log:
                leaves = log.search(filters, after_seq, limit)
            complete = len(leaves) < limit
        else:
            with officer_ledger(config, address, development) as ledger:
                leaves, complete = ledger.search(filters, after_seq, limit)
            note("entries as the ledger tells them; `ledger show SEQ` proves each")
        entries = [(parse(leaf), leaf_hash(leaf)) for leaf in leaves]
    _show_page(entries, complete, as_json)


def _show_page(entries: Sequence[tuple[Entry, bytes]], complete: bool, as_json: bool) -> None:
    last = entries[-1][0].seq if entries else None
    members = {
        "entries": [entry_members(entry, digest) for entry, digest in entries],
        "complete": complete,
        "next_after_seq": None if complete else last,
    }
    show_result(members, [entry_line(entry) for entry, _ in entries] or ["no entries"], as_json)
    if not complete and last is not None:
        note(f"there may be more: --after-seq {last}")
