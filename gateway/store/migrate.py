"""The schemas of store and key database: their migrations, and what the gateway and its commands do with them."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.migrations import Migrations
from gateway.store.models import KeyDatabaseRow
from gateway.store.sealed_database import SealedDatabase
from gateway.store.sealed_rows import SUBJECT_KEYS
from gateway.store.subject_keys import ENTRY

MIGRATIONS = Migrations(Path(__file__).parent / "migrations", "database")
KEY_MIGRATIONS = Migrations(Path(__file__).parent / "key_migrations", ENTRY)
SEALED_SINCE = "0003"
"""From this revision on nothing stands in clear: what older ones left in SQLite's free pages is written over."""

revisions = MIGRATIONS.revisions

_OLD = "The database is of an older program: run `gateway migrate` first."
_ANOTHER = (
    "This key database belongs to another gateway's database: name the right one, or restore it. If it is lost for"
    " good, `gateway discard-unreadable` goes on with a new one, without whatever was sealed."
)


def upgrade(database: SealedDatabase) -> None:
    """Brings both to the newest schema, seals what an older program stored in clear, and makes sure that they belong
    together. Harmless to repeat.

    Raises STORE_UNAVAILABLE, CONFIG_INVALID for a newer schema, another key, or another gateway's key database.
    """
    before, _ = revisions(database.engine)
    key_database = _upgraded_keys(database)
    MIGRATIONS.upgrade(database.engine, {SUBJECT_KEYS: database.keys})
    database.transact(lambda session: _bind(session, key_database))
    if before is not None and before < SEALED_SINCE:
        database.scrub()


def prepare_keys(database: SealedDatabase) -> str:
    """The id of the key database, made when there is none; raises CONFIG_INVALID when the store is of an older schema,
    whose rows nothing has sealed yet.
    """
    before, newest = revisions(database.engine)
    if before != newest:
        raise ConsentgateError(ErrorCode.CONFIG_INVALID, field="database", hint=_OLD)
    return _upgraded_keys(database)


def _upgraded_keys(database: SealedDatabase) -> str:
    KEY_MIGRATIONS.upgrade(database.keys.database.engine)
    return database.keys.initialise()


def rebind(session: Session, key_database: str) -> None:
    """From now on this key database is the store's: whatever another one opened is lost."""
    session.execute(delete(KeyDatabaseRow))
    session.add(KeyDatabaseRow(id=key_database))
    session.flush()


def check(database: SealedDatabase) -> None:
    """Raises CONFIG_INVALID unless both are as `upgrade` would leave them: for commands that change no schema."""
    before, newest = revisions(database.engine)
    if before != newest:
        raise ConsentgateError(ErrorCode.CONFIG_INVALID, field="database", hint=_OLD)
    key_database = database.keys.check()
    database.transact(lambda session: _compare(session, key_database))


def _bind(session: Session, key_database: str) -> None:
    if session.execute(select(KeyDatabaseRow)).scalar_one_or_none() is None:
        session.add(KeyDatabaseRow(id=key_database))
        session.flush()
    _compare(session, key_database)


def _compare(session: Session, key_database: str) -> None:
    if session.get(KeyDatabaseRow, key_database) is None:
        raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=ENTRY, hint=_ANOTHER)
