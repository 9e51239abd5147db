"""Both bank clients against a gateway over mutual TLS: the same answers, the same repeats, the same bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from bank_client.client import AsyncBankClient, BankClient
from bank_client.retry import RetryPolicy
from bank_client.session import BankSession
from consentgate.channel import open_aio_channel, open_channel
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.v1 import scoring_pb2
from tests.integration.clients.fake_gateway import FakeGateway, serving
from tests.integration.clients.member_folders import write_bank
from tests.support.federation import AS_OF, PURPOSE, Federation, hex16, institution
from tests.support.member_ca import certificate_pem, private_pem
from tests.support.sample_scorecard import small_scorecard

REQUEST = hex16("a question over the wire")

Run = Callable[..., Any]
"""run(session, name of a method, its arguments) on either client."""


def run_sync(session: BankSession, method: str, *positional: Any, **arguments: Any) -> Any:
    channel = open_channel(session.config.gateway.address, session.gateway, session.tls)
    with BankClient(session, channel, RetryPolicy(), pause=lambda _seconds: None) as bank:
        return getattr(bank, method)(*positional, **arguments)


def run_async(session: BankSession, method: str, *positional: Any, **arguments: Any) -> Any:
    async def at_once(_seconds: float) -> None:
        return None

    def connect() -> grpc.aio.Channel:
        return open_aio_channel(session.config.gateway.address, session.gateway, session.tls)

    async def main() -> Any:
        async with AsyncBankClient(session, connect, RetryPolicy(), pause=at_once) as bank:
            called: Awaitable[Any] = getattr(bank, method)(*positional, **arguments)
            return await called

    return asyncio.run(main())


@pytest.fixture(params=[run_sync, run_async], ids=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Run:
    client: Run = request.param
    return client


def question(federation: Federation, **changes: Any) -> dict[str, Any]:
    asked = {
        "company": federation.company.code,
        "scorecard": federation.scorecard.header.id,
        "purpose": PURPOSE,
        "as_of": AS_OF,
    }
    return {**asked, **changes}


def test_a_score_equals_the_plaintext_and_comes_with_both_leaves(
    run: Run, session: BankSession, federation: Federation, gateway: FakeGateway
) -> None:
    score = run(session, "score", **question(federation))
    assert score.value == federation.plaintext_score()
    assert score.departments == ("tax", "customs")
    assert (score.decision.entry.kind, score.release.entry.kind) == ("query.decision", "query.release")
    assert session.archive is not None
    assert (session.archive.folder / f"{score.request_id}.zip").is_file()


def test_ten_lines_to_a_score(bank_toml: Path, federation: Federation, gateway: FakeGateway) -> None:
    with BankClient.from_config(bank_toml) as bank:
        assert bank.score(**question(federation)).value == federation.plaintext_score()


async def test_ten_asynchronous_lines_to_many_scores(
    bank_toml: Path, federation: Federation, gateway: FakeGateway
) -> None:
    async with AsyncBankClient.from_config(bank_toml) as bank:
        scores = await asyncio.gather(*(bank.score(**question(federation)) for _ in range(3)))
    assert {score.value for score in scores} == {federation.plaintext_score()}
    assert len({score.request_id for score in scores}) == 3


def test_the_scorecard_that_the_bank_holds_may_be_given_itself(
    run: Run, session: BankSession, federation: Federation, gateway: FakeGateway
) -> None:
    score = run(session, "score", **question(federation, scorecard=federation.scorecard))
    assert score.value == federation.plaintext_score()


def test_the_period_is_this_month_unless_told(
    run: Run, session: BankSession, federation: Federation, gateway: FakeGateway
) -> None:
    score = run(session, "score", **question(federation, as_of=None))
    assert score.decision.entry.body["as_of"] == f"{session.clock():%Y-%m}"


@pytest.mark.parametrize(
    "lost",
    [[grpc.StatusCode.UNAVAILABLE], [grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE]],
    ids=["once", "twice"],
)
def test_what_was_lost_is_asked_again_with_the_same_bytes(
    run: Run, session: BankSession, federation: Federation, gateway: FakeGateway, lost: list[grpc.StatusCode]
) -> None:
    gateway.failures = list(lost)
    assert run(session, "score", **question(federation)).value == federation.plaintext_score()
    assert len(gateway.requests) == len(lost) + 1
    assert len({request.signed_request for request in gateway.requests}) == 1


def test_an_answer_is_final(run: Run, session: BankSession, federation: Federation, gateway: FakeGateway) -> None:
    gateway.failures = [grpc.StatusCode.PERMISSION_DENIED]
    with pytest.raises(ConsentgateError):
        run(session, "score", **question(federation))
    assert len(gateway.requests) == 1


def test_patience_ends(run: Run, session: BankSession, federation: Federation, gateway: FakeGateway) -> None:
    gateway.failures = [grpc.StatusCode.UNAVAILABLE] * 99
    with pytest.raises(ConsentgateError) as refusal:
        run(session, "score", **question(federation, request_id=REQUEST))
    assert refusal.value.code is ErrorCode.UNAVAILABLE
    assert len(gateway.requests) == RetryPolicy().attempts
    assert refusal.value.__notes__ == [f"request id {REQUEST}"]


def test_a_repeated_request_id_gets_the_stored_answer(
    run: Run, session: BankSession, federation: Federation, gateway: FakeGateway
) -> None:
    first = run(session, "score", **question(federation, request_id=REQUEST))
    again = run(session, "score", **question(federation, request_id=REQUEST))
    assert again.decision == first.decision
    assert len({request.signed_request for request in gateway.requests}) == 1


def test_a_request_id_is_not_sent_for_another_question(
    run: Run, session: BankSession, federation: Federation, gateway: FakeGateway
) -> None:
    run(session, "score", **question(federation, request_id=REQUEST))
    with pytest.raises(ConsentgateError) as refusal:
        run(session, "score", **question(federation, request_id=REQUEST, purpose="credit.monitoring"))
    assert refusal.value.code is ErrorCode.IDEMPOTENCY_CONFLICT
    assert len(gateway.requests) == 1


def test_a_dry_run_says_what_stands_in_the_way(
    run: Run, session: BankSession, federation: Federation, gateway: FakeGateway
) -> None:
    asked = question(federation)
    del asked["as_of"]
    forecast = run(session, "dry_run", **asked)
    assert (forecast.allowed, forecast.reason) == (False, "CONSENT_EXPIRED")
    assert [item.reason for item in forecast.obstacles] == ["CONSENT_EXPIRED"]
    assert [item.basis for item in forecast.policies] == ["PIPL art. 13"]


@pytest.mark.parametrize("limit", [1, 3, 50])
def test_own_requests_are_listed_page_by_page(run: Run, session: BankSession, gateway: FakeGateway, limit: int) -> None:
    records = run(session, "list_requests", limit)
    assert [record.request_id for record in records] == [f"{index:032x}" for index in range(min(limit, 5))]
    assert {record.state for record in records} == {"released"}


def test_a_key_is_registered_without_its_passphrase(
    run: Run, session: BankSession, federation: Federation, gateway: FakeGateway
) -> None:
    locked = BankSession(session.config, session.anchors, session.signer, lambda: pytest.fail("asked"))
    registered = run(locked, "register_key")
    assert registered.key_id == federation.paillier_key.public.key_id
    assert registered.leaf.entry.kind == "key.registered"


def test_a_scorecard_is_registered_and_read_back(
    run: Run, session: BankSession, federation: Federation, gateway: FakeGateway
) -> None:
    registered = run(session, "register_scorecard", federation.scorecard)
    view = run(session, "get_scorecard", registered.scorecard)
    assert view.scorecard() == federation.scorecard
    assert view.approved_groups == ("group-a",)


def test_a_scorecard_of_another_bank_is_not_sent(run: Run, session: BankSession, gateway: FakeGateway) -> None:
    with pytest.raises(ConsentgateError) as refusal:
        run(session, "register_scorecard", small_scorecard(owner="bank-b"))
    assert refusal.value.field == "header.owner"
    assert gateway.requests == []


def test_a_gateway_that_is_another_member_gets_no_question(run: Run, tmp_path: Path, federation: Federation) -> None:
    """Somebody with a good certificate of the same CA answers at the gateway's address."""
    with serving(federation, federation.bank_b) as impostor:
        session = BankSession.load(write_bank(tmp_path / "bank", federation, impostor.address))
        with pytest.raises(ConsentgateError) as refusal:
            run(session, "score", **question(federation))
    assert refusal.value.code is ErrorCode.PEER_MISMATCH
    assert impostor.requests == []


