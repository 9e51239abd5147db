"""A gateway that lies, against a real adapter over mTLS: each attack is one named test and gets its named refusal.

The attacker has the gateway's certificate and code, writes whatever it likes to the ledger (`federation.log`), and
holds every statement that passed through it; where a test says so, it is in league with the bank, the log or its
witnesses. First everything that a bundle can be forged in (tests/support/forgeries), then what a bundle cannot show.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import grpc.aio
import pytest
from sqlalchemy import func, select

from consentgate import canonical
from consentgate.errors import ErrorCode
from consentgate.evidence import EvidenceBundle
from consentgate.scorecard import ScorecardHeader
from consentgate.v1 import features_pb2, features_pb2_grpc
from department_adapter.state.models import AnswerRow, PinnedSubjectRow, ReservationRow
from tests.integration.department_adapter.house import (
    House,
    approval_body,
    member_of,
    open_to,
    record_consent,
    record_move,
)
from tests.support.federation import hex16
from tests.support.forgeries import FORGERIES, Forgery
from tests.support.paillier_keys import other_key_2048
from tests.support.sample_scorecard import small_scorecard
from tests.support.witnessed_log import WITNESSES, WitnessedLog

pytestmark = pytest.mark.asyncio(loop_scope="module")

STOPPED_BY_FORM = frozenset({"salt truncated", "proof empty"})
"""Forgeries that the proto's own constraints refuse before anything is verified."""


def traces(house: House) -> tuple[int, ...]:
    """How many uses were counted, answers stored and tokens pinned."""
    tables = (ReservationRow, AnswerRow, PinnedSubjectRow)
    counts = [select(func.count()).select_from(table) for table in tables]
    return tuple(house.adapter.database.transact(lambda session: [session.scalar(count) or 0 for count in counts]))


@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda forgery: forgery.slug)
async def test_forged_bundle(shared: House, forgery: Forgery) -> None:
    bundle = forgery.build(shared.federation)
    await shared.catch_up()
    shared.clock.now = shared.federation.now + forgery.later
    try:
        error = await shared.refusal(bundle, caught_up=False)
    finally:
        shared.clock.now = shared.federation.now
    expected = ErrorCode.INVALID_ARGUMENT_FIELD if forgery.name in STOPPED_BY_FORM else forgery.code
    assert error.code == expected
    assert shared.federation.company.code not in f"{error} {error.hint} {dict(error.extra)}"
    assert traces(shared) == (0, 0, 0)


# An old leaf.


async def test_old_leaf_is_worth_nothing_after_its_life(house: House) -> None:
    bundle = house.federation.bundle()
    await house.ask(bundle)
    house.clock.move(seconds=60)
    index = len(house.federation.log.leaves) - 1
    fresh_proof = house.federation.log.receipt(index, cosigned_at=house.clock())
    await house.catch_up()
    error = await house.refusal(replace(bundle, decision=fresh_proof), caught_up=False)
    assert error.code == ErrorCode.RECEIPT_EXPIRED


async def test_old_leaf_gets_no_second_answer(house: House) -> None:
    """The same bytes as the first time, even after the row changed: two answers would show the difference."""
    bundle = house.federation.bundle()
    first = await house.ask(bundle)
    again = await house.ask(bundle)
    assert again == first
    assert traces(house)[:2] == (1, 1)


async def test_one_request_under_many_leaves_uses_the_consent_up(house: House) -> None:
    """The bank signed once; the gateway decides again and again. The department counts leaves."""
    for _ in range(4):
        await house.ask(house.federation.bundle())
    error = await house.refusal(house.federation.bundle())
    assert (error.code, error.field) == (ErrorCode.CONSENT_FREQUENCY, "consent_jws.frequency")
    assert traces(house)[:2] == (4, 4)


async def test_decisions_backdated_into_last_month_are_expired(house: House) -> None:
    """Moving a decision into a calendar unit with uses left moves its end as well."""
    federation = house.federation
    decided_at = federation.now - timedelta(days=30)
    bundle = federation.bundle(
        request=federation.sign_request(federation.request_claims(iat=int(decided_at.timestamp()))),
        consent=federation.sign_consent(federation.consent_claims(valid_from=federation.seconds(days=-60))),
        decided_at=decided_at,
    )
    assert (await house.refusal(bundle)).code == ErrorCode.RECEIPT_EXPIRED


