"""The worker process: single use across spawn, crash, restart and snapshot; priority; back-pressure."""

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from paillier import nadic
from paillier.encryption import Encryptor
from paillier.nadic import Pair
from paillier.private import PrivateKey
from paillier.randomizer_pool import RandomizerPool
from paillier.randomizer_worker import RandomizerWorker
from paillier.wire import split
from tests.unit.paillier.test_randomizer_pool import forks, in_forked_child


def wait_until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 60
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


@pytest.fixture
def pool(key: PrivateKey) -> RandomizerPool:
    return RandomizerPool(Encryptor(key.public, window=2), capacity=6)


@pytest.fixture
def worker(pool: RandomizerPool) -> Iterator[RandomizerWorker]:
    running = RandomizerWorker(pool)
    running.start()
    yield running
    running.stop()


def take_all(pool: RandomizerPool) -> list[Pair]:
    return [pool.take() for _ in range(len(pool))]


def worker_pid(worker: RandomizerWorker) -> int:
    assert worker._running is not None
    pid = worker._running._process.pid
    assert pid is not None
    return pid


def test_it_fills_the_pool_with_nth_residues_and_stops_at_the_capacity(
    pool: RandomizerPool, worker: RandomizerWorker, key: PrivateKey
) -> None:
    assert wait_until(lambda: len(pool) == pool.capacity)
    time.sleep(0.1)
    assert len(pool) == pool.capacity
    for pair in take_all(pool):
        assert key.decrypt(nadic.to_integer(pair, key.public.n)) == 0


def test_what_it_made_encrypts(pool: RandomizerPool, worker: RandomizerWorker, key: PrivateKey) -> None:
    assert wait_until(lambda: len(pool) >= 3)
    ciphertexts = split(pool.encrypt([1, 2, 3]), key.public, 3)
    assert [key.decrypt(c) for c in ciphertexts] == [1, 2, 3]


def test_it_yields_the_core_to_everybody_else(worker: RandomizerWorker) -> None:
    assert wait_until(lambda: os.getpriority(os.PRIO_PROCESS, worker_pid(worker)) == 19)


@forks
def test_no_value_is_used_twice_across_refill_crash_restart_snapshot_and_fork(
    pool: RandomizerPool, worker: RandomizerWorker
) -> None:
    """Every randomizer that any process could use, over every border, is different."""
    seen: list[Pair] = []
    for border in ("refill", "crash", "restart", "snapshot"):
        assert wait_until(lambda: len(pool) == pool.capacity)
        seen += take_all(pool)
        if border == "crash":
            os.kill(worker_pid(worker), signal.SIGKILL)
            assert wait_until(lambda: worker._running is not None and not worker._running.alive())
            worker.start()
        elif border == "restart":
            worker.stop()
            worker.start()
        elif border == "snapshot":
            assert wait_until(lambda: len(pool) > 0)
            before = [*pool._ready]
            worker.clear()
            seen += before  # a restored twin of this machine might use exactly these
    assert wait_until(lambda: len(pool) == pool.capacity)
    in_child = in_forked_child(lambda: repr([len(pool), *map(int, pool.take())]))
    length, low, high = eval(in_child)  # noqa: S307 - our own child's list of integers
    assert length == 0
    seen += [*take_all(pool), (low, high)]
    assert len(seen) >= 5 * pool.capacity
    assert len({(int(low), int(high)) for low, high in seen}) == len(seen)


def test_after_a_crash_the_pool_still_serves(pool: RandomizerPool, worker: RandomizerWorker, key: PrivateKey) -> None:
    os.kill(worker_pid(worker), signal.SIGKILL)
    pool.clear()
    assert [key.decrypt(c) for c in split(pool.encrypt([4, 5]), key.public, 2)] == [4, 5]


@forks
def test_a_forked_child_leaves_the_parents_worker_alone(pool: RandomizerPool, worker: RandomizerWorker) -> None:
    assert in_forked_child(lambda: str(worker.stop())) == "None"
    assert wait_until(lambda: len(pool) == pool.capacity)
    take_all(pool)
    assert wait_until(lambda: len(pool) == pool.capacity)


def test_stopping_twice_is_harmless(pool: RandomizerPool) -> None:
    with RandomizerWorker(pool) as running:
        running.start()
    running.stop()
    assert running._running is None