def test_a_gateway_of_another_federation_gets_no_question(run: Run, tmp_path: Path, federation: Federation) -> None:
    with serving(federation, institution(federation.other_ca, "gateway", "gateway")) as stranger:
        session = BankSession.load(write_bank(tmp_path / "bank", federation, stranger.address))
        with pytest.raises(ConsentgateError) as refusal:
            run(session, "score", **question(federation))
    assert refusal.value.code is ErrorCode.CERTIFICATE_UNTRUSTED
    assert stranger.requests == []


def test_a_bank_with_another_federation_s_certificate_does_not_connect(
    run: Run, bank_toml: Path, federation: Federation, gateway: FakeGateway
) -> None:
    foreign = institution(federation.other_ca, "bank", "bank-a")
    (bank_toml.parent / "tls.pem").write_bytes(certificate_pem(foreign.tls_certificate))
    (bank_toml.parent / "tls.key").write_bytes(private_pem(foreign.tls_key))
    with pytest.raises(ConsentgateError) as refusal:
        run(BankSession.load(bank_toml), "score", **question(federation))
    assert refusal.value.code is ErrorCode.CERTIFICATE_UNTRUSTED
    assert gateway.requests == []


def test_a_closed_asynchronous_client_is_a_programming_error(session: BankSession) -> None:
    bank = AsyncBankClient(session, lambda: pytest.fail("connected"))
    with pytest.raises(RuntimeError):
        asyncio.run(bank.register_key())


@pytest.mark.parametrize("part", ["evidence", "release"])
def test_an_answer_without_a_part_is_named(
    run: Run, session: BankSession, federation: Federation, gateway: FakeGateway, part: str
) -> None:
    def without(answer: scoring_pb2.ScoreResponse) -> scoring_pb2.ScoreResponse:
        answer.ClearField(part)  # type: ignore[arg-type]  # one of two names
        return answer

    gateway.spoil = without
    with pytest.raises(ConsentgateError) as refusal:
        run(session, "score", **question(federation))
    assert (refusal.value.code, refusal.value.field) == (ErrorCode.RELEASE_MISMATCH, part)


def test_a_stored_answer_still_opens_after_the_registration_was_signed_again(
    session: BankSession, federation: Federation, gateway: FakeGateway
) -> None:
    """As when the signing certificate was renewed: the evidence holds the old registration of the same key."""
    first = run_sync(session, "score", **question(federation, request_id=REQUEST))
    later = federation.sign_registration(federation.registration_claims(iat=federation.seconds(days=-1)))
    assert later != federation.registration
    session.config.paillier.registration.write_bytes(later)
    renewed = BankSession.load(session.config.archive.parent / "bank.toml")  # type: ignore[union-attr]  # has one
    again = run_sync(renewed, "score", **question(federation, request_id=REQUEST))
    assert (again.value, again.decision) == (first.value, first.decision)
