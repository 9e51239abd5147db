"""The gateway's whole process, as `gateway serve` assembles it, among real servers: a score, health, and bad starts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from consentgate import canonical, convert, evidence
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.signing import sign_jointly
from consentgate.statements import StatementKind
from consentgate.v1 import consent_pb2, keys_pb2, ledger_pb2, scorecard_pb2, scoring_pb2
from consentgate.v1.consent_pb2_grpc import ConsentServiceStub
from consentgate.v1.keys_pb2_grpc import KeyServiceStub
from consentgate.v1.ledger_pb2_grpc import LedgerServiceStub
from consentgate.v1.scorecard_pb2_grpc import ScorecardServiceStub
from consentgate.v1.scoring_pb2_grpc import ScoringServiceStub
from gateway.config import GatewayConfig
from gateway.server import Gateway, open_gateway
from ledger.entry import parse
from paillier.score_range import decode_signed
from paillier.wire import split
from tests.integration.gateway.federation_servers import Neighbours, RealClock, neighbours
from tests.integration.gateway.port import Members, write_tls
from tests.support.federation import GROUP, Federation, hex16
from tests.support.gateway_house import Clock, DepartmentsDouble
from tests.support.member_ca import certificate_pem

SERVING = health_pb2.HealthCheckResponse.SERVING


@asynccontextmanager
async def started(others: Neighbours, *, embedded: bool = False) -> AsyncIterator[tuple[Gateway, Members]]:
    """The gateway's process at work, without its signals."""
    async with open_gateway(others.gateway_config(embedded=embedded)) as gateway:
        work = [asyncio.create_task(each) for each in (gateway.upkeep.run(), *gateway.ledger.background())]
        await gateway.server.start()
        members = others.members(gateway.server.address)
        try:
            await _ready(gateway)
            yield gateway, members
        finally:
            await members.close()
            await gateway.server.stop()
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)


async def _ready(gateway: Gateway) -> None:
    """A ledger needs a moment until its first checkpoint is cosigned."""
    async with asyncio.timeout(10):
        while True:
            try:
                await gateway.ledger.port.check()
            except ConsentgateError:
                await asyncio.sleep(0.02)
            else:
                return


async def settle(federation: Federation, members: Members) -> None:
    """Key, scorecard, approval and consent, each by its owner over the wire."""
    scorecard = federation.scorecard
    await KeyServiceStub(members.bank).RegisterKey(
        keys_pb2.RegisterKeyRequest(registration_jws=federation.registration)
    )
    await ScorecardServiceStub(members.bank).RegisterScorecard(
        scorecard_pb2.RegisterScorecardRequest(header=scorecard.header.encode(), weights=scorecard.weights.encode())
    )
    reviewer = ScorecardServiceStub(members.reviewer)
    review = await reviewer.GetDisclosureReport(
        scorecard_pb2.GetDisclosureReportRequest(group=GROUP, scorecard=scorecard.header.id)
    )
    claims = federation.approval_claims(report=canonical.digest(review.report))
    token = sign_jointly(StatementKind.SCORECARD_APPROVAL, claims, list(federation.reviewers.values())[:2])
    await reviewer.SubmitApproval(scorecard_pb2.SubmitApprovalRequest(approval_jws=token))
    await ConsentServiceStub(members.company).GrantConsent(
        consent_pb2.GrantConsentRequest(
            consent_jws=federation.sign_consent(), attestation_jws=federation.sign_attestation()
        )
    )


def request(federation: Federation, label: str) -> scoring_pb2.ScoreRequest:
    """A question asked now."""
    iat = int(RealClock()().timestamp())
    claims = federation.request_claims(iat=iat, request_id=hex16(label))
    return scoring_pb2.ScoreRequest(signed_request=federation.sign_request(claims))


@pytest.mark.parametrize("embedded", [False, True])
async def test_a_score_through_the_whole_process(tmp_path: Path, embedded: bool) -> None:
    async with neighbours(tmp_path) as others, started(others, embedded=embedded) as (_, members):
        federation = others.federation
        await settle(federation, members)
        answer = await ScoringServiceStub(members.bank).Score(request(federation, "one"), timeout=30)
        key = federation.paillier_key
        (ciphertext,) = split(answer.ciphertext, key.public, 1)
        assert decode_signed(key.decrypt(ciphertext), key.public) == federation.plaintext_score()
        evidence.verify(convert.bundle_from_message(answer.evidence), federation.anchors, RealClock()())
        # The deadline that travelled: the gateway's own bound for departments.
        assert all(0 < seconds <= 10 for seconds in others.departments.seconds)
        accesses = await ConsentServiceStub(members.company).ListAccesses(
            consent_pb2.ListAccessesRequest(from_start=True)
        )
        kinds = [parse(entry.leaf).kind for entry in accesses.entries]
        assert kinds == ["consent.granted", "query.decision", "query.release"]
        async with asyncio.timeout(10):
            async for health in health_pb2_grpc.HealthStub(members.bank).Watch(health_pb2.HealthCheckRequest()):
                if health.status == SERVING:
                    break


