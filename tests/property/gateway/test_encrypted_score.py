"""The encrypted score through arrangement and computation equals the plaintext one, whatever the scorecard.

Arbitrary columns, weights up to 32 bits and their extremes, any figures, and any departments missing: the same
integers as plaintext arithmetic, always.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.computation import arrange, compute_score
from gateway.disclosure import Group, judge
from paillier.columns import BinnedColumn, Column, NumericColumn
from paillier.encryption import Encryptor
from paillier.score_range import decode_signed
from paillier.wire import split
from tests.support.paillier_keys import key_2048
from tests.unit.gateway.scorecards import CATEGORIES, scorecard

KEY = key_2048()
PUBLIC = KEY.public
WEIGHT_BITS = 32
LARGEST = 2 ** (WEIGHT_BITS - 1) - 1

weights = st.one_of(st.integers(-LARGEST, LARGEST), st.sampled_from([0, 1, -1, LARGEST, -LARGEST]))


@cache
def encryptor() -> Encryptor:
    return Encryptor(PUBLIC, window=4)


@dataclass(frozen=True)
class Case:
    """A scorecard's parts, one figure per column, and who does not answer."""

    parts: tuple[tuple[str, Column, tuple[int, ...]], ...]
    figures: tuple[int | None, ...]
    bias: int
    missing: frozenset[str]


@st.composite
def columns(draw: st.DrawFn, name: str) -> Column:
    if draw(st.booleans()):
        edges = draw(st.lists(st.integers(-1000, 1000), min_size=1, max_size=3, unique=True))
        return BinnedColumn(name, 0, tuple(sorted(edges)))
    low = draw(st.integers(-1000, 1000))
    return NumericColumn(name, 0, low, low + draw(st.integers(1, 100_000)))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    departments = draw(st.lists(st.sampled_from(sorted(CATEGORIES)), min_size=2, max_size=4, unique=True))
    parts = []
    for department in departments:
        for number in range(draw(st.integers(1, 2))):
            column = draw(columns(f"{department}-{number}"))
            parts.append((department, column, tuple(draw(weights) for _ in range(column.width))))
    figures = tuple(draw(st.one_of(st.none(), st.integers(-(10**9), 10**9))) for _ in parts)
    missing = draw(st.sets(st.sampled_from(departments), max_size=len(departments) - 1))
    return Case(tuple(parts), figures, draw(st.integers(-(2**40), 2**40)), frozenset(missing))


@settings(max_examples=40, deadline=None)
@given(cases())
def test_encrypted_score_equals_plaintext_score(case: Case) -> None:
    card = scorecard("any", *case.parts, bias=case.bias, weight_bits=WEIGHT_BITS)
    plaintext = case.bias
    present: dict[str, list[int]] = {}
    for (department, column, points), figure in zip(case.parts, case.figures, strict=True):
        positions = column.encode(None if department in case.missing else figure)
        plaintext += sum(point * position for point, position in zip(points, positions, strict=True))
        if department not in case.missing:
            present.setdefault(department, []).extend(positions)
    ciphertexts = {department: encryptor().encrypt(positions) for department, positions in present.items()}
    output = compute_score(int(PUBLIC.n), arrange(card, ciphertexts))
    (opened,) = split(output, PUBLIC, 1)
    assert decode_signed(KEY.decrypt(opened), PUBLIC) == plaintext
    assert card.header.score_low <= plaintext <= card.header.score_high


@settings(max_examples=60, deadline=None)
@given(cases())
def test_every_scorecard_gets_a_report(case: Case) -> None:
    """The judgement is total: whatever is a scorecard is accepted or refused, and the report encodes canonically."""
    card = scorecard("any", *case.parts, bias=case.bias, weight_bits=WEIGHT_BITS)
    report = judge(Group("group-a", [], []), [card])
    assert report.content["verdict"] == ("refuse" if report.findings else "accept")
    assert report.digest == judge(Group("group-a", [], []), [card]).digest
