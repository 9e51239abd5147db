"""What a PostgreSQL server says of the ledger's schema, as text that can be compared; and what it must say.

The catalogue's own descriptions (`pg_get_indexdef` and its like) are the same from PostgreSQL 12 on. `EXPECTED` is what
the migrations make: tests/contract/test_fsck.py compares it with a fresh database, and its failure prints the new one.
Roles and privileges are left out: they differ from house to house.
"""

from __future__ import annotations

from ledger.storage.postgres_connection import SCHEMA, Session

_COLUMNS = """string_agg(attname || ' ' || format_type(atttypid, atttypmod)
        || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END
        || coalesce(' ' || (SELECT collname FROM pg_collation WHERE oid = attcollation), ''), ', ' ORDER BY attnum)"""
_RELATIONS = f"""SELECT c.relname, CASE
        WHEN c.relkind = 'i' THEN pg_get_indexdef(c.oid) || CASE WHEN i.indisvalid THEN '' ELSE ' INVALID' END
        ELSE c.relkind::text || c.relpersistence::text || CASE WHEN c.relrowsecurity THEN ' ROW SECURITY' ELSE '' END
            || ' ' || coalesce((SELECT {_COLUMNS} FROM pg_attribute
                WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped), '') END
    FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
    WHERE c.relnamespace = %(schema)s::text::regnamespace AND c.relkind <> 'c'"""  # noqa: S608 - constants
_CONSTRAINTS = (
    "SELECT conname, contype::text || ' ' || pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE connamespace = %(schema)s::text::regnamespace AND contype IN ('c', 'f', 'x')"
)
_TRIGGERS = (
    "SELECT tgname, tgenabled::text || ' ' || pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"
    " AND tgrelid IN (SELECT oid FROM pg_class WHERE relnamespace = %(schema)s::text::regnamespace)"
)
_FUNCTIONS = "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = %(schema)s::text::regnamespace"
_RULES = "SELECT rulename, definition FROM pg_rules WHERE schemaname = %(schema)s::text"

DESCRIPTION = " UNION ALL ".join((_RELATIONS, _CONSTRAINTS, _TRIGGERS, _FUNCTIONS, _RULES))
"""Name and definition of everything that is in the schema."""


def described(session: Session) -> list[tuple[str, str]]:
    """The schema as the server describes it, in order of name and definition."""
    rows = session.execute(DESCRIPTION, {"schema": SCHEMA})
    return sorted((str(name), str(definition)) for name, definition in rows)


