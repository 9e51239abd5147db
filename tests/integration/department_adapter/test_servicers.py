"""The adapter's services over mTLS: malformed input, roles, catalogue, direct revocations, witnessing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from sqlalchemy import func, select

from consentgate import convert
from consentgate.error_status import from_rpc_error
from consentgate.errors import ConsentgateError, ErrorCode, InvalidFields
from consentgate.v1 import evidence_pb2, features_pb2, features_pb2_grpc, ledger_pb2, ledger_pb2_grpc
from department_adapter.state.models import Base
from ledger.note import Note, parse_signatures
from tests.integration.department_adapter.house import House, member_of, open_to, record_move
from tests.support.federation import Federation, Institution, hex16
from tests.support.witnessed_log import witness_signer

pytestmark = pytest.mark.asyncio(loop_scope="module")


def company(federation: Federation) -> Institution:
    return member_of(federation, "company", federation.company.entity)


async def call(house: House, member: Institution, stub: type[Any], method: str, request: object) -> Any:
    """One call as `member`; raises the ConsentgateError that came over the wire."""
    async with open_to(house.folder, house.federation, house.adapter, member) as channel:
        try:
            return await getattr(stub(channel), method)(request, timeout=20)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error


def rows(house: House) -> int:
    """Everything that requests could have written."""
    own = ("reservations", "answers", "pinned_subjects", "direct_restrictions")
    counts = [select(func.count()).select_from(Base.metadata.tables[name]) for name in own]
    return house.adapter.database.transact(lambda session: sum(session.scalar(count) or 0 for count in counts))


# Malformed input.


def without(part: str) -> Callable[[evidence_pb2.EvidenceBundle], None]:
    return lambda message: message.ClearField(part)


def holding(part: str, value: bytes) -> Callable[[evidence_pb2.EvidenceBundle], None]:
    return lambda message: setattr(message, part, value)


MALFORMED: dict[str, tuple[Callable[[evidence_pb2.EvidenceBundle], None], str]] = {
    **{
        f"{part} absent": (without(part), f"evidence.{part}")
        for part in (
            "request_jws",
            "request_salt",
            "consent_jws",
            "attestation_jws",
            "scorecard_header",
            "approval_jws",
            "key_registration_jws",
            "decision",
        )
    },
    "salt of 31 bytes": (holding("request_salt", bytes(31)), "evidence.request_salt"),
    "salt of 33 bytes": (holding("request_salt", bytes(33)), "evidence.request_salt"),
    "request too long": (holding("request_jws", bytes(65537)), "evidence.request_jws"),
    "consent too short": (holding("consent_jws", bytes(15)), "evidence.consent_jws"),
    "header too long": (holding("scorecard_header", bytes(262145)), "evidence.scorecard_header"),
    "leaf empty": (lambda message: message.decision.ClearField("leaf"), "evidence.decision.leaf"),
    "leaf too long": (lambda message: setattr(message.decision, "leaf", bytes(16385)), "evidence.decision.leaf"),
    "proof empty": (lambda message: message.decision.ClearField("proof"), "evidence.decision.proof"),
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_malformed_evidence_names_the_field(shared: House, name: str) -> None:
    spoil, field = MALFORMED[name]
    message = convert.bundle_to_message(shared.federation.honest)
    spoil(message)
    with pytest.raises(ConsentgateError) as caught:
        await call(
            shared,
            shared.federation.gateway,
            features_pb2_grpc.FeatureServiceStub,
            "GetFeatures",
            features_pb2.GetFeaturesRequest(evidence=message),
        )
    assert (caught.value.code, caught.value.field) == (ErrorCode.INVALID_ARGUMENT_FIELD, field)
    assert rows(shared) == 0


async def test_empty_request_names_the_field(shared: House) -> None:
    request = features_pb2.GetFeaturesRequest()
    with pytest.raises(ConsentgateError) as caught:
        await call(shared, shared.federation.gateway, features_pb2_grpc.FeatureServiceStub, "GetFeatures", request)
    assert (caught.value.code, caught.value.field) == (ErrorCode.INVALID_ARGUMENT_FIELD, "evidence")


async def test_all_malformed_fields_are_named_at_once(shared: House) -> None:
    message = convert.bundle_to_message(shared.federation.honest)
    message.ClearField("consent_jws")
    message.ClearField("decision")
    request = features_pb2.GetFeaturesRequest(evidence=message)
    with pytest.raises(InvalidFields) as caught:
        await call(shared, shared.federation.gateway, features_pb2_grpc.FeatureServiceStub, "GetFeatures", request)
    assert set(caught.value.violations) == {"evidence.consent_jws", "evidence.decision"}


@pytest.mark.parametrize(
    ("part", "value", "field"),
    [
        ("transition_jws", b"", "transition_jws"),
        ("attestation_jws", b"", "attestation_jws"),
        ("transition_jws", bytes(65537), "transition_jws"),
    ],
)
async def test_malformed_revocation_names_the_field(shared: House, part: str, value: bytes, field: str) -> None:
    f = shared.federation
    request = features_pb2.SubmitRevocationRequest(
        transition_jws=f.sign_transition(f.transition_claims("REVOKE")), attestation_jws=f.sign_attestation()
    )
    setattr(request, part, value)
    with pytest.raises(ConsentgateError) as caught:
        await call(shared, company(f), features_pb2_grpc.RevocationServiceStub, "SubmitRevocation", request)
    assert (caught.value.code, caught.value.field) == (ErrorCode.INVALID_ARGUMENT_FIELD, field)
    assert rows(shared) == 0


@pytest.mark.parametrize("action", ["RESUME"])
async def test_action_that_is_not_taken_here(shared: House, action: str) -> None:
    f = shared.federation
    request = features_pb2.SubmitRevocationRequest(
        transition_jws=f.sign_transition(f.transition_claims(action)), attestation_jws=f.sign_attestation()
    )
    with pytest.raises(ConsentgateError) as caught:
        await call(shared, company(f), features_pb2_grpc.RevocationServiceStub, "SubmitRevocation", request)
    assert (caught.value.code, caught.value.field) == (ErrorCode.INVALID_ARGUMENT_FIELD, "transition_jws.action")


# Catalogue.


@pytest.mark.parametrize("role", ["gateway", "bank", "reviewer"])
async def test_catalogue_for_members(shared: House, role: str) -> None:
    member = member_of(shared.federation, role, hex16(role))
    found = await call(
        shared, member, features_pb2_grpc.FeatureServiceStub, "GetCatalogue", features_pb2.GetCatalogueRequest()
    )
    header = shared.federation.scorecard.header.department("tax")
    assert found.department == "tax"
    assert [json.loads(column.specification) for column in found.columns] == [entry.spec for entry in header.columns]
    assert {column.category for column in found.columns} == {"tax.declarations"}
    assert not any(column.high_risk for column in found.columns)


@pytest.mark.parametrize("role", ["company", "department", "ledger", "officer"])
async def test_catalogue_for_nobody_else(shared: House, role: str) -> None:
    member = member_of(shared.federation, role, hex16(role))
    request = features_pb2.GetCatalogueRequest()
    with pytest.raises(ConsentgateError, match="ROLE_NOT_ALLOWED"):
        await call(shared, member, features_pb2_grpc.FeatureServiceStub, "GetCatalogue", request)


# Direct revocations.


async def hand_over(house: House, action: str, **claims: object) -> None:
    f = house.federation
    request = features_pb2.SubmitRevocationRequest(
        transition_jws=f.sign_transition(f.transition_claims(action, **claims)), attestation_jws=f.sign_attestation()
    )
    await call(house, company(f), features_pb2_grpc.RevocationServiceStub, "SubmitRevocation", request)


async def test_direct_revocation_bites_at_once_and_for_ever(house: House) -> None:
    assert await house.ask(house.federation.bundle())
    await hand_over(house, "REVOKE")
    assert (await house.refusal(house.federation.bundle())).code == ErrorCode.CONSENT_REVOKED
    record_move(house.federation, "consent.paused")
    record_move(house.federation, "consent.resumed")
    assert (await house.refusal(house.federation.bundle())).code == ErrorCode.CONSENT_REVOKED


async def test_direct_pause_ends_with_the_recorded_resumption(house: House) -> None:
    await hand_over(house, "PAUSE")
    assert (await house.refusal(house.federation.bundle())).code == ErrorCode.CONSENT_PAUSED
    record_move(house.federation, "consent.paused")
    record_move(house.federation, "consent.resumed")
    assert await house.ask(house.federation.bundle())
    # The same statement once more is no new pause; another one is.
    await hand_over(house, "PAUSE")
    assert await house.ask(house.federation.bundle())
    await hand_over(house, "PAUSE", nonce=hex16("another pause"))
    assert (await house.refusal(house.federation.bundle())).code == ErrorCode.CONSENT_PAUSED


async def test_direct_revocation_survives_a_restart(tmp_path: Path) -> None:
    async with House.open(tmp_path) as first:
        await hand_over(first, "REVOKE")
        federation = first.federation
    async with House.open(tmp_path, federation, fresh_state=False) as second:
        assert (await second.refusal(federation.bundle())).code == ErrorCode.CONSENT_REVOKED


# Witness.


def add_checkpoint(house: House, old_size: int, size: int) -> ledger_pb2.AddCheckpointRequest:
    log = house.federation.log
    proof = log.consistency(old_size) if 0 < old_size < size else []
    return ledger_pb2.AddCheckpointRequest(
        old_size=old_size, proof=proof, checkpoint=log.note(house.clock(), witnesses=(), size=size)
    )


async def witness(house: House, member: Institution, request: ledger_pb2.AddCheckpointRequest) -> bytes:
    response = await call(house, member, ledger_pb2_grpc.WitnessServiceStub, "AddCheckpoint", request)
    return bytes(response.cosignature)


async def test_department_cosigns_what_extends_the_history(house: House) -> None:
    ledger = member_of(house.federation, "ledger", "ledger")
    size = len(house.federation.log.leaves)
    request = add_checkpoint(house, 0, size)
    (line,) = parse_signatures(await witness(house, ledger, request))
    note = Note.parse(request.checkpoint)
    assert witness_signer("tax").verifier_key.verify_cosignature(note.text, line.signature)
    with pytest.raises(ConsentgateError) as caught:
        await witness(house, ledger, add_checkpoint(house, 0, size))
    assert (caught.value.code, caught.value.extra["known_size"]) == (ErrorCode.WITNESS_CONFLICT, str(size))
    house.federation.log.append("log.closed", {}, house.clock())
    assert await witness(house, ledger, add_checkpoint(house, size, size + 1))


async def test_witness_works_while_the_view_is_stale(tmp_path: Path) -> None:
    """Without cosignatures the view could never become fresh."""
    async with House.open(tmp_path, caught_up=False) as house:
        size = len(house.federation.log.leaves)
        assert await witness(house, member_of(house.federation, "ledger", "ledger"), add_checkpoint(house, 0, size))


async def test_only_ledger_and_gateway_ask_a_witness(shared: House) -> None:
    bank = member_of(shared.federation, "bank", "bank-a")
    with pytest.raises(ConsentgateError, match="ROLE_NOT_ALLOWED"):
        await witness(shared, bank, add_checkpoint(shared, 0, 1))
