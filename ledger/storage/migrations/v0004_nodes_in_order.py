"""Version 4: nodes are in the order in which they become complete, so that what a batch adds stands together.

In order of level and position a batch added to a page of every level: 18 of the 40 pages that 64 entries wrote.
"""

from __future__ import annotations

_NODE = """CREATE TABLE node (
    place INTEGER PRIMARY KEY CONSTRAINT node_place CHECK (place = (((position + 1) << level) << 6) + level),
    level INTEGER NOT NULL CONSTRAINT node_level_range CHECK (level > 0),
    position INTEGER NOT NULL CONSTRAINT node_position_range CHECK (position >= 0),
    hash BLOB NOT NULL CONSTRAINT node_hash_size CHECK (length(hash) = 32)
) STRICT"""

STATEMENTS = (
    "DROP TRIGGER node_no_update",
    "DROP TRIGGER node_no_delete",
    "ALTER TABLE node RENAME TO node_of_version_3",
    _NODE,
    "INSERT INTO node SELECT (((position + 1) << level) << 6) + level AS place, level, position, hash"
    " FROM node_of_version_3 ORDER BY place",
    "DROP TABLE node_of_version_3",
    *(
        f"CREATE TRIGGER node_no_{action.lower()} BEFORE {action} ON node"
        " BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END"
        for action in ("UPDATE", "DELETE")
    ),
)
"""In order."""
