"""Bad bodies of leaves, named by their defect."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Leaf = dict[str, Any]


@dataclass(frozen=True)
class LeafCase:
    """A bad leaf and the field that is blamed."""

    name: str
    field: str
    leaf: bytes


def canonical(value: object) -> bytes:
    """Canonical JSON, also of what no leaf may hold."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def with_body(leaf: Leaf, **fields: object) -> bytes:
    """The leaf with other fields in its body."""
    return canonical({**leaf, "body": {**leaf["body"], **fields}})


def without(leaf: Leaf, name: str) -> bytes:
    """The leaf without a field of its body."""
    return canonical({**leaf, "body": {key: value for key, value in leaf["body"].items() if key != name}})


def leaf_of_bytes(leaf: Leaf, size: int) -> bytes:
    """A `consent.granted` of exactly this length, in which nothing else is wrong."""
    rest = size - len(with_body(leaf, categories=["a"]))
    count, more = divmod(rest, len(',"a"'))
    return with_body(leaf, categories=["a" * (1 + more), *["a"] * count])


def body_cases(good: Leaf, decided: Leaf) -> Iterator[LeafCase]:
    """Bad bodies of a `consent.granted` and of an `allow`."""
    yield from _bad_fields(good)
    yield from _bad_identifiers(good)
    yield from _bad_decisions(decided)


def _bad_fields(good: Leaf) -> Iterator[LeafCase]:
    yield LeafCase("too-long", "leaf", with_body(good, institution="a" * 20000))
    yield LeafCase("body-key-upper-case", "body", with_body(good, Company="x"))
    yield LeafCase("field-unknown", "body.comment", with_body(good, comment="free text"))
    yield LeafCase("field-missing", "body.subject", without(good, "subject"))
    yield LeafCase("field-null", "body.purpose", with_body(good, purpose=None))
    yield LeafCase("boolean-for-integer", "body.version", with_body(good, version=True))
    yield LeafCase("float-for-integer", "body.version", with_body(good, version=1.5))
    yield LeafCase("integer-too-large", "body.version", with_body(good, version=2**53))
    yield LeafCase("integer-negative", "body.version", with_body(good, version=-1))
    yield LeafCase("choice-unknown", "body.use", with_body(good, use="score"))
    yield LeafCase("list-for-text", "body.use", with_body(good, use=["SCORE"]))
    yield LeafCase("text-for-list", "body.categories", with_body(good, categories="tax"))
    yield LeafCase("hex-upper-case", "body.digest", with_body(good, digest="AB" * 32))
    yield LeafCase("hex-too-long", "body.consent_id", with_body(good, consent_id="c0" * 17))
    yield LeafCase("time-in-body", "body.valid_from", with_body(good, valid_from="2026-11-31T00:00:00.000000Z"))


def _bad_identifiers(good: Leaf) -> Iterator[LeafCase]:
    yield LeafCase("identifier-empty", "body.purpose", with_body(good, purpose=""))
    yield LeafCase("identifier-with-blank", "body.purpose", with_body(good, purpose="some free text"))
    yield LeafCase("identifier-begins-with-dot", "body.purpose", with_body(good, purpose=".credit"))
    yield LeafCase("identifier-upper-case", "body.institution", with_body(good, institution="Bank-A"))
    yield LeafCase("identifier-too-long", "body.institution", with_body(good, institution="a" * 65))
    yield LeafCase("identifier-not-ascii", "body.institution", with_body(good, institution="银行"))
    code = "91350100m000100y43"
    yield LeafCase("company-code", "body.institution", with_body(good, institution=code))
    yield LeafCase("company-code-after-dot", "body.group", with_body(good, group=f"group.{code}"))
    yield LeafCase("company-code-before-dash", "body.group", with_body(good, group=f"{code}-group"))
    yield LeafCase("company-code-between-underscores", "body.group", with_body(good, group=f"a_{code}_b"))
    yield LeafCase("eighteen-characters", "body.group", with_body(good, group="abcdefghijklmnopqr"))
    yield LeafCase("company-code-in-list", "body.categories[1]", with_body(good, categories=["tax", code]))


def _bad_decisions(good: Leaf) -> Iterator[LeafCase]:
    place = "body.departments[0]"
    more, less = {"id": "tax", "columns": ["growth"], "rows": 1}, {"id": "tax"}
    yield LeafCase("inner-member-added", place, with_body(good, departments=[more]))
    yield LeafCase("inner-member-missing", place, with_body(good, departments=[less]))
    yield LeafCase("inner-list-for-object", place, with_body(good, departments=[["tax"]]))
    inner = {"id": "tax", "columns": ["Growth"]}
    yield LeafCase("inner-member-malformed", f"{place}.columns[0]", with_body(good, departments=[inner]))
    yield LeafCase("verdict-unknown", "body.verdict", with_body(good, verdict="maybe"))
    yield LeafCase("custody-unknown", "body.custody", with_body(good, custody="x"))
    yield LeafCase("reason-lower-case", "body.reason", with_body(good, reason="allowed"))
    yield LeafCase("reason-with-digit", "body.reason", with_body(good, reason="ALLOWED_2"))
    yield LeafCase("reason-of-one-letter", "body.reason", with_body(good, reason="A"))
    yield LeafCase("reason-of-50-letters", "body.reason", with_body(good, reason="A" * 50))
    yield LeafCase("reason-begins-with-underscore", "body.reason", with_body(good, reason="_ALLOWED"))
    yield LeafCase("field-of-another-kind", "body.valid_from", with_body(good, valid_from=good["ts"]))
    yield LeafCase("required-field-missing", "body.rules", without(good, "rules"))
