"""Bad leaves, named by their defect: bytes that are no canonical JSON, and members of the leaf itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ledger.entry import MAX_LEAF
from tests.support.witnessed_log import WitnessedLog
from tests.vectors.ledger.bad_bodies import LeafCase, body_cases, canonical, leaf_of_bytes


def leaf_cases(log: WitnessedLog) -> Iterator[LeafCase]:
    """Bad leaves by defect, made from a `consent.granted` and, of what only a decision has, from an `allow`."""
    leaf = next(leaf for leaf in log.leaves if b'"consent.granted"' in leaf)
    decided = json.loads(next(leaf for leaf in log.leaves if b'"verdict":"allow"' in leaf))
    yield from _bad_bytes(leaf)
    yield from _bad_frames(leaf)
    yield from body_cases(json.loads(leaf), decided)


def _bad_bytes(good: bytes) -> Iterator[LeafCase]:
    yield LeafCase("empty", "leaf", b"")
    yield LeafCase("not-json", "leaf", good[:-1])
    yield LeafCase("not-utf-8", "leaf", good.replace(b"bank-a", b"bank-\xff"))
    yield LeafCase("list", "leaf", b"[]")
    yield LeafCase("deep-nesting", "leaf", b"[" * 8000 + b"]" * 8000)
    yield LeafCase("blank-added", "leaf", good.replace(b'"kind":', b'"kind": '))
    yield LeafCase("newline-at-end", "leaf", good + b"\n")
    yield LeafCase("byte-order-mark", "leaf", b"\xef\xbb\xbf" + good)
    yield LeafCase("escaped-letter", "leaf", good.replace(b"bank-a", b"bank-\\u0061"))
    yield LeafCase("member-twice", "leaf", good.replace(b'"v":1', b'"v":1,"v":1'))

    yield LeafCase("escaped-newline-behind-hex", "nonce", good.replace(b'","prev"', b'\\n","prev"'))
    yield LeafCase("integer-of-5000-digits", "leaf", good.replace(b'"seq":7', b'"seq":' + b"7" * 5000))
    yield LeafCase("integer-not-a-number", "seq", good.replace(b'"seq":7', b'"seq":NaN'))
    yield LeafCase("key-is-half-a-character", "body", good.replace(b'"body":{', b'"body":{"\\udfff":1,'))
    yield LeafCase("one-byte-too-long", "leaf", leaf_of_bytes(json.loads(good), MAX_LEAF + 1))
    yield LeafCase("body-member-twice", "leaf", good.replace(b'"version":1', b'"version":1,"version":1'))


def _bad_frames(leaf: bytes) -> Iterator[LeafCase]:
    good: dict[str, Any] = json.loads(leaf)

    def changed(**members: object) -> bytes:
        return canonical({**good, **members})

    yield LeafCase("members-not-sorted", "leaf", _json_unsorted({"v": 1, **good}))
    yield LeafCase("member-added", "leaf", changed(comment="hello"))
    yield LeafCase("member-missing", "leaf", canonical({key: value for key, value in good.items() if key != "nonce"}))
    yield LeafCase("version-two", "v", changed(v=2))
    yield LeafCase("version-true", "v", changed(v=True))
    yield LeafCase("seq-negative", "seq", changed(seq=-1))
    yield LeafCase("seq-too-large", "seq", changed(seq=2**53))
    yield LeafCase("seq-float", "seq", leaf.replace(b'"seq":7', b'"seq":7.0'))
    yield LeafCase("seq-text", "seq", changed(seq="7"))
    yield LeafCase("prev-upper-case", "prev", changed(prev="A" * 64))
    yield LeafCase("prev-short", "prev", changed(prev="0" * 63))
    yield LeafCase("nonce-missing-digit", "nonce", changed(nonce="0" * 31))
    yield LeafCase("log-with-plus", "log", changed(log="a+b"))
    yield LeafCase("log-empty", "log", changed(log=""))
    yield LeafCase("log-of-256-characters", "log", changed(log="a" * 256))
    yield LeafCase("log-with-blank", "log", changed(log="a b"))
    yield LeafCase("log-with-quotation-mark", "log", changed(log='a"b'))
    yield LeafCase("log-with-backslash", "log", changed(log="a\\b"))
    yield LeafCase("log-not-ascii", "log", changed(log="ä"))
    yield LeafCase("time-without-decimals", "ts", changed(ts="2026-11-24T04:00:00Z"))
    yield LeafCase("time-with-offset", "ts", changed(ts="2026-11-24T12:00:00.000000+08:00"))
    yield LeafCase("time-that-never-was", "ts", changed(ts="2026-02-30T00:00:00.000000Z"))
    yield LeafCase("time-at-24-hours", "ts", changed(ts="2026-11-24T24:00:00.000000Z"))
    yield LeafCase("time-at-60-minutes", "ts", changed(ts="2026-11-24T04:60:00.000000Z"))
    yield LeafCase("time-in-year-0", "ts", changed(ts="0000-11-24T04:00:00.000000Z"))
    yield LeafCase("time-in-full-width-digits", "ts", changed(ts="２０２６-11-24T04:00:00.000000Z"))
    yield LeafCase("leap-second", "ts", changed(ts="2016-12-31T23:59:60.000000Z"))
    yield LeafCase("kind-unknown", "kind", changed(kind="consent.given"))
    yield LeafCase("kind-reserved", "kind", changed(kind="financing.offered", body={}))
    yield LeafCase("kind-is-half-a-character", "kind", leaf.replace(b"consent.granted", b"\\ud800"))
    yield LeafCase("kind-null", "kind", changed(kind=None))
    yield LeafCase("body-null", "body", changed(body=None))
    yield LeafCase("body-list", "body", changed(body=[]))


def _json_unsorted(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
