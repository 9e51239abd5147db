"""Canonical JSON for what is hashed or signed: RFC 8785 (JCS), restricted to what needs no number formatting.

Inside the profile (objects with ASCII keys, arrays, strings, booleans, integers within ±(2^53-1); no floats,
no null) a compact `json.dumps` with sorted keys equals JCS; a property test compares it with `rfc8785`.
Parsing refuses duplicate names, which JSON allows and two readers may resolve differently.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from consentgate.errors import ConsentgateError, ErrorCode

MAX_INTEGER = 2**53 - 1
"""Largest magnitude that every JSON reader represents exactly (RFC 7493 section 2.2)."""
MAX_DEPTH = 16
"""Deepest nesting; no statement or scorecard needs more than 6, and recursion must end before Python's
does.
"""


def encode(value: object) -> bytes:
    """Canonical bytes of `value`; raises INVALID_ARGUMENT_FIELD for what the profile excludes."""
    _check(value, "value", MAX_DEPTH)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def parse(data: bytes, name: str) -> dict[str, object]:
    """Parses one JSON object; `name` is the field named in the error."""
    try:
        value = json.loads(data.decode(), object_pairs_hook=_unique, parse_float=_refuse, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=name) from error
    if not isinstance(value, dict):
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=name)
    return value


def parse_canonical(data: bytes, name: str) -> dict[str, object]:
    """As `parse`, and the bytes must be the canonical ones: their hash is an identity."""
    value = parse(data, name)
    if encode(value) != data:
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=name, private="not canonical JSON")
    return value


def digest(data: bytes) -> str:
    """SHA-256 of `data`, 64 lowercase hex digits."""
    return hashlib.sha256(data).hexdigest()


def _check(value: object, path: str, depth: int) -> None:
    if depth < 0:
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=path, private="nested too deeply")
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str) or not key.isascii():
                raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=path)
            _check(item, f"{path}.{key}", depth - 1)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            _check(item, f"{path}[{index}]", depth - 1)
    elif isinstance(value, str):
        _check_text(value, path)
    elif isinstance(value, bool):
        return
    elif not isinstance(value, int) or abs(value) > MAX_INTEGER:
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=path)


def _check_text(text: str, path: str) -> None:
    """Lone surrogates, which JSON escapes can smuggle in, have no UTF-8 form (RFC 8785 section 3.2.2.2)."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=path) from error


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("duplicate name in JSON object")
    return result


def _refuse(_text: str) -> object:
    raise ValueError("fractions and constants are not allowed")
