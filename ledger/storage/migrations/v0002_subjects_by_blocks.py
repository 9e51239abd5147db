"""Version 2: subject tokens are indexed by blocks of 4096 entries (TIME_BLOCK_BITS), as times are.

Tokens are random. In one index over all of them every entry of a large log touches a page of its own, which is read,
logged and copied for it alone; by blocks, all that is being written is on the few pages of the newest block. A search
asks block after block, about a microsecond each.
"""

from __future__ import annotations

STATEMENTS = (
    "DROP INDEX searchable_subject",
    "CREATE INDEX searchable_subject ON searchable (seq >> 12, subject) WHERE subject IS NOT NULL",
)
"""In order."""
