"""Malformed input to every RPC of the gateway: a typed INVALID_ARGUMENT that names the field, and nothing written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.message import Message
from sqlalchemy import func, select

from consentgate.authz import ALLOWED_ROLES
from consentgate.error_status import from_rpc_error
from consentgate.errors import ErrorCode
from consentgate.v1 import consent_pb2, keys_pb2, scorecard_pb2, scoring_pb2
from consentgate.v1.consent_pb2_grpc import ConsentServiceStub
from consentgate.v1.keys_pb2_grpc import KeyServiceStub
from consentgate.v1.scorecard_pb2_grpc import ScorecardServiceStub
from consentgate.v1.scoring_pb2_grpc import ScoringServiceStub
from gateway.store.models import Base
from tests.integration.gateway.port import Port

Channel = Callable[[Port], grpc.aio.Channel]


def bank(port: Port) -> grpc.aio.Channel:
    return port.bank


def company(port: Port) -> grpc.aio.Channel:
    return port.company


def reviewer(port: Port) -> grpc.aio.Channel:
    return port.reviewer


ID = "0" * 64
USCC = "91350100M000100Y43"
CASES: list[tuple[Channel, type[Any], str, Message, str]] = [
    (bank, ScoringServiceStub, "Score", scoring_pb2.ScoreRequest(), "signed_request"),
    (bank, ScoringServiceStub, "Score", scoring_pb2.ScoreRequest(signed_request=b"x" * 65537), "signed_request"),
    (bank, ScoringServiceStub, "Score", scoring_pb2.ScoreRequest(signed_request=b"x" * 99), "signed_request"),
    (
        bank,
        ScoringServiceStub,
        "Score",
        scoring_pb2.ScoreRequest(signed_request=b"a.e30.c" + b"c" * 20),
        "signed_request",
    ),
    (bank, ScoringServiceStub, "DryRun", scoring_pb2.DryRunRequest(), "company, scorecard, purpose"),
    (
        bank,
        ScoringServiceStub,
        "DryRun",
        scoring_pb2.DryRunRequest(company=USCC, scorecard="F" * 64, purpose="p"),
        "scorecard",
    ),
    (
        bank,
        ScoringServiceStub,
        "DryRun",
        scoring_pb2.DryRunRequest(company=USCC[:-1] + "4", scorecard=ID, purpose="p"),
        "company",
    ),
    (bank, ScoringServiceStub, "ListRequests", scoring_pb2.ListRequestsRequest(page_size=501), "page_size"),
    (bank, ScoringServiceStub, "ListRequests", scoring_pb2.ListRequestsRequest(page_token="-1"), "page_token"),
    (bank, KeyServiceStub, "RegisterKey", keys_pb2.RegisterKeyRequest(), "registration_jws"),
    (
        company,
        ConsentServiceStub,
        "GrantConsent",
        consent_pb2.GrantConsentRequest(consent_jws=b"x" * 16),
        "attestation_jws",
    ),
    (company, ConsentServiceStub, "PauseConsent", consent_pb2.PauseConsentRequest(), "transition_jws"),
    (
        company,
        ConsentServiceStub,
        "PauseConsent",
        consent_pb2.PauseConsentRequest(transition_jws=b"x" * 99),
        "transition_jws",
    ),
    (
        company,
        ConsentServiceStub,
        "ResumeConsent",
        consent_pb2.ResumeConsentRequest(transition_jws=b'{"payload":"e30","signatures":[]}'),
        "transition_jws",
    ),
    (
        company,
        ConsentServiceStub,
        "RevokeConsent",
        consent_pb2.RevokeConsentRequest(transition_jws=b"x" * 65537),
        "transition_jws",
    ),
    (company, ConsentServiceStub, "ListConsents", consent_pb2.ListConsentsRequest(page_token="x"), "page_token"),
    (company, ConsentServiceStub, "ListAccesses", consent_pb2.ListAccessesRequest(page_size=201), "page_size"),
    (company, ConsentServiceStub, "ListAccesses", consent_pb2.ListAccessesRequest(after_seq=2**60), "after_seq"),
    (
        company,
        ConsentServiceStub,
        "ListSubjectHistories",
        consent_pb2.ListSubjectHistoriesRequest(subject="A" * 32),
        "subject",
    ),
    (
        bank,
        ScorecardServiceStub,
        "RegisterScorecard",
        scorecard_pb2.RegisterScorecardRequest(header=b"{}"),
        "weights",
    ),
    (
        bank,
        ScorecardServiceStub,
        "RegisterScorecard",
        scorecard_pb2.RegisterScorecardRequest(header=b"{ }", weights=b"{}"),
        "header",
    ),
    (
        bank,
        ScorecardServiceStub,
        "RegisterScorecard",
        scorecard_pb2.RegisterScorecardRequest(header=b'{"v":1.0}', weights=b"{}"),
        "header",
    ),
    (reviewer, ScorecardServiceStub, "SubmitApproval", scorecard_pb2.SubmitApprovalRequest(), "approval_jws"),
    (reviewer, ScorecardServiceStub, "GetScorecard", scorecard_pb2.GetScorecardRequest(scorecard="x"), "scorecard"),
    (
        reviewer,
        ScorecardServiceStub,
        "GetDisclosureReport",
        scorecard_pb2.GetDisclosureReportRequest(group="Group A", scorecard=ID),
        "group",
    ),
    (reviewer, ScorecardServiceStub, "ListScorecards", scorecard_pb2.ListScorecardsRequest(page_size=999), "page_size"),
]


def rows(port: Port) -> dict[str, int]:
    """Rows of every table."""
    return {
        name: port.house.database.transact(
            lambda session, table=table: session.execute(select(func.count()).select_from(table)).scalar_one()  # type: ignore[misc]
        )
        for name, table in Base.metadata.tables.items()
    }


async def test_malformed_input_names_the_field_and_writes_nothing(port: Port) -> None:
    before, leaves = rows(port), len(port.house.ledger.log.leaves)
    for channel, stub, method, message, field in CASES:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await getattr(stub(channel(port)), method)(message)
        error = from_rpc_error(caught.value)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT, (method, error)
        assert error.code is ErrorCode.INVALID_ARGUMENT_FIELD, method
        named = str(error.field)
        assert named == field or named.startswith(f"{field}."), (method, named)
        assert error.hint
    assert rows(port) == before
    assert len(port.house.ledger.log.leaves) == leaves


def test_every_rpc_of_the_gateway_is_among_the_cases() -> None:
    services = ("ScoringService", "KeyService", "ConsentService", "ScorecardService")
    wanted = {method.rsplit("/", 1)[1] for method in ALLOWED_ROLES if any(name in method for name in services)}
    assert {method for _, _, method, _, _ in CASES} == wanted
