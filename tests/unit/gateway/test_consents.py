"""Granting and moving consents: whose word counts, in which order it reaches the ledger, what is refused."""

from __future__ import annotations

import pytest

from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.identity import SpiffeId
from gateway.consent import ConsentState, Move
from ledger.entry import parse
from tests.support.federation import hex16
from tests.support.gateway_house import House


def kinds(house: House) -> list[str]:
    """Kinds of the entries about consents, in the ledger's order."""
    return [entry.kind.removeprefix("consent.") for entry in house.ledger.entries() if "consent." in entry.kind]


async def state(house: House) -> ConsentState:
    """State of the company's only consent."""
    (own,) = await house.consents.own(house.company(), None, 10)
    return own.state


async def test_granting_records_the_terms_and_not_the_company(house: House) -> None:
    receipt = await house.grant()
    entry = parse(receipt.leaf)
    claims = house.federation.consent_claims()
    assert entry.kind == "consent.granted"
    assert (entry.body["subject"], entry.body["institution"]) == (claims.subject, "bank-a")
    assert entry.body["categories"] == claims.categories
    assert claims.company.lower() not in receipt.leaf.decode().lower()
    (own,) = await house.consents.own(house.company(), None, 10)
    assert (own.state, own.uses, own.consent.claims) == (ConsentState.ACTIVE, 0, claims)
    assert await house.consents.subjects(house.company()) == [claims.subject]


async def test_granting_twice_is_one_entry(house: House) -> None:
    consent, attestation = house.consent()
    first = await house.consents.grant(consent, attestation, house.company())
    second = await house.consents.grant(consent, attestation, house.company())
    assert (first.leaf, kinds(house)) == (second.leaf, ["granted"])


async def test_a_grant_interrupted_by_the_ledger_is_finished_later(house: House) -> None:
    house.ledger.lost = [ErrorCode.LEDGER_UNAVAILABLE]
    with pytest.raises(ConsentgateError, match="LEDGER_UNAVAILABLE"):
        await house.grant()
    assert await house.consents.own(house.company(), None, 10) == [], "it counts only once it is recorded"
    await house.upkeep.round()
    assert await state(house) is ConsentState.ACTIVE


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"iat": 1795579200}, ErrorCode.CLOCK_SKEW, "consent_jws.iat"),
        ({"valid_from": 1, "valid_until": 2}, ErrorCode.CONSENT_EXPIRED, "consent_jws.valid_until"),
        ({"categories": ["tax.secrets"]}, ErrorCode.INVALID_ARGUMENT_FIELD, "consent_jws.categories"),
        (
            {"categories": ["tax.declarations", "tax.declarations"]},
            ErrorCode.INVALID_ARGUMENT_FIELD,
            "consent_jws.categories",
        ),
        ({"purpose": "credit.curiosity"}, ErrorCode.INVALID_ARGUMENT_FIELD, "consent_jws.purpose"),
        (
            {"grantee": "spiffe://consentgate.test/department/tax"},
            ErrorCode.INVALID_ARGUMENT_FIELD,
            "consent_jws.grantee",
        ),
        (
            {"grantee": "spiffe://elsewhere.test/bank/bank-a"},
            ErrorCode.INVALID_ARGUMENT_FIELD,
            "consent_jws.grantee",
        ),
        ({"aud": "consentgate://elsewhere.test/consent"}, ErrorCode.CONSENT_SIGNATURE, "consent_jws.aud"),
    ],
)
async def test_terms_that_are_refused(house: House, changes: dict[str, object], code: ErrorCode, field: str) -> None:
    with pytest.raises(ConsentgateError) as caught:
        await house.grant(**changes)
    assert (caught.value.code, caught.value.field) == (code, field)
    assert kinds(house) == []


async def test_whose_signatures_count(house: House) -> None:
    federation, caller = house.federation, house.company()
    consent, attestation = house.consent()
    one = federation.sign_consent(signers=federation.company.signers[:1])
    strangers = federation.sign_consent(signers=federation.second_company.signers[:2])
    forged = federation.sign_attestation(signer=federation.company.signers[0])
    for token, attested, code in (
        (one, attestation, ErrorCode.CONSENT_SIGNATURE),
        (strangers, attestation, ErrorCode.CONSENT_SIGNATURE),
        (consent, forged, ErrorCode.ATTESTATION_SIGNATURE),
        (b"x" * 20, attestation, ErrorCode.CONSENT_SIGNATURE),
        (consent, b"x" * 20, ErrorCode.ATTESTATION_SIGNATURE),
    ):
        with pytest.raises(ConsentgateError) as caught:
            await house.consents.grant(token, attested, caller)
        assert caught.value.code is code
    with pytest.raises(ConsentgateError, match="CALLER_MISMATCH"):
        await house.consents.grant(consent, attestation, house.company(federation.second_company))
    assert kinds(house) == []


