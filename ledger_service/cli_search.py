"""`ledger search`: entries by what may be searched for, a page at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from consentgate.terminal import note
from consentgate.terminal import show as show_result
from ledger.entry import Entry, leaf_hash, parse
from ledger.receipt import Receipt
from ledger.storage.searchable import SearchFilters
from ledger_service import search_options as options
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
from ledger_service.local_log import LocalLog, receipt_of
from ledger_service.officer import OfficerLedger
from ledger_service.receipt_files import write_receipt
from ledger_service.search_page import verify_answer

MAX_PAGE = 500
"""Most entries of a page (the wire's bound for SearchEntries)."""


def search(
    subject: options.Subject = None,
    institution: options.Institution = None,
    kind: options.KindOfEntry = None,
    purpose: options.Purpose = None,
    category: options.Category = None,
    verdict: options.Verdict = None,
    reason: options.Reason = None,
    not_before: options.NotBefore = None,
    not_after: options.NotAfter = None,
    after_seq: options.AfterSeq = None,
    limit: Annotated[int, typer.Option(help="Entries of a page.", min=1, max=MAX_PAGE)] = 50,
    proofs: Annotated[
        Path | None,
        typer.Option(
            help="Folder for a receipt of each entry, SEQ.leaf and SEQ.proof.", metavar="DIR", file_okay=False
        ),
    ] = None,
    unproven: Annotated[
        bool, typer.Option("--unproven", help="Do not ask for proofs: entries as the ledger tells them.")
    ] = False,
    source: From = None,
    policy: OptionalPolicy = None,
    config: Config = OFFICER_TOML,
    address: OtherAddress = None,
    development: Development = False,
    as_json: AsJson = False,
) -> None:
    """Search entries: in the ledger, which records the question (access.read), or in files. All filters must hold.

    Entries from the ledger are proven by one cosigned checkpoint for the page, and verified here.

    That no further entry fits, only an export says (--from, with --policy).

    For example: ledger search --institution bank-b --verdict deny --not-before 2026-10-01 --not-after 2026-10-31
    """
    if unproven and (proofs is not None or source is not None):
        raise typer.BadParameter("asks the ledger for no proofs", param_hint="--unproven")
    options.check_range(not_before, not_after)
    filters = SearchFilters(subject, institution, kind, purpose, category, verdict, reason, not_before, not_after)
    question = _Question(filters, after_seq, limit)
    if proofs is not None:
        proofs.mkdir(parents=True, exist_ok=True)  # before the ledger is asked, and records it, for nothing
    with explaining(as_json):
        if source is not None:
            with local_log(source, policy) as log:
                page = _from_files(log, question, with_receipts=proofs is not None, verified=policy is not None)
        else:
            with officer_ledger(config, address, development) as ledger:
                page = _from_ledger(ledger, question, with_proofs=not unproven)
    _show_page(page, as_json)
    if proofs is not None:
        _write_receipts(proofs, page)


@dataclass(frozen=True)
class _Question:
    filters: SearchFilters
    after_seq: int | None
    limit: int


@dataclass(frozen=True)
class _Page:
    """What is shown; `head` is the witnessed tree that proves it, where one does."""

    entries: Sequence[tuple[Entry, bytes]]
    complete: bool
    verified: bool
    receipts: Sequence[Receipt] = ()
    head: Mapping[str, object] | None = None


def _from_files(log: LocalLog, question: _Question, *, with_receipts: bool, verified: bool) -> _Page:
    leaves = log.search(question.filters, question.after_seq, question.limit)
    entries = [(parse(leaf), leaf_hash(leaf)) for leaf in leaves]
    found = zip(entries, leaves, strict=True)
    receipts = [receipt_of(log, entry.seq, leaf) for (entry, _), leaf in found] if with_receipts else []
    return _Page(entries, len(leaves) < question.limit, verified, receipts)


def _from_ledger(ledger: OfficerLedger, question: _Question, *, with_proofs: bool) -> _Page:
    answer = ledger.search(question.filters, question.after_seq, question.limit, with_proofs=with_proofs)
    if not with_proofs:
        note("entries as the ledger tells them, NOT verified: without --unproven each is proven")
        return _Page([(parse(leaf), leaf_hash(leaf)) for leaf in answer.leaves], answer.complete, verified=False)
    proven = verify_answer(answer, question.filters, question.after_seq, ledger.anchors.log_policy)
    size, at = proven.checkpoint.size, proven.cosigned_at.isoformat()
    note(f"{len(proven.entries)} entries, each proven by the tree of {size} entries; quorum reached at {at}")
    head: dict[str, object] = {"tree_size": size, "root": proven.checkpoint.root.hex(), "cosigned_at": at}
    entries = [(found.entry, found.leaf_hash) for found in proven.entries]
    return _Page(entries, answer.complete, verified=True, receipts=proven.receipts, head=head)


def _write_receipts(folder: Path, page: _Page) -> None:
    """Refused by the first that exists already: none is overwritten."""
    for (entry, _), receipt in zip(page.entries, page.receipts, strict=True):
        write_receipt(folder / str(entry.seq), receipt)
    note(f"{len(page.receipts)} receipts in {folder}: `ledger verify --receipt {folder}/SEQ.leaf`")


def _show_page(page: _Page, as_json: bool) -> None:
    last = page.entries[-1][0].seq if page.entries else None
    members = {
        "verified": page.verified,
        **({} if page.head is None else {"checkpoint": page.head}),
        "entries": [entry_members(entry, digest) for entry, digest in page.entries],
        "complete": page.complete,
        "next_after_seq": None if page.complete else last,
    }
    show_result(members, [entry_line(entry) for entry, _ in page.entries] or ["no entries"], as_json)
    if not page.complete and last is not None:
        note(f"there may be more: --after-seq {last}")
