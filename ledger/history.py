"""What a log says about one subject: how many leaves bear its token, and a digest that commits to which
(docs/ledger-format.md, section 14).

Whoever reads every leaf can compute it, so two readers of one log have the same; and whoever holds some leaves of a
subject can tell by it whether they are all of them. It is derived from the leaves and stands in none.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from ledger.entry import ZERO_HASH, Entry

DOMAIN = b"\x03"
"""Distinguishes this hash from those of leaves (0x00), nodes (0x01) and bindings (0x02)."""


@dataclass(frozen=True)
class SubjectHistory:
    """`entries` leaves; `digest` is hex, zeros when there are none."""

    entries: int = 0
    digest: str = ZERO_HASH

    def followed_by(self, leaf_hash: bytes) -> SubjectHistory:
        """With one more leaf; a leaf names its index, so the order needs no telling."""
        digest = hashlib.sha256(DOMAIN + bytes.fromhex(self.digest) + leaf_hash).hexdigest()
        return SubjectHistory(self.entries + 1, digest)


def subject_of(entry: Entry) -> str | None:
    """The token that an entry bears, if its kind has one."""
    subject = entry.body.get("subject")
    return subject if isinstance(subject, str) else None
