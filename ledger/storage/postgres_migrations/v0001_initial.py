"""Version 1: the tables of the SQLite storage (ledger.storage.migrations), in PostgreSQL's types.

Two guards against accidents: triggers, which stop even a superuser who does not disable them, and privileges, which the
owner of the tables takes from itself. Texts compare by bytes (COLLATE "C"): times then order as they are written, in
every locale.
"""

from __future__ import annotations

_FROZEN_TABLES = ("entry", "node", "idempotency")
_SEARCHED = ("subject", "institution", "purpose", "verdict", "reason")

_TABLES = (
    """CREATE TABLE entry (
        seq bigint NOT NULL CONSTRAINT entry_pk PRIMARY KEY CONSTRAINT entry_seq_range CHECK (seq >= 0),
        leaf bytea NOT NULL CONSTRAINT entry_leaf_size CHECK (length(leaf) BETWEEN 1 AND 16384),
        leaf_hash bytea NOT NULL CONSTRAINT entry_hash_size CHECK (length(leaf_hash) = 32)
    )""",
    """CREATE TABLE node (
        level integer NOT NULL CONSTRAINT node_level_range CHECK (level > 0),
        position bigint NOT NULL CONSTRAINT node_position_range CHECK (position >= 0),
        hash bytea NOT NULL CONSTRAINT node_hash_size CHECK (length(hash) = 32),
        CONSTRAINT node_pk PRIMARY KEY (level, position)
    )""",
    """CREATE TABLE idempotency (
        key text COLLATE "C" NOT NULL CONSTRAINT idempotency_pk PRIMARY KEY,
        seq bigint NOT NULL,
        binding bytea NOT NULL CONSTRAINT idempotency_binding_size CHECK (length(binding) = 32)
    )""",
    """CREATE TABLE head (
        id integer NOT NULL CONSTRAINT head_pk PRIMARY KEY CONSTRAINT head_single CHECK (id = 1),
        size bigint NOT NULL,
        last text COLLATE "C" NOT NULL CONSTRAINT head_last_size CHECK (length(last) = 64)
    )""",
    """CREATE TABLE checkpoint (
        id integer NOT NULL CONSTRAINT checkpoint_pk PRIMARY KEY CONSTRAINT checkpoint_single CHECK (id = 1),
        size bigint NOT NULL,
        note bytea NOT NULL
    )""",
    """CREATE TABLE searchable (
        seq bigint NOT NULL CONSTRAINT searchable_pk PRIMARY KEY,
        kind text COLLATE "C" NOT NULL,
        ts text COLLATE "C" NOT NULL,
        subject text COLLATE "C",
        institution text COLLATE "C",
        purpose text COLLATE "C",
        verdict text COLLATE "C",
        reason text COLLATE "C"
    )""",
    """CREATE TABLE category (
        category text COLLATE "C" NOT NULL,
        seq bigint NOT NULL,
        CONSTRAINT category_pk PRIMARY KEY (category, seq)
    )""",
    "CREATE INDEX searchable_kind ON searchable (kind, seq)",
    "CREATE INDEX searchable_block ON searchable ((seq >> 12), ts)",
)
_INDEXES = tuple(
    f"CREATE INDEX searchable_{column} ON searchable ({column}, seq) WHERE {column} IS NOT NULL" for column in _SEARCHED
)
_GUARD = """CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
    $$BEGIN RAISE EXCEPTION 'the log is append-only'; END$$"""
_TRIGGERS = tuple(
    f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} FOR EACH STATEMENT"
    " EXECUTE FUNCTION refuse_change()"
    for table in _FROZEN_TABLES
    for action in ("UPDATE", "DELETE", "TRUNCATE")
)
_HEAD_TRIGGERS = (
    *(
        f"CREATE TRIGGER head_no_{action.lower()} BEFORE {action} ON head FOR EACH STATEMENT"
        " EXECUTE FUNCTION refuse_change()"
        for action in ("DELETE", "TRUNCATE")
    ),
    "CREATE TRIGGER head_only_grows BEFORE UPDATE ON head FOR EACH ROW WHEN (NEW.size <= OLD.size)"
    " EXECUTE FUNCTION refuse_change()",
)
_PRIVILEGES = (
    "REVOKE UPDATE, DELETE, TRUNCATE ON entry, node, idempotency, searchable, category FROM CURRENT_USER",
    "REVOKE DELETE, TRUNCATE ON head, checkpoint FROM CURRENT_USER",
)
_FIRST_HEAD = (f"INSERT INTO head (id, size, last) VALUES (1, 0, '{'0' * 64}')",)  # noqa: S608 - a constant

STATEMENTS = _TABLES + _INDEXES + (_GUARD,) + _TRIGGERS + _HEAD_TRIGGERS + _FIRST_HEAD + _PRIVILEGES
