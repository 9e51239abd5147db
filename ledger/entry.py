"""Entries and their exact bytes (docs/ledger-format.md, "Leaf").

leaf_data = JCS(entry) (RFC 8785). Inside the profile (ASCII keys, no floats, no null, integers within
±(2^53-1)) a sorted compact `json.dumps` equals JCS and is three times faster; a property test compares it
with `rfc8785`. leaf_hash = SHA-256(0x00 ‖ leaf_data) (RFC 6962 section 2.1).

`encode` and `_check_fields` define what a leaf is. `leaf_pattern` says the same of nearly all leaves in one look, and
property tests compare the two: `assemble` and `parse` look first.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from ledger.errors import EntryInvalid
from ledger.kinds import KINDS, hex16, hex32, timestamp, unsigned

VERSION = 1
MAX_LEAF = 16 * 1024
"""Largest leaf in bytes."""
ZERO_HASH = "0" * 64
"""`prev` of the first entry."""

_KEY = re.compile(r"[a-z0-9_]{1,40}")
_ORIGIN = r"[!#-*,-\[\]-~]{1,255}"
"""Printable, without what JSON escapes and without what parts a verifier key."""
_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False
)
_DECODER = json.JSONDecoder()
_MEMBER_FORMS = {"v": unsigned, "seq": unsigned, "ts": timestamp, "prev": hex32, "nonce": hex16}
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


def new_nonces(count: int) -> list[str]:
    """Each 16 random bytes, hex: makes every leaf hash unpredictable. The operating system is asked once for all."""
    digits = secrets.token_hex(16 * count)
    return [digits[start : start + 32] for start in range(0, len(digits), 32)]


def canonical_json(value: object) -> bytes:
    """JCS bytes of a value inside the profile."""
    return _ENCODER.encode(value).encode()


def encode(entry: Entry) -> bytes:
    """Leaf bytes; raises EntryInvalid naming the field outside the profile."""
    fields = vars(entry)
    _check_fields(fields)
    return _bounded(canonical_json(fields))


def assemble(log: str, seq: int, prev: str, ts: str, kind: str, nonce: str, body: Mapping[str, object]) -> bytes:
    """As `encode` of such an entry, in half the time. For the log, which makes all but kind and body itself: only the
    body needs a JSON encoder, and the whole leaf is judged by its spelling.
    """
    try:
        leaf = (
            f'{{"body":{_ENCODER.encode(body)},"kind":"{kind}","log":"{log}","nonce":"{nonce}",'
            f'"prev":"{prev}","seq":{seq},"ts":"{ts}","v":{VERSION}}}'
        ).encode()
    except (TypeError, ValueError, RecursionError):  # a body that JSON cannot say, and `encode` has a name for
        leaf = b""
    if not _is_well_spelled(leaf, kind):
        leaf = encode(Entry(log, seq, prev, ts, kind, nonce, body))
    return _bounded(leaf)


def parse(leaf: bytes) -> Entry:
    """The entry in `leaf`; raises EntryInvalid unless re-encoding gives exactly the same bytes."""
    _bounded(leaf)
    try:
        value, _ = _DECODER.raw_decode(leaf.decode())  # what follows it shows when it is encoded again
    except (ValueError, RecursionError) as error:
        raise EntryInvalid("leaf") from error
    if not isinstance(value, dict):
        raise EntryInvalid("leaf")
    if not _is_well_spelled(leaf, value.get("kind")):
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


def _is_well_spelled(leaf: bytes, kind: object) -> bool:
    """True only for canonical bytes of a good entry of that kind, and for nearly all of them: who is told so need not
    check each field and encode the entry again. False says nothing.
    """
    return isinstance(kind, str) and kind in KINDS and leaf_pattern(kind).fullmatch(leaf) is not None


@cache
def leaf_pattern(kind: str) -> re.Pattern[bytes]:
    """Canonical JSON has one spelling for each entry, and the closed table says which entries there are: so the leaves
    of one kind follow a pattern, put together from those of their members.
    """
    members = (
        f'"body":{KINDS[kind].spelling}',
        f'"kind":"{re.escape(kind)}"',
        f'"log":"{_ORIGIN}"',
        f'"nonce":{hex16.spelling}',
        f'"prev":{hex32.spelling}',
        f'"seq":{unsigned.spelling}',
        f'"ts":{timestamp.spelling}',
        f'"v":{VERSION}',
    )
    return re.compile((r"\{" + ",".join(members) + r"\}").encode())


def _is_key(key: object) -> bool:
    """Only then may an error name it."""
    return isinstance(key, str) and _KEY.fullmatch(key) is not None


def _check_fields(value: Mapping[str, object]) -> None:
    if value.keys() != _FIELDS:
        raise EntryInvalid("leaf")
    log, kind, body = value["log"], value["kind"], value["body"]
    for name, form in _MEMBER_FORMS.items():
        form.check(value[name], name)
    if value["v"] != VERSION:
        raise EntryInvalid("v")
    if not isinstance(log, str) or re.fullmatch(_ORIGIN, log) is None:
        raise EntryInvalid("log")
    if not isinstance(kind, str) or kind not in KINDS:
        raise EntryInvalid("kind")
    if not isinstance(body, dict) or not (KINDS[kind].knows(body.keys()) or all(map(_is_key, body))):
        raise EntryInvalid("body")
    KINDS[kind].check(body)