# Consents that are genuine and not in force.


async def test_revoked_consent(house: House) -> None:
    record_move(house.federation, "consent.revoked")
    assert (await house.refusal(house.federation.bundle())).code == ErrorCode.CONSENT_REVOKED
    assert traces(house) == (0, 0, 0)


async def test_revoked_consent_resumed_by_the_gateway_alone(house: House) -> None:
    record_move(house.federation, "consent.revoked")
    record_move(house.federation, "consent.resumed")
    assert (await house.refusal(house.federation.bundle())).code == ErrorCode.CONSENT_REVOKED


async def test_revoked_consent_granted_again_by_the_gateway_alone(house: House) -> None:
    record_move(house.federation, "consent.revoked")
    record_consent(house.federation)
    assert (await house.refusal(house.federation.bundle())).code == ErrorCode.CONSENT_REVOKED


async def test_paused_consent(house: House) -> None:
    record_move(house.federation, "consent.paused")
    assert (await house.refusal(house.federation.bundle())).code == ErrorCode.CONSENT_PAUSED


async def test_superseded_version(house: House) -> None:
    """The company narrowed its consent; the gateway shows the wider version that came before."""
    record_consent(house.federation, version=2, total_uses=1)
    error = await house.refusal(house.federation.bundle())
    assert (error.code, error.field) == (ErrorCode.CONSENT_VERSION, "consent_jws.version")


async def test_consent_that_was_never_recorded(house: House) -> None:
    federation = house.federation
    hidden = federation.sign_consent(federation.consent_claims(consent_id=hex16("hidden")))
    assert (await house.refusal(federation.bundle(consent=hidden))).code == ErrorCode.CONSENT_NOT_FOUND


async def test_other_statement_under_a_recorded_consent_id(house: House) -> None:
    """The company signed a wider draft once; the ledger holds the narrower one of the same id and version."""
    federation = house.federation
    wider = federation.sign_consent(federation.consent_claims(total_uses=1000))
    error = await house.refusal(federation.bundle(consent=wider))
    assert (error.code, error.field) == (ErrorCode.CONSENT_VERSION, "consent_jws")


async def test_revocation_that_the_gateway_hides(house: House) -> None:
    """Handed over by the company itself; the ledger still says ACTIVE."""
    federation = house.federation
    company = member_of(federation, "company", federation.company.entity)
    request = features_pb2.SubmitRevocationRequest(
        transition_jws=federation.sign_transition(federation.transition_claims("REVOKE")),
        attestation_jws=federation.sign_attestation(),
    )
    async with open_to(house.folder, federation, house.adapter, company) as channel:
        await features_pb2_grpc.RevocationServiceStub(channel).SubmitRevocation(request, timeout=10)
    assert (await house.refusal(federation.bundle())).code == ErrorCode.CONSENT_REVOKED


async def test_second_token_for_one_company(house: House) -> None:
    """By a second token the gateway would hide accesses from a company that looks for its first."""
    federation = house.federation
    await house.ask(federation.bundle())
    other = record_consent(federation, consent_id=hex16("second consent"), subject=hex16("second token"))
    error = await house.refusal(federation.bundle(consent=other))
    assert (error.code, error.field) == (ErrorCode.SUBJECT_MISMATCH, "consent_jws.subject")


# Columns.


def asked_with(house: House, members: dict[str, object], **consent: object) -> EvidenceBundle:
    """Everybody but the department agrees to this header: bank, company and both reviewers signed."""
    federation, header = house.federation, ScorecardHeader.parse(canonical.encode(members), "header")
    claims = federation.approval_claims(
        scorecard=header.id,
        scorecards=[{"id": header.id, "state": "approved"}],
        sequence=2,
        previous=canonical.digest(federation.sign_approval()),
    )
    approval = federation.sign_approval(claims)
    federation.log.append("scorecard.approved", approval_body(claims, approval), federation.now - timedelta(minutes=1))
    return federation.bundle(
        header=header.encode(),
        request=federation.sign_request(federation.request_claims(scorecard=header.id)),
        consent=record_consent(federation, consent_id=hex16("wide consent"), **consent),
        approval=approval,
    )


