"""Encryption off the loop: right plaintexts, fresh randomness, bounded keys, pools that fill while idle."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
from structlog.testing import capture_logs

from department_adapter import encryption as module
from department_adapter.config import EncryptionTable
from department_adapter.encryption import ActiveKey, Encryption
from paillier.encryption import table_bytes, window_for
from paillier.errors import MemoryBudgetTooSmall, PlaintextOutOfRange
from paillier.private import PrivateKey
from paillier.public_key import PublicKey
from paillier.wire import split
from tests.support.paillier_keys import key_2048, key_3072, other_key_2048

SMALL = EncryptionTable(active_keys=1, table_megabytes=8, pool=8)
ALONE = SMALL.model_copy(update={"process": False})


@pytest.fixture(params=["with_process", "alone"])
def encryption(request: pytest.FixtureRequest) -> Iterator[Encryption]:
    made = Encryption(SMALL if request.param == "with_process" else ALONE)
    yield made
    made.close()


@asynccontextmanager
async def kept_ready(encryption: Encryption) -> AsyncIterator[None]:
    keeping = asyncio.create_task(encryption.keep_ready())
    try:
        yield
    finally:
        keeping.cancel()


def opened(private: PrivateKey, data: bytes) -> list[int]:
    count = len(data) // private.public.ciphertext_bytes
    return [int(private.decrypt(c)) for c in split(data, private.public, count)]


def active(encryption: Encryption, key: PublicKey) -> ActiveKey:
    return encryption._keys[key.key_id]


async def until_full(encryption: Encryption, key: PublicKey) -> None:
    async with asyncio.timeout(20):
        while key.key_id not in encryption._keys or len(active(encryption, key).pool) < SMALL.pool:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_decrypts_to_the_positions(encryption: Encryption) -> None:
    data = await encryption.encrypt(key_2048().public, [0, 1, 12345])
    assert opened(key_2048(), data) == [0, 1, 12345]


async def test_nothing_repeats(encryption: Encryption) -> None:
    key = key_2048().public
    parts = [await encryption.encrypt(key, [1, 1, 1]) for _ in range(3)]
    assert len(set(split(b"".join(parts), key, 9))) == 9


async def test_nothing_repeats_between_pool_process_thread_and_wider_tables(
    encryption: Encryption, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WIDER", 1)
    key = key_2048().public
    parts = []
    async with kept_ready(encryption):
        for _ in range(4):
            parts.append(await encryption.encrypt(key, [1] * 20))
            await until_full(encryption, key)
    assert len(set(split(b"".join(parts), key, 80))) == 80


async def test_least_recently_used_key_gives_way(encryption: Encryption) -> None:
    first, second = key_2048(), other_key_2048()
    for private in (first, second, first):
        assert opened(private, await encryption.encrypt(private.public, [7])) == [7]
    assert list(encryption._keys) == [first.public.key_id]


async def test_a_key_that_gave_way_leaves_no_process_and_no_randomizers() -> None:
    encryption = Encryption(SMALL)
    first, second = key_2048().public, other_key_2048().public
    async with kept_ready(encryption):
        await encryption.encrypt(first, [1])
        await until_full(encryption, first)
        gone = active(encryption, first)
        await encryption.encrypt(second, [1])
    assert gone._worker is not None
    assert not gone._worker.alive()
    assert len(gone.pool) == 0
    encryption.close()


async def test_the_keys_that_were_used_last_stay_and_others_are_freed() -> None:
    encryption = Encryption(ALONE.model_copy(update={"active_keys": 2}))
    first, second, third = (made().public for made in (key_2048, other_key_2048, key_3072))
    for key in (first, second, first):
        await encryption.encrypt(key, [1])
    kept, gone = active(encryption, first), weakref.ref(active(encryption, second))
    await encryption.encrypt(third, [1])
    assert list(encryption._keys) == [first.key_id, third.key_id]
    assert active(encryption, first) is kept
    gc.collect()
    assert gone() is None
    encryption.close()


async def test_many_requests_for_a_new_key_build_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []
    original = ActiveKey.__init__

    def counted(self: ActiveKey, key: PublicKey, settings: EncryptionTable) -> None:
        built.append(key.key_id)
        original(self, key, settings)

    monkeypatch.setattr(ActiveKey, "__init__", counted)
    encryption = Encryption(ALONE)
    key = key_2048().public
    encryption.prepare(key)
    await asyncio.gather(*[encryption.encrypt(key, [1]) for _ in range(4)])
    assert built == [key.key_id]
    encryption.close()


async def test_loop_goes_on_while_tables_are_built() -> None:
    """Building takes long compared with a turn of the loop."""
    encryption = Encryption(EncryptionTable(active_keys=1, table_megabytes=8, pool=8))
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.001)

    counting = asyncio.create_task(count())
    await encryption.encrypt(key_3072().public, [1])
    counting.cancel()
    encryption.close()
    assert turns > 3


async def test_pools_fill_while_idle(encryption: Encryption) -> None:
    key = key_2048().public
    async with kept_ready(encryption):
        await encryption.encrypt(key, [1])
        await until_full(encryption, key)
    assert opened(key_2048(), await encryption.encrypt(key, [5] * 12)) == [5] * 12


async def test_a_prepared_key_has_a_full_pool_before_its_first_request(encryption: Encryption) -> None:
    key = key_2048().public
    encryption.prepare(key)
    encryption.prepare(key)
    async with kept_ready(encryption):
        await until_full(encryption, key)
        before = active(encryption, key)
        assert opened(key_2048(), await encryption.encrypt(key, [4])) == [4]
        assert active(encryption, key) is before


async def test_preparing_returns_at_once_and_a_failure_is_the_requests() -> None:
    encryption = Encryption(SMALL.model_copy(update={"table_megabytes": 0}))
    with capture_logs() as logs:
        encryption.prepare(key_2048().public)
        with pytest.raises(MemoryBudgetTooSmall):
            await encryption.encrypt(key_2048().public, [1])
    assert [(entry["event"], entry["detail"]) for entry in logs] == [("key not prepared", "MemoryBudgetTooSmall")]
    encryption.close()


def test_the_first_tables_pay_within_one_request() -> None:
    """Narrow ones first: an eighth of the memory and of the time of those that a process makes."""
    made = ActiveKey(key_3072().public, EncryptionTable())
    assert made._worker is not None
    first, later = made.pool.encryptor.window, made._worker._window
    assert 8 * table_bytes(key_3072().public, first) <= table_bytes(key_3072().public, later)


async def test_a_key_whose_pool_runs_dry_gets_wider_tables_while_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """In few steps: with what was computed so far they would have paid already."""
    key = key_2048().public
    made = ActiveKey(key, EncryptionTable(process=False))
    windows = [made.pool.encryptor.window]
    monkeypatch.setattr(made.pool, "fill", lambda _: 0)
    monkeypatch.setattr(made.pool, "encrypt", lambda _: b"")
    for _ in range(64):
        made.encrypt([1] * 50)
        while made.improve():
            windows.append(made.pool.encryptor.window)
    assert all(wider >= narrower + module.WIDER for narrower, wider in pairwise(windows))
    assert 1 < len(windows) <= 4
    assert window_for(key, 64 * 50, 80 << 20) < windows[-1] + module.WIDER


async def test_wider_tables_encrypt_as_the_first_ones_do(encryption: Encryption) -> None:
    key = key_2048().public
    await encryption.encrypt(key, [1])
    made = active(encryption, key)
    narrow = made.pool.encryptor.window
    made._computed = 1000
    assert made.improve()
    assert made.pool.encryptor.window > narrow
    assert opened(key_2048(), await encryption.encrypt(key, [9, 8])) == [9, 8]


async def test_what_the_thread_fills_counts_towards_wider_tables() -> None:
    made = ActiveKey(key_2048().public, EncryptionTable(table_megabytes=8, pool=300, process=False))
    before = made.pool.encryptor.window
    while made.improve():
        pass
    assert len(made.pool) == 300
    assert made.pool.encryptor.window > before


async def test_a_process_that_died_is_replaced_but_not_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    encryption = Encryption(SMALL)
    key = key_2048().public
    async with kept_ready(encryption):
        await encryption.encrypt(key, [1])
        await until_full(encryption, key)
        worker = active(encryption, key)._worker
        assert worker is not None
        assert worker._running is not None
        worker._running._process.kill()
        worker._running._process.wait()
        # Too early for another process: the thread fills.
        await encryption.encrypt(key, [1] * SMALL.pool)
        await until_full(encryption, key)
        assert not worker.alive()
        monkeypatch.setattr(module, "RESTART_SECONDS", 0.0)
        await encryption.encrypt(key, [1] * SMALL.pool)
        async with asyncio.timeout(20):  # The pool may be full before that, of what the dead process left in its pipe.
            while not worker.alive():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await until_full(encryption, key)
    encryption.close()


async def test_without_a_process_to_start_the_thread_fills(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no more processes")

    encryption = Encryption(SMALL)
    monkeypatch.setattr("paillier.randomizer_worker.RandomizerWorker.start", refuse)
    with capture_logs() as logs:
        async with kept_ready(encryption):
            await encryption.encrypt(key_2048().public, [1])
            await until_full(encryption, key_2048().public)
    assert [entry["event"] for entry in logs] == ["no process for randomizers"]
    encryption.close()


async def test_closing_ends_the_process() -> None:
    encryption = Encryption(SMALL)
    async with kept_ready(encryption):
        await encryption.encrypt(key_2048().public, [1])
        await until_full(encryption, key_2048().public)
    worker = active(encryption, key_2048().public)._worker
    assert worker is not None
    assert worker.alive()
    began = time.monotonic()
    encryption.close()
    assert not worker.alive()
    assert time.monotonic() - began < 5


async def test_requests_at_once(encryption: Encryption) -> None:
    key = key_2048().public
    answers = await asyncio.gather(*(encryption.encrypt(key, [number]) for number in range(6)))
    assert [opened(key_2048(), data) for data in answers] == [[number] for number in range(6)]


async def test_error_names_the_index_and_not_the_value(encryption: Encryption) -> None:
    with pytest.raises(PlaintextOutOfRange) as caught:
        await encryption.encrypt(key_2048().public, [0, -424242])
    assert "424242" not in str(caught.value)
    assert opened(key_2048(), await encryption.encrypt(key_2048().public, [3])) == [3]
