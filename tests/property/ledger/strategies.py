"""Entries of every kind, made from the closed table itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from ledger.entry import Entry, format_time
from ledger.kinds import COMPANY_CODE, KINDS, MAX_INTEGER, Form

_NAMES = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,63}", fullmatch=True).filter(
    lambda name: not COMPANY_CODE.fullmatch(name)
)
_HEX = {length: st.binary(min_size=length, max_size=length).map(bytes.hex) for length in (16, 32)}
_INTEGERS = st.integers(0, 10**6) | st.integers(0, MAX_INTEGER)
TIMES = st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31)).map(lambda t: format_time(t.replace(tzinfo=UTC)))
_FORMS: Mapping[str, st.SearchStrategy[Any]] = {
    "hex16": _HEX[16],
    "hex32": _HEX[32],
    "identifier": _NAMES,
    "integer": _INTEGERS,
    "reason": st.from_regex(r"[A-Z][A-Z_]{1,48}", fullmatch=True),
    "time": TIMES,
    "list of identifier": st.lists(_NAMES, max_size=4),
    "list of hex32": st.lists(_HEX[32], max_size=4),
    "list of {`id`: identifier, `columns`: list of identifier}": st.lists(
        st.fixed_dictionaries({"id": _NAMES, "columns": st.lists(_NAMES, max_size=3)}), max_size=3
    ),
    "list of {`department`: identifier, `digest`: hex32}": st.lists(
        st.fixed_dictionaries({"department": _NAMES, "digest": _HEX[32]}), max_size=3
    ),
}


def values(form: Form) -> st.SearchStrategy[Any]:
    """Values of a form; a choice lists what may be chosen."""
    if form.text.startswith("`"):
        return st.sampled_from([word.strip("`") for word in form.text.split(" or ")])
    return _FORMS[form.text]


def bodies(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    """Bodies of a kind, with any of its optional fields."""
    fields = KINDS[kind]
    return st.fixed_dictionaries(
        {name: values(form) for name, form in fields.required.items()},
        optional={name: values(form) for name, form in fields.optional.items()},
    )


KIND_AND_BODY = st.sampled_from(sorted(KINDS)).flatmap(lambda kind: st.tuples(st.just(kind), bodies(kind)))


def _entry(kind_and_body: tuple[str, dict[str, Any]], log: str, seq: int, prev: str, ts: str, nonce: str) -> Entry:
    kind, body = kind_and_body
    return Entry(log, seq, prev, ts, kind, nonce, body)


ENTRIES = st.builds(
    _entry,
    KIND_AND_BODY,
    st.from_regex(r"[a-z./-]{1,40}", fullmatch=True) | st.from_regex(r"[!#-*,-\[\]-~]{1,255}", fullmatch=True),
    _INTEGERS,
    _HEX[32],
    TIMES,
    _HEX[16],
)
