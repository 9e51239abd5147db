"""Version 1: leaves, nodes, idempotency keys, head, newest checkpoint, and what can be searched.

The triggers guard against accidents, not against whoever owns the file. Columns of `searchable` are nullable
because most kinds lack most fields; the indexes are partial so that such entries cost nothing. All of them end in seq,
in whose order searches answer. Times are looked up by blocks of 4096 entries (TIME_BLOCK_BITS): which blocks can hold a
moment is a range of seq, whatever the clock did, and that range narrows every other index.
"""

from __future__ import annotations

_FROZEN_TABLES = ("entry", "node", "idempotency")
_SEARCHED = ("subject", "institution", "purpose", "verdict", "reason")

_TABLES = (
    """CREATE TABLE entry (
        seq INTEGER PRIMARY KEY CONSTRAINT entry_seq_range CHECK (seq >= 0),
        leaf BLOB NOT NULL CONSTRAINT entry_leaf_size CHECK (length(leaf) BETWEEN 1 AND 16384),
        leaf_hash BLOB NOT NULL CONSTRAINT entry_hash_size CHECK (length(leaf_hash) = 32)
    ) STRICT""",
    """CREATE TABLE node (
        level INTEGER NOT NULL CONSTRAINT node_level_range CHECK (level > 0),
        position INTEGER NOT NULL CONSTRAINT node_position_range CHECK (position >= 0),
        hash BLOB NOT NULL CONSTRAINT node_hash_size CHECK (length(hash) = 32),
        CONSTRAINT node_pk PRIMARY KEY (level, position)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE idempotency (
        key TEXT NOT NULL,
        seq INTEGER NOT NULL,
        binding BLOB NOT NULL CONSTRAINT idempotency_binding_size CHECK (length(binding) = 32),
        CONSTRAINT idempotency_pk PRIMARY KEY (key)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE head (
        id INTEGER PRIMARY KEY CONSTRAINT head_single CHECK (id = 1),
        size INTEGER NOT NULL,
        last TEXT NOT NULL CONSTRAINT head_last_size CHECK (length(last) = 64)
    ) STRICT""",
    """CREATE TABLE checkpoint (
        id INTEGER PRIMARY KEY CONSTRAINT checkpoint_single CHECK (id = 1),
        size INTEGER NOT NULL,
        note BLOB NOT NULL
    ) STRICT""",
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
    "CREATE INDEX searchable_kind ON searchable (kind, seq)",
    "CREATE INDEX searchable_block ON searchable (seq >> 12, ts)",
)
_INDEXES = tuple(
    f"CREATE INDEX searchable_{column} ON searchable ({column}, seq) WHERE {column} IS NOT NULL" for column in _SEARCHED
)
_TRIGGERS = tuple(
    f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table}"
    f" BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END"
    for table in _FROZEN_TABLES
    for action in ("UPDATE", "DELETE")
)
_HEAD_TRIGGERS = (
    "CREATE TRIGGER head_no_delete BEFORE DELETE ON head BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END",
    "CREATE TRIGGER head_only_grows BEFORE UPDATE ON head WHEN NEW.size <= OLD.size"
    " BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END",
)
_FIRST_HEAD = (f"INSERT INTO head (id, size, last) VALUES (1, 0, '{'0' * 64}')",)  # noqa: S608 - a constant

STATEMENTS = _TABLES + _INDEXES + _TRIGGERS + _HEAD_TRIGGERS + _FIRST_HEAD
