"""Engine and transactions. Every transaction is SERIALIZABLE; it runs in a thread, so the event loop never waits.

Durability: a committed transaction survives power loss (SQLite: WAL with `synchronous=FULL`; PostgreSQL: its
default). Isolation: serialisable; a transaction that lost a race is run again from the start, so its function must
have no effect but through its session. Concurrency: any number of processes on PostgreSQL; one process on SQLite.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session

from consentgate.errors import ConsentgateError, ErrorCode

MAX_ATTEMPTS = 16
"""Runs of one transaction before giving up; each loser of a race lost to another that committed."""
FIRST_PAUSE_SECONDS = 0.002
"""Upper bound of the random pause after the first lost race; doubled with each further one, up to the longest."""
LONGEST_PAUSE_SECONDS = 0.25
"""Losers that came back at once would meet again: PostgreSQL lets all but one of them fail each time."""
BUSY_TIMEOUT_MS = 10_000
"""How long a SQLite writer waits for the one before it: longer than any transaction of this program takes."""
SERIALIZATION_FAILURES = frozenset({"40001", "40P01"})
"""SQLSTATE of serialization_failure and deadlock_detected: safe and sensible to repeat."""

Result = TypeVar("Result")
_random = random.SystemRandom()


class Database:
    """Runs functions inside transactions; `run` for coroutines, `transact` for threads and commands."""

    def __init__(self, url: str, entry: str = "database", info: Mapping[str, object] | None = None) -> None:
        """`entry` is how the configuration calls this database; raises CONFIG_INVALID naming it for a bad address.

        `info` is what functions find in their session's `info`, beside the tables.
        """
        self._info = dict(info or {})
        try:
            self.engine = create_engine(url, isolation_level="SERIALIZABLE", hide_parameters=True)
        except (SQLAlchemyError, ImportError) as error:
            raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=entry) from error
        if self.engine.dialect.name == "sqlite":
            _prepare_sqlite(self.engine)

    async def run(self, work: Callable[[Session], Result]) -> Result:
        """`work` in one transaction, off the event loop; raises STORE_UNAVAILABLE when the database fails."""
        return await asyncio.to_thread(self.transact, work)

    def transact(self, work: Callable[[Session], Result]) -> Result:
        """`work` in one transaction, repeated when it lost a race."""
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                with self._session() as session, session.begin():
                    return work(session)
            except SQLAlchemyError as error:
                if attempt == MAX_ATTEMPTS or not _lost_race(error):
                    raise ConsentgateError(ErrorCode.STORE_UNAVAILABLE, private=type(error).__name__) from error
            _pause(attempt)
        raise ConsentgateError(ErrorCode.STORE_UNAVAILABLE, private="no attempt left")

    def _session(self) -> Session:
        return Session(self.engine, expire_on_commit=False, info=self._info)

    async def check(self) -> None:
        """Raises STORE_UNAVAILABLE unless the database answers: for the health service."""
        await self.run(lambda session: session.execute(text("SELECT 1")))

    def scrub(self) -> None:
        """After deletions: SQLite's files are written anew from what is left; a database server looks after its own."""
        if self.engine.dialect.name != "sqlite":
            return
        with self.engine.connect() as connection:
            raw = connection.connection.cursor()
            raw.execute("VACUUM")
            busy, _, _ = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            raw.close()
        if busy:
            raise ConsentgateError(ErrorCode.STORE_UNAVAILABLE, private="another process reads the write-ahead log")

    def files(self) -> list[Path]:
        """SQLite's files; none for a database server."""
        name = self.engine.url.database
        if self.engine.dialect.name != "sqlite" or not name:
            return []
        return [path for suffix in ("", "-wal", "-journal") if (path := Path(name + suffix)).exists()]

    def close(self) -> None:
        """Closes all connections."""
        self.engine.dispose()


def _pause(attempt: int) -> None:
    bound = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
    time.sleep(_random.uniform(0.0, bound))


def _lost_race(error: SQLAlchemyError) -> bool:
    """A unique key taken in the meantime counts too: on the next run the function sees the row and decides."""
    if isinstance(error, IntegrityError):
        return True
    if isinstance(error, OperationalError) and "locked" in str(error.orig):
        return True
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in SERIALIZATION_FAILURES


def _prepare_sqlite(engine: Engine) -> None:
    """WAL and full durability; transactions that take the write lock at their beginning, so that none fails late."""

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            f"busy_timeout={BUSY_TIMEOUT_MS}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
