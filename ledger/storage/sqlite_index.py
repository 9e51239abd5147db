"""The index of a SQLite log: a second file beside it, which follows the log and can be deleted while nobody writes.

It holds where each idempotency key is and what can be searched, of the log's first `indexed.size` entries.

`indexed.last` is the leaf hash of the last entry that is indexed. Since each leaf names the hash of the one before it,
it stands for all of them: an index beside a log that was restored from an older copy, or is another one, is seen to
belong to something else and made anew.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

from ledger.entry import ZERO_HASH
from ledger.errors import StorageFailed
from ledger.storage.sqlite_connection import read_only_uri

SUFFIX = ".index"
"""Appended to the name of the log's file."""
APPLICATION_ID = 0x43474C49
"""`CGLI`: marks the file as the index of a Consentgate ledger."""
VERSION = 2
"""An index of another version is not migrated but made anew."""
KEY_BLOCK_BITS = 16
"""Keys are random. In one order for all of them, each entry of a large log would have a page of its own read, logged
and copied; so they are put in order by blocks of 65,536 entries, and what is being written is on a thousand pages.
"""
KEYS_PER_QUERY = 500
"""Bound parameters in one IN list: below SQLite's smallest default limit (999)."""

_SEARCHED = ("institution", "purpose", "verdict", "reason")
_TABLES = (
    """CREATE TABLE indexed (
        id INTEGER PRIMARY KEY CONSTRAINT indexed_single CHECK (id = 1),
        size INTEGER NOT NULL,
        last TEXT NOT NULL
    ) STRICT""",
    f"""CREATE TABLE idempotency (
        block INTEGER NOT NULL CONSTRAINT idempotency_block CHECK (block = seq >> {KEY_BLOCK_BITS}),
        key TEXT NOT NULL,
        seq INTEGER NOT NULL,
        CONSTRAINT idempotency_pk PRIMARY KEY (block, key)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE searchable (
        seq INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,
        ts TEXT NOT NULL,
        subject TEXT,
        institution TEXT,
        purpose TEXT,
        verdict TEXT,
        reason TEXT
    ) STRICT""",
    """CREATE TABLE category (
        category TEXT NOT NULL,
        seq INTEGER NOT NULL,
        CONSTRAINT category_pk PRIMARY KEY (category, seq)
    ) STRICT, WITHOUT ROWID""",
)
_INDEXES = (
    "CREATE INDEX searchable_kind ON searchable (kind, seq)",
    "CREATE INDEX searchable_block ON searchable (seq >> 12, ts)",
    # Tokens are random: by blocks of 4096 entries (TIME_BLOCK_BITS), all that is being written is on a few pages.
    "CREATE INDEX searchable_subject ON searchable (seq >> 12, subject) WHERE subject IS NOT NULL",
    *(
        f"CREATE INDEX searchable_{column} ON searchable ({column}, seq) WHERE {column} IS NOT NULL"
        for column in _SEARCHED
    ),
)
_EMPTY = f"INSERT INTO indexed (id, size, last) VALUES (1, 0, '{ZERO_HASH}')"  # noqa: S608 - a constant
SCHEMA = (*_TABLES, *_INDEXES, _EMPTY)
_FIND = """WITH RECURSIVE every (block) AS (SELECT 0 UNION ALL SELECT block + 1 FROM every WHERE block < ?)
    SELECT key, min(seq) FROM every CROSS JOIN idempotency USING (block) WHERE key IN ({}) GROUP BY key"""
"""The first entry that bears a key has it."""


def index_of(log: Path) -> Path:
    """The file beside the log's."""
    return Path(f"{log}{SUFFIX}")


def attach(connection: sqlite3.Connection, log: Path, *, offline: bool) -> None:
    """Makes the tables of the index visible to a connection with the log, beside the log's; where there is no index, or
    none of this log, empty ones.
    """
    path = index_of(log)
    if path.is_file():
        connection.execute("ATTACH ? AS found", (read_only_uri(path, offline=offline),))
        if is_of_log(connection, index="found", log="main"):
            return
        connection.execute("DETACH found")
    for statement in (*_TABLES, _EMPTY):
        connection.execute(statement.replace("CREATE TABLE", "CREATE TEMP TABLE"))


def has_index(connection: sqlite3.Connection) -> bool:
    """Whether `attach` found one."""
    return any(name == "found" for _, name, _ in connection.execute("PRAGMA database_list"))


def is_of_log(connection: sqlite3.Connection, *, index: str, log: str) -> bool:
    """Whether of two attached databases the one is an index of this version, and of entries of the other."""
    run = connection.execute
    if not is_made(connection, index):
        return False  # what a power cut leaves of one that was just being made
    if run(f"PRAGMA {index}.user_version").fetchone()[0] != VERSION:
        return False
    indexed = run(f"SELECT size, last FROM {index}.indexed").fetchone()  # noqa: S608 - constants
    if indexed is None:
        return False
    size, last = indexed
    row = run(f"SELECT lower(hex(leaf_hash)) FROM {log}.entry WHERE seq = ?", (size - 1,)).fetchone()  # noqa: S608
    return bool(last == (ZERO_HASH if size == 0 else row and row[0]))


def indexed_size(connection: sqlite3.Connection) -> int:
    """How many entries are in the index that this connection sees."""
    return int(connection.execute("SELECT size FROM indexed").fetchone()[0])


def indexed_keys(connection: sqlite3.Connection, keys: Sequence[str]) -> Mapping[str, int]:
    """The seq of each key that is indexed. Every block is asked for every key: a few µs for a key in a million."""
    last_block = indexed_size(connection) >> KEY_BLOCK_BITS
    found: dict[str, int] = {}
    for start in range(0, len(keys), KEYS_PER_QUERY):
        some = keys[start : start + KEYS_PER_QUERY]
        marks = ",".join("?" * len(some))
        found.update(connection.execute(_FIND.format(marks), (last_block, *some)))
    return found


def is_made(connection: sqlite3.Connection, index: str) -> bool:
    """Whether there is anything in the file; raises StorageFailed when that is no index."""
    run = connection.execute
    if run(f"SELECT count(*) FROM {index}.sqlite_schema").fetchone()[0] == 0:  # noqa: S608 - a constant
        return False
    if run(f"PRAGMA {index}.application_id").fetchone()[0] != APPLICATION_ID:
        raise StorageFailed("the file where the ledger's index belongs is something else")
    return True
