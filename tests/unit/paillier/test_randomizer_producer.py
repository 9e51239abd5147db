"""The worker's loop: whole messages of the ordered key, an end when nobody reads, rest when others want the core."""

import io
import json
from dataclasses import dataclass, field

import pytest
from gmpy2 import mpz

from paillier import nadic, randomizer_producer
from paillier.private import PrivateKey
from paillier.randomizer_producer import (
    LONGEST_REST_SECONDS,
    PATIENCE_SECONDS,
    REST,
    STINT_SECONDS,
    Pace,
    produce,
)


@dataclass
class Machine:
    """Clocks of a machine on which work takes `slowdown` times its processor time."""

    slowdown: float
    wall: float = 100.0
    processor: float = 7.0
    rests: list[float] = field(default_factory=list)

    def work(self, seconds: float) -> None:
        self.processor += seconds
        self.wall += seconds * self.slowdown

    def rest(self, seconds: float) -> None:
        self.rests.append(seconds)
        self.wall += seconds

    def pace(self) -> Pace:
        return Pace(wall=lambda: self.wall, processor=lambda: self.processor, rest=self.rest)


def stint(machine: Machine, pace: Pace) -> bool:
    for _ in range(5):
        assert not pace.rested()
        pace.timed(lambda: machine.work(STINT_SECONDS / 4.5))
    return pace.rested()


@pytest.mark.parametrize(("slowdown", "rests"), [(1.0, False), (1.4, False), (1.6, True), (8.0, True)])
def test_it_rests_after_a_stint_in_which_others_wanted_the_core(slowdown: float, rests: bool) -> None:
    machine = Machine(slowdown)
    pace = machine.pace()
    for _ in range(3):
        assert stint(machine, pace) is rests
    assert len(machine.rests) == 3 * rests


def test_on_a_busy_machine_it_takes_a_twentieth_of_a_core() -> None:
    machine = Machine(2.0)
    pace = machine.pace()
    begin = machine.wall, machine.processor
    for _ in range(50):
        stint(machine, pace)
    assert (machine.processor - begin[1]) / (machine.wall - begin[0]) < 1 / 20
    assert all(rest <= LONGEST_REST_SECONDS for rest in machine.rests)


def test_a_rest_is_never_long() -> None:
    machine = Machine(1000.0)
    assert stint(machine, machine.pace())
    assert machine.rests == [LONGEST_REST_SECONDS]


def test_waiting_for_a_reader_is_no_contention() -> None:
    """Between two pieces of work the pipe may be full for hours."""
    machine = Machine(1.0)
    pace = machine.pace()
    for _ in range(20):
        pace.timed(lambda: machine.work(STINT_SECONDS / 3))
        machine.wall += 3600
        assert not pace.rested()


def test_one_busy_stint_is_not_held_against_the_next() -> None:
    machine = Machine(4.0)
    pace = machine.pace()
    assert stint(machine, pace)
    machine.slowdown = 1.0
    assert not stint(machine, pace)


def test_quiet_is_awaited_while_others_work_and_then_used_at_once() -> None:
    machine = Machine(3.0)
    pace = machine.pace()

    def probe() -> None:
        machine.slowdown = 3.0 if len(machine.rests) < 4 else 1.0
        machine.work(STINT_SECONDS / 2)

    pace.await_quiet(probe)
    assert machine.rests == [min(REST * 3.0 * STINT_SECONDS, LONGEST_REST_SECONDS)] * 4


def test_quiet_is_not_awaited_for_ever() -> None:
    machine = Machine(50.0)
    began = machine.wall
    machine.pace().await_quiet(lambda: machine.work(STINT_SECONDS))
    assert PATIENCE_SECONDS <= machine.wall - began < PATIENCE_SECONDS + 2


class Reader(io.BytesIO):
    """Takes some messages, then closes its end."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.left = count

    def write(self, data: bytes) -> int:  # type: ignore[override]
        if self.left == 0:
            raise BrokenPipeError
        self.left -= 1
        return super().write(data)


def order(key: PrivateKey, window: int) -> io.BytesIO:
    return io.BytesIO(json.dumps({"modulus": f"{int(key.public.n):x}", "window": window}).encode() + b"\n")


def test_messages_are_randomizers_of_the_key_until_nobody_reads(key: PrivateKey) -> None:
    reader = Reader(5)
    produce(order(key, 1), reader, Pace())
    data = reader.getvalue()
    width = key.public.bits // 8
    assert len(data) == 5 * 2 * width
    numbers = [int.from_bytes(data[start : start + width], "big") for start in range(0, len(data), width)]
    pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
    assert len(set(pairs)) == 5
    for low, high in pairs:
        assert key.decrypt(nadic.to_integer((mpz(low), mpz(high)), key.public.n)) == 0


@pytest.mark.parametrize("limit", [0, 1 << 40])
def test_only_wide_tables_wait_for_a_quiet_moment(key: PrivateKey, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    monkeypatch.setattr(randomizer_producer, "WIDE_BYTES", limit)
    machine = Machine(1.0)
    probes = []
    monkeypatch.setattr(Pace, "await_quiet", lambda _, probe: probes.append(probe()))
    produce(order(key, 1), Reader(1), machine.pace())
    assert len(probes) == (limit == 0)


def test_it_rests_between_messages_when_the_core_is_wanted(key: PrivateKey, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(3.0)
    original = randomizer_producer.Encryptor.randomizer

    def slow(self: randomizer_producer.Encryptor) -> nadic.Pair:
        machine.work(1.01 * STINT_SECONDS)
        return original(self)

    monkeypatch.setattr(randomizer_producer.Encryptor, "randomizer", slow)
    produce(order(key, 1), Reader(4), machine.pace())
    assert len(machine.rests) == 4
