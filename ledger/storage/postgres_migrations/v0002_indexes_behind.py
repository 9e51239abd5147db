"""Version 2: keys stand beside their leaves, and what is looked up follows the log (ledger.storage.postgres_index).

`idempotency`, `searchable` and `category` are indexes of the first `indexed.size` entries and nothing more: they can be
emptied, with that size, and are then made anew. So nothing guards them against changes any more.
"""

from __future__ import annotations

STATEMENTS = (
    "GRANT UPDATE ON entry TO CURRENT_USER",
    "ALTER TABLE entry DISABLE TRIGGER entry_no_update",
    """ALTER TABLE entry ADD COLUMN key text COLLATE "C",
        ADD COLUMN binding bytea CONSTRAINT entry_binding_size CHECK (length(binding) = 32),
        ADD CONSTRAINT entry_key_bound CHECK ((key IS NULL) = (binding IS NULL))""",
    "UPDATE entry SET key = idempotency.key, binding = idempotency.binding"
    " FROM idempotency WHERE idempotency.seq = entry.seq",
    "ALTER TABLE entry ENABLE TRIGGER entry_no_update",
    "REVOKE UPDATE ON entry FROM CURRENT_USER",
    *(f"DROP TRIGGER idempotency_no_{action} ON idempotency" for action in ("update", "delete", "truncate")),
    "ALTER TABLE idempotency DROP COLUMN binding",
    """CREATE TABLE indexed (
        id integer NOT NULL CONSTRAINT indexed_pk PRIMARY KEY CONSTRAINT indexed_single CHECK (id = 1),
        size bigint NOT NULL
    )""",
    "INSERT INTO indexed SELECT 1, size FROM head",
    "GRANT TRUNCATE ON idempotency, searchable, category TO CURRENT_USER",
    "REVOKE DELETE, TRUNCATE ON indexed FROM CURRENT_USER",
)
"""In order."""
