"""Dry runs: every obstacle in flow order, the policies, nothing used up, and nothing told to strangers."""

from __future__ import annotations

from pathlib import Path

import pytest

from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.identity import SpiffeId
from gateway.consent import Move
from gateway.dry_run import DryRun
from tests.support.federation import PURPOSE, company_code
from tests.support.gateway_house import House
from tests.unit.gateway.scorecards import binned, scorecard


async def dry_run(house: House, bank: SpiffeId | None = None, **changes: str) -> DryRun:
    """The answer to bank-a's question with single parts changed."""
    asked = {
        "company": house.federation.company.code,
        "scorecard": house.federation.scorecard.header.id,
        "purpose": PURPOSE,
        **changes,
    }
    return await house.dry_runner.run(bank or house.bank, **asked)


def reasons(result: DryRun) -> list[str]:
    return [str(obstacle.reason) for obstacle in result.obstacles]


async def test_what_would_be_allowed_is_allowed(settled: House) -> None:
    leaves = len(settled.ledger.log.leaves)
    result = await dry_run(settled)
    assert (result.obstacles, [policy.id for policy in result.policies]) == ((), ["score.conditional"])
    for _ in range(9):
        await dry_run(settled)
    assert len(settled.ledger.log.leaves) == leaves
    (own,) = await settled.consents.own(settled.company(), None, 9)
    assert own.uses == 0
    await settled.score()


async def test_everything_that_stands_against_it_in_flow_order(house: House) -> None:
    assert reasons(await dry_run(house)) == ["SCORECARD_NOT_APPROVED", "KEY_UNKNOWN", "CONSENT_NOT_FOUND"]


async def test_an_own_scorecard_is_examined_before_it_is_approved(house: House) -> None:
    await house.register(house.federation.scorecard)
    await house.grant(categories=["tax.declarations"])
    result = await dry_run(house)
    assert reasons(result) == ["SCORECARD_NOT_APPROVED", "KEY_UNKNOWN", "CONSENT_SCOPE", "POLICY_DENIED"]
    assert "consent to every category" in result.obstacles[-1].hint


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"purpose": "credit.monitoring"}, ["CONSENT_PURPOSE", "POLICY_DENIED"]),
        ({"use": "PROFILE"}, ["CONSENT_SCOPE", "POLICY_DENIED"]),
        ({"data_range": {"first": "2025-01", "last": "2025-12"}}, ["CONSENT_SCOPE"]),
        ({"total_uses": 1}, []),
    ],
)
async def test_each_term_of_a_consent(settled: House, changes: dict[str, object], wanted: list[str]) -> None:
    await settled.grant(version=2, **changes)
    assert reasons(await dry_run(settled)) == wanted


async def test_several_terms_at_once_are_all_named(settled: House) -> None:
    """One obstacle does not hide the next."""
    await settled.grant(
        version=2,
        purpose="credit.monitoring",
        valid_from=settled.federation.seconds(days=3),
        data_range={"first": "2025-01", "last": "2025-12"},
    )
    found = reasons(await dry_run(settled))
    assert found[:3] == ["CONSENT_PURPOSE", "CONSENT_SCOPE", "CONSENT_NOT_YET_VALID"]


@pytest.mark.parametrize("action", ["PAUSE", "REVOKE"])
async def test_a_restricted_consent(settled: House, action: str) -> None:
    await settled.consents.move(settled.transition(action), Move(action), settled.company())
    result = await dry_run(settled)
    assert reasons(result)[0] == f"CONSENT_{action}D"
    assert "active again" in result.obstacles[1].hint


async def test_an_expired_consent(settled: House) -> None:
    settled.clock.forward(days=181)
    found = reasons(await dry_run(settled))
    assert found[0] == "CONSENT_EXPIRED"
    assert len(found) == len(set(found))


async def test_uses_that_are_gone(settled: House) -> None:
    await settled.grant(version=2, total_uses=1)
    await settled.score()
    assert reasons(await dry_run(settled)) == ["CONSENT_FREQUENCY"]


async def test_the_best_of_several_consents_counts(settled: House) -> None:
    await settled.grant(consent_id="0" * 32, purpose="credit.monitoring")
    assert reasons(await dry_run(settled)) == []


async def test_a_consent_of_another_group(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.grant(group="group-z")
    await house.keys.register(house.federation.registration, house.bank)
    await house.register(house.federation.scorecard)
    await house.approve(house.federation.scorecard)
    assert reasons(await dry_run(house)) == ["SCORECARD_NOT_APPROVED"]
    house.close()


async def test_a_stranger_learns_nothing_about_a_company(settled: House) -> None:
    """bank-b gets the same about a company that consented to bank-a, one that did not, and one that does not exist."""
    stranger = settled.federation.bank_b.identity
    codes = [settled.federation.company.code, settled.federation.second_company.code, company_code(999)]
    results = [await dry_run(settled, stranger, company=code) for code in codes]
    assert results[0] == results[1] == results[2]
    assert reasons(results[0]) == ["SCORECARD_NOT_APPROVED", "KEY_UNKNOWN", "CONSENT_NOT_FOUND"]


async def test_a_strangers_scorecard_is_not_examined(settled: House) -> None:
    """Else the law's answer would tell which categories another bank's scorecard reads."""
    other = scorecard("b", ("tax", binned("x"), [0, 1, 2]), ("customs", binned("y"), [0, 1, 2]), owner="bank-b")
    await settled.register(other)
    result = await dry_run(settled, scorecard=other.header.id)
    assert (reasons(result), result.policies) == (["SCORECARD_NOT_APPROVED"], ())


async def test_a_company_that_cannot_be(settled: House) -> None:
    with pytest.raises(ConsentgateError) as caught:
        await dry_run(settled, company=settled.federation.company.code[:-1] + "0")
    assert (caught.value.code, caught.value.field) == (ErrorCode.INVALID_ARGUMENT_FIELD, "company")


async def test_the_dry_run_agrees_with_the_flow(settled: House) -> None:
    """What a dry run names first is what the request is denied with."""
    for version, changes in enumerate(
        [{"purpose": "credit.monitoring"}, {"use": "MATCH"}, {"categories": ["tax.declarations"]}], start=2
    ):
        await settled.grant(version=version, **changes)
        predicted = (await dry_run(settled)).obstacles[0].reason
        assert (await settled.refused(settled.request(f"version {version}"))).code is predicted
