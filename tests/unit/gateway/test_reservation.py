"""Step 5: one request id, one row; one use, one row; whoever comes second sees what the first one did."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from consentgate.errors import ConsentgateError, ErrorCode
from gateway.admission import Admission, Asked, Refusal
from gateway.consent import Move
from gateway.reservation import Proposal, Reservations
from gateway.store.requests import StoredRequest
from tests.support.gateway_house import House
from tests.unit.gateway.scorecards import binned, scorecard


async def proposed(house: House, label: str = "request", **changes: object) -> tuple[Asked, Proposal]:
    """Steps 1 to 4 of a request."""
    admission = Admission(house.federation.anchors, house.database, house.policy)
    now = house.clock.now
    asked = await admission.who_asks(house.request(label, **changes), house.bank, now)
    target = await admission.what_is_asked(asked, now)
    consent = await admission.consent(asked, target, now)
    return asked, Proposal(target, consent, await admission.law(asked, target, consent, now))


async def reserve(house: House, asked: Asked, verdict: Proposal | Refusal) -> StoredRequest:
    """Step 5, by a process of its own."""
    return await Reservations(house.database, house.policy.digest).reserve(asked, verdict, house.clock.now)


async def test_many_processes_reserve_one_request_once(settled: House) -> None:
    asked, proposal = await proposed(settled)
    results = await asyncio.gather(*(reserve(settled, asked, proposal) for _ in range(8)))
    assert {(found.row_id, found.request_salt) for found in results} == {(results[0].row_id, results[0].request_salt)}
    assert results[0].verdict == "allow"


async def test_the_second_one_with_other_bytes_conflicts(settled: House) -> None:
    first, second = await proposed(settled), await proposed(settled, as_of="2026-09")
    results = await asyncio.gather(reserve(settled, *first), reserve(settled, *second), return_exceptions=True)
    errors = [result for result in results if isinstance(result, ConsentgateError)]
    assert [error.code for error in errors] == [ErrorCode.IDEMPOTENCY_CONFLICT]
    assert sum(isinstance(result, StoredRequest) for result in results) == 1


@pytest.mark.parametrize("count", [1, 3])
async def test_a_race_never_exceeds_the_frequency(settled: House, count: int) -> None:
    await settled.grant(version=2, frequency={"count": count, "per": "DAY"})
    proposals = [await proposed(settled, f"racer {number}") for number in range(6)]
    results = await asyncio.gather(*(reserve(settled, *each) for each in proposals))
    assert sorted(found.verdict for found in results) == ["allow"] * count + ["deny"] * (6 - count)
    assert {found.reason for found in results if found.verdict == "deny"} == {"CONSENT_FREQUENCY"}


async def test_a_race_never_exceeds_the_total(settled: House) -> None:
    await settled.grant(version=2, total_uses=2)
    proposals = [await proposed(settled, f"racer {number}") for number in range(4)]
    results = await asyncio.gather(*(reserve(settled, *each) for each in proposals))
    denied = [found for found in results if found.verdict == "deny"]
    assert len(denied) == 2
    assert {found.field for found in denied} == {"consent_jws.total_uses"}


@pytest.mark.parametrize(
    ("per", "last", "first"),
    [
        ("HOUR", datetime(2026, 12, 31, 22, 59, 59, tzinfo=UTC), datetime(2026, 12, 31, 23, 0, 0, tzinfo=UTC)),
        ("DAY", datetime(2026, 12, 30, 23, 59, 59, tzinfo=UTC), datetime(2026, 12, 31, 0, 0, 0, tzinfo=UTC)),
        ("MONTH", datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC), datetime(2026, 12, 1, 0, 0, 0, tzinfo=UTC)),
        ("YEAR", datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(2027, 1, 1, 0, 0, 0, tzinfo=UTC)),
    ],
)
async def test_a_use_counts_in_its_calendar_unit(settled: House, per: str, last: datetime, first: datetime) -> None:
    await settled.grant(
        version=2, frequency={"count": 1, "per": per}, data_range={"first": "2025-01", "last": "2027-12"}
    )
    settled.clock.now = last
    assert (await reserve(settled, *await proposed(settled, "one"))).verdict == "allow"
    assert (await reserve(settled, *await proposed(settled, "two"))).reason == "CONSENT_FREQUENCY"
    settled.clock.now = first
    assert (await reserve(settled, *await proposed(settled, "three"))).verdict == "allow"


async def test_denials_use_nothing(settled: House) -> None:
    await settled.grant(version=2, frequency={"count": 1, "per": "YEAR"})
    for number in range(3):
        asked, _ = await proposed(settled, f"denied {number}")
        refusal = Refusal(ConsentgateError(ErrorCode.POLICY_DENIED))
        assert (await reserve(settled, asked, refusal)).verdict == "deny"
    assert (await reserve(settled, *await proposed(settled))).verdict == "allow"


async def test_uses_are_counted_per_version(settled: House) -> None:
    await settled.grant(version=2, frequency={"count": 1, "per": "YEAR"})
    await reserve(settled, *await proposed(settled, "one"))
    await settled.grant(version=3, frequency={"count": 1, "per": "YEAR"})
    assert (await reserve(settled, *await proposed(settled, "two"))).verdict == "allow"
    (own,) = await settled.consents.own(settled.company(), None, 9)
    assert own.uses == 1


@pytest.mark.parametrize("action", ["PAUSE", "REVOKE"])
async def test_a_restriction_between_the_steps_is_seen(settled: House, action: str) -> None:
    asked, proposal = await proposed(settled)
    await settled.consents.move(settled.transition(action), Move(action), settled.company())
    found = await reserve(settled, asked, proposal)
    assert (found.verdict, found.reason) == ("deny", f"CONSENT_{action}D")


async def test_a_superseded_version_is_not_used(settled: House) -> None:
    asked, proposal = await proposed(settled)
    await settled.grant(version=2)
    assert (await reserve(settled, asked, proposal)).reason == "CONSENT_NOT_FOUND"


async def test_a_retirement_between_the_steps_is_seen(settled: House) -> None:
    asked, proposal = await proposed(settled)
    await settled.approve(settled.federation.scorecard, "RETIRE")
    assert (await reserve(settled, asked, proposal)).reason == "SCORECARD_NOT_APPROVED"


async def test_a_further_approval_between_the_steps_is_the_one_named(settled: House) -> None:
    """Departments accept only the group's newest link."""
    asked, proposal = await proposed(settled)
    other = scorecard("other", ("tax", binned("x"), [0, 1, 2]), ("customs", binned("y"), [0, 3, 4]))
    await settled.register(other)
    await settled.approve(other)
    found = await reserve(settled, asked, proposal)
    assert found.verdict == "allow"
    assert found.allowance is not None
    newest = await settled.judged(settled.federation.scorecard.header.id)
    assert found.allowance.approval_jws == newest.approval.approval_jws
    assert newest.approval.claims.sequence == 2
