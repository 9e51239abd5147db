"""Spawned encryption workers: order, equality with plain arithmetic, bounded memory, failures."""

from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool

import pytest
from gmpy2 import mpz

from paillier import errors
from paillier.packing import SlotLayout
from paillier.private import PrivateKey
from paillier.wire import split
from paillier.workers import IN_FLIGHT_PER_PROCESS, Block, EncryptionWorkers

LAYOUT = SlotLayout(16, 4)


@pytest.fixture(scope="module")
def workers(key: PrivateKey) -> Iterator[EncryptionWorkers]:
    with EncryptionWorkers(key.public, 2, window=2) as started:
        yield started


def opened(key: PrivateKey, column: bytes, companies: int) -> list[int]:
    plaintexts = key.decrypt_many(split(column, key.public, LAYOUT.chunks(companies)))
    sizes = LAYOUT.sizes(companies)
    return [value for packed, size in zip(plaintexts, sizes, strict=True) for value in LAYOUT.unpack(packed, size)]


def test_blocks_come_back_in_order(workers: EncryptionWorkers, key: PrivateKey) -> None:
    workers.warm_up()
    blocks: list[Block] = [[[number, number + 1], [0, 65535]] for number in range(7)]
    results = list(workers.encrypt_blocks(LAYOUT, blocks))
    assert [[opened(key, column, 2) for column in block] for block in results] == blocks


def test_no_randomizer_repeats_across_spawned_processes_and_a_restart(
    workers: EncryptionWorkers, key: PrivateKey
) -> None:
    """Encryptions of zero are bare randomizers: equal ones would be equal ciphertexts."""
    blocks: list[Block] = [[[0] * LAYOUT.slots * 6]] * 8
    seen = [c for (column,) in workers.encrypt_blocks(LAYOUT, blocks) for c in split(column, key.public, 6)]
    with EncryptionWorkers(key.public, 1, window=1) as restarted:
        for (column,) in restarted.encrypt_blocks(LAYOUT, blocks):
            seen += split(column, key.public, 6)
        processes = list(restarted._executor._processes.values())
    assert len(processes) == 1
    assert not processes[0].is_alive()
    assert len(seen) == len(set(seen)) == 2 * 8 * 6


def test_blocks_are_taken_only_as_they_are_needed(workers: EncryptionWorkers) -> None:
    taken = 0

    def blocks() -> Iterator[Block]:
        nonlocal taken
        for _ in range(100):
            taken += 1
            yield [[1]]

    stream = workers.encrypt_blocks(LAYOUT, blocks())
    next(stream)
    assert taken <= 2 * IN_FLIGHT_PER_PROCESS


def test_a_block_that_does_not_fit_raises_its_own_error(workers: EncryptionWorkers) -> None:
    with pytest.raises(errors.PackedOverflow, match="value 1"):
        list(workers.encrypt_blocks(LAYOUT, [[[1, 1 << 16]]]))


def test_there_must_be_a_process(key: PrivateKey) -> None:
    with pytest.raises(errors.ParameterOutOfRange):
        EncryptionWorkers(key.public, 0)


def test_a_process_that_cannot_build_its_tables_ends_the_stream(key: PrivateKey) -> None:
    with EncryptionWorkers(key.public, 1, memory_budget_bytes=1) as broken, pytest.raises(BrokenProcessPool):
        list(broken.encrypt_blocks(LAYOUT, [[[1]]]))


def test_a_process_that_is_killed_ends_the_stream_and_the_next_one_repeats_nothing(key: PrivateKey) -> None:
    """No block is lost in silence, none comes twice, and what a new start makes has never been made before."""
    blocks: list[Block] = [[[0] * LAYOUT.slots]] * 6
    seen: list[mpz] = []

    def take_all(workers: EncryptionWorkers) -> None:
        for (column,) in workers.encrypt_blocks(LAYOUT, blocks):
            seen.extend(split(column, key.public, 1))

    with EncryptionWorkers(key.public, 2, window=1) as dying:
        take_all(dying)
        for process in list(dying._executor._processes.values()):
            process.kill()
        with pytest.raises(BrokenProcessPool):
            take_all(dying)
    with EncryptionWorkers(key.public, 1, window=1) as restarted:
        take_all(restarted)
    assert len(seen) == len(set(seen)) >= 12
