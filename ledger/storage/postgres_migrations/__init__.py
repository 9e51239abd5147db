"""Schema versions of the PostgreSQL storage, in order; a database's version stands in `schema_version`.

The mechanism is that of the SQLite storage, and for its reasons: a list of statements that is only ever appended to,
run in one transaction (PostgreSQL's DDL is transactional) by the one sequencer under its lock. Not alembic: that works
on SQLAlchemy's metadata and engine, which nothing else of this storage uses, and what counts here (triggers,
privileges, COLLATE) would be literal SQL in its scripts too. The gateway's store, which has an ORM, uses alembic.
"""

from __future__ import annotations

from ledger.storage.postgres_migrations import v0001_initial, v0002_indexes_behind

VERSIONS: tuple[tuple[str, ...], ...] = (v0001_initial.STATEMENTS, v0002_indexes_behind.STATEMENTS)
