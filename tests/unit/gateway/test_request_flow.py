"""What an allowed request gives, and what the same bytes give again."""

from __future__ import annotations

import asyncio

from consentgate import answer, evidence
from consentgate.errors import ErrorCode
from gateway.store.requests import RequestState
from tests.support.gateway_house import House


async def test_allowed_request_opens_to_the_plaintext_score(settled: House) -> None:
    answered = await settled.score()
    assert settled.open_score(answered) == settled.federation.plaintext_score()
    # The bank's own checks hold: evidence as every department saw it, every answer, the release.
    order = evidence.verify(answered.evidence, settled.federation.anchors, settled.clock.now)
    for token in answered.answer_jws:
        answer.verify_answer(token, order, settled.federation.anchors)
    answer.verify_release(answered.release, order, answered.answer_jws, answered.ciphertext, settled.federation.anchors)
    found = await settled.stored()
    assert (found.state, found.step, found.reason) == (RequestState.RELEASED, 11, "")


async def test_ledger_holds_decision_before_release(settled: House) -> None:
    await settled.score()
    decision, release = settled.ledger.entries()[-2:]
    assert (decision.kind, release.kind) == ("query.decision", "query.release")
    assert decision.body["verdict"] == "allow"
    assert decision.body["policy"] == settled.policy.digest
    assert decision.body["rules"] == ["score.conditional"]
    assert settled.federation.company.code not in str(decision.body) + str(release.body)


async def test_the_same_bytes_get_the_stored_answer(settled: House) -> None:
    token = settled.request()
    first = await settled.score(token)
    asked = len(settled.departments.asked)
    settled.clock.forward(hours=2)
    second = await settled.score(token)
    assert (second.ciphertext, second.answer_jws) == (first.ciphertext, first.answer_jws)
    assert second.release == first.release
    assert len(settled.departments.asked) == asked


async def test_other_bytes_under_the_same_id_conflict(settled: House) -> None:
    await settled.score()
    error = await settled.refused(settled.request(as_of="2026-09"))
    assert (error.code, error.field) == (ErrorCode.IDEMPOTENCY_CONFLICT, "signed_request.request_id")


async def test_two_calls_at_once_use_the_consent_once(settled: House) -> None:
    token = settled.request()
    answers = await asyncio.gather(settled.score(token), settled.score(token))
    assert answers[0].ciphertext == answers[1].ciphertext
    assert len(settled.ledger.entries("query.decision")) == 1


async def test_two_processes_at_once_give_one_answer(settled: House) -> None:
    token = settled.request()
    flows = [settled.new_flow(), settled.new_flow()]
    answers = await asyncio.gather(*(settled.score(token, flow=flow) for flow in flows))
    assert answers[0].ciphertext == answers[1].ciphertext
    assert answers[0].release.leaf == answers[1].release.leaf
    assert len(settled.ledger.entries("query.release")) == 1


async def test_an_answer_is_deleted_after_a_day(settled: House) -> None:
    token = settled.request()
    await settled.score(token)
    settled.clock.forward(hours=24, seconds=1)
    assert await settled.upkeep.delete_outputs() == 1
    error = await settled.refused(token)
    assert error.code is ErrorCode.REQUEST_FAILED
    assert (await settled.stored()).state is RequestState.RELEASED
