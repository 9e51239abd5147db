"""The worker process: single use across spawn, crash, restart and snapshot; priority; back-pressure."""

import copy
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

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


def test_after_a_long_time_of_being_full_it_fills_again(pool: RandomizerPool, worker: RandomizerWorker) -> None:
    """An adapter that nobody asks for hours must be as ready for the request after the next."""
    assert wait_until(lambda: len(pool) == pool.capacity)
    time.sleep(0.5)
    assert worker.alive()
    take_all(pool)
    assert wait_until(lambda: len(pool) == pool.capacity)


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


PARENT = """
import sys
import time
with open(sys.argv[1], "a") as runs:
    runs.write("main module ran\\n")
from gmpy2 import mpz
from paillier.encryption import Encryptor
from paillier.public_key import PublicKey
from paillier.randomizer_pool import RandomizerPool
from paillier.randomizer_worker import RandomizerWorker
pool = RandomizerPool(Encryptor(PublicKey(mpz(int(sys.argv[2], 16))), window=1), capacity=4)
worker = RandomizerWorker(pool)
worker.start()
print(worker._running._process.pid, flush=True)
while len(pool) < 4:
    time.sleep(0.01)
print("full", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def parent(tmp_path: Path, key: PrivateKey) -> Iterator[subprocess.Popen[str]]:
    """A program that keeps a worker, and says its process id, then when its pool is full."""
    program = tmp_path / "parent.py"
    program.write_text(PARENT)
    arguments = [sys.executable, str(program), str(tmp_path / "runs"), f"{int(key.public.n):x}"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        yield process
        process.kill()


def gone(pid: int) -> bool:
    """It ended; its zombie, if nobody has waited for it yet, counts as ended."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="looks into /proc")
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_does_not_outlive_a_parent_that_was_killed(parent: subprocess.Popen[str], end: signal.Signals) -> None:
    """Nobody is left to end it, and its full pipe blocks it: the pipe breaks."""
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert parent.stdout.readline() == "full\n"
    assert not gone(pid)
    parent.send_signal(end)
    parent.wait()
    assert wait_until(lambda: gone(pid))


def test_the_parents_program_does_not_run_again_in_the_worker(parent: subprocess.Popen[str], tmp_path: Path) -> None:
    """A server's main module takes a second to import, in every process that does."""
    assert parent.stdout is not None
    parent.stdout.readline()
    assert parent.stdout.readline() == "full\n"
    assert (tmp_path / "runs").read_text() == "main module ran\n"


def test_ctrl_c_at_a_terminal_is_the_parents(worker: RandomizerWorker) -> None:
    """A group of its own, in the session of the parent."""
    pid = worker_pid(worker)
    assert os.getpgid(pid) == pid != os.getpgid(0)
    assert os.getsid(pid) == os.getsid(0)


def test_a_message_half_sent_is_never_used(pool: RandomizerPool) -> None:
    """Whoever dies in the middle of one: the rest is not waited for, and nothing is made up."""
    with RandomizerWorker(pool) as running:
        assert wait_until(lambda: len(pool) == pool.capacity)
        assert running._running is not None
        running._running._process.kill()
        running._running._process.wait()
        for part in (b"", b"x", b"x" * 511):
            reading, writing = os.pipe()
            os.write(writing, part)
            os.close(writing)
            with open(reading, "rb", buffering=0) as stub:
                receiving = copy.copy(running._running)
                receiving._reader = stub
                assert receiving._receive(512) is None


def test_a_message_that_comes_in_pieces_is_put_together(pool: RandomizerPool) -> None:
    with RandomizerWorker(pool) as running:
        assert running._running is not None
        reading, writing = os.pipe()
        sender = threading.Thread(
            target=lambda: [time.sleep(0.01) or os.write(writing, bytes([digit]) * 100) for digit in range(5)]
        )
        sender.start()
        with open(reading, "rb", buffering=0) as stub:
            receiving = copy.copy(running._running)
            receiving._reader = stub
            assert receiving._receive(500) == b"".join(bytes([digit]) * 100 for digit in range(5))
        sender.join()
        os.close(writing)


def test_no_process_to_be_had_is_said_and_leaves_nothing(pool: RandomizerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    running = RandomizerWorker(pool)
    with pytest.raises(OSError, match="nonexistent"):
        running.start()
    assert not running.alive()
    running.stop()


def test_tables_as_wide_as_asked_for(pool: RandomizerPool, key: PrivateKey) -> None:
    """Wider than the pool's own, which serve only while it is empty."""
    with RandomizerWorker(pool, window=4):
        assert wait_until(lambda: len(pool) == pool.capacity)
        assert pool.encryptor.window == 2
        for pair in take_all(pool):
            assert key.decrypt(nadic.to_integer(pair, key.public.n)) == 0


def test_two_workers_of_one_key_share_no_value(key: PrivateKey) -> None:
    """Two adapters, or one that runs twice: nothing but the key is the same."""
    pools = [RandomizerPool(Encryptor(key.public, window=1), capacity=40) for _ in range(2)]
    with RandomizerWorker(pools[0]), RandomizerWorker(pools[1]):
        assert wait_until(lambda: all(len(pool) == pool.capacity for pool in pools))
    seen = [*take_all(pools[0]), *take_all(pools[1])]
    assert len({(int(low), int(high)) for low, high in seen}) == 80


def test_a_long_request_is_computed_here_and_in_the_worker(
    pool: RandomizerPool, worker: RandomizerWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While this thread computes, the pool goes on being filled: two cores for one request."""
    assert wait_until(lambda: len(pool) == pool.capacity)
    computed_here = []
    original = Encryptor.randomizer
    monkeypatch.setattr(Encryptor, "randomizer", lambda self: computed_here.append(1) or original(self))
    pairs = [pool.take() for _ in range(200)]
    assert 0 < len(computed_here) < len(pairs) - pool.capacity
    assert len({(int(low), int(high)) for low, high in pairs}) == 200
