"""Sessions with a PostgreSQL server the way the ledger needs them (psycopg 3; extra `postgresql`).

Everything durable and safe is said by the session itself and not left to the server's configuration: synchronous
commits, bounds on waiting, the schema. What a session cannot switch on is looked at: a server that runs with
`fsync = off` loses acknowledged entries in a power cut, so the ledger does not write to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.rows import TupleRow

from ledger.errors import NotFound, StorageFailed
from ledger.storage import postgres_arrays
from ledger.storage.postgres_address import parse_address
from ledger.storage.postgres_migrations import VERSIONS

SCHEMA = "ledger"
"""All tables are in this schema; a database holds one log."""
SEQUENCER_LOCK = 0x43474C47
"""Key of the advisory lock that the one sequencer holds as long as its session lives: `CGLG`."""
FENCED = "read\\ committed"
"""The writer's isolation, also where the server's default is another: under a stricter level a lost race would be an
error like any other. (The backslash is libpq's, for options.)
"""
LOCK_SECONDS = 3
"""How long a sequencer waits for the lock: a session that was just cut off needs a moment to end."""
ENCODING = "UTF8"
CONNECT_SECONDS = 5
READ_SECONDS = 30
"""Longest statement of a reader."""
SILENCE_SECONDS = 15
"""A TCP peer that does not acknowledge what was sent for this long is gone, and one that does not answer keepalives
while nothing is sent.
"""

_ALWAYS = {
    "search_path": SCHEMA,
    "synchronous_commit": "on",
    "client_encoding": ENCODING,
    # Every question has an index. Statements are planned once, possibly while the tables are empty: a server that then
    # chose to read whole tables would go on doing so while they grow, a little more slowly with every entry.
    "enable_seqscan": "off",
}

Session = psycopg.Connection[TupleRow]


def connect_writer(address: str) -> Session:
    """The one writing session, holding the sequencer's lock, in a database migrated to the newest version."""
    with storage_errors():
        session = _connect(address, {"lock_timeout": f"{LOCK_SECONDS}s", "default_transaction_isolation": FENCED})
        try:
            _require_durable(session)
            _lock(session)
            _migrate(session)
        except BaseException:
            session.close()
            raise
        return session


def connect_indexer(address: str) -> Session:
    """A session that extends the index. Its commits wait for the disk, as nobody waits for them: a key that is known to
    be indexed leaves the ledger's memory, and must not be lost with a server that ends and comes back.
    """
    with storage_errors():
        return _connect(address, {})


def connect_reader(address: str) -> Session:
    """A session that cannot write."""
    with storage_errors():
        session = _connect(address, {"default_transaction_read_only": "on", "statement_timeout": f"{READ_SECONDS}s"})
        try:
            version = _stored_version(session)
            if version is None:
                raise NotFound("the database holds no ledger")
            _check_version(version)
        except BaseException:
            session.close()
            raise
        return session


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turns errors of PostgreSQL into StorageFailed. Their texts can quote values, so only their names are told."""
    try:
        yield
    except psycopg.Error as error:
        raise StorageFailed(f"postgresql says: {type(error).__name__}") from error
    except OSError as error:  # of psycopg's own waiting for the server
        raise StorageFailed(f"the connection with postgresql fails: {error.strerror}") from error


def _connect(address: str, settings: dict[str, str]) -> Session:
    told = {**_ALWAYS, **settings}
    try:
        parameters = parse_address(address)
    except ValueError as error:
        raise StorageFailed(str(error)) from error
    session = psycopg.connect(
        autocommit=True,
        connect_timeout=CONNECT_SECONDS,
        tcp_user_timeout=SILENCE_SECONDS * 1000,
        keepalives_idle=SILENCE_SECONDS // 3,
        keepalives_interval=SILENCE_SECONDS // 3,
        keepalives_count=2,
        options=" ".join(f"-c {name}={value}" for name, value in told.items()),
        **parameters,  # type: ignore[arg-type]  # names of libpq's parameters, all of them texts
    )
    postgres_arrays.register(session)
    if (encoding := session.info.parameter_status("server_encoding")) != ENCODING:
        session.close()
        raise StorageFailed(
            f"the database's encoding is {encoding}, not {ENCODING}: one odd key would fail its whole batch"
        )
    return session


def _require_durable(session: Session) -> None:
    for setting in ("fsync", "full_page_writes"):
        row = session.execute("SELECT current_setting(%s)", [setting]).fetchone()
        if row != ("on",):
            raise StorageFailed(f"the server runs with {setting} off: it loses entries in a power cut")


def _lock(session: Session) -> None:
    try:
        session.execute("SELECT pg_advisory_lock(%s)", [SEQUENCER_LOCK])
    except psycopg.errors.LockNotAvailable as error:
        raise StorageFailed("another process has the database open for writing") from error


def _migrate(session: Session) -> None:
    with session.transaction():
        version = _stored_version(session) or 0
        if version == 0:
            _refuse_strangers(session)
        if version < len(VERSIONS):
            for statement in (statement for statements in VERSIONS[version:] for statement in statements):
                session.execute(statement)
            session.execute("UPDATE schema_version SET version = %s", [len(VERSIONS)])
        _check_version(max(version, len(VERSIONS)))


def _refuse_strangers(session: Session) -> None:
    """Somebody else's schema of that name is neither migrated nor touched. One that is empty was prepared for us."""
    found = session.execute("SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace(%s)", [SCHEMA])
    if found.fetchone() != (0,):
        raise StorageFailed("not a ledger database")
    if session.execute("SELECT to_regnamespace(%s) IS NULL", [SCHEMA]).fetchone() == (True,):
        session.execute(f"CREATE SCHEMA {SCHEMA}")
    session.execute("CREATE TABLE schema_version (version integer NOT NULL)")
    session.execute("INSERT INTO schema_version VALUES (0)")


def _stored_version(session: Session) -> int | None:
    if session.execute("SELECT to_regclass(%s) IS NULL", [f"{SCHEMA}.schema_version"]).fetchone() == (True,):
        return None
    row = session.execute("SELECT version FROM schema_version").fetchone()
    return None if row is None else int(row[0])


def _check_version(version: int) -> None:
    if version != len(VERSIONS):
        raise StorageFailed(f"not a ledger database of schema version {len(VERSIONS)}")