async def test_extra_column_that_the_department_does_not_offer(house: House) -> None:
    header = small_scorecard().header.model_dump(mode="json")
    column = {"kind": "binned", "name": "arrears", "scale": 2, "edges": [0, 100]}
    header["departments"][0]["columns"].append({"category": "tax.declarations", "spec": column})
    error = await house.refusal(asked_with(house, header))
    assert error.code == ErrorCode.COLUMN_NOT_RELEASABLE
    assert error.field == "scorecard_header.departments.columns.arrears"


async def test_column_with_finer_bins_than_offered(house: House) -> None:
    header = small_scorecard().header.model_dump(mode="json")
    header["departments"][0]["columns"][0]["spec"]["edges"] = [-500, 0, 1, 2500]
    error = await house.refusal(asked_with(house, header))
    assert error.code == ErrorCode.CATALOGUE_CHANGED


async def test_column_under_a_harmless_category(house: House) -> None:
    """The company consented to `tax.public`; the column behind it is another category."""
    header = small_scorecard().header.model_dump(mode="json")
    for column in header["departments"][0]["columns"]:
        column["category"] = "tax.public"
    bundle = asked_with(house, header, categories=["customs.trade", "tax.public"])
    assert (await house.refusal(bundle)).code == ErrorCode.COLUMN_NOT_RELEASABLE


async def test_scorecard_that_does_not_name_this_department(house: House) -> None:
    header = small_scorecard().header.model_dump(mode="json")
    del header["departments"][0]
    error = await house.refusal(asked_with(house, header))
    assert (error.code, error.field) == (ErrorCode.COLUMN_NOT_RELEASABLE, "scorecard_header.departments")


async def test_high_risk_column_in_recipient_custody(tmp_path: Path) -> None:
    async with House.open(tmp_path, high_risk=("turnover",)) as house:
        error = await house.refusal(house.federation.bundle())
        assert error.code == ErrorCode.CUSTODY_NOT_ALLOWED
        assert traces(house) == (0, 0, 0)


# Approvals and keys.


async def test_retired_scorecard_with_the_approval_from_before(house: House) -> None:
    federation = house.federation
    claims = federation.approval_claims(
        action="RETIRE",
        sequence=2,
        previous=canonical.digest(federation.sign_approval()),
        scorecards=[{"id": federation.scorecard.header.id, "state": "retired"}],
    )
    federation.log.append("scorecard.retired", approval_body(claims, federation.sign_approval(claims)), federation.now)
    error = await house.refusal(federation.bundle())
    assert (error.code, error.field) == (ErrorCode.SCORECARD_NOT_APPROVED, "approval_jws")


async def test_fork_of_the_approval_chain(house: House) -> None:
    """Reviewers were led to sign two second links; only the one recorded first counts."""
    federation = house.federation
    previous = canonical.digest(federation.sign_approval())
    links = [federation.approval_claims(sequence=2, previous=previous, iat=iat) for iat in (1, 2)]
    tokens = [federation.sign_approval(claims) for claims in links]
    for claims, token in zip(links, tokens, strict=True):
        federation.log.append("scorecard.approved", approval_body(claims, token), federation.now)
    assert (await house.refusal(federation.bundle(approval=tokens[1]))).code == ErrorCode.SCORECARD_NOT_APPROVED
    assert await house.ask(federation.bundle(approval=tokens[0]))


async def test_key_that_stands_on_no_ledger(house: House) -> None:
    """Bank and gateway agree on a key that nobody else is to know of."""
    federation, private = house.federation, other_key_2048()
    bundle = federation.bundle(
        request=federation.sign_request(federation.request_claims(key_id=private.public.key_id)),
        registration=federation.sign_registration(federation.registration_claims(private=private)),
    )
    assert (await house.refusal(bundle)).code == ErrorCode.KEY_UNKNOWN


# The ledger.


async def test_leaf_in_a_fork_that_the_quorum_cosigned(house: House) -> None:
    """Log and witnesses conspire: a second history that contains the decision. This department followed the first."""
    federation = house.federation
    federation.log.append("log.closed", {}, federation.now)
    honest = federation.honest
    fork = WitnessedLog(federation.now - timedelta(minutes=10))
    for _ in range(4):
        fork.append("log.opened", {}, federation.now)
    decided_at = federation.now - timedelta(seconds=1)
    parts = {name: getattr(honest, name) for name in PARTS}
    index = fork.append("query.decision", federation.decision_body(parts, decided_at), decided_at)
    forged = replace(honest, decision=fork.receipt(index, cosigned_at=federation.now))
    error = await house.refusal(forged)
    assert (error.code, error.field) == (ErrorCode.LEDGER_INVALID, "decision")
    assert traces(house) == (0, 0, 0)


