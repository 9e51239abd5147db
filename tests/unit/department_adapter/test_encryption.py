"""Encryption off the loop: right plaintexts, fresh randomness, bounded keys, pools that fill while idle."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from department_adapter.config import EncryptionTable
from department_adapter.encryption import Encryption
from paillier.errors import PlaintextOutOfRange
from paillier.private import PrivateKey
from paillier.wire import split
from tests.support.paillier_keys import key_2048, other_key_2048


@pytest.fixture
def encryption() -> Iterator[Encryption]:
    made = Encryption(EncryptionTable(active_keys=1, table_megabytes=8, pool=8))
    yield made
    made.close()


def opened(private: PrivateKey, data: bytes) -> list[int]:
    count = len(data) // private.public.ciphertext_bytes
    return [int(private.decrypt(c)) for c in split(data, private.public, count)]


async def test_decrypts_to_the_positions(encryption: Encryption) -> None:
    data = await encryption.encrypt(key_2048().public, [0, 1, 12345])
    assert opened(key_2048(), data) == [0, 1, 12345]


async def test_nothing_repeats(encryption: Encryption) -> None:
    key = key_2048().public
    parts = [await encryption.encrypt(key, [1, 1, 1]) for _ in range(3)]
    assert len(set(split(b"".join(parts), key, 9))) == 9


async def test_least_recently_used_key_gives_way(encryption: Encryption) -> None:
    first, second = key_2048(), other_key_2048()
    for private in (first, second, first):
        assert opened(private, await encryption.encrypt(private.public, [7])) == [7]
    assert list(encryption._pools) == [first.public.key_id]


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
    await encryption.encrypt(key_2048().public, [1])
    counting.cancel()
    encryption.close()
    assert turns > 3


async def test_pools_fill_while_idle(encryption: Encryption) -> None:
    filling = asyncio.create_task(encryption.keep_filled())
    key = key_2048().public
    await encryption.encrypt(key, [1])
    async with asyncio.timeout(5):
        while len(encryption._pools[key.key_id]) < 8:  # noqa: ASYNC110 - a thread fills it
            await asyncio.sleep(0.01)
    assert opened(key_2048(), await encryption.encrypt(key, [5] * 12)) == [5] * 12
    filling.cancel()


async def test_requests_at_once(encryption: Encryption) -> None:
    key = key_2048().public
    answers = await asyncio.gather(*(encryption.encrypt(key, [number]) for number in range(6)))
    assert [opened(key_2048(), data) for data in answers] == [[number] for number in range(6)]


async def test_error_names_the_index_and_not_the_value(encryption: Encryption) -> None:
    with pytest.raises(PlaintextOutOfRange) as caught:
        await encryption.encrypt(key_2048().public, [0, -424242])
    assert "424242" not in str(caught.value)
    assert opened(key_2048(), await encryption.encrypt(key_2048().public, [3])) == [3]
