"""Bad leaves, named by their defect."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.support.witnessed_log import WitnessedLog


@dataclass(frozen=True)
class LeafCase:
    """A bad leaf and the field that is blamed."""

    name: str
    field: str
    leaf: bytes


def leaf_cases(log: WitnessedLog) -> Iterator[LeafCase]:
    """Bad leaves by defect, all made from a `consent.granted`."""
    leaf = next(leaf for leaf in log.leaves if b'"consent.granted"' in leaf)
    yield from _bad_bytes(leaf)
    yield from _bad_frames(leaf)
    yield from _bad_bodies(json.loads(leaf))


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
    yield LeafCase("body-member-twice", "leaf", good.replace(b'"version":1', b'"version":1,"version":1'))


def _bad_frames(leaf: bytes) -> Iterator[LeafCase]:
    good: dict[str, Any] = json.loads(leaf)

    def changed(**members: object) -> bytes:
        return _json({**good, **members})

    yield LeafCase("members-not-sorted", "leaf", _json_unsorted({"v": 1, **good}))
    yield LeafCase("member-added", "leaf", changed(comment="hello"))
    yield LeafCase("member-missing", "leaf", _json({key: value for key, value in good.items() if key != "nonce"}))
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
    yield LeafCase("time-without-decimals", "ts", changed(ts="2026-11-24T04:00:00Z"))
    yield LeafCase("time-with-offset", "ts", changed(ts="2026-11-24T12:00:00.000000+08:00"))
    yield LeafCase("time-that-never-was", "ts", changed(ts="2026-02-30T00:00:00.000000Z"))
    yield LeafCase("time-at-24-hours", "ts", changed(ts="2026-11-24T24:00:00.000000Z"))
    yield LeafCase("leap-second", "ts", changed(ts="2016-12-31T23:59:60.000000Z"))
    yield LeafCase("kind-unknown", "kind", changed(kind="consent.given"))
    yield LeafCase("kind-reserved", "kind", changed(kind="financing.offered", body={}))
    yield LeafCase("kind-null", "kind", changed(kind=None))
    yield LeafCase("body-null", "body", changed(body=None))
    yield LeafCase("body-list", "body", changed(body=[]))


def _bad_bodies(good: dict[str, Any]) -> Iterator[LeafCase]:
    def body(**fields: object) -> bytes:
        return _json({**good, "body": {**good["body"], **fields}})

    yield LeafCase("too-long", "leaf", body(institution="a" * 20000))
    yield LeafCase("body-key-upper-case", "body", body(Company="x"))
    yield LeafCase("field-unknown", "body.comment", body(comment="free text"))
    yield LeafCase(
        "field-missing",
        "body.subject",
        _json({**good, "body": {k: v for k, v in good["body"].items() if k != "subject"}}),
    )
    yield LeafCase("field-null", "body.purpose", body(purpose=None))
    yield LeafCase("boolean-for-integer", "body.version", body(version=True))
    yield LeafCase("float-for-integer", "body.version", body(version=1.5))
    yield LeafCase("integer-too-large", "body.version", body(version=2**53))
    yield LeafCase("integer-negative", "body.version", body(version=-1))
    yield LeafCase("identifier-with-blank", "body.purpose", body(purpose="some free text"))
    yield LeafCase("identifier-upper-case", "body.institution", body(institution="Bank-A"))
    yield LeafCase("identifier-too-long", "body.institution", body(institution="a" * 65))
    yield LeafCase("identifier-not-ascii", "body.institution", body(institution="银行"))
    yield LeafCase("company-code", "body.institution", body(institution="91350100m000100y43"))
    yield LeafCase("company-code-after-dot", "body.group", body(group="group.91350100m000100y43"))
    yield LeafCase("company-code-before-dash", "body.group", body(group="91350100m000100y43-group"))
    yield LeafCase("eighteen-characters", "body.group", body(group="abcdefghijklmnopqr"))
    yield LeafCase("company-code-in-list", "body.categories[1]", body(categories=["tax", "91350100m000100y43"]))
    yield LeafCase("choice-unknown", "body.use", body(use="score"))
    yield LeafCase("list-for-text", "body.use", body(use=["SCORE"]))
    yield LeafCase("text-for-list", "body.categories", body(categories="tax"))
    yield LeafCase("hex-upper-case", "body.digest", body(digest="AB" * 32))
    yield LeafCase("hex-too-long", "body.consent_id", body(consent_id="c0" * 17))


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _json_unsorted(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