async def test_an_embedded_ledger_is_offered_to_departments(tmp_path: Path) -> None:
    async with neighbours(tmp_path) as others, started(others, embedded=True) as (_, members):
        checkpoint = await LedgerServiceStub(members.channel("department", "tax")).GetCheckpoint(
            ledger_pb2.GetCheckpointRequest()
        )
        others.federation.anchors.log_policy.check(checkpoint.checkpoint)


async def test_refusals_and_silence_of_departments_over_the_wire(tmp_path: Path) -> None:
    async with neighbours(tmp_path) as others, started(others) as (_, members):
        federation = others.federation
        await settle(federation, members)
        stub = ScoringServiceStub(members.bank)
        others.departments.refusing = {"customs": ErrorCode.CONSENT_REVOKED}
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Score(request(federation, "refused"), timeout=30)
        assert "DEPARTMENT_REFUSED" in str(caught.value.details())
        others.departments.refusing = {}
        await others.servers["tax"].stop()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Score(request(federation, "silent"), timeout=30)
        assert "DEPARTMENT_UNAVAILABLE" in str(caught.value.details())
        assert "(tax)" in str(caught.value.details())


async def test_the_policy_in_force_stands_on_the_ledger(tmp_path: Path) -> None:
    async with neighbours(tmp_path) as others, started(others, embedded=True) as (gateway, members):
        stub = LedgerServiceStub(members.channel("department", "tax"))
        async with asyncio.timeout(10):
            while True:
                await gateway.upkeep.round()
                entries = await stub.ListEntries(ledger_pb2.ListEntriesRequest(start=0, end=10))
                kinds = [parse(leaf).kind for leaf in entries.leaves]
                if "policy.changed" in kinds:
                    return
                await asyncio.sleep(0.05)


async def test_health_is_no_lie_when_the_ledger_is_away(tmp_path: Path) -> None:
    async with neighbours(tmp_path) as others:
        others.addresses["ledger"] = "127.0.0.1:1"
        async with open_gateway(others.gateway_config()) as gateway:
            await gateway.server.start()
            members = others.members(gateway.server.address)
            stub = health_pb2_grpc.HealthStub(members.bank)
            assert (await stub.Check(health_pb2.HealthCheckRequest())).status != SERVING
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await KeyServiceStub(members.bank).RegisterKey(
                    keys_pb2.RegisterKeyRequest(registration_jws=others.federation.registration)
                )
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
            assert "LEDGER_UNAVAILABLE" in str(caught.value.details())
            await members.close()
            await gateway.server.stop()


def unconnected(folder: Path, federation: Federation) -> GatewayConfig:
    """A good configuration; nobody is at the addresses."""
    addresses = {"tax": "127.0.0.1:1", "ledger": "127.0.0.1:1"}
    departments = DepartmentsDouble(federation, Clock(federation.now))
    return Neighbours(folder, federation, departments, {}, addresses).gateway_config()


@pytest.mark.parametrize(
    ("file", "content", "code"),
    [
        ("anchors.toml", b"not toml = =", ErrorCode.CONFIG_INVALID),
        ("institutions.toml", b"[institutions.bank-a]\n", ErrorCode.CONFIG_INVALID),
        ("gateway-gateway.pem", b"no certificate", ErrorCode.CERTIFICATE_MISSING),
        ("gateway-gateway.key", b"no key", ErrorCode.CERTIFICATE_KEY),
        ("gateway.db", b"no database, but long enough to look like one" * 99, ErrorCode.STORE_UNAVAILABLE),
    ],
)
async def test_a_broken_file_refuses_the_start(tmp_path: Path, file: str, content: bytes, code: ErrorCode) -> None:
    config = unconnected(tmp_path, Federation())
    (tmp_path / file).write_bytes(content)
    with pytest.raises(ConsentgateError) as caught:
        async with open_gateway(config):
            pass
    assert caught.value.code is code


async def test_only_a_gateway_may_start(tmp_path: Path) -> None:
    federation = Federation()
    config = unconnected(tmp_path, federation)
    config.tls.certificate.write_bytes(certificate_pem(federation.bank_a.tls_certificate))
    config.tls.private_key.write_bytes(write_tls(tmp_path, federation.bank_a, federation).private_key.read_bytes())
    with pytest.raises(ConsentgateError) as caught:
        async with open_gateway(config):
            pass
    assert caught.value.code is ErrorCode.CERTIFICATE_ROLE
