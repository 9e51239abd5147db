"""Steps 1 to 5: what is not the bank's leaves no trace; each denial is recorded before it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from consentgate.errors import ConsentgateError, ErrorCode
from gateway.consent import Move
from gateway.store import requests
from gateway.store.requests import RequestState
from tests.support.federation import Federation, company_code
from tests.support.gateway_house import House
from tests.support.sample_scorecard import small_scorecard

# Step 1: nothing is recorded about a request that is not proven to be the bank's.


@pytest.mark.parametrize(
    ("label", "code", "field"),
    [
        ("garbage", ErrorCode.INVALID_ARGUMENT_FIELD, "signed_request"),
        ("tls key", ErrorCode.REQUEST_SIGNATURE, None),
        ("other bank", ErrorCode.REQUEST_ISSUER, "request_jws.iss"),
        ("audience", ErrorCode.REQUEST_AUDIENCE, "request_jws.aud"),
        ("old", ErrorCode.CLOCK_SKEW, "request_jws.iat"),
        ("early", ErrorCode.CLOCK_SKEW, "request_jws.iat"),
    ],
)
async def test_unproven_requests_leave_no_trace(settled: House, label: str, code: ErrorCode, field: str | None) -> None:
    federation = settled.federation
    seconds = int(settled.clock.now.timestamp())
    claims = federation.request_claims(iat=seconds)
    tokens = {
        "garbage": b"not a statement at all",
        "tls key": federation.sign_request(claims, federation.bank_a.signer_with_tls_key),
        "other bank": federation.sign_request(claims, federation.bank_b.signer),
        "audience": settled.request(aud="consentgate://elsewhere.test/score-request"),
        "old": settled.request(iat=seconds - 301),
        "early": settled.request(iat=seconds + 301),
    }
    before = len(settled.ledger.log.leaves)
    error = await settled.refused(tokens[label])
    assert error.code is code
    if field is not None:
        assert error.field == field
    assert len(settled.ledger.log.leaves) == before
    assert await settled.database.run(lambda session: requests.of_bank(session, str(settled.bank), None, 9)) == []


async def test_a_request_of_another_bank_is_refused_to_the_caller(settled: House) -> None:
    claims = settled.federation.request_claims(iss=str(settled.federation.bank_b.identity))
    token = settled.federation.sign_request(claims, settled.federation.bank_b.signer)
    assert (await settled.refused(token)).code is ErrorCode.CALLER_MISMATCH


# Steps 2 to 5: each denial is recorded, with its reason, before it is returned.


async def denial(house: House, token: bytes | None = None) -> tuple[ErrorCode, dict[str, object]]:
    """The code a request is denied with, and the body of the leaf that says so."""
    error = await house.refused(token)
    body = dict(house.ledger.entries("query.decision")[-1].body)
    assert (body["verdict"], body["reason"]) == ("deny", str(error.code))
    assert house.departments.asked == []
    return error.code, body


async def test_scorecard_that_is_not_approved(settled: House) -> None:
    await settled.register(small_scorecard(name="other"))
    token = settled.request(scorecard=small_scorecard(name="other").header.id)
    code, body = await denial(settled, token)
    assert code is ErrorCode.SCORECARD_NOT_APPROVED
    assert "subject" not in body


async def test_scorecard_that_was_retired(settled: House) -> None:
    await settled.approve(settled.federation.scorecard, "RETIRE")
    assert (await denial(settled))[0] is ErrorCode.SCORECARD_NOT_APPROVED


async def test_retirement_bites_before_the_ledger_has_it(settled: House) -> None:
    token = await settled.approval(settled.federation.scorecard, "RETIRE")
    settled.ledger.lost = [ErrorCode.LEDGER_UNAVAILABLE]
    with pytest.raises(ConsentgateError, match="LEDGER_UNAVAILABLE"):
        await settled.scorecards.submit(token)
    assert (await denial(settled))[0] is ErrorCode.SCORECARD_NOT_APPROVED


async def test_key_that_is_not_registered(settled: House) -> None:
    assert (await denial(settled, settled.request(key_id="0" * 64)))[0] is ErrorCode.KEY_UNKNOWN


async def test_company_without_consent(settled: House) -> None:
    token = settled.request(company=settled.federation.second_company.code)
    code, body = await denial(settled, token)
    assert code is ErrorCode.CONSENT_NOT_FOUND
    assert "subject" not in body
    assert "consent_id" not in body


async def test_consent_to_another_bank_looks_like_none(settled: House) -> None:
    company = settled.federation.second_company
    await settled.grant(company, grantee=str(settled.federation.bank_b.identity), group="group-b")
    error = await settled.refused(settled.request(company=company.code))
    assert (error.code, error.field) == (ErrorCode.CONSENT_NOT_FOUND, None)
    stranger = await settled.refused(settled.request("2", company=company_code(77)))
    assert (stranger.code, stranger.field, stranger.extra) == (error.code, error.field, error.extra)


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"purpose": "credit.monitoring"}, ErrorCode.CONSENT_PURPOSE),
        ({"use": "PROFILE"}, ErrorCode.CONSENT_SCOPE),
        ({"categories": ["tax.declarations"]}, ErrorCode.CONSENT_SCOPE),
        ({"data_range": {"first": "2025-01", "last": "2025-12"}}, ErrorCode.CONSENT_SCOPE),
        ({"group": "group-z"}, ErrorCode.SCORECARD_NOT_APPROVED),
    ],
)
async def test_consent_that_does_not_cover(tmp_path: Path, terms: dict[str, object], code: ErrorCode) -> None:
    house = House(tmp_path)
    await house.grant(**terms)  # first: later the gateway would not take a consent to a wrong group
    await house.keys.register(house.federation.registration, house.bank)
    await house.register(house.federation.scorecard)
    await house.approve(house.federation.scorecard)
    found, body = await denial(house)
    assert found is code
    # The bank is the grantee, so the company finds this denial by its token.
    assert body["subject"] == house.federation.company.subject
    house.close()


async def test_consent_whose_time_has_not_come(house: House) -> None:
    house.federation = Federation()
    await house.settle()
    await house.grant(version=2, valid_from=house.federation.seconds(days=1))
    assert (await denial(house))[0] is ErrorCode.CONSENT_NOT_YET_VALID


async def test_consent_whose_time_is_over(settled: House) -> None:
    settled.clock.forward(days=181)
    assert (await denial(settled))[0] is ErrorCode.CONSENT_EXPIRED


@pytest.mark.parametrize(
    ("action", "code"), [("PAUSE", ErrorCode.CONSENT_PAUSED), ("REVOKE", ErrorCode.CONSENT_REVOKED)]
)
@pytest.mark.parametrize("ledger_up", [True, False])
async def test_restrictions_bite_at_once(settled: House, action: str, code: ErrorCode, ledger_up: bool) -> None:
    token = settled.transition(action)
    if ledger_up:
        await settled.consents.move(token, Move(action), settled.company())
    else:
        settled.ledger.lost = [ErrorCode.LEDGER_UNAVAILABLE]
        with pytest.raises(ConsentgateError, match="LEDGER_UNAVAILABLE"):
            await settled.consents.move(token, Move(action), settled.company())
    assert (await denial(settled))[0] is code


async def test_law_denies_an_institution_without_licence(tmp_path: Path) -> None:
    """bank-b holds a licence for guarantees only: public data, not a tax declaration."""
    house = House(tmp_path, Federation(scorecard=small_scorecard(owner="bank-b")))
    federation, bank = house.federation, house.federation.bank_b
    registration = federation.sign_registration(federation.registration_claims(bank), bank.signer)
    await house.keys.register(registration, bank.identity)
    await house.register(federation.scorecard)
    await house.approve(federation.scorecard, group="group-b", members=[str(bank.identity)])
    await house.grant(grantee=str(bank.identity), group="group-b")
    claims = federation.request_claims(
        iss=str(bank.identity), key_id=federation.registration_claims(bank).key_id, iat=federation.seconds()
    )
    with pytest.raises(ConsentgateError) as caught:
        await house.flow.score(federation.sign_request(claims, bank.signer), bank.identity, None)
    assert caught.value.code is ErrorCode.POLICY_DENIED
    assert caught.value.field == "scorecard_header.categories.customs.trade"
    assert house.ledger.entries("query.decision")[-1].body["reason"] == "POLICY_DENIED"
    house.close()


async def test_frequency_is_used_up(settled: House) -> None:
    for number in range(4):
        await settled.score(settled.request(f"use {number}"))
    settled.departments.asked.clear()
    code, body = await denial(settled, settled.request("one too many"))
    assert code is ErrorCode.CONSENT_FREQUENCY
    assert body["rules"] == ["score.conditional"]
    settled.clock.forward(days=7)  # December
    await settled.score(settled.request("next month"))


async def test_a_failed_request_has_used_the_consent(settled: House) -> None:
    await settled.grant(version=2, frequency={"count": 1, "per": "YEAR"})
    settled.departments.silent = {"tax"}
    await settled.refused()
    settled.departments.silent.clear()
    assert (await settled.refused(settled.request("second"))).code is ErrorCode.CONSENT_FREQUENCY


async def test_a_denial_repeats_itself(settled: House) -> None:
    token = settled.request(company=settled.federation.second_company.code)
    first = await settled.refused(token)
    await settled.grant(settled.federation.second_company)
    second = await settled.refused(token)
    assert (first.code, first.field) == (second.code, second.field)
    assert len(settled.ledger.entries("query.decision")) == 1
    found = await settled.stored()
    assert (found.state, found.step) == (RequestState.DENIED, 6)


async def test_a_purpose_that_no_leaf_may_name_is_no_decision(settled: House) -> None:
    """A company's code fits the form of a purpose; the ledger must never be asked to record it."""
    token = settled.request(purpose=settled.federation.company.code.lower())
    error = await settled.refused(token)
    assert (error.code, error.field) == (ErrorCode.INVALID_ARGUMENT_FIELD, "body.purpose")
    assert await settled.recorder.recover() == 0
    assert settled.ledger.entries("query.decision") == []
