"""How the offline commands speak: progress, what does not hold and where, entries for a person."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import typer
from cryptography.x509 import Certificate
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.terminal import ExitCode, print_error, show
from ledger.entry import Entry
from ledger.errors import (
    EvidenceInvalid,
    KeyInvalid,
    LedgerError,
    NotEvidence,
    NotFound,
    PolicyInvalid,
    ProofInvalid,
    StorageFailed,
)
from ledger.export import Progress
from ledger.policy import LogPolicy
from ledger.timestamp import read_roots

_PASSING = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PERM,
    }
)
"""Failures of SQLite that say nothing about what the file holds."""
_CODES: dict[type[LedgerError], ErrorCode] = {
    ProofInvalid: ErrorCode.RECEIPT_INVALID,
    NotEvidence: ErrorCode.NOT_EVIDENCE,
    EvidenceInvalid: ErrorCode.EVIDENCE_INVALID,
}
"""What is not one of these is the ledger's own fault."""
NO_DATABASE = (
    "It is no ledger's database, or one of an older version, which a ledger brings up to date when it starts; or it is"
    " damaged: compare with another copy."
)
_DAMAGED = "XX"
"""States by which PostgreSQL says that what it holds is damaged (XX001, XX002), or that it does not know (XX000)."""


@contextmanager
def measuring(text: str) -> Iterator[Progress]:
    """A progress bar on stderr; silent when stderr is no terminal."""
    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with RichProgress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(text, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def explaining(as_json: bool) -> Iterator[None]:
    """Ends the command with ExitCode.INVALID when something does not hold, and says what and where. Mistakes in the
    policy file, and storage that cannot be read at the moment, are other errors and pass through.
    """
    try:
        yield
    except (PolicyInvalid, KeyInvalid):
        raise
    except NotFound as error:
        raise ConsentgateError(ErrorCode.NOT_FOUND, field=str(error), hint=error.hint) from error
    except StorageFailed as error:
        if _is_passing(error):
            raise _unavailable(error) from error
        _end_invalid(error, as_json, NO_DATABASE)
    except LedgerError as error:
        _end_invalid(error, as_json)


def _is_passing(error: StorageFailed) -> bool:
    """The operating system or a database server did not answer; what a file holds would be said by SQLite or by us."""
    cause = error.__cause__
    if isinstance(cause, sqlite3.Error):
        code: int | None = getattr(cause, "sqlite_errorcode", None)  # absent in errors of the module itself
        return code is not None and code & 0xFF in _PASSING
    return cause is not None and not str(getattr(cause, "sqlstate", "")).startswith(_DAMAGED)


def _unavailable(error: StorageFailed) -> ConsentgateError:
    """Files are this machine's; only a database server is something else that does not answer."""
    if isinstance(error.__cause__, OSError | sqlite3.Error):
        return ConsentgateError(ErrorCode.FILE_UNAVAILABLE, field=str(error))
    return ConsentgateError(ErrorCode.LEDGER_UNAVAILABLE, field=str(error), hint=error.hint)


def _end_invalid(error: LedgerError, as_json: bool, hint: str | None = None) -> NoReturn:
    code = _CODES.get(type(error), ErrorCode.LEDGER_INVALID)
    problem = f"{type(error).__name__}: {error}"
    notes: Sequence[str] = getattr(error, "__notes__", ())
    if as_json:
        show({"valid": False, "error": type(error).__name__, "problem": str(error), "notes": list(notes)}, [], True)
    print_error(ConsentgateError(code, field=problem, hint=hint or error.hint), notes)
    raise typer.Exit(ExitCode.REFUSED if isinstance(error, NotEvidence) else ExitCode.INVALID)


def load_policy(path: Path) -> LogPolicy:
    """The policy in a file; raises CONFIG_INVALID naming it and, where there is one, the line at fault."""
    try:
        return LogPolicy.parse(path.read_text(encoding="utf-8"))
    except PolicyInvalid as error:
        raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=f"{path}: {error}", hint=error.hint) from error
    except (OSError, ValueError) as error:
        raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=str(path)) from error


def load_roots(path: Path) -> tuple[Certificate, ...]:
    """The certificates in a file; raises CONFIG_INVALID naming it."""
    try:
        return read_roots(path.read_bytes())
    except KeyInvalid as error:
        hint = "Certificates in PEM that vouch for the timestamp authority, as it publishes them."
        raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=str(path), hint=hint) from error


def entry_members(entry: Entry, leaf_hash: bytes) -> dict[str, object]:
    """An entry as JSON members: what the leaf says, and its hash."""
    return {
        "seq": entry.seq,
        "ts": entry.ts,
        "kind": entry.kind,
        "leaf_hash": leaf_hash.hex(),
        "prev": entry.prev,
        "log": entry.log,
        "nonce": entry.nonce,
        "body": dict(entry.body),
    }


def entry_line(entry: Entry) -> str:
    """An entry in one line, for lists."""
    told = ("verdict", "reason", "institution", "purpose", "subject", "officer")
    words = [str(entry.body[name]) for name in told if name in entry.body]
    return f"{entry.seq:>8}  {entry.ts}  {entry.kind:20}  {' '.join(words)}"


def entry_lines(entry: Entry, leaf_hash: bytes) -> list[str]:
    """An entry with all its fields."""
    head = [f"entry {entry.seq} of {entry.log}", f"  {'kind':16} {entry.kind}", f"  {'time':16} {entry.ts}"]
    head += [f"  {'leaf hash':16} {leaf_hash.hex()}", f"  {'previous':16} {entry.prev}"]
    return [*head, *_fields(entry.body, "  ")]


def _fields(body: Mapping[str, object], indent: str) -> list[str]:
    return [f"{indent}{name:16} {plain(value)}" for name, value in body.items()]


def plain(value: object) -> str:
    """A value in a line for a person."""
    return value if isinstance(value, str) else json.dumps(value)
