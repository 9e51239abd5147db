"""The closed table of kinds: what may enter a leaf, and that nothing else can."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest

from ledger.entry import canonical_json
from ledger.errors import EntryInvalid
from ledger.kinds import KINDS, Form, Kind, identifier, timestamp, unsigned
from tests.vectors.ledger.log import ENTRIES

FULLEST = dict(reversed(ENTRIES)) | {"log.opened": {}}
"""A good body of each kind, with as many fields as the vectors give it."""
LEAKS = [
    "Fujian Tea Trading Ltd",
    "91350100M000100Y43",
    "91350100m000100y43",
    "loan refused: too little turnover",
    "银行",
    "10.0.0.1:5432/db",
    "select * from company",
    "a\nb",
    "",
    -1,
    0.5,
    1e300,
    2**53,
    True,
    None,
    [],
    {},
    ["91350100m000100y43"],
    {"name": "x"},
]
"""What must not get through any field, whatever its form."""


def paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where the scalars of a body are."""
    if isinstance(value, Mapping):
        for name, member in value.items():
            yield from paths(member, (*path, name))
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from paths(member, (*path, index))
    else:
        yield path


def replaced(value: Any, path: tuple[str | int, ...], new: object) -> Any:
    if not path:
        return new
    if isinstance(value, list):
        return [replaced(m, path[1:], new) if i == path[0] else m for i, m in enumerate(value)]
    return {name: replaced(m, path[1:], new) if name == path[0] else m for name, m in value.items()}


def shown(path: tuple[str | int, ...]) -> str:
    return "body" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)


def test_every_kind_has_a_sample() -> None:
    assert FULLEST.keys() == KINDS.keys()


@pytest.mark.parametrize(("kind", "body"), FULLEST.items())
def test_sample_is_accepted(kind: str, body: Mapping[str, object]) -> None:
    KINDS[kind].check(body)


@pytest.mark.parametrize(("kind", "body"), FULLEST.items())
def test_only_optional_fields_may_be_left_out(kind: str, body: Mapping[str, object]) -> None:
    for name in body:
        rest = {key: value for key, value in body.items() if key != name}
        if name in KINDS[kind].optional:
            KINDS[kind].check(rest)
        else:
            with pytest.raises(EntryInvalid) as raised:
                KINDS[kind].check(rest)
            assert raised.value.field == f"body.{name}"


@pytest.mark.parametrize(("kind", "body"), FULLEST.items())
def test_unknown_field_is_refused(kind: str, body: Mapping[str, object]) -> None:
    with pytest.raises(EntryInvalid) as raised:
        KINDS[kind].check({**body, "comment": "x"})
    assert raised.value.field == "body.comment"


@pytest.mark.parametrize(("kind", "body"), FULLEST.items())
def test_nothing_readable_gets_through_any_field(kind: str, body: Mapping[str, object]) -> None:
    for path in paths(body):
        for leak in LEAKS:
            with pytest.raises(EntryInvalid) as raised:
                KINDS[kind].check(replaced(body, path, leak))
            assert raised.value.field.startswith(shown(path))
            assert str(leak) not in str(raised.value) or len(str(leak)) < 2


def test_nested_objects_are_closed_too() -> None:
    body = FULLEST["query.decision"]
    for departments in (
        [{"id": "tax"}],
        [{"id": "tax", "columns": ["a"], "note": "x"}],
        [{"id": "tax", "columns": "a"}],
        ["tax"],
    ):
        with pytest.raises(EntryInvalid):
            KINDS["query.decision"].check({**body, "departments": departments})


def test_financing_is_reserved() -> None:
    assert not [kind for kind in KINDS if kind.startswith("financing.")]


@pytest.mark.parametrize(
    "text",
    [
        "91350100m000100y43",
        "bank-91350100m000100y43",
        "91350100m000100y43.bank",
        "a.91350100m000100y43_b",
        "ab000000cccccccccc",
        "abcdefghijklmnopqr",
        "123456789012345678",
    ],
)
def test_company_codes_are_no_identifiers(text: str) -> None:
    with pytest.raises(EntryInvalid):
        identifier.check(text, "field")
    assert not is_spelled(identifier, text)


@pytest.mark.parametrize(
    "text",
    [
        "bank-a",
        "credit.origination",
        "social-security",
        "x",
        "0",
        "a" * 17,
        "a" * 19,
        "9135010m000100y43",
        "2026-10",
        "consent.validity_days",
    ],
)
def test_identifiers(text: str) -> None:
    identifier.check(text, "field")


def is_spelled(form: Form | Kind, value: object) -> bool:
    return re.fullmatch(form.spelling, canonical_json(value).decode()) is not None


@pytest.mark.parametrize(("kind", "body"), FULLEST.items())
def test_samples_are_known_by_their_spelling(kind: str, body: Mapping[str, object]) -> None:
    """Of all kinds, so that what is usual is not checked field by field."""
    assert is_spelled(KINDS[kind], body)
    assert is_spelled(KINDS[kind], {name: body[name] for name in KINDS[kind].required})
    assert not any(is_spelled(KINDS[kind], {**body, name: 1}) for name in ("a", "zz"))


@pytest.mark.parametrize("year", [1900, 2000, 2023, 2024])
def test_no_day_is_spelled_that_is_not_in_the_calendar(year: int) -> None:
    """And all are that their month has in every year."""
    days = list(product(range(14), range(33)))
    texts = [f"{year:04}-{month:02}-{day:02}T23:59:59.000000Z" for month, day in days]
    spelled = {day for day, text in zip(days, texts, strict=True) if is_spelled(timestamp, text)}
    assert spelled == {(month, day) for month in range(1, 13) for day in range(1, monthrange(2023, month)[1] + 1)}
    for month, day in spelled:
        datetime(year, month, day, tzinfo=UTC)


def test_only_integers_that_every_reader_represents_are_spelled() -> None:
    assert all(is_spelled(unsigned, value) for value in (0, 9, 10, 10**15 - 1))
    assert not any(is_spelled(unsigned, value) for value in (2**53, -1, True, 1.0))
