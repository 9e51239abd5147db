"""Version 3: what is looked up moves into a file of its own (ledger.storage.sqlite_index), which follows the log.

Here remains what is durable with each commit: every table grows at its end. A key stands beside its leaf, since nothing
else says which entry it belongs to.
"""

from __future__ import annotations

_ENTRY = """CREATE TABLE entry (
    seq INTEGER PRIMARY KEY CONSTRAINT entry_seq_range CHECK (seq >= 0),
    leaf BLOB NOT NULL CONSTRAINT entry_leaf_size CHECK (length(leaf) BETWEEN 1 AND 16384),
    leaf_hash BLOB NOT NULL CONSTRAINT entry_hash_size CHECK (length(leaf_hash) = 32),
    key TEXT,
    binding BLOB CONSTRAINT entry_binding_size CHECK (length(binding) = 32),
    CONSTRAINT entry_key_bound CHECK ((key IS NULL) = (binding IS NULL))
) STRICT"""

STATEMENTS = (
    "DROP TRIGGER entry_no_update",
    "DROP TRIGGER entry_no_delete",
    "ALTER TABLE entry RENAME TO entry_of_version_2",
    _ENTRY,
    "INSERT INTO entry SELECT old.seq, leaf, leaf_hash, key, binding"
    " FROM entry_of_version_2 AS old LEFT JOIN idempotency ON idempotency.seq = old.seq ORDER BY old.seq",
    "DROP TABLE entry_of_version_2",
    "DROP TABLE idempotency",
    "DROP TABLE searchable",
    "DROP TABLE category",
    *(
        f"CREATE TRIGGER entry_no_{action.lower()} BEFORE {action} ON entry"
        " BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END"
        for action in ("UPDATE", "DELETE")
    ),
)
"""In order."""
