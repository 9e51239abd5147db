"""Entries and their exact bytes (docs/ledger-format.md, "Leaf").

leaf_data = JCS(entry) (RFC 8785). Inside the profile (ASCII keys, no floats, no null, integers within
±(2^53-1)) a sorted compact `json.dumps` equals JCS and is three times faster; a property test compares it
with `rfc8785`. leaf_hash = SHA-256(0x00 ‖ leaf_data) (RFC 6962 section 2.1).
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from ledger.errors import EntryInvalid
from ledger.kinds import KINDS, timestamp, unsigned

VERSION = 1
MAX_LEAF = 16 * 1024
"""Largest leaf in bytes."""
ZERO_HASH = "0" * 64
"""`prev` of the first entry."""

_KEY = re.compile(r"[a-z0-9_]{1,40}")
_HASH = re.compile(r"[0-9a-f]{64}")
_NONCE = re.compile(r"[0-9a-f]{32}")
_ORIGIN = re.compile(r"[!-*,-~]{1,255}")
_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False
)
_DECODER = json.JSONDecoder()
_FIELDS = frozenset({"body", "kind", "log", "nonce", "prev", "seq", "ts", "v"})


@dataclass(frozen=True)
class Entry:
    """One entry; `prev` is the leaf hash of seq-1 (hex), `ts` RFC 3339 UTC with microseconds."""

    log: str
    seq: int
    prev: str
    ts: str
    kind: str
    nonce: str
    body: Mapping[str, object]
    v: int = VERSION


def format_time(moment: datetime) -> str:
    """RFC 3339 UTC with exactly six decimals."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def new_nonce() -> str:
    """16 random bytes, hex: makes every leaf hash unpredictable."""
    return secrets.token_hex(16)


def canonical_json(value: object) -> bytes:
    """JCS bytes of a value inside the profile."""
    return _ENCODER.encode(value).encode()


def encode(entry: Entry) -> bytes:
    """Leaf bytes; raises EntryInvalid naming the field outside the profile."""
    value = {name: getattr(entry, name) for name in _FIELDS}
    _check_fields(value)
    return _bounded(canonical_json(value))


def parse(leaf: bytes) -> Entry:
    """The entry in `leaf`; raises EntryInvalid unless re-encoding gives exactly the same bytes."""
    _bounded(leaf)
    try:
        value, _ = _DECODER.raw_decode(leaf.decode())  # what follows it shows when it is encoded again
    except (ValueError, RecursionError) as error:
        raise EntryInvalid("leaf") from error
    if not isinstance(value, dict) or set(value) != _FIELDS:
        raise EntryInvalid("leaf")
    _check_fields(value)
    if canonical_json(value) != leaf:
        raise EntryInvalid("leaf")
    return Entry(**value)


def leaf_hash(leaf: bytes) -> bytes:
    """SHA-256(0x00 ‖ leaf), 32 bytes."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def _bounded(leaf: bytes) -> bytes:
    if len(leaf) > MAX_LEAF:
        raise EntryInvalid("leaf")
    return leaf


def _is_key(key: object) -> bool:
    """Only then may an error name it."""
    return isinstance(key, str) and _KEY.fullmatch(key) is not None


def _check_fields(value: Mapping[str, object]) -> None:
    if type(value["v"]) is not int or value["v"] != VERSION:
        raise EntryInvalid("v")
    unsigned.check(value["seq"], "seq")
    timestamp.check(value["ts"], "ts")
    for name, pattern in (("log", _ORIGIN), ("prev", _HASH), ("nonce", _NONCE)):
        text = value[name]
        if not isinstance(text, str) or not pattern.fullmatch(text):
            raise EntryInvalid(name)
    kind = KINDS.get(value["kind"]) if isinstance(value["kind"], str) else None
    if kind is None:
        raise EntryInvalid("kind")
    body = value["body"]
    if not isinstance(body, dict) or not (kind.knows(body.keys()) or all(map(_is_key, body))):
        raise EntryInvalid("body")
    kind.check(body)
