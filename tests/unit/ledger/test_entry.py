"""Entries: exact bytes, and what is refused before it is written."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from ledger.entry import MAX_LEAF, ZERO_HASH, Entry, assemble, encode, format_time, leaf_hash, new_nonces, parse
from ledger.errors import EntryInvalid

ENTRY = Entry(
    log="consentgate.test/ledger",
    seq=0,
    prev=ZERO_HASH,
    ts="2026-11-24T04:00:00.000000Z",
    kind="erasure.performed",
    nonce="0f" * 16,
    body={"subject": "5a" * 16},
)
LEAF = (
    b'{"body":{"subject":"5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"},"kind":"erasure.performed","log":"consentgate.test/ledger",'
    b'"nonce":"0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f",'
    b'"prev":"0000000000000000000000000000000000000000000000000000000000000000","seq":0,'
    b'"ts":"2026-11-24T04:00:00.000000Z","v":1}'
)


def test_exact_bytes() -> None:
    assert encode(ENTRY) == LEAF
    assert parse(LEAF) == ENTRY
    assert leaf_hash(LEAF) == hashlib.sha256(b"\x00" + LEAF).digest()


def test_order_of_body_members_does_not_matter() -> None:
    body = {"size": 1, "token": "ab" * 32, "root": "cd" * 32}
    forwards = encode(replace(ENTRY, kind="anchor.tsa", body=body))
    backwards = encode(replace(ENTRY, kind="anchor.tsa", body=dict(reversed(body.items()))))
    assert forwards == backwards


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("v", 2),
        ("v", True),
        ("seq", -1),
        ("seq", 2**53),
        ("seq", 1.0),
        ("prev", "0" * 63),
        ("prev", b"0" * 64),
        ("nonce", "0F" * 16),
        ("ts", "2026-11-24T04:00:00Z"),
        ("ts", datetime(2026, 11, 24, tzinfo=UTC)),
        ("log", "with blank"),
        ("log", "a" * 256),
        ("kind", "financing.offered"),
        ("kind", ["log.opened"]),
        ("body", {"Subject": "5a" * 16}),
        ("body", {1: "5a" * 16}),
        ("body", []),
        ("body", None),
    ],
)
def test_encode_names_the_field(field: str, value: object) -> None:
    with pytest.raises(EntryInvalid) as raised:
        encode(replace(ENTRY, **{field: value}))
    assert raised.value.field == field


def test_longest_leaf() -> None:
    def with_rules(count: int, last: int) -> Entry:
        body = {
            "request_id": "e2" * 16,
            "request": "f3" * 32,
            "institution": "bank-a",
            "scorecard": "a4" * 32,
            "purpose": "credit.origination",
            "use": "SCORE",
            "verdict": "deny",
            "reason": "POLICY_DENIED",
            "rules": ["r" * 64] * count + ["r" * last],
        }
        return replace(ENTRY, kind="query.decision", body=body)

    size = len(encode(with_rules(200, 1)))
    count = 200 + (MAX_LEAF - size) // 67
    rest = MAX_LEAF - len(encode(with_rules(count, 1)))
    longest = encode(with_rules(count, 1 + rest))
    assert len(longest) == MAX_LEAF
    assert encode(parse(longest)) == longest
    assert assembled(with_rules(count, 1 + rest)) == longest
    for make in (encode, assembled):
        with pytest.raises(EntryInvalid, match="leaf"):
            make(with_rules(count, 2 + rest))


def assembled(entry: Entry) -> bytes:
    return assemble(entry.log, entry.seq, entry.prev, entry.ts, entry.kind, entry.nonce, entry.body)


def test_a_tuple_is_written_as_the_list_that_is_read() -> None:
    body = {"scorecard": "a4" * 32, "group": "banks", "members": ("bank-a", "bank-b"), "sequence": 1}
    body |= {"approval": "b5" * 32, "previous": "c6" * 32, "scorecards": ()}
    entry = replace(ENTRY, kind="scorecard.approved", body=body)
    assert assembled(entry) == encode(entry)
    assert parse(encode(entry)).body == {**body, "members": ["bank-a", "bank-b"], "scorecards": []}


def test_error_names_the_leaf_where_known() -> None:
    assert str(EntryInvalid("ts")) == "entry field ts is missing, unknown or malformed"
    assert str(EntryInvalid("ts", leaf=7)).startswith("leaf 7: ")


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 11, 24, 4, 1, tzinfo=UTC), "2026-11-24T04:01:00.000000Z"),
        (datetime(2026, 11, 24, 12, 1, 0, 7, tzinfo=timezone(timedelta(hours=8))), "2026-11-24T04:01:00.000007Z"),
    ],
)
def test_times(moment: datetime, text: str) -> None:
    assert format_time(moment) == text
    assert parse(encode(replace(ENTRY, ts=text))).ts == text


def test_nonces_differ() -> None:
    nonces = set(new_nonces(100))
    assert len(nonces) == 100
    assert all(parse(encode(replace(ENTRY, nonce=nonce))).nonce == nonce for nonce in nonces)
