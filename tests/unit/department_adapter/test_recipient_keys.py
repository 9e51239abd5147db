"""Keys remembered across restarts: prepared before anybody asks, and never believed without their proof."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from consentgate import evidence
from consentgate.database import Database
from department_adapter.config import EncryptionTable
from department_adapter.encryption import Encryption
from department_adapter.recipient_keys import RecipientKeys
from department_adapter.state import recipient_keys as store
from department_adapter.state.recipient_keys import REFRESH_SECONDS, Registration
from tests.support.federation import NOW, Federation

SETTINGS = EncryptionTable(active_keys=2, table_megabytes=8, pool=8, process=False)


@pytest.fixture
def encryption() -> Iterator[Encryption]:
    made = Encryption(SETTINGS)
    yield made
    made.close()


def remember(state: Database, registration: Registration, now: int = 100, keep: int = 2) -> None:
    state.transact(lambda session: store.remember(session, registration, now, keep))


def remembered(state: Database) -> list[Registration]:
    return state.transact(store.remembered)


def good(federation: Federation) -> Registration:
    order = federation.order(federation.honest)
    return Registration(str(order.bank), federation.honest.key_registration_jws)


async def prepared(encryption: Encryption) -> list[str]:
    """After what was asked of the thread so far."""
    await encryption._run(lambda: None)
    return list(encryption._keys)


# What stands in the database.


def test_the_keys_used_last_stay(state: Database) -> None:
    first, second, third = (Registration("bank", name) for name in (b"first", b"second", b"third"))
    for now, registration in enumerate((first, second, first, third)):
        remember(state, registration, now * REFRESH_SECONDS)
    assert remembered(state) == [first, third]


def test_frequent_uses_are_not_written_again(state: Database) -> None:
    first, second = Registration("bank", b"first"), Registration("bank", b"second")
    remember(state, first, 0)
    remember(state, second, 1)
    remember(state, first, REFRESH_SECONDS - 1)
    assert remembered(state) == [first, second]
    remember(state, first, REFRESH_SECONDS)
    assert remembered(state) == [second, first]


def test_what_is_forgotten_is_gone(state: Database) -> None:
    first, second = Registration("bank", b"first"), Registration("bank", b"second")
    for registration in (first, second):
        remember(state, registration)
    state.transact(lambda session: store.forget(session, first))
    assert remembered(state) == [second]


# What becomes of it.


async def test_a_remembered_key_is_proven_and_prepared_before_anybody_asks(
    federation: Federation, state: Database, encryption: Encryption
) -> None:
    remember(state, good(federation))
    evidence._proven_key.cache_clear()
    await RecipientKeys(federation.anchors, state, encryption, lambda: NOW).recall()
    assert await prepared(encryption) == [federation.paillier_key.public.key_id]
    assert evidence._proven_key.cache_info().misses == 1
    federation.order(federation.honest)
    assert evidence._proven_key.cache_info().misses == 1


async def test_a_proof_that_was_exchanged_in_the_database_is_refused_and_forgotten(
    federation: Federation, state: Database, encryption: Encryption
) -> None:
    """Whoever writes the state file gains nothing: the signature is looked at, and the proof."""
    honest = good(federation)
    token = bytearray(honest.registration_jws)
    token[len(token) // 2] ^= 1
    for forged in (Registration(honest.bank, bytes(token)), Registration(honest.bank + "x", honest.registration_jws)):
        remember(state, forged)
        with capture_logs() as logs:
            await RecipientKeys(federation.anchors, state, encryption, lambda: NOW).recall()
        assert await prepared(encryption) == []
        assert remembered(state) == []
        assert [entry["event"] for entry in logs] == ["remembered key does not hold any more"]


async def test_a_registration_whose_certificate_has_run_out_is_forgotten(
    federation: Federation, state: Database, encryption: Encryption
) -> None:
    remember(state, good(federation))
    later = NOW + timedelta(days=4000)
    await RecipientKeys(federation.anchors, state, encryption, lambda: later).recall()
    assert await prepared(encryption) == []
    assert remembered(state) == []


async def test_a_database_that_fails_costs_time_and_nothing_else(
    federation: Federation, state: Database, encryption: Encryption, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Reached(Exception):
        """The adapter goes on."""

    async def go_on(_: Encryption) -> None:
        raise Reached

    monkeypatch.setattr(Encryption, "keep_ready", go_on)
    with state.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE recipient_keys")
    with capture_logs() as logs, pytest.raises(Reached):
        await RecipientKeys(federation.anchors, state, encryption, lambda: NOW).keep_ready()
    assert [(entry["event"], entry["code"]) for entry in logs] == [("remembered keys not read", "STORE_UNAVAILABLE")]