EXPECTED: tuple[tuple[str, str], ...] = (
    ("category", "rp category text NOT NULL C, seq bigint NOT NULL"),
    ("category_pk", "CREATE UNIQUE INDEX category_pk ON ledger.category USING btree (category, seq)"),
    ("checkpoint", "rp id integer NOT NULL, size bigint NOT NULL, note bytea NOT NULL"),
    ("checkpoint_pk", "CREATE UNIQUE INDEX checkpoint_pk ON ledger.checkpoint USING btree (id)"),
    ("checkpoint_single", "c CHECK ((id = 1))"),
    ("entry", "rp seq bigint NOT NULL, leaf bytea NOT NULL, leaf_hash bytea NOT NULL, key text C, binding bytea"),
    ("entry_binding_size", "c CHECK ((length(binding) = 32))"),
    ("entry_hash_size", "c CHECK ((length(leaf_hash) = 32))"),
    ("entry_key_bound", "c CHECK (((key IS NULL) = (binding IS NULL)))"),
    ("entry_leaf_size", "c CHECK (((length(leaf) >= 1) AND (length(leaf) <= 16384)))"),
    (
        "entry_no_delete",
        (
            "O CREATE TRIGGER entry_no_delete BEFORE DELETE ON ledger.entry FOR EACH STATEMENT EXECUTE "
            "FUNCTION refuse_change()"
        ),
    ),
    (
        "entry_no_truncate",
        (
            "O CREATE TRIGGER entry_no_truncate BEFORE TRUNCATE ON ledger.entry FOR EACH STATEMENT EXECUTE "
            "FUNCTION refuse_change()"
        ),
    ),
    (
        "entry_no_update",
        (
            "O CREATE TRIGGER entry_no_update BEFORE UPDATE ON ledger.entry FOR EACH STATEMENT EXECUTE "
            "FUNCTION refuse_change()"
        ),
    ),
    ("entry_pk", "CREATE UNIQUE INDEX entry_pk ON ledger.entry USING btree (seq)"),
    ("entry_seq_range", "c CHECK ((seq >= 0))"),
    ("head", "rp id integer NOT NULL, size bigint NOT NULL, last text NOT NULL C"),
    ("head_last_size", "c CHECK ((length(last) = 64))"),
    (
        "head_no_delete",
        (
            "O CREATE TRIGGER head_no_delete BEFORE DELETE ON ledger.head FOR EACH STATEMENT EXECUTE "
            "FUNCTION refuse_change()"
        ),
    ),
    (
        "head_no_truncate",
        (
            "O CREATE TRIGGER head_no_truncate BEFORE TRUNCATE ON ledger.head FOR EACH STATEMENT EXECUTE "
            "FUNCTION refuse_change()"
        ),
    ),
    (
        "head_only_grows",
        (
            "O CREATE TRIGGER head_only_grows BEFORE UPDATE ON ledger.head FOR EACH ROW WHEN ((new.size <= "
            "old.size)) EXECUTE FUNCTION refuse_change()"
        ),
    ),
    ("head_pk", "CREATE UNIQUE INDEX head_pk ON ledger.head USING btree (id)"),
    ("head_single", "c CHECK ((id = 1))"),
    ("idempotency", "rp key text NOT NULL C, seq bigint NOT NULL"),
    ("idempotency_pk", "CREATE UNIQUE INDEX idempotency_pk ON ledger.idempotency USING btree (key)"),
    ("indexed", "rp id integer NOT NULL, size bigint NOT NULL"),
    ("indexed_pk", "CREATE UNIQUE INDEX indexed_pk ON ledger.indexed USING btree (id)"),
    ("indexed_single", "c CHECK ((id = 1))"),
    ("node", "rp level integer NOT NULL, position bigint NOT NULL, hash bytea NOT NULL"),
    ("node_hash_size", "c CHECK ((length(hash) = 32))"),
    ("node_level_range", "c CHECK ((level > 0))"),
    (
        "node_no_delete",
        (
            "O CREATE TRIGGER node_no_delete BEFORE DELETE ON ledger.node FOR EACH STATEMENT EXECUTE "
            "FUNCTION refuse_change()"
        ),
    ),
    (
        "node_no_truncate",
        (
            "O CREATE TRIGGER node_no_truncate BEFORE TRUNCATE ON ledger.node FOR EACH STATEMENT EXECUTE "
            "FUNCTION refuse_change()"
        ),
    ),
    (
        "node_no_update",
        (
            "O CREATE TRIGGER node_no_update BEFORE UPDATE ON ledger.node FOR EACH STATEMENT EXECUTE "
            "FUNCTION refuse_change()"
        ),
    ),
    ("node_pk", 'CREATE UNIQUE INDEX node_pk ON ledger.node USING btree (level, "position")'),
    ("node_position_range", 'c CHECK (("position" >= 0))'),
    ("refuse_change", "BEGIN RAISE EXCEPTION 'the log is append-only'; END"),
    ("schema_version", "rp version integer NOT NULL"),
    (
        "searchable",
        (
            "rp seq bigint NOT NULL, kind text NOT NULL C, ts text NOT NULL C, subject text C, institution "
            "text C, purpose text C, verdict text C, reason text C"
        ),
    ),
    ("searchable_block", "CREATE INDEX searchable_block ON ledger.searchable USING btree (((seq >> 12)), ts)"),
    (
        "searchable_institution",
        (
            "CREATE INDEX searchable_institution ON ledger.searchable USING btree (institution, seq) WHERE "
            "(institution IS NOT NULL)"
        ),
    ),
    ("searchable_kind", "CREATE INDEX searchable_kind ON ledger.searchable USING btree (kind, seq)"),
    ("searchable_pk", "CREATE UNIQUE INDEX searchable_pk ON ledger.searchable USING btree (seq)"),
    (
        "searchable_purpose",
        ("CREATE INDEX searchable_purpose ON ledger.searchable USING btree (purpose, seq) WHERE (purpose IS NOT NULL)"),
    ),
    (
        "searchable_reason",
        ("CREATE INDEX searchable_reason ON ledger.searchable USING btree (reason, seq) WHERE (reason IS NOT NULL)"),
    ),
    (
        "searchable_subject",
        ("CREATE INDEX searchable_subject ON ledger.searchable USING btree (subject, seq) WHERE (subject IS NOT NULL)"),
    ),
    (
        "searchable_verdict",
        ("CREATE INDEX searchable_verdict ON ledger.searchable USING btree (verdict, seq) WHERE (verdict IS NOT NULL)"),
    ),
)