async def test_one_token_per_company_and_group(house: House) -> None:
    await house.grant()
    federation = house.federation
    with pytest.raises(ConsentgateError, match="SUBJECT_MISMATCH"):
        await house.grant(consent_id=hex16("second"), subject=hex16("another token"))
    with pytest.raises(ConsentgateError, match="SUBJECT_MISMATCH"):
        await house.grant(federation.second_company, subject=federation.company.subject)
    # To another group the company has another token.
    other = {"grantee": str(federation.bank_b.identity), "group": "group-b", "consent_id": hex16("third")}
    with pytest.raises(ConsentgateError, match="SUBJECT_MISMATCH"):
        await house.grant(**other)
    await house.grant(**other, subject=hex16("token for b"))
    assert len(await house.consents.subjects(house.company())) == 2


async def test_the_registry_gives_no_entity_twice(house: House) -> None:
    await house.grant()
    federation = house.federation
    claims = federation.attestation_claims(federation.second_company, entity=federation.company.entity)
    attestation = federation.sign_attestation(claims)
    consent, _ = house.consent(federation.second_company)
    with pytest.raises(ConsentgateError) as caught:
        await house.consents.grant(consent, attestation, house.company())
    assert caught.value.field == "attestation_jws.entity"


async def test_a_consent_id_belongs_to_one_company(house: House) -> None:
    await house.grant()
    taken = house.federation.consent_claims().consent_id
    with pytest.raises(ConsentgateError) as caught:
        await house.grant(house.federation.second_company, consent_id=taken, version=2)
    assert caught.value.field == "consent_jws.consent_id"


async def test_a_group_that_the_bank_is_not_in(settled: House) -> None:
    with pytest.raises(ConsentgateError) as caught:
        await settled.grant(settled.federation.second_company, group="group-z")
    assert caught.value.field == "consent_jws.group"


async def test_versions(house: House) -> None:
    await house.grant()
    await house.grant(version=2, total_uses=7)
    (own,) = await house.consents.own(house.company(), None, 10)
    assert (own.consent.claims.version, own.consent.claims.total_uses) == (2, 7)
    for version in (1, 2):
        with pytest.raises(ConsentgateError, match="CONSENT_VERSION"):
            await house.grant(version=version, total_uses=8)


async def test_a_version_waits_for_the_one_before_it(house: House) -> None:
    house.ledger.lost = [ErrorCode.LEDGER_UNAVAILABLE]
    with pytest.raises(ConsentgateError, match="LEDGER_UNAVAILABLE"):
        await house.grant()
    await house.grant(version=2)
    assert [entry.body["version"] for entry in house.ledger.entries("consent.granted")] == [1, 2]


# Moves.


async def move(house: House, action: str, nonce: str = "", **changes: object) -> str:
    """Kind of the entry that the move makes."""
    token = house.transition(action, nonce, **changes)
    return parse((await house.consents.move(token, Move(action), house.company())).leaf).kind


async def test_a_life(house: House) -> None:
    await house.grant()
    for action, wanted in (("PAUSE", "PAUSED"), ("RESUME", "ACTIVE"), ("REVOKE", "REVOKED")):
        await move(house, action)
        assert await state(house) is ConsentState(wanted)
    assert kinds(house) == ["granted", "paused", "resumed", "revoked"]
    for action in ("PAUSE", "RESUME", "REVOKE"):
        with pytest.raises(ConsentgateError, match="CONSENT_STATE"):
            await move(house, action, "after the end")
    with pytest.raises(ConsentgateError, match="CONSENT_STATE"):
        await house.grant(version=2)


async def test_repeating_a_move_is_one_entry(house: House) -> None:
    await house.grant()
    token = house.transition("REVOKE")
    receipts = [await house.consents.move(token, Move.REVOKE, house.company()) for _ in range(2)]
    assert receipts[0].leaf == receipts[1].leaf
    other = house.transition("REVOKE", iat=house.federation.seconds(seconds=1))
    with pytest.raises(ConsentgateError) as caught:
        await house.consents.move(other, Move.REVOKE, house.company())
    assert caught.value.code is ErrorCode.IDEMPOTENCY_CONFLICT


