"""In which order to multiply for Π b_j^(e_j): sums that lead from 1 to all exponents, found once per scorecard.

Spec: an addition sequence for e_1 … e_k is a list of sums, each of two earlier numbers, that begins at 1 and has every
e_j. Read backwards it computes Π b_j^(e_j) (Olivos 1981; Knuth, TAOCP 2, 4.6.3): every number gathers a factor, b_j
begins at e_j, and a sum a + b hands its factor on to a and to b; the product is what ends at 1. So s sums for
k exponents cost s + k - 1 products.

Up to `MAX_SEARCHED` exponents, the largest number is taken apart into two known ones; else its difference to a known
one, or its half, becomes known, and what takes apart most other numbers comes first. For 40 exponents of 15 bits that
is 135 products where Bos and Coster 1989, used above, need 149: a = ⌊a/b⌋·b + rest for the largest a and the next b.

Exponents are known to who computes, so time may depend on them. Thread-safety: pure functions.
"""

import heapq
from collections.abc import Iterable, Iterator
from functools import lru_cache

Sums = dict[int, tuple[int, int]]
"""Every number but 1, with two smaller ones of which it is the sum."""

Step = tuple[int, int, int]
"""The number whose factor is handed on, and the two that get it."""

MAX_SEARCHED = 256
"""distinct exponents; the time grows with the third power: 3 ms for 40 of 15 bits, 0.1 s for 256."""

CACHED_PLANS = 256
"""scorecards whose steps are kept, some kilobytes each."""


@lru_cache(maxsize=CACHED_PLANS)
def steps(exponents: tuple[int, ...]) -> tuple[Step, ...]:
    """The sequence for positive exponents, read backwards."""
    return backwards(addition_sequence(exponents))


def backwards(sums: Sums) -> tuple[Step, ...]:
    """The largest number first: nobody gives before it has all."""
    return tuple((number, *sums[number]) for number in sorted(sums, reverse=True))


def addition_sequence(exponents: Iterable[int]) -> Sums:
    """Sums that lead from 1 to every exponent, all of them positive."""
    targets = set(exponents)
    return _searched(targets) if len(targets) <= MAX_SEARCHED else bos_coster(targets)


def _searched(targets: set[int]) -> Sums:
    sums: Sums = {}
    known = targets | {1}
    pending = targets - {1}
    while pending:
        largest = max(pending)
        pending.remove(largest)
        known = {number for number in known if number < largest}
        part = next((number for number in known if largest - number in known), None)
        if part is None:
            part = _most_useful(_differences(largest, known), pending, known)
            known.add(part)
            pending.add(part)
        sums[largest] = part, largest - part
    return sums


def _differences(largest: int, known: set[int]) -> Iterator[int]:
    """Numbers at most half as large that, with a known one or taken twice, make up the largest; else one below."""
    near = [largest - number for number in known if 2 * number >= largest]
    yield from near
    if largest % 2 == 0:
        yield largest // 2
    elif not near:
        yield largest - 1  # Even, and then halved.


def _most_useful(candidates: Iterable[int], pending: set[int], known: set[int]) -> int:
    """The candidate that takes apart most other pending numbers too, among equals the smallest."""

    def uses(candidate: int) -> int:
        return sum(other - candidate in known for other in pending)

    return max(candidates, key=lambda candidate: (uses(candidate), -candidate))


def bos_coster(targets: Iterable[int]) -> Sums:
    """The same after Bos and Coster: longer, and found in a fraction of the time, for exponents that are used once."""
    sums: Sums = {}
    known = {*targets, 1}
    heap = [-number for number in known]
    heapq.heapify(heap)
    while len(heap) > 1:
        largest, second = -heapq.heappop(heap), -heap[0]
        quotient, rest = divmod(largest, second)
        _multiply(second, quotient, sums)
        if rest:
            sums[largest] = quotient * second, rest
            if rest not in known:
                known.add(rest)
                heapq.heappush(heap, -rest)
    return sums


def _multiply(number: int, times: int, sums: Sums) -> None:
    """Add sums that lead from `number` to times·number, bit by bit."""
    reached = number
    for bit in bin(times)[3:]:
        sums[2 * reached] = reached, reached
        reached *= 2
        if bit == "1":
            sums[reached + number] = reached, number
            reached += number
