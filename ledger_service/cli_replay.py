"""`ledger replay`: every entry in order as JSON lines, each verified and witnessed before it is shown.

For whoever makes something of a log: a projection, an index, a copy. From an export, a database or the running ledger;
`--state` remembers the verified position, so that the next call goes on where this one ended. Nothing is written to
stdout before a witnessed checkpoint closes it: what a long catch-up brings waits in a temporary file.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Annotated

import typer

from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.terminal import note
from ledger.chain import Chain
from ledger.durable_files import READABLE, replace_file
from ledger.errors import ConsistencyInvalid, LogMismatch
from ledger.policy import WitnessedCheckpoint
from ledger.replay import ReplayedEntry, encode_position, parse_position, replay
from ledger_service.cli_output import explaining
from ledger_service.cli_source import OFFICER_TOML, Development, OtherAddress
from ledger_service.replay_source import Place, ReplaySource, newest_checkpoint

SPOOL_BYTES = 16 * 1024 * 1024
"""Entries that wait for their checkpoint stay in memory up to here, and then go to a temporary file."""


def replay_command(
    source: Annotated[
        Path | None,
        typer.Option("--from", help="An export or a database file; not recorded.", exists=True),
    ] = None,
    ledger: Annotated[
        Path | None, typer.Option(help="For the operator: ledger.toml, whose database is read; not recorded.")
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(help="With --from: ledger-policy.txt.", exists=True, dir_okay=False)
    ] = None,
    config: Annotated[
        Path, typer.Option("--config", "-c", help="Otherwise: the officer's configuration; the ledger records it.")
    ] = OFFICER_TOML,
    after: Annotated[int | None, typer.Option(help="Show only entries after this sequence number.", min=0)] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with each new entry, until interrupted.")] = False,
    state: Annotated[
        Path | None,
        typer.Option(help="File that remembers what was verified and shown: the next call goes on there."),
    ] = None,
    address: OtherAddress = None,
    development: Development = False,
) -> None:
    """Show every entry in order, verified, one JSON object per line: leaf (exact bytes) and leaf_hash."""
    with explaining(as_json=False), ExitStack() as opened:
        log, trusted = Place(source, ledger, policy, config, address, development).opened(opened)
        begin = _begin(log, state)
        lines = opened.enter_context(JsonLines(after, state))
        position = replay(log.pieces(begin.size, follow=follow), trusted, begin, lines)
    note(f"{position.size} entries hold; {lines.shown} were shown")


def _begin(log: ReplaySource, state: Path | None) -> Chain:
    """Where the last call ended, or the beginning. A log that is shorter now would never say anything of its own."""
    newest = newest_checkpoint(log)
    if state is None or not state.exists():
        return Chain(newest.origin)
    try:
        position = parse_position(state.read_bytes())
    except (OSError, ValueError) as error:
        hint = "It is no position that this command wrote. Remove it to begin at the first entry."
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=str(state), hint=hint) from error
    if position.origin != newest.origin:
        raise LogMismatch("the position file is of another log")
    if position.size > newest.size:
        told = f"it shows {newest.size} entries, and {position.size} were verified before"
        raise ConsistencyInvalid(f"the log went back, or has just been started: {told}")
    return position


class JsonLines:
    """A consumer that shows what is closed. Use as a context."""

    def __init__(self, after: int | None, state: Path | None) -> None:
        self._first = 0 if after is None else after + 1
        self._state = state
        self._waiting = SpooledTemporaryFile(SPOOL_BYTES)  # noqa: SIM115 - closed by the context
        self._count = 0
        self.shown = 0

    def __enter__(self) -> JsonLines:
        return self

    def __exit__(self, *_: object) -> None:
        self._waiting.close()

    def take(self, entries: Sequence[ReplayedEntry]) -> None:
        """As Consumer."""
        for item in entries:
            if item.entry.seq >= self._first:
                digest = item.leaf_hash.hex().encode()
                self._waiting.write(b'{"leaf":' + item.leaf + b',"leaf_hash":"' + digest + b'"}\n')
                self._count += 1

    def close(self, position: Chain, _witnessed: WitnessedCheckpoint) -> None:
        """As Consumer. Shown first, then remembered: after a crash in between an entry may be shown again, never
        left out.
        """
        if self._count:
            self._waiting.seek(0)
            for line in self._waiting:
                sys.stdout.write(line.decode())
            sys.stdout.flush()
            self._waiting.seek(0)
            self._waiting.truncate()
            self.shown, self._count = self.shown + self._count, 0
        if self._state is not None:
            replace_file(self._state, encode_position(position), READABLE)
