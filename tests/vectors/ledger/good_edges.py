"""What stands at the edge of a rule and is good: leaves that a reader accepts, each named by the edge."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ledger.entry import MAX_LEAF
from ledger.kinds import MAX_INTEGER
from tests.support.witnessed_log import WitnessedLog
from tests.vectors.ledger.bad_bodies import canonical, leaf_of_bytes, with_body, without


def good_leaves(log: WitnessedLog) -> Iterator[tuple[str, bytes]]:
    """Name and leaf."""
    good: Mapping[str, Any] = json.loads(next(leaf for leaf in log.leaves if b'"consent.granted"' in leaf))
    allow = json.loads(next(leaf for leaf in log.leaves if b'"verdict":"allow"' in leaf))
    leaf = dict(good)

    def changed(**members: object) -> bytes:
        return canonical({**good, **members})

    yield "of-16384-bytes", leaf_of_bytes(leaf, MAX_LEAF)
    yield "log-of-255-characters", changed(log="!" + "~" * 254)
    yield (
        "first-and-last-microsecond",
        with_body({**leaf, "ts": "0001-01-01T00:00:00.000000Z"}, valid_until="9999-12-31T23:59:59.999999Z"),
    )
    yield "leap-day", changed(ts="2028-02-29T00:00:00.000000Z")
    yield "largest-integers", with_body({**leaf, "seq": MAX_INTEGER}, version=MAX_INTEGER)
    yield "empty-list", with_body(leaf, categories=[])
    yield "member-of-a-list-twice", with_body(leaf, categories=["tax", "tax"])
    yield "identifier-of-one-character", with_body(leaf, purpose="0")
    yield "identifier-of-64-characters", with_body(leaf, purpose="a" * 64)
    yield "identifier-of-17-and-of-19", with_body(leaf, purpose="a" * 17, group="a" * 19)
    yield "eighteen-letters-between-separators", with_body(leaf, purpose="a.abcdefghijklmnopqr")
    yield "more-than-a-company-code", with_body(leaf, purpose="91350100m000100y432.a", group="x91350100m000100y43-a")
    yield (
        "valid-until-before-valid-from",
        with_body(leaf, valid_from="2027-01-01T00:00:00.000000Z", valid_until="2026-01-01T00:00:00.000000Z"),
    )
    yield "allow-without-group", without(allow, "group")
    yield "reason-that-no-page-lists", with_body(allow, reason="Z" + "_" * 48)
    yield "first-entry-of-another-kind", changed(seq=0, prev="0" * 64)
    yield "first-entry-with-a-hash-before-it", changed(seq=0, prev="ab" * 32)
    yield "log-opened-in-the-middle", changed(kind="log.opened", body={})
