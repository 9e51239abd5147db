"""Registration of recipient keys."""

from __future__ import annotations

import pytest

from consentgate.errors import ConsentgateError, ErrorCode
from gateway.store import keys as store
from ledger.entry import parse
from tests.support.gateway_house import House


async def test_registering_records_the_key_by_digest(house: House) -> None:
    key_id, receipt = await house.keys.register(house.federation.registration, house.bank)
    assert key_id == house.federation.paillier_key.public.key_id
    body = parse(receipt.leaf).body
    assert (body["key_id"], body["institution"]) == (key_id, "bank-a")
    again = await house.keys.register(house.federation.registration, house.bank)
    assert again == (key_id, receipt)


async def test_a_renewed_registration_of_the_same_key(house: House) -> None:
    """After renewing a certificate the bank signs again; the newest one is what departments see."""
    await house.keys.register(house.federation.registration, house.bank)
    claims = house.federation.registration_claims(iat=house.federation.seconds())
    renewed = house.federation.sign_registration(claims)
    await house.keys.register(renewed, house.bank)
    found = await house.database.run(lambda session: store.find(session, str(house.bank), claims.key_id))
    assert found is not None
    assert found.registration_jws == renewed
    assert len(house.ledger.entries("key.registered")) == 2


async def test_a_key_counts_once_it_is_recorded(house: House) -> None:
    house.ledger.lost = [ErrorCode.LEDGER_UNAVAILABLE]
    with pytest.raises(ConsentgateError, match="LEDGER_UNAVAILABLE"):
        await house.keys.register(house.federation.registration, house.bank)
    key_id = house.federation.paillier_key.public.key_id
    assert await house.database.run(lambda session: store.find(session, str(house.bank), key_id)) is None
    assert await house.database.run(lambda session: store.newest(session, str(house.bank))) is None
    await house.upkeep.round()
    newest = await house.database.run(lambda session: store.newest(session, str(house.bank)))
    assert newest is not None
    assert newest.key_id == key_id


async def test_registrations_that_are_refused(house: House) -> None:
    federation = house.federation
    other = federation.bank_b
    cases = [
        (federation.registration, other.identity, ErrorCode.KEY_UNKNOWN),
        (federation.sign_registration(signer=other.signer), house.bank, ErrorCode.KEY_UNKNOWN),
        (
            federation.sign_registration(federation.registration_claims(key_id="0" * 64)),
            house.bank,
            ErrorCode.KEY_MISMATCH,
        ),
        (
            federation.sign_registration(federation.registration_claims(proof="{}")),
            house.bank,
            ErrorCode.KEY_PROOF,
        ),
        (
            federation.sign_registration(federation.registration_claims(key="{}")),
            house.bank,
            ErrorCode.KEY_INVALID,
        ),
        (b"no statement at all", house.bank, ErrorCode.KEY_UNKNOWN),
    ]
    for token, caller, code in cases:
        with pytest.raises(ConsentgateError) as caught:
            await house.keys.register(token, caller)
        assert caught.value.code is code
    assert house.ledger.entries("key.registered") == []
