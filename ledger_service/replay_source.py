"""Where a replay reads: an export, a database (also while the ledger writes to it), or the running ledger."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import typer

from consentgate.anchors import Anchors
from ledger.checkpoint import Checkpoint
from ledger.errors import ExportInvalid
from ledger.export import read_checkpoint
from ledger.note import Note
from ledger.policy import LogPolicy
from ledger.replay import Piece, export_pieces
from ledger.storage.interface import LogReader
from ledger_service.cli_output import load_policy
from ledger_service.config import LedgerConfig
from ledger_service.officer import OfficerConfig, OfficerLedger
from ledger_service.storages import open_live_reader

FOLLOW_SECONDS = 1.0
"""Between two looks at a database; the ledger keeps a new checkpoint there about as often."""
READ_CHUNK = 1024
"""Leaves of one reading."""


class ReplaySource(Protocol):
    """A log to be read in order."""

    def newest(self) -> bytes:
        """The newest cosigned note, unverified."""
        ...

    def pieces(self, start: int, *, follow: bool) -> Iterator[Piece]:
        """Leaves from an index on, with the checkpoints that close them; never ends when it follows."""
        ...


@dataclass(frozen=True)
class ExportSource:
    """An exported directory."""

    directory: Path

    def newest(self) -> bytes:
        """As ReplaySource."""
        return read_checkpoint(self.directory)

    def pieces(self, start: int, *, follow: bool) -> Iterator[Piece]:
        """As ReplaySource; an export never grows."""
        if follow:
            raise typer.BadParameter("an export never grows: follow a database or the running ledger")
        return export_pieces(self.directory, start)


@dataclass(frozen=True)
class DatabaseSource:
    """A database, by its reader."""

    reader: LogReader

    def newest(self) -> bytes:
        """As ReplaySource."""
        note = self.reader.checkpoint()
        if note is None:
            raise ExportInvalid("the database holds no witnessed checkpoint yet")
        return note

    def pieces(self, start: int, *, follow: bool) -> Iterator[Piece]:
        """As ReplaySource; only what the stored checkpoint counts."""
        seen = b""
        while True:
            note = self.newest()
            if note != seen:
                size = _checkpoint(note).size
                for first in range(start, size, READ_CHUNK):
                    yield self.reader.leaves(first, min(first + READ_CHUNK, size)), b""
                yield [], note
                start, seen = size, note
            if not follow:
                return
            time.sleep(FOLLOW_SECONDS)


@dataclass(frozen=True)
class RunningSource:
    """The running ledger, asked by an officer: it records that it was read."""

    ledger: OfficerLedger

    def newest(self) -> bytes:
        """As ReplaySource."""
        return self.ledger.checkpoint()

    def pieces(self, start: int, *, follow: bool) -> Iterator[Piece]:
        """As ReplaySource."""
        for leaves, note in self.ledger.follow(start):
            yield leaves, note
            if note and not follow:
                return


@dataclass(frozen=True)
class Place:
    """What a command was told: one of `source` (files), `ledger` (the operator's ledger.toml) and `config` (an
    officer's).
    """

    source: Path | None
    ledger: Path | None
    policy: Path | None
    config: Path
    address: str | None
    development: bool

    def opened(self, opened: ExitStack) -> tuple[ReplaySource, LogPolicy]:
        """The log, open as long as `opened`, and the policy against which it is verified."""
        if self.source is not None and self.ledger is None and self.policy is not None:
            trusted = load_policy(self.policy)
            if self.source.is_dir():
                return ExportSource(self.source), trusted
            return self._database(str(self.source), opened), trusted
        if self.source is not None or self.policy is not None:
            raise typer.BadParameter("--from and --policy belong together, and stand alone")
        if self.ledger is not None:
            config = LedgerConfig.load(self.ledger)
            return self._database(config.database, opened), Anchors.load(config.anchors).log_policy
        officer = OfficerConfig.load(self.config)
        ledger = OfficerLedger.open(officer, self.address, allow_development_ca=self.development)
        return RunningSource(opened.enter_context(ledger)), ledger.anchors.log_policy

    def _database(self, place: str, opened: ExitStack) -> DatabaseSource:
        reader = open_live_reader(place)
        opened.callback(reader.close)
        return DatabaseSource(reader)


def newest_checkpoint(source: ReplaySource) -> Checkpoint:
    """Unverified: the log's name, and how many entries it says there are, until a checkpoint closes them."""
    return _checkpoint(source.newest())


def _checkpoint(note: bytes) -> Checkpoint:
    return Checkpoint.parse(Note.parse(note).text)
