"""Does what this department believes of the ledger follow from the ledger? The projection is made again and compared.

A verified log is replayed (`ledger.replay`) into a fresh database by the same functions that the tail writes with, up
to the tail's position, and every table of the projection is compared, in order of its key: consents, approvals, keys,
histories of subjects, and the decisions that are still remembered. What the department alone knows (uses, answers,
pinned tokens, direct revocations) follows from nothing and is not looked at. Memory does not grow with the log.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Select, String, collate, inspect, select
from sqlalchemy.orm import Session

from consentgate.anchors import Anchors
from consentgate.config import SQLITE_FILE
from consentgate.database import Database
from consentgate.errors import ConsentgateError, ErrorCode
from department_adapter.config import AdapterConfig
from department_adapter.learned import Learned
from department_adapter.state import migrate
from department_adapter.state import tail as store
from department_adapter.state.models import (
    Base,
    LedgerApprovalRow,
    LedgerConsentRow,
    LedgerDecisionRow,
    LedgerKeyRow,
    LedgerSubjectRow,
)
from department_adapter.state.tail import Position
from ledger.chain import Chain
from ledger.errors import ConsistencyInvalid
from ledger.policy import WitnessedCheckpoint
from ledger.replay import ReplayedEntry, closed_pieces, replay
from ledger_service.local_log import opened_log

MAX_FINDINGS = 100
"""Findings that are kept; the others are counted."""
ROWS = 1000
"""Rows fetched at once."""
COMPARED: tuple[type[Base], ...] = (LedgerConsentRow, LedgerApprovalRow, LedgerKeyRow, LedgerSubjectRow)
"""Tables that must be the same, row by row; of decisions only those that the department still remembers."""
EVERY_DECISION = ""
"""Before every time: all decisions are kept while the projection is made again."""


@dataclass
class Rebuilt:
    """What differs: places and problems, never a value."""

    entries: int
    findings: list[str] = field(default_factory=list)
    omitted: int = 0

    def add(self, place: str, problem: str) -> None:
        """One more."""
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(f"{place} {problem}")
        else:
            self.omitted += 1


class Rebuilding:
    """A consumer of `ledger.replay` that writes the projection up to a position into a fresh database."""

    def __init__(self, fresh: Database, until: Chain) -> None:
        self._fresh = fresh
        self._until = until

    def take(self, entries: Sequence[ReplayedEntry]) -> None:
        """As Consumer. Raises ConsistencyInvalid when the log is not the one that the department followed."""
        wanted = [item for item in entries if item.entry.seq < self._until.size]
        for item in wanted[-1:]:
            if item.entry.seq == self._until.size - 1 and item.leaf_hash.hex() != self._until.last:
                raise ConsistencyInvalid(f"leaf {item.entry.seq} is not the one that the department verified")
        self._fresh.transact(lambda session: _write(session, wanted))

    def close(self, position: Chain, _witnessed: WitnessedCheckpoint) -> None:
        """As Consumer. Raises ConsistencyInvalid for a log that ends before the department's position."""
        if position.size < self._until.size:
            raise ConsistencyInvalid(
                f"the log has {position.size} entries, and the department verified {self._until.size}"
            )


def check_projection(config: AdapterConfig, log: Path) -> Rebuilt:
    """The department's projection against a log in files, verified by the department's own anchors.

    Raises a LedgerError when the log does not hold, or is not the one that was followed.
    """
    anchors = Anchors.load(config.anchors)
    with closing(_existing(config)) as state, TemporaryDirectory() as folder, opened_log(log) as opened:
        position = _position_of(state)
        with closing(Database(f"sqlite:///{folder}/state.db")) as fresh:
            migrate.upgrade(fresh.engine)
            pieces = closed_pieces(opened.leaves(), opened.note)
            replay(pieces, anchors.log_policy, Chain(position.chain.origin), Rebuilding(fresh, position.chain))
            return compare(state, fresh, position)


def _existing(config: AdapterConfig) -> Database:
    """The state, which is not made by looking at it."""
    if config.state.startswith(SQLITE_FILE) and not Path(config.state.removeprefix(SQLITE_FILE)).exists():
        raise ConsentgateError(ErrorCode.NOT_FOUND, field="state: there is none yet")
    return Database(config.state, "state")


def _position_of(state: Database) -> Position:
    found, newest = migrate.revisions(state.engine)
    if found != newest:
        raise ConsentgateError(ErrorCode.CONFIG_INVALID, field="state", hint=f"Its schema is {found}: start it once.")
    position = state.transact(store.load_position)
    if position is None:
        raise ConsentgateError(ErrorCode.NOT_FOUND, field="state: the ledger was not followed yet")
    return position


def compare(state: Database, fresh: Database, position: Position) -> Rebuilt:
    """Every row of the projection against the one made again; in one snapshot, which the position must still be of."""

    def look(stored: Session) -> Rebuilt:
        if store.load_position(stored) != position:
            raise ConsentgateError(
                ErrorCode.STORE_UNAVAILABLE, field="state", hint="The adapter went on meanwhile: stop it, or try again."
            )
        found = Rebuilt(position.chain.size)
        with Session(fresh.engine) as made:
            for table in COMPARED:
                _compare_table(found, table, _rows(stored, table), _rows(made, table))
            _compare_decisions(found, stored, made)
        return found

    return state.transact(look)


def _write(session: Session, entries: Sequence[ReplayedEntry]) -> None:
    learned = Learned(EVERY_DECISION)
    for item in entries:
        learned.add(item.entry, item.leaf_hash)
    learned.write(session, EVERY_DECISION)


Row = tuple[Any, ...]


def _rows(session: Session, table: type[Base]) -> Iterator[Row]:
    """Key first, in order of the key."""
    mapper = inspect(table)
    key = list(mapper.primary_key)
    others = [column for column in mapper.columns if column not in key]
    # By bytes, as Python compares: a server's own collation may order otherwise.
    by_bytes = session.get_bind().dialect.name == "postgresql"
    order = [collate(column, "C") if by_bytes and isinstance(column.type, String) else column for column in key]
    statement: Select[Any] = select(*key, *others).order_by(*order)
    return (tuple(row) for row in session.execute(statement.execution_options(yield_per=ROWS)))


def _compare_table(found: Rebuilt, table: type[Base], stored: Iterator[Row], made: Iterator[Row]) -> None:
    """Two lists in order of their keys, side by side."""
    width = len(inspect(table).primary_key)
    name = table.__tablename__
    one, other = next(stored, None), next(made, None)
    number = 0
    while one is not None or other is not None:
        number += 1
        if other is None or (one is not None and one[:width] < other[:width]):
            found.add(f"{name}, row {number}", "does not follow from the ledger")
            one = next(stored, None)
        elif one is None or other[:width] < one[:width]:
            found.add(f"{name}, before row {number}", "lacks a row that follows from the ledger")
            other = next(made, None)
        else:
            if one != other:
                found.add(f"{name}, row {number}", "is not what follows from the ledger")
            one, other = next(stored, None), next(made, None)


def _compare_decisions(found: Rebuilt, stored: Session, made: Session) -> None:
    """Old ones are forgotten on purpose; one that is remembered must be the ledger's."""
    for seq, leaf_hash, ts in _rows(stored, LedgerDecisionRow):
        known = made.get(LedgerDecisionRow, seq)
        if known is None or (known.leaf_hash, known.ts) != (leaf_hash, ts):
            found.add(f"{LedgerDecisionRow.__tablename__}, entry {seq}", "is not what follows from the ledger")
        if known is not None:
            made.expunge(known)
