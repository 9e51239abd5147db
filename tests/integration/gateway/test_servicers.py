"""Every RPC over real mutual TLS: what an honest caller gets, paging, and who sees what."""

from __future__ import annotations

import grpc
import grpc.aio
import pytest

from consentgate import convert, evidence
from consentgate.error_status import from_rpc_error
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.v1 import consent_pb2, keys_pb2, scorecard_pb2, scoring_pb2
from consentgate.v1.consent_pb2_grpc import ConsentServiceStub
from consentgate.v1.keys_pb2_grpc import KeyServiceStub
from consentgate.v1.scorecard_pb2_grpc import ScorecardServiceStub
from consentgate.v1.scoring_pb2_grpc import ScoringServiceStub
from gateway.consent import Move
from ledger.entry import parse
from tests.integration.gateway.port import Port
from tests.support.federation import GROUP, PURPOSE, company_code, hex16
from tests.support.sample_scorecard import small_scorecard


async def refused(call: object) -> ConsentgateError:
    """The typed error a call ends in."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call  # type: ignore[misc]
    return from_rpc_error(caught.value)


async def test_a_score(port: Port) -> None:
    request = scoring_pb2.ScoreRequest(signed_request=port.house.request())
    answer = await ScoringServiceStub(port.bank).Score(request, timeout=20)
    bundle = convert.bundle_from_message(answer.evidence)
    evidence.verify(bundle, port.federation.anchors, port.house.clock.now)
    assert len(answer.answer_jws) == 2
    assert parse(answer.release.leaf).kind == "query.release"


async def test_a_denial_carries_reason_field_and_hint(port: Port) -> None:
    request = scoring_pb2.ScoreRequest(signed_request=port.house.request(purpose="credit.monitoring"))
    error = await refused(ScoringServiceStub(port.bank).Score(request))
    assert (error.code, error.field) == (ErrorCode.CONSENT_PURPOSE, "consent_jws.purpose")
    assert "purpose" in error.hint


async def test_a_stranger_learns_only_that_there_is_no_consent(port: Port) -> None:
    """bank-b, with key and scorecard of its own, asks about companies that consented to bank-a or to nobody."""
    federation, house = port.federation, port.house
    bank = federation.bank_b
    await house.keys.register(
        federation.sign_registration(federation.registration_claims(bank), bank.signer), bank.identity
    )
    own = small_scorecard(owner="bank-b", name="own")
    await house.register(own)
    await house.approve(own, group="group-b", members=[str(bank.identity)])
    errors = []
    for number, code in enumerate([federation.company.code, federation.second_company.code, company_code(77)]):
        claims = federation.request_claims(
            iss=str(bank.identity),
            iat=federation.seconds(),
            request_id=hex16(f"stranger {number}"),
            company=code,
            scorecard=own.header.id,
            key_id=federation.registration_claims(bank).key_id,
        )
        token = federation.sign_request(claims, bank.signer)
        errors.append(
            await refused(ScoringServiceStub(port.other_bank).Score(scoring_pb2.ScoreRequest(signed_request=token)))
        )
    assert [(error.code, error.field, dict(error.extra)) for error in errors] == [
        (ErrorCode.CONSENT_NOT_FOUND, None, {})
    ] * 3
    for entry in house.ledger.entries("query.decision"):
        assert "subject" not in entry.body


async def test_a_dry_run(port: Port) -> None:
    request = scoring_pb2.DryRunRequest(
        company=port.federation.company.code, scorecard=port.federation.scorecard.header.id, purpose=PURPOSE
    )
    answer = await ScoringServiceStub(port.bank).DryRun(request)
    assert (answer.allowed, answer.reason, len(answer.obstacles)) == (True, "", 0)
    assert answer.policies[0].id == "score.conditional"
    assert "Article" in answer.policies[0].basis
    request.purpose = "credit.monitoring"
    answer = await ScoringServiceStub(port.bank).DryRun(request)
    assert (answer.allowed, answer.reason) == (False, "CONSENT_PURPOSE")
    assert all(obstacle.hint for obstacle in answer.obstacles)


async def test_own_requests_in_pages(port: Port) -> None:
    house, stub = port.house, ScoringServiceStub(port.bank)
    await house.score(house.request("one"))
    await house.refused(house.request("two", purpose="credit.monitoring"))
    house.departments.silent = {"customs"}
    await house.refused(house.request("three"))
    first = await stub.ListRequests(scoring_pb2.ListRequestsRequest(page_size=2))
    second = await stub.ListRequests(scoring_pb2.ListRequestsRequest(page_size=2, page_token=first.next_page_token))
    assert second.next_page_token == ""
    listed = [
        (entry.request_id, entry.state, entry.step, entry.reason) for entry in [*first.requests, *second.requests]
    ]
    assert listed == [
        (hex16("three"), scoring_pb2.REQUEST_STATE_FAILED, 7, "DEPARTMENT_UNAVAILABLE"),
        (hex16("two"), scoring_pb2.REQUEST_STATE_DENIED, 6, "CONSENT_PURPOSE"),
        (hex16("one"), scoring_pb2.REQUEST_STATE_RELEASED, 11, ""),
    ]
    assert first.requests[0].received_at.seconds == int(house.clock.now.timestamp())
    others = await ScoringServiceStub(port.other_bank).ListRequests(scoring_pb2.ListRequestsRequest())
    assert list(others.requests) == []


async def test_registering_a_key(port: Port) -> None:
    request = keys_pb2.RegisterKeyRequest(registration_jws=port.federation.registration)
    answer = await KeyServiceStub(port.bank).RegisterKey(request)
    assert answer.key_id == port.federation.paillier_key.public.key_id
    error = await refused(KeyServiceStub(port.other_bank).RegisterKey(request))
    assert error.code is ErrorCode.KEY_UNKNOWN


async def test_a_consents_life(port: Port) -> None:
    stub, house = ConsentServiceStub(port.company), port.house
    moves = [
        (stub.PauseConsent, consent_pb2.PauseConsentRequest, "PAUSE", consent_pb2.CONSENT_STATE_PAUSED),
        (stub.ResumeConsent, consent_pb2.ResumeConsentRequest, "RESUME", consent_pb2.CONSENT_STATE_ACTIVE),
        (stub.RevokeConsent, consent_pb2.RevokeConsentRequest, "REVOKE", consent_pb2.CONSENT_STATE_REVOKED),
    ]
    for rpc, request, action, state in moves:
        answer = await rpc(request(transition_jws=house.transition(action)))  # type: ignore[operator]
        assert parse(answer.receipt.leaf).kind.startswith("consent.")
        listed = await stub.ListConsents(consent_pb2.ListConsentsRequest())
        assert [entry.state for entry in listed.consents] == [state]
    error = await refused(
        stub.PauseConsent(consent_pb2.PauseConsentRequest(transition_jws=house.transition("PAUSE", "x")))
    )
    assert error.code is ErrorCode.CONSENT_STATE


async def test_granting_and_listing(port: Port) -> None:
    house, stub = port.house, ConsentServiceStub(port.company)
    for number in range(3):
        consent, attestation = house.consent(consent_id=hex16(f"consent {number}"))
        request = consent_pb2.GrantConsentRequest(consent_jws=consent, attestation_jws=attestation)
        answer = await stub.GrantConsent(request)
        assert parse(answer.receipt.leaf).kind == "consent.granted"
    first = await stub.ListConsents(consent_pb2.ListConsentsRequest(page_size=3))
    rest = await stub.ListConsents(consent_pb2.ListConsentsRequest(page_size=3, page_token=first.next_page_token))
    assert (len(first.consents), len(rest.consents), rest.next_page_token) == (3, 1, "")
    summary = first.consents[0]
    assert (summary.consent_id, summary.version, summary.uses) == (hex16("consent 2"), 1, 0)
    assert (summary.purpose, summary.subject) == (PURPOSE, port.federation.company.subject)
    stranger = ConsentServiceStub(port.channel("company", port.federation.second_company.entity))
    assert len((await stranger.ListConsents(consent_pb2.ListConsentsRequest())).consents) == 0
    error = await refused(stranger.GrantConsent(request))
    assert error.code is ErrorCode.CALLER_MISMATCH


async def test_a_company_sees_every_access(port: Port) -> None:
    house, stub = port.house, ConsentServiceStub(port.company)
    await house.score(house.request("one"))
    await house.refused(house.request("two", as_of="2024-01"))
    await house.consents.move(house.transition("REVOKE"), Move.REVOKE, house.company())
    first = await stub.ListAccesses(consent_pb2.ListAccessesRequest(from_start=True, page_size=3))
    last = parse(first.entries[-1].leaf).seq
    rest = await stub.ListAccesses(consent_pb2.ListAccessesRequest(after_seq=last, page_size=9))
    kinds = [parse(entry.leaf).kind for entry in [*first.entries, *rest.entries]]
    assert kinds == ["consent.granted", "query.decision", "query.release", "query.decision", "consent.revoked"]
    assert rest.tree_size == len(house.ledger.log.leaves)
    stranger = ConsentServiceStub(port.channel("company", port.federation.second_company.entity))
    assert len((await stranger.ListAccesses(consent_pb2.ListAccessesRequest(from_start=True))).entries) == 0


async def test_scorecards_and_who_sees_them(port: Port) -> None:
    house, header = port.house, port.federation.scorecard.header
    request = scorecard_pb2.GetScorecardRequest(scorecard=header.id)
    own = await ScorecardServiceStub(port.bank).GetScorecard(request)
    assert (own.header, list(own.approved_groups)) == (header.encode(), [GROUP])
    assert own.weights == port.federation.scorecard.weights.encode()
    reviewed = await ScorecardServiceStub(port.reviewer).GetScorecard(request)
    assert reviewed.weights == own.weights
    hidden = await refused(ScorecardServiceStub(port.other_bank).GetScorecard(request))
    missing = await refused(
        ScorecardServiceStub(port.other_bank).GetScorecard(scorecard_pb2.GetScorecardRequest(scorecard="0" * 64))
    )
    assert (hidden.code, hidden.field) == (missing.code, missing.field) == (ErrorCode.SCORECARD_NOT_FOUND, "scorecard")
    assert (
        len(
            (
                await ScorecardServiceStub(port.other_bank).ListScorecards(scorecard_pb2.ListScorecardsRequest())
            ).scorecards
        )
        == 0
    )
    await house.register(small_scorecard(name="second"))
    first = await ScorecardServiceStub(port.reviewer).ListScorecards(scorecard_pb2.ListScorecardsRequest(page_size=1))
    rest = await ScorecardServiceStub(port.reviewer).ListScorecards(
        scorecard_pb2.ListScorecardsRequest(page_size=9, page_token=first.next_page_token)
    )
    assert [entry.name for entry in [*first.scorecards, *rest.scorecards]] == ["small", "second"]
    assert list(first.scorecards[0].departments) == ["tax", "customs"]


async def test_members_of_a_group_see_the_header_but_not_the_weights(port: Port) -> None:
    scorecard = small_scorecard(name="shared", owner="bank-c")
    house = port.house
    await house.register(scorecard)
    members = ["spiffe://consentgate.test/bank/bank-b", "spiffe://consentgate.test/bank/bank-c"]
    await house.approve(scorecard, group="group-bc", members=members)
    request = scorecard_pb2.GetScorecardRequest(scorecard=scorecard.header.id)
    found = await ScorecardServiceStub(port.other_bank).GetScorecard(request)
    assert (found.header, found.weights) == (scorecard.header.encode(), b"")


async def test_registering_and_approving_a_scorecard(port: Port) -> None:
    scorecard = small_scorecard(name="next")
    bank, reviewer = ScorecardServiceStub(port.bank), ScorecardServiceStub(port.reviewer)
    registered = await bank.RegisterScorecard(
        scorecard_pb2.RegisterScorecardRequest(header=scorecard.header.encode(), weights=scorecard.weights.encode())
    )
    assert registered.scorecard == scorecard.header.id
    report = await reviewer.GetDisclosureReport(
        scorecard_pb2.GetDisclosureReportRequest(group=GROUP, scorecard=scorecard.header.id)
    )
    assert report.next_sequence == 2
    token = await port.house.approval(scorecard)
    submitted = await reviewer.SubmitApproval(scorecard_pb2.SubmitApprovalRequest(approval_jws=token))
    assert parse(submitted.receipt.leaf).kind == "scorecard.approved"
    error = await refused(bank.SubmitApproval(scorecard_pb2.SubmitApprovalRequest(approval_jws=token)))
    assert error.code is ErrorCode.ROLE_NOT_ALLOWED
    foreign = ScorecardServiceStub(port.other_bank)
    request = scorecard_pb2.GetDisclosureReportRequest(group=GROUP, scorecard=scorecard.header.id)
    assert (await refused(foreign.GetDisclosureReport(request))).code is ErrorCode.SCORECARD_NOT_FOUND
