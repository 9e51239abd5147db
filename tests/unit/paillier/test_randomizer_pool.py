"""The pool's rules: single use (also across threads and forks), never persisted, inline when empty."""

import copy
import os
import pickle
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from paillier import errors
from paillier.encryption import Encryptor
from paillier.nadic import ONE, Pair
from paillier.private import PrivateKey
from paillier.randomizer_pool import RandomizerPool
from paillier.wire import split

# Forking a process that has threads is what adapters must survive; Python 3.12 warns about it.
forks = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def in_forked_child(work: Callable[[], str]) -> str:
    """Run `work` in a child made by fork and return what it returns."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover (coverage does not follow)
        try:
            os.write(writer, work().encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        result = file.read()
    os.waitpid(child, 0)
    return result


def wait_until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 60
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return condition()


@pytest.fixture
def pool(encryptor: Encryptor) -> RandomizerPool:
    return RandomizerPool(encryptor, capacity=12)


def test_fill_stops_at_the_count_and_at_the_capacity(pool: RandomizerPool) -> None:
    assert pool.fill(5) == 5
    assert len(pool) == 5
    assert pool.fill(100) == 7
    assert pool.fill() == 0
    assert len(pool) == 12


def test_a_full_pool_has_no_room_until_a_value_is_taken(pool: RandomizerPool) -> None:
    assert pool.wait_for_room(0)
    pool.fill(pool.capacity - 1)
    assert pool.wait_for_room(0)
    fresh = pool.encryptor.randomizer()
    assert pool.put(fresh)
    assert not pool.wait_for_room(0.02)
    assert not pool.put(pool.encryptor.randomizer())
    assert len(pool) == pool.capacity
    with ThreadPoolExecutor(1) as executor:
        waiting = executor.submit(pool.wait_for_room, 60)
        taken = [pool.take() for _ in range(pool.capacity)]
        assert waiting.result()
    assert taken[-1] == fresh


def test_encryption_uses_up_what_is_ready_then_computes_inline(pool: RandomizerPool, key: PrivateKey) -> None:
    pool.fill(3)
    data = pool.encrypt([5, 6, 7, 8, 9])
    assert len(pool) == 0
    assert [key.decrypt(c) for c in split(data, key.public, 5)] == [5, 6, 7, 8, 9]


def test_a_ready_value_is_the_one_used(pool: RandomizerPool) -> None:
    pool.fill(2)
    ready = list(pool._ready)
    assert [pool.take(), pool.take()] == ready


def test_two_encryptions_of_one_value_differ(pool: RandomizerPool, key: PrivateKey) -> None:
    pool.fill()
    assert len(set(split(pool.encrypt([3] * 20), key.public, 20))) == 20


def test_a_refused_plaintext_uses_nothing_up(pool: RandomizerPool) -> None:
    pool.fill(3)
    with pytest.raises(errors.PlaintextOutOfRange):
        pool.encrypt([1, -1])
    assert len(pool) == 3


def test_no_value_is_taken_twice_by_many_threads(pool: RandomizerPool) -> None:
    pool.start()
    try:
        with ThreadPoolExecutor(4) as executor:
            taken = list(executor.map(lambda _: pool.take(), range(200)))
    finally:
        pool.stop()
    assert len(set(taken)) == 200


def shown(pair: Pair) -> str:
    return f"{pair[0]:x}"


@forks
def test_no_value_is_used_twice_across_forks(encryptor: Encryptor) -> None:
    pool = RandomizerPool(encryptor, capacity=40)
    pool.fill()
    used: list[str] = []
    for _ in range(3):
        used += in_forked_child(lambda: " ".join(shown(pool.take()) for _ in range(20))).split()
        used += [shown(pool.take()) for _ in range(10)]
    assert len(used) == 90
    assert len(set(used)) == 90


@forks
def test_no_value_is_used_twice_while_threads_take_a_thread_fills_and_processes_fork(encryptor: Encryptor) -> None:
    """All at once: four threads take, one fills, and children that take too are forked in between."""
    pool = RandomizerPool(encryptor, capacity=16)
    pool.start()
    try:
        with ThreadPoolExecutor(4) as executor:
            taking = [executor.submit(pool.take) for _ in range(80)]
            used = [in_forked_child(lambda: " ".join(shown(pool.take()) for _ in range(15))).split() for _ in range(4)]
            used.append([shown(future.result()) for future in taking])
    finally:
        pool.stop()
    everything = [value for values in used for value in values]
    assert len(everything) == len(set(everything)) == 80 + 4 * 15


def test_exponents_have_no_stuck_or_biased_bit(encryptor: Encryptor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 400 exponents every bit is 1 between 125 and 275 times: 7.5 standard deviations, missed once in 10^10 runs."""
    seen: list[int] = []

    def recorded(exponent: int) -> Pair:
        seen.append(exponent)
        return ONE

    monkeypatch.setattr(encryptor, "power", recorded)
    RandomizerPool(encryptor, capacity=400).fill()
    assert len(set(seen)) == 400
    ones = [sum(exponent >> bit & 1 for exponent in seen) for bit in range(1024)]
    assert min(ones) > 125
    assert max(ones) < 275
    assert max(seen).bit_length() <= 1024


@forks
def test_a_child_starts_empty_and_the_parent_keeps_its_own(pool: RandomizerPool) -> None:
    pool.fill(6)
    assert in_forked_child(lambda: str(len(pool))) == "0"
    assert len(pool) == 6


@forks
def test_a_child_forked_while_the_lock_is_held_still_works(pool: RandomizerPool) -> None:
    pool.fill(2)
    with pool._changed:
        assert in_forked_child(lambda: f"{pool.fill(1)} {len(pool)}") == "1 1"


@forks
def test_a_child_can_fill_in_its_own_background(pool: RandomizerPool) -> None:
    pool.start()
    try:

        def work() -> str:
            pool.start()
            filled = wait_until(lambda: len(pool) == pool.capacity)
            pool.stop()
            return str(filled)

        assert in_forked_child(work) == "True"
    finally:
        pool.stop()


def test_a_fork_that_bypassed_the_hook_is_noticed_by_the_process_id(pool: RandomizerPool) -> None:
    pool.fill(4)
    pool._process_id += 1
    assert len(pool) == 0


def test_clear_forgets_everything_also_what_is_being_made(
    pool: RandomizerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool.fill(4)
    pool.clear()
    assert len(pool) == 0
    original = Encryptor.randomizer

    def cleared_meanwhile(self: Encryptor) -> Pair:
        made = original(self)
        pool.clear()
        return made

    monkeypatch.setattr(Encryptor, "randomizer", cleared_meanwhile)
    assert pool.fill(1) == 0
    assert len(pool) == 0


def test_the_background_thread_fills_refills_and_stops(pool: RandomizerPool) -> None:
    pool.start()
    pool.start()
    assert wait_until(lambda: len(pool) == pool.capacity)
    for _ in range(5):
        pool.take()
    assert wait_until(lambda: len(pool) == pool.capacity)
    pool.stop()
    pool.stop()
    pool.take()
    assert len(pool) == pool.capacity - 1


@pytest.mark.parametrize("persist", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_pool_is_never_copied_or_persisted(pool: RandomizerPool, persist: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match="never copied"):
        persist(pool)


def test_a_pool_for_nothing_is_refused(encryptor: Encryptor) -> None:
    with pytest.raises(errors.ParameterOutOfRange):
        RandomizerPool(encryptor, 0)
