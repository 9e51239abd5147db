"""Errors on the wire: what travels, what does not, and what a client makes of it."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import grpc
import pytest
import structlog
from google.rpc import error_details_pb2, status_pb2

from consentgate import error_status
from consentgate.error_status import DETAILS_KEY, DOMAIN, from_rpc_error, from_status, to_status, translate
from consentgate.errors import CATALOGUE, ConsentgateError, ErrorCode, InvalidFields
from ledger import errors as ledger_errors
from paillier import errors as paillier_errors

SECRET = "91350100M000100Y43"
"""Stands for a value that must not travel."""


class FailedCall(grpc.RpcError):
    """What a stub raises."""

    def __init__(self, code: grpc.StatusCode, details: str = "", metadata: Sequence[tuple[str, Any]] = ()) -> None:
        super().__init__()
        self._code, self._details, self._metadata = code, details, metadata

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details

    def trailing_metadata(self) -> Sequence[tuple[str, Any]]:
        return self._metadata


def _sent(error: ConsentgateError) -> FailedCall:
    """The call as it fails at a client of a server that raised `error`."""
    return FailedCall(error.status, str(error), [(DETAILS_KEY, to_status(error).SerializeToString())])


@pytest.mark.parametrize("code", ErrorCode)
def test_round_trip(code: ErrorCode):
    error = ConsentgateError(code, field="part.claim", private=SECRET, extra={"incident": "abc"})
    received = from_rpc_error(_sent(error))
    assert (received.code, received.field, dict(received.extra)) == (code, "part.claim", {"incident": "abc"})
    assert received.hint == CATALOGUE[code].hint
    assert received.private is None


def test_round_trip_of_a_special_hint():
    assert from_rpc_error(_sent(ConsentgateError(ErrorCode.NOT_FOUND, hint="Look there."))).hint == "Look there."


def test_round_trip_of_several_fields():
    received = from_rpc_error(_sent(InvalidFields({"a": "too short", "b": "malformed"})))
    assert isinstance(received, InvalidFields)
    assert dict(received.violations) == {"a": "too short", "b": "malformed"}


@pytest.mark.parametrize("code", ErrorCode)
def test_private_text_and_cause_never_travel(code: ErrorCode):
    error = ConsentgateError(code, private=SECRET)
    error.__cause__ = ValueError(SECRET)
    assert SECRET.encode() not in to_status(error).SerializeToString()


def test_status_is_readable_by_strangers():
    """google.rpc.ErrorInfo, and BadRequest for forms."""
    status = to_status(ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="company"))
    info, request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert status.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert status.details[0].Unpack(info)
    assert status.details[1].Unpack(request)
    assert (info.reason, info.domain, info.metadata["field"]) == ("INVALID_ARGUMENT_FIELD", DOMAIN, "company")
    assert [violation.field for violation in request.field_violations] == ["company"]


# What is raised further in.


def _errors_of(module: Any, base: type[Exception]) -> list[type[Exception]]:
    return [found for _, found in inspect.getmembers(module, inspect.isclass) if issubclass(found, base)]


def _made(kind: type[Exception]) -> Exception:
    """An instance of an error class, whatever its constructor wants."""
    instance = kind.__new__(kind)
    instance.field, instance.known_size = "body.name", 7  # type: ignore[attr-defined] # of those that have them
    return instance


@pytest.mark.parametrize("kind", _errors_of(ledger_errors, ledger_errors.LedgerError), ids=lambda kind: kind.__name__)
def test_every_error_of_the_ledger_has_a_code(kind: type[Exception]):
    translated = translate(_made(kind))
    assert translated.code is not ErrorCode.INTERNAL
    assert translated.private == kind.__name__


@pytest.mark.parametrize(
    "kind", _errors_of(paillier_errors, paillier_errors.PaillierError), ids=lambda kind: kind.__name__
)
def test_every_error_of_the_engine_has_a_code_of_its_own_sort(kind: type[Exception]):
    translated = translate(_made(kind))
    assert translated.code is not ErrorCode.INTERNAL
    if kind.__name__.startswith(("Key", "Prime")) and kind is not paillier_errors.KeyFileError:
        assert translated.code in {
            ErrorCode.KEY_INVALID,
            ErrorCode.KEY_MISMATCH,
            ErrorCode.KEY_FILE,
        }


def test_translation_keeps_field_hint_and_size():
    entry = translate(ledger_errors.EntryInvalid("body.subject"))
    assert (entry.code, entry.field, entry.hint) == (
        ErrorCode.INVALID_ARGUMENT_FIELD,
        "body.subject",
        ledger_errors.EntryInvalid.hint,
    )
    assert translate(ledger_errors.WitnessConflict(41)).extra == {"known_size": "41"}


def test_own_errors_pass_unchanged():
    error = ConsentgateError(ErrorCode.CONSENT_PAUSED)
    assert translate(error) is error


def test_unknown_exception_becomes_an_incident_without_its_text():
    try:
        raise RuntimeError(SECRET) from KeyError(SECRET)
    except RuntimeError as error:
        with structlog.testing.capture_logs() as lines:
            translated = translate(error)
    assert translated.code is ErrorCode.INTERNAL
    assert [line["incident"] for line in lines] == [translated.extra["incident"]]
    assert lines[0]["exceptions"] == ["RuntimeError", "KeyError"]
    assert any("test_unknown_exception" in place for place in lines[0]["places"])
    assert SECRET not in str(lines)
    assert SECRET.encode() not in to_status(translated).SerializeToString()


def test_an_exception_below_a_known_one_is_translated_like_it():
    class OfOneStorage(ledger_errors.StorageFailed):
        pass

    assert translate(OfOneStorage()).code is ErrorCode.LEDGER_UNAVAILABLE


# What a peer sends.


def _status(code: int = 9, **info: Any) -> status_pb2.Status:
    status = status_pb2.Status(code=code)
    status.details.add().Pack(error_details_pb2.ErrorInfo(**{"domain": DOMAIN, **info}))
    return status


def test_a_code_of_a_newer_version_becomes_that_of_its_status():
    received = from_status(_status(7, reason="BRAND_NEW", metadata={"hint": "New."}))
    assert received is not None
    assert (received.code, received.hint, received.extra) == (
        ErrorCode.ROLE_NOT_ALLOWED,
        "New.",
        {"code": "BRAND_NEW"},
    )


def test_details_of_another_domain_are_not_ours():
    assert from_status(_status(reason="CONSENT_EXPIRED", domain="example.com")) is None
    assert from_status(status_pb2.Status(code=5)) is None


def test_a_peers_text_cannot_steer_a_terminal():
    received = from_status(_status(reason="NOT_FOUND", metadata={"hint": "\x1b[2Jé" + "x" * 1000, "a\n": "b\r"}))
    assert received is not None
    assert received.hint.startswith("?[2J?xxx")
    assert len(received.hint) == error_status.MAX_TEXT
    assert received.extra == {"a?": "b?"}


@pytest.mark.parametrize("value", [b"\xff\xff\xff", "text", None])
def test_broken_details_are_ignored(value: Any):
    received = from_rpc_error(FailedCall(grpc.StatusCode.NOT_FOUND, "", [("other", "x"), (DETAILS_KEY, value)]))
    assert received.code is ErrorCode.NOT_FOUND


def test_trailing_metadata_may_be_absent():
    call = FailedCall(grpc.StatusCode.CANCELLED)
    call._metadata = None  # type: ignore[assignment] # gRPC's asyncio flavour does that before a connection
    assert from_rpc_error(call).code is ErrorCode.CANCELLED


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (grpc.StatusCode.UNIMPLEMENTED, ErrorCode.UNKNOWN_METHOD),
        (grpc.StatusCode.UNAVAILABLE, ErrorCode.UNAVAILABLE),
        (grpc.StatusCode.DEADLINE_EXCEEDED, ErrorCode.DEADLINE_EXCEEDED),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, ErrorCode.RESOURCE_EXHAUSTED),
        (grpc.StatusCode.UNKNOWN, ErrorCode.INTERNAL),
        (grpc.StatusCode.INTERNAL, ErrorCode.INTERNAL),
    ],
)
def test_bare_status_has_a_code(status: grpc.StatusCode, code: ErrorCode):
    received = from_rpc_error(FailedCall(status, SECRET))
    assert received.code is code
    assert received.private == SECRET
    assert SECRET not in str(received)


HANDSHAKES = {
    "failed to connect to all addresses; Hostname Verification Check failed.": ErrorCode.PEER_MISMATCH,
    "failed to connect to all addresses; SSL_ERROR_SSL: WRONG_VERSION_NUMBER": ErrorCode.PEER_MISMATCH,
    "failed to connect to all addresses; CERTIFICATE_VERIFY_FAILED: certificate has expired": (
        ErrorCode.CERTIFICATE_EXPIRED
    ),
    "failed to connect to all addresses; CERTIFICATE_VERIFY_FAILED: unable to get issuer": (
        ErrorCode.CERTIFICATE_UNTRUSTED
    ),
    "failed to connect to all addresses; Connection refused": ErrorCode.CONNECTION_REFUSED,
    "DNS resolution failed for x: lookup x": ErrorCode.CONNECTION_REFUSED,
    "failed to connect to all addresses; Socket closed": ErrorCode.CERTIFICATE_REFUSED,
    "failed to connect to all addresses; something new": ErrorCode.UNAVAILABLE,
    "Connection refused": ErrorCode.UNAVAILABLE,  # a server's own words are no handshake
}


@pytest.mark.parametrize(("details", "code"), HANDSHAKES.items())
def test_failed_handshakes_are_told_apart(details: str, code: ErrorCode):
    assert from_rpc_error(FailedCall(grpc.StatusCode.UNAVAILABLE, details)).code is code
