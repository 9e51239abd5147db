"""What stands before every handler, over real mutual TLS on loopback: who, what, in which form, and how it ends."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
import structlog

from consentgate import interceptors
from consentgate.certificates import DOCUMENT_SIGNING, SERVER_AUTH
from consentgate.error_status import from_rpc_error
from consentgate.errors import ConsentgateError, ErrorCode, InvalidFields
from consentgate.identity import SpiffeId
from consentgate.server import ServerLimits
from consentgate.v1 import keys_pb2, ledger_pb2, ledger_pb2_grpc, scorecard_pb2, scorecard_pb2_grpc
from tests.support.loopback import Loopback, loopback, register, tail, until
from tests.support.member_ca import MemberCa
from tests.support.tls_files import TlsFolder, spiffe_id

SECRET = "91350100M000100Y43"


@pytest.fixture
async def running(tmp_path: Path):
    async with loopback(tmp_path) as found:
        yield found


async def _refused(call: Any) -> ConsentgateError:
    with pytest.raises(grpc.RpcError) as caught:
        await call
    return from_rpc_error(caught.value)


# Who.


async def test_handler_knows_its_caller(running: Loopback):
    async with running.channel() as channel:
        answer = await register(channel)
    assert answer.key_id == "spiffe://consentgate.test/bank/bank-a"
    assert running.handlers.seen == [spiffe_id("bank", "bank-a")]


async def test_two_callers_at_a_time_are_not_confused(running: Loopback):
    async def handler(_request: Any, _context: Any) -> keys_pb2.RegisterKeyResponse:
        before = interceptors.caller()
        await asyncio.sleep(0.02)
        assert interceptors.caller() == before
        return keys_pb2.RegisterKeyResponse(key_id=str(before))

    running.handlers.register = handler
    async with running.channel(name="bank-a") as a, running.channel(name="bank-b") as b:
        answers = await asyncio.gather(*(register(channel) for channel in (a, b) * 4))
    assert [answer.key_id[-1] for answer in answers] == ["a", "b"] * 4


def test_outside_of_a_call_there_is_no_caller():
    with pytest.raises(ConsentgateError) as caught:
        interceptors.caller()
    assert caught.value.code is ErrorCode.UNAUTHENTICATED


async def test_no_certificate(running: Loopback):
    async with running.raw_channel(None) as channel:
        error = await _refused(register(channel, timeout=5))
    assert error.status is grpc.StatusCode.UNAVAILABLE
    assert running.handlers.seen == []


async def test_plaintext(running: Loopback):
    async with grpc.aio.insecure_channel(running.server.address) as channel:
        error = await _refused(register(channel, timeout=5))
    assert error.status is grpc.StatusCode.UNAVAILABLE


async def test_certificate_of_another_ca(running: Loopback, tmp_path: Path):
    stranger = TlsFolder(tmp_path / "other", MemberCa.create("other ca")).member("bank", "bank-a")
    async with running.raw_channel(stranger) as channel:
        error = await _refused(register(channel, timeout=5))
    assert error.status is grpc.StatusCode.UNAVAILABLE
    assert running.handlers.seen == []


async def test_expired_certificate(running: Loopback):
    expired = running.folder.member("bank", "expired", not_after=datetime.now(UTC) - timedelta(hours=1))
    async with running.raw_channel(expired) as channel:
        error = await _refused(register(channel, timeout=5))
    assert error.status is grpc.StatusCode.UNAVAILABLE
    assert running.handlers.seen == []


@pytest.mark.parametrize(
    "uris",
    [[], ["https://bank-a.test/"], ["spiffe://consentgate.test/bank/a", "spiffe://consentgate.test/bank/b"]],
    ids=["nobody", "a page", "two members"],
)
async def test_certificate_that_names_not_exactly_one_member(running: Loopback, uris: list[str]):
    """Of the member CA, so TLS admits it; the gate does not."""
    files = running.folder.member("bank", "odd", uris=uris, dns=["odd.test"])
    async with running.raw_channel(files) as channel:
        assert (await _refused(register(channel, timeout=5))).code is ErrorCode.UNAUTHENTICATED
    assert running.handlers.seen == []


@pytest.mark.parametrize("usages", [(SERVER_AUTH,), (DOCUMENT_SIGNING,)], ids=["serverAuth only", "signing"])
async def test_certificate_for_another_use_opens_no_connection(running: Loopback, usages: tuple[Any, ...]):
    async with running.raw_channel(running.folder.member("bank", "other-use", usages=usages)) as channel:
        error = await _refused(register(channel, timeout=5))
    assert error.status is grpc.StatusCode.UNAVAILABLE


# What.


@pytest.mark.parametrize("role", ["company", "department", "gateway", "ledger", "officer", "reviewer"])
async def test_other_roles_are_refused(running: Loopback, role: str):
    async with running.channel(role, "somebody") as channel:
        error = await _refused(register(channel))
    assert error.code is ErrorCode.ROLE_NOT_ALLOWED
    assert running.handlers.seen == []


async def test_role_is_judged_before_form(running: Loopback):
    """Whoever may not call learns nothing about the message either."""
    async with running.channel("company", "somebody") as channel:
        assert (await _refused(register(channel, keys_pb2.RegisterKeyRequest()))).code is ErrorCode.ROLE_NOT_ALLOWED


async def test_method_of_the_table_that_this_server_does_not_offer(running: Loopback):
    async with running.channel() as channel:
        stub = scorecard_pb2_grpc.ScorecardServiceStub(channel)
        error = await _refused(stub.ListScorecards(scorecard_pb2.ListScorecardsRequest()))
    assert error.code is ErrorCode.UNKNOWN_METHOD


@pytest.mark.parametrize("method", ["/consentgate.v1.KeyService/Unknown", "/other.Service/Do", "/x"])
async def test_method_outside_the_table(running: Loopback, method: str):
    async with running.channel() as channel:
        error = await _refused(channel.unary_unary(method)(b""))
    assert error.code is ErrorCode.ROLE_NOT_ALLOWED


async def test_offered_but_unimplemented_method(running: Loopback):
    """A servicer without one of its RPCs is a fault of the program, and ends as an incident."""
    async with running.channel("gateway", "g") as channel:
        stub = ledger_pb2_grpc.LedgerServiceStub(channel)
        error = await _refused(stub.GetCheckpoint(ledger_pb2.GetCheckpointRequest()))
    assert error.code is ErrorCode.INTERNAL
    assert "incident" in error.extra


# In which form.


async def test_malformed_message_names_the_field(running: Loopback):
    async with running.channel() as channel:
        error = await _refused(register(channel, keys_pb2.RegisterKeyRequest(registration_jws=b"short")))
    assert (error.code, error.field) == (ErrorCode.INVALID_ARGUMENT_FIELD, "registration_jws")
    assert running.handlers.seen == []


async def test_every_malformed_field_is_named():
    message = ledger_pb2.ListSubjectEntriesRequest(subjects=["0" * 32, SECRET], page_size=9999)
    with pytest.raises(InvalidFields) as caught:
        interceptors.check_form(message)
    assert set(caught.value.violations) == {"subjects[1]", "page_size"}
    assert SECRET not in f"{caught.value} {dict(caught.value.violations)}"


def test_missing_part_and_nested_fields_are_named():
    message = scorecard_pb2.GetDisclosureReportRequest(group="A", scorecard="x")
    with pytest.raises(InvalidFields) as caught:
        interceptors.check_form(message)
    assert set(caught.value.violations) == {"group", "scorecard"}


async def test_bytes_that_are_no_message(running: Loopback):
    async with running.channel() as channel:
        method = channel.unary_unary("/consentgate.v1.KeyService/RegisterKey")
        error = await _refused(method(b"\xff\xff\xff"))
        assert (error.code, error.field) == (ErrorCode.INVALID_ARGUMENT_FIELD, "request")
    async with running.channel("department", "tax") as channel:
        stream = channel.unary_stream("/consentgate.v1.LedgerService/Tail")(b"\xff\xff\xff")
        assert (await _refused(stream.read())).field == "request"
        # Who may not call at all is not told whether it was a message.
        method = channel.unary_unary("/consentgate.v1.KeyService/RegisterKey")
        assert (await _refused(method(b"\xff\xff\xff"))).code is ErrorCode.ROLE_NOT_ALLOWED
    assert running.handlers.seen == []


async def test_oversized_message(tmp_path: Path):
    async with loopback(tmp_path, limits=ServerLimits(message_bytes=10_000)) as running, running.channel() as channel:
        big = keys_pb2.RegisterKeyRequest(registration_jws=b"x" * 20_000)
        assert (await _refused(register(channel, big))).code is ErrorCode.RESOURCE_EXHAUSTED
        assert running.handlers.seen == []


# How it ends.


async def test_refusal_of_the_handler_travels_whole(running: Loopback):
    async def handler(_request: Any, _context: Any) -> keys_pb2.RegisterKeyResponse:
        raise ConsentgateError(
            ErrorCode.KEY_PROOF, field="registration_jws.proof", private=SECRET, extra={"a": "b"}, hint="Do this."
        )

    running.handlers.register = handler
    async with running.channel() as channel:
        with pytest.raises(grpc.RpcError) as caught:
            await register(channel)
    error = from_rpc_error(caught.value)
    assert (error.code, error.field, error.hint, dict(error.extra)) == (
        ErrorCode.KEY_PROOF,
        "registration_jws.proof",
        "Do this.",
        {"a": "b"},
    )
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert SECRET not in str(caught.value)


async def test_unexpected_exception_becomes_an_incident(running: Loopback):
    async def handler(_request: Any, _context: Any) -> keys_pb2.RegisterKeyResponse:
        raise KeyError(SECRET)

    running.handlers.register = handler
    async with running.channel() as channel:
        with structlog.testing.capture_logs() as lines, pytest.raises(grpc.RpcError) as caught:
            await register(channel)
    error = from_rpc_error(caught.value)
    assert error.code is ErrorCode.INTERNAL
    assert any(line.get("incident") == error.extra["incident"] for line in lines)
    assert SECRET not in f"{caught.value} {lines}"


async def test_stream_from_begin_to_end(running: Loopback):
    async with running.channel("department", "tax") as channel:
        assert await tail(channel) == [b"0", b"1", b"2"]


async def test_stream_that_fails_on_its_way(running: Loopback):
    async def handler(_request: Any, _context: Any):
        yield ledger_pb2.TailResponse(leaves=[b"first"])
        raise ConsentgateError(ErrorCode.LEDGER_UNAVAILABLE)

    running.handlers.tail = handler
    async with running.channel("department", "tax") as channel:
        call = ledger_pb2_grpc.LedgerServiceStub(channel).Tail(ledger_pb2.TailRequest())
        assert list((await call.read()).leaves) == [b"first"]
        assert (await _refused(call.read())).code is ErrorCode.LEDGER_UNAVAILABLE


async def test_stream_is_refused_by_role_and_by_form(running: Loopback):
    async with running.channel("bank", "bank-a") as channel:
        assert (await _refused(tail(channel))).code is ErrorCode.ROLE_NOT_ALLOWED
    async with running.channel("department", "tax") as channel:
        call = ledger_pb2_grpc.LedgerServiceStub(channel).Tail(ledger_pb2.TailRequest(start=2**60))
        assert (await _refused(call.read())).field == "start"


async def test_cancelled_call_reaches_the_handler(running: Loopback):
    began, ended = asyncio.Event(), asyncio.Event()

    async def handler(_request: Any, _context: Any) -> keys_pb2.RegisterKeyResponse:
        began.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()
        raise AssertionError

    running.handlers.register = handler
    async with running.channel() as channel:
        with structlog.testing.capture_logs() as lines:
            call = asyncio.ensure_future(register(channel))
            await asyncio.wait_for(began.wait(), 5)
            call.cancel()
            await asyncio.wait_for(ended.wait(), 5)
            await until(lambda: any(line.get("code") == "CANCELLED" for line in lines))


async def test_deadline_of_the_caller(running: Loopback):
    async def handler(_request: Any, _context: Any) -> keys_pb2.RegisterKeyResponse:
        await asyncio.sleep(60)
        raise AssertionError

    running.handlers.register = handler
    async with running.channel() as channel:
        assert (await _refused(register(channel, timeout=0.1))).code is ErrorCode.DEADLINE_EXCEEDED


async def test_too_many_calls_are_refused_at_once(tmp_path: Path):
    gate, begun = asyncio.Event(), asyncio.Event()

    async def handler(_request: Any, _context: Any) -> keys_pb2.RegisterKeyResponse:
        begun.set()
        await gate.wait()
        return keys_pb2.RegisterKeyResponse()

    async with loopback(tmp_path, limits=ServerLimits(concurrent_calls=1)) as running, running.channel() as channel:
        running.handlers.register = handler
        first = asyncio.ensure_future(register(channel))
        await asyncio.wait_for(begun.wait(), 5)
        assert (await _refused(register(channel))).code is ErrorCode.RESOURCE_EXHAUSTED
        gate.set()
        await first


# What is logged.


async def test_one_line_a_call_without_anything_of_the_message(running: Loopback):
    with structlog.testing.capture_logs() as lines:
        async with running.channel() as channel:
            await register(channel, keys_pb2.RegisterKeyRequest(registration_jws=SECRET.encode()))
            await _refused(register(channel, keys_pb2.RegisterKeyRequest()))
    calls = [line for line in lines if line["event"] == "call"]
    assert [(line["method"], line["role"], line["code"]) for line in calls] == [
        ("/consentgate.v1.KeyService/RegisterKey", "bank", "OK"),
        ("/consentgate.v1.KeyService/RegisterKey", "bank", "INVALID_ARGUMENT_FIELD"),
    ]
    assert all(line["milliseconds"] >= 0 for line in calls)
    assert SECRET not in str(lines)
    assert "bank-a" not in str(calls)


async def test_caller_of_a_context():
    class Context:
        def auth_context(self) -> dict[str, list[bytes]]:
            return {"x509_subject_alternative_name": [b"spiffe://consentgate.test/bank/bank-a"]}

    found: Any = Context()
    assert interceptors.caller_of(found) == SpiffeId.parse("spiffe://consentgate.test/bank/bank-a")
