"""Addition sequences: every sum is made of smaller numbers that are there, every exponent is reached, by few sums."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paillier import addition_sequence as module
from paillier.addition_sequence import MAX_SEARCHED, Sums, addition_sequence, steps

RANDOM = random.Random(20261124)  # noqa: S311 - seeded: lengths must not change from run to run

EXPONENTS = {
    "one": [1],
    "two": [2],
    "powers of two": [1 << place for place in range(16)],
    "all ones": [(1 << 16) - 1],
    "neighbours": [32765, 32766, 32767],
    "largest weights": [(1 << 32) - 1, 1 << 31],
    "far apart": [(1 << 32) - 1, 1000],
    "multiples": [3, 9, 27, 81, 243],
    "one large, many small": [1 << 20, *range(1, 30)],
    "more than are searched": [7 * place + 1 for place in range(MAX_SEARCHED + 1)],
}


def check(sums: Sums, exponents: list[int]) -> None:
    """An addition sequence by its definition."""
    there = {1, *sums}
    for number, (first, second) in sums.items():
        assert first + second == number
        assert {first, second} <= there
        assert 0 < first < number
    assert set(exponents) <= there


@pytest.mark.parametrize("name", EXPONENTS)
@pytest.mark.parametrize("method", [module._searched, module.bos_coster, addition_sequence])
def test_every_exponent_is_a_sum_of_smaller_numbers(name: str, method: Callable[[set[int]], Sums]) -> None:
    check(method(set(EXPONENTS[name])), EXPONENTS[name])


@given(st.lists(st.integers(1, (1 << 32) - 1), min_size=1, max_size=24))
@settings(max_examples=60, deadline=None)
def test_random_exponents(exponents: list[int]) -> None:
    check(addition_sequence(exponents), exponents)


@given(st.lists(st.integers(1, 300), min_size=1, max_size=90))
@settings(max_examples=60, deadline=None)
def test_dense_exponents_with_repetitions(exponents: list[int]) -> None:
    check(addition_sequence(exponents), exponents)


def test_who_hands_on_has_got_everything() -> None:
    exponents = tuple(EXPONENTS["one large, many small"])
    given_away: set[int] = set()
    for number, first, second in steps(exponents):
        given_away.add(number)
        assert not given_away & {first, second}


def test_a_doubling_chain_is_found() -> None:
    assert addition_sequence([1 << 15]) == {1 << place: (1 << place - 1, 1 << place - 1) for place in range(1, 16)}


def test_the_search_needs_fewer_products_than_bos_and_coster() -> None:
    searched = reference = 0
    for _ in range(6):
        exponents = {RANDOM.randrange(1, 1 << 15) for _ in range(40)}
        searched += len(addition_sequence(exponents)) + 39
        reference += len(module.bos_coster(exponents)) + 39
    assert searched < 0.93 * reference
    assert searched / 6 < 138


def test_exponents_far_apart_cost_no_more_than_their_bits() -> None:
    assert len(module._searched({(1 << 32) - 1, 1000})) < 2 * 32 + 2 * 10