async def test_moves_of_others(house: House) -> None:
    await house.grant()
    token = house.transition("REVOKE")
    stranger = house.company(house.federation.second_company)
    with pytest.raises(ConsentgateError) as caught:
        await house.consents.move(token, Move.REVOKE, stranger)
    unknown = house.transition("REVOKE", consent_id=hex16("no such consent"))
    with pytest.raises(ConsentgateError) as missing:
        await house.consents.move(unknown, Move.REVOKE, house.company())
    # Exactly alike: nobody learns that another company's consent exists.
    assert (caught.value.code, caught.value.field) == (missing.value.code, missing.value.field)
    assert caught.value.code is ErrorCode.CONSENT_NOT_FOUND


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"version": 9}, ErrorCode.CONSENT_STATE, "transition_jws.version"),
        ({"action": "PAUSE"}, ErrorCode.INVALID_ARGUMENT_FIELD, "transition_jws.action"),
        ({"aud": "consentgate://consentgate.test/consent"}, ErrorCode.CONSENT_SIGNATURE, "transition_jws.aud"),
    ],
)
async def test_moves_that_are_refused(house: House, changes: dict[str, object], code: ErrorCode, field: str) -> None:
    await house.grant()
    claims = house.federation.transition_claims(**{"action": "REVOKE", **changes})
    with pytest.raises(ConsentgateError) as caught:
        await house.consents.move(house.federation.sign_transition(claims), Move.REVOKE, house.company())
    assert (caught.value.code, caught.value.field) == (code, field)
    assert await state(house) is ConsentState.ACTIVE


async def test_one_signatory_cannot_move(house: House) -> None:
    await house.grant()
    claims = house.federation.transition_claims("REVOKE")
    token = house.federation.sign_transition(claims, house.federation.company.signers[:1])
    with pytest.raises(ConsentgateError, match="CONSENT_SIGNATURE"):
        await house.consents.move(token, Move.REVOKE, house.company())


async def test_a_revocation_is_stored_whatever_still_waits(house: House) -> None:
    """A resume that the ledger does not have yet must not hold up the company's last word."""
    await house.grant()
    await move(house, "PAUSE")
    house.ledger.down = ErrorCode.LEDGER_UNAVAILABLE
    for action in ("RESUME", "REVOKE"):
        with pytest.raises(ConsentgateError, match="LEDGER_UNAVAILABLE"):
            await move(house, action)
    assert await state(house) is ConsentState.REVOKED
    house.ledger.down = None
    await house.upkeep.round()
    assert kinds(house) == ["granted", "paused", "resumed", "revoked"]
    assert await state(house) is ConsentState.REVOKED


async def test_other_moves_wait_for_those_before(house: House) -> None:
    await house.grant()
    house.ledger.lost = [ErrorCode.LEDGER_UNAVAILABLE]
    with pytest.raises(ConsentgateError, match="LEDGER_UNAVAILABLE"):
        await move(house, "PAUSE")
    assert await state(house) is ConsentState.PAUSED
    await move(house, "RESUME")
    assert kinds(house) == ["granted", "paused", "resumed"]


async def test_expiry_is_noted_once(house: House) -> None:
    await house.grant()
    assert await house.consents.expire_due() == 0
    house.clock.forward(days=181)
    assert await state(house) is ConsentState.EXPIRED
    assert await house.consents.expire_due() == 1
    assert await house.consents.expire_due() == 0
    assert kinds(house) == ["granted", "expired"]
    with pytest.raises(ConsentgateError, match="CONSENT_STATE"):
        await move(house, "REVOKE")


async def test_a_revoked_or_superseded_version_does_not_expire(house: House) -> None:
    await house.grant()
    await house.grant(version=2)
    await move(house, "REVOKE", version=2)
    house.clock.forward(days=181)
    assert await house.consents.expire_due() == 0


async def test_own_consents_come_in_pages_newest_first(house: House) -> None:
    for number in range(5):
        await house.grant(consent_id=hex16(f"consent {number}"), nonce=hex16(f"nonce {number}"))
    page = await house.consents.own(house.company(), None, 2)
    rest = await house.consents.own(house.company(), page[-1].consent.row_id, 9)
    ids = [own.consent.claims.consent_id for own in [*page, *rest]]
    assert ids == [hex16(f"consent {number}") for number in (4, 3, 2, 1, 0)]
    assert await house.consents.own(house.company(house.federation.second_company), None, 9) == []
    assert await house.consents.subjects(SpiffeId.parse("spiffe://consentgate.test/company/nobody")) == []