async def test_decision_that_is_hidden_from_the_department(tmp_path: Path) -> None:
    """A genuine receipt, but the department's tail never gets that far."""
    async with House.open(tmp_path, freshness=1) as house:
        house.ledger.visible = len(house.federation.log.leaves)
        error = await house.refusal(house.federation.bundle(), caught_up=False)
        assert (error.code, error.field) == (ErrorCode.LEDGER_STALE, "tail")


async def test_revocation_withheld_by_stopping_the_ledger(tmp_path: Path) -> None:
    """The gateway shows a fresh receipt, and lets the department's own view grow old."""
    async with House.open(tmp_path, freshness=1) as house:
        bundle = house.federation.bundle()
        await house.catch_up()
        house.clock.move(seconds=2)
        index = len(house.federation.log.leaves) - 1
        fresh = replace(bundle, decision=house.federation.log.receipt(index, cosigned_at=house.clock()))
        error = await house.refusal(fresh, caught_up=False)
        assert (error.code, error.field) == (ErrorCode.LEDGER_STALE, "tail")


async def test_tail_without_quorum(tmp_path: Path) -> None:
    """Two of four witnesses follow the operator."""
    async with House.open(tmp_path) as house:
        bundle = house.federation.bundle()
        house.ledger.witnesses = WITNESSES[:2]
        await house.publish_until(lambda: house.adapter.tail.status.fault is not None)
        error = await house.refusal(bundle, caught_up=False)
        assert (error.code, error.field) == (ErrorCode.LEDGER_QUORUM, "tail")


async def test_tail_that_forks(tmp_path: Path) -> None:
    async with House.open(tmp_path) as house:
        federation = house.federation
        bundle = federation.bundle()
        fork = WitnessedLog(federation.now - timedelta(minutes=10))
        for _ in range(len(federation.log.leaves)):
            fork.append("log.opened", {}, federation.now)
        true_log, federation.log = federation.log, fork
        await house.publish_until(lambda: house.adapter.tail.status.fault is not None)
        error = await house.refusal(bundle, caught_up=False)
        assert (error.code, error.field) == (ErrorCode.LEDGER_INVALID, "tail")
        # The true history continues what is known: nothing was lost, and nothing of the fork was believed.
        federation.log = true_log
        await house.publish_until(lambda: house.adapter.tail.status.fault is None)
        assert await house.ask(bundle)


# Others than the gateway.


@pytest.mark.parametrize("role", ["bank", "department", "company", "ledger", "officer", "reviewer"])
async def test_only_the_gateway_may_ask(shared: House, role: str) -> None:
    member = member_of(shared.federation, role, hex16(role))
    async with open_to(shared.folder, shared.federation, shared.adapter, member) as channel:
        stolen = replace(shared, features=features_pb2_grpc.FeatureServiceStub(channel))
        error = await stolen.refusal(shared.federation.bundle())
    assert error.code == ErrorCode.ROLE_NOT_ALLOWED
    assert traces(shared) == (0, 0, 0)


async def test_gateway_cannot_speak_for_a_company(shared: House) -> None:
    """Not even with a genuine revocation in its hands: only the company's own connection carries it."""
    federation = shared.federation
    request = features_pb2.SubmitRevocationRequest(
        transition_jws=federation.sign_transition(federation.transition_claims("PAUSE")),
        attestation_jws=federation.sign_attestation(),
    )
    async with open_to(shared.folder, federation, shared.adapter, federation.gateway) as channel:
        stub = features_pb2_grpc.RevocationServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError, match="ROLE_NOT_ALLOWED"):
            await stub.SubmitRevocation(request, timeout=10)


async def test_after_all_attacks_the_honest_request_is_answered(shared: House) -> None:
    """The forgeries did not merely break the adapter."""
    assert await shared.ask(shared.federation.bundle())
    assert traces(shared) == (1, 1, 1)


PARTS = (
    "request_jws",
    "consent_jws",
    "attestation_jws",
    "scorecard_header",
    "approval_jws",
    "key_registration_jws",
)
