"""The index of a PostgreSQL log: three tables beside the log's, which follow it.

The server derives them from the log's rows by itself, a round in one statement, in a session of its own. Its commits
wait for the disk, and no append waits for them. It is never ahead of the log: an entry can be read only once its commit
is on disk.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ledger.errors import StorageFailed
from ledger.storage.postgres_connection import Session, connect_indexer, storage_errors

EXTEND = """WITH span AS (
    UPDATE indexed SET size = %(end)s WHERE id = 1 AND size = %(start)s RETURNING 1
), fresh AS MATERIALIZED (
    SELECT seq, key, convert_from(leaf, 'UTF8')::jsonb AS leaf
        FROM span, entry WHERE seq >= %(start)s AND seq < %(end)s
), found AS (
    INSERT INTO searchable SELECT seq, leaf ->> 'kind', leaf ->> 'ts', leaf #>> '{body,subject}',
        leaf #>> '{body,institution}', leaf #>> '{body,purpose}', leaf #>> '{body,verdict}', leaf #>> '{body,reason}'
        FROM fresh ORDER BY seq
), categories AS (
    INSERT INTO category SELECT DISTINCT jsonb_array_elements_text(leaf #> '{body,categories}'), seq
        FROM fresh WHERE leaf #> '{body,categories}' IS NOT NULL ORDER BY 1, 2
), keys AS (
    INSERT INTO idempotency SELECT key, seq FROM fresh WHERE key IS NOT NULL ORDER BY key, seq
        ON CONFLICT DO NOTHING
) SELECT count(*) FROM span"""
"""Whoever indexes the same entries at the same time finds another size, and inserts nothing."""
FETCH_ROWS = 10_000
"""Keys that the server sends at once."""
SIZES = "SELECT (SELECT size FROM indexed WHERE id = 1), (SELECT size FROM head WHERE id = 1)"


class PostgresIndex:
    """Implements Index (ledger.storage.indexing)."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._session: Session | None = None

    def size(self) -> int:
        """As Index."""
        return self._sizes()[0]

    def extend(self, limit: int) -> int:
        """As Index."""
        start, stored = self._sizes()
        end = min(start + limit, stored)
        if end <= start:
            return start
        try:
            with storage_errors():
                self._connected().execute(EXTEND, {"start": start, "end": end})
        except BaseException:
            self.close()
            raise
        return self.size()

    def all_keys(self) -> Iterator[str]:
        """As Index."""
        session = self._connected()
        with storage_errors(), session.transaction(), session.cursor("keys") as cursor:
            cursor.itersize = FETCH_ROWS
            for (key,) in cursor.execute("SELECT key FROM idempotency"):
                yield key

    def close(self) -> None:
        """As Index; also after a failure, since the session's state is not trusted any more."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _sizes(self) -> tuple[int, int]:
        if self._session is not None:
            with contextlib.suppress(StorageFailed):  # it may have ended while nobody used it
                return self._ask_sizes()
        return self._ask_sizes()

    def _ask_sizes(self) -> tuple[int, int]:
        try:
            with storage_errors():
                row = self._connected().execute(SIZES).fetchone()
        except BaseException:
            self.close()
            raise
        if row is None or None in row:
            raise StorageFailed("the database does not say how much of the log is indexed")
        return int(row[0]), int(row[1])

    def _connected(self) -> Session:
        if self._session is None:
            self._session = connect_indexer(self._address)
        return self._session
