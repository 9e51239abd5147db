"""Errors on the wire and back: ConsentgateError ↔ google.rpc.Status (docs/wire.md, section 11).

The one translator: nothing else builds a status, and nothing else reads one. Errors of `paillier` and
`ledger` become codes by the table below (nearest base class wins). Whatever is in no table is INTERNAL
with an incident id; what it was stands in this process's log under that id, as type and place, never as
text.

On the client, gRPC reports a failed handshake only as text. The known texts are told apart; an unknown
one stays UNAVAILABLE.
"""

from __future__ import annotations

import secrets
import traceback
from collections.abc import Iterable
from types import MappingProxyType
from typing import cast

import grpc
import structlog
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from consentgate.errors import CATALOGUE, ConsentgateError, ErrorCode, InvalidFields
from ledger import errors as ledger_errors
from paillier import errors as paillier_errors

DOMAIN = "consentgate"
"""`domain` of every ErrorInfo."""
DETAILS_KEY = "grpc-status-details-bin"
"""Trailing metadata that holds the serialized google.rpc.Status."""
MAX_TEXT = 300
"""characters taken over from a peer's hint, field or extra; longer ones are cut off."""

_log = structlog.get_logger("consentgate.errors")
_Code = ErrorCode
_TRANSLATIONS: dict[type[Exception], ErrorCode] = {
    # Paillier.
    paillier_errors.PaillierError: _Code.INVALID_ARGUMENT_FIELD,
    paillier_errors.KeyFormat: _Code.KEY_INVALID,
    paillier_errors.KeyCarriesPrivateParts: _Code.KEY_INVALID,
    paillier_errors.KeyTooSmall: _Code.KEY_INVALID,
    paillier_errors.KeySizeNotAllowed: _Code.KEY_INVALID,
    paillier_errors.KeyEven: _Code.KEY_INVALID,
    paillier_errors.KeyNotBlum: _Code.KEY_INVALID,
    paillier_errors.KeyPerfectPower: _Code.KEY_INVALID,
    paillier_errors.KeySmallFactor: _Code.KEY_INVALID,
    paillier_errors.KeyPrime: _Code.KEY_INVALID,
    paillier_errors.PrimeNotPrime: _Code.KEY_INVALID,
    paillier_errors.PrimesEqual: _Code.KEY_INVALID,
    paillier_errors.PrimesUnequalLength: _Code.KEY_INVALID,
    paillier_errors.PrimesTooClose: _Code.KEY_INVALID,
    paillier_errors.PrimeNotBlum: _Code.KEY_INVALID,
    paillier_errors.PrimesShareFactor: _Code.KEY_INVALID,
    paillier_errors.ModulusMismatch: _Code.KEY_INVALID,
    paillier_errors.KeyFileError: _Code.KEY_FILE,
    paillier_errors.CiphertextOutOfRange: _Code.CIPHERTEXT_INVALID,
    paillier_errors.CiphertextNotUnit: _Code.CIPHERTEXT_INVALID,
    paillier_errors.CiphertextWidth: _Code.CIPHERTEXT_INVALID,
    paillier_errors.PlaintextOutOfRange: _Code.INVALID_ARGUMENT_FIELD,
    paillier_errors.ColumnInvalid: _Code.SCORECARD_INVALID,
    paillier_errors.WeightCount: _Code.SCORECARD_INVALID,
    paillier_errors.WeightOutOfRange: _Code.SCORECARD_INVALID,
    paillier_errors.ScoreRangeOverflow: _Code.SCORECARD_RANGE,
    paillier_errors.ScoreOutOfRange: _Code.SCORE_OUT_OF_RANGE,
    paillier_errors.ProofInvalid: _Code.KEY_PROOF,
    paillier_errors.MemoryBudgetTooSmall: _Code.CONFIG_INVALID,
    paillier_errors.ParameterOutOfRange: _Code.CONFIG_INVALID,
    # Ledger.
    ledger_errors.LedgerError: _Code.LEDGER_INVALID,
    ledger_errors.EntryInvalid: _Code.INVALID_ARGUMENT_FIELD,
    ledger_errors.ProofInvalid: _Code.RECEIPT_INVALID,
    ledger_errors.ConsistencyInvalid: _Code.LEDGER_INVALID,
    ledger_errors.CheckpointInvalid: _Code.LEDGER_INVALID,
    ledger_errors.SignatureInvalid: _Code.LEDGER_INVALID,
    ledger_errors.QuorumNotMet: _Code.LEDGER_QUORUM,
    ledger_errors.LogMismatch: _Code.LEDGER_INVALID,
    ledger_errors.PolicyInvalid: _Code.CONFIG_INVALID,
    ledger_errors.KeyInvalid: _Code.CONFIG_INVALID,
    ledger_errors.LedgerFull: _Code.LEDGER_FULL,
    ledger_errors.LedgerReadOnly: _Code.LEDGER_READ_ONLY,
    ledger_errors.HeadConflict: _Code.LEDGER_READ_ONLY,
    ledger_errors.StorageFailed: _Code.LEDGER_UNAVAILABLE,
    ledger_errors.WitnessConflict: _Code.WITNESS_CONFLICT,
    ledger_errors.WitnessFailed: _Code.LEDGER_QUORUM,
    ledger_errors.LedgerStopped: _Code.LEDGER_UNAVAILABLE,
    ledger_errors.ExportInvalid: _Code.LEDGER_INVALID,
    ledger_errors.NotEvidence: _Code.NOT_EVIDENCE,
    ledger_errors.EvidenceInvalid: _Code.EVIDENCE_INVALID,
    ledger_errors.TimestampInvalid: _Code.LEDGER_INVALID,
    ledger_errors.TimestampUnavailable: _Code.LEDGER_UNAVAILABLE,
    ledger_errors.NotFound: _Code.NOT_FOUND,
}

# Texts of gRPC 1.85 about connections that did not come about, most specific first.
_HANDSHAKES = (
    ("Hostname Verification Check failed", _Code.PEER_MISMATCH),
    ("WRONG_VERSION_NUMBER", _Code.PEER_MISMATCH),
    ("certificate has expired", _Code.CERTIFICATE_EXPIRED),
    ("certificate is not yet valid", _Code.CERTIFICATE_EXPIRED),
    ("CERTIFICATE_VERIFY_FAILED", _Code.CERTIFICATE_UNTRUSTED),
    ("NO_COMMON_SIGNATURE_ALGORITHMS", _Code.CERTIFICATE_KEY),
    ("Connection refused", _Code.CONNECTION_REFUSED),
    ("lookup", _Code.CONNECTION_REFUSED),
    ("Socket closed", _Code.CERTIFICATE_REFUSED),
    ("Connection reset", _Code.CERTIFICATE_REFUSED),
)
_CONNECTING = ("failed to connect to all addresses", "errors resolving", "DNS resolution failed")
# What a status without our details means: it came from gRPC itself or from a proxy.
_BARE = MappingProxyType(
    {
        grpc.StatusCode.UNIMPLEMENTED: _Code.UNKNOWN_METHOD,
        grpc.StatusCode.UNAVAILABLE: _Code.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED: _Code.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED: _Code.CANCELLED,
        grpc.StatusCode.RESOURCE_EXHAUSTED: _Code.RESOURCE_EXHAUSTED,
        grpc.StatusCode.UNAUTHENTICATED: _Code.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED: _Code.ROLE_NOT_ALLOWED,
        grpc.StatusCode.NOT_FOUND: _Code.NOT_FOUND,
        grpc.StatusCode.INVALID_ARGUMENT: _Code.INVALID_ARGUMENT_FIELD,
    }
)


def translate(error: Exception) -> ConsentgateError:
    """Any exception as a ConsentgateError; an unknown one is logged and becomes INTERNAL."""
    if isinstance(error, ConsentgateError):
        return error
    for base in type(error).__mro__:
        if base in _TRANSLATIONS:
            return _translated(error, _TRANSLATIONS[base])
    return _incident(error)


def to_status(error: ConsentgateError) -> status_pb2.Status:
    """What is sent: the code, message and hint of the catalogue, the field, the public extras."""
    metadata = {"hint": error.hint, **error.extra}
    if error.field:
        metadata["field"] = error.field
    status = status_pb2.Status(code=error.status.value[0], message=str(error))
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=error.code, domain=DOMAIN, metadata=metadata))
    if error.status is grpc.StatusCode.INVALID_ARGUMENT and error.field:
        violations = error.violations if isinstance(error, InvalidFields) else {error.field: error.message}
        request = error_details_pb2.BadRequest()
        for field, description in violations.items():
            request.field_violations.add(field=field, description=description)
        status.details.add().Pack(request)
    return status


def from_status(status: status_pb2.Status) -> ConsentgateError | None:
    """The error that a peer sent; None when the status bears no details of ours.

    A code that this version does not know becomes the code of its status, with the unknown one as `extra`.
    """
    info, request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in status.details:
        if detail.Is(info.DESCRIPTOR):
            detail.Unpack(info)
        elif detail.Is(request.DESCRIPTOR):
            detail.Unpack(request)
    if info.domain != DOMAIN:
        return None
    if len(request.field_violations) > 1 and info.reason == ErrorCode.INVALID_ARGUMENT_FIELD:
        return InvalidFields({_plain(found.field): _plain(found.description) for found in request.field_violations})
    return _from_info(info, status.code)


def from_rpc_error(error: grpc.RpcError) -> ConsentgateError:
    """What a failed call means, for a client. gRPC's own texts are kept as `private`, for the log."""
    failed = cast(grpc.Call, error)  # every RpcError that a stub raises is one, in both flavours
    for key, value in failed.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            known = _decoded(value)
            if known is not None:
                return known
    details = failed.details() or ""
    code = _BARE.get(failed.code(), ErrorCode.INTERNAL)
    if code is ErrorCode.UNAVAILABLE and any(text in details for text in _CONNECTING):
        code = next((found for text, found in _HANDSHAKES if text in details), code)
    return ConsentgateError(code, private=details)


def places(error: BaseException) -> list[str]:
    """Where an exception went through, innermost last: `folder/file:line function`, without any text of it."""
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{'/'.join(frame.filename.split('/')[-2:])}:{frame.lineno} {frame.name}" for frame in frames]


def _decoded(value: bytes) -> ConsentgateError | None:
    try:
        return from_status(status_pb2.Status.FromString(value))
    except DecodeError:
        return None


def _from_info(info: error_details_pb2.ErrorInfo, status: int) -> ConsentgateError:
    extra = {_plain(key): _plain(value) for key, value in info.metadata.items()}
    hint, field = extra.pop("hint", None), extra.pop("field", None)
    if info.reason in CATALOGUE:
        return ConsentgateError(ErrorCode(info.reason), field=field, extra=extra, hint=hint)
    bare = {code.value[0]: known for code, known in _BARE.items()}.get(status, ErrorCode.INTERNAL)
    return ConsentgateError(bare, field=field, extra={**extra, "code": _plain(info.reason)}, hint=hint)


def _plain(text: str) -> str:
    """Printable ASCII only: a peer's text may end up on somebody's terminal."""
    return "".join(character if " " <= character <= "~" else "?" for character in text[:MAX_TEXT])


def _translated(error: Exception, code: ErrorCode) -> ConsentgateError:
    extra: dict[str, str] = {}
    if isinstance(error, ledger_errors.WitnessConflict):
        extra["known_size"] = str(error.known_size)
    field = error.field if isinstance(error, ledger_errors.EntryInvalid) else None
    hint = getattr(type(error), "hint", None)
    translated = ConsentgateError(code, field=field, private=type(error).__name__, extra=extra, hint=hint)
    translated.__cause__ = error
    return translated


def _incident(error: Exception) -> ConsentgateError:
    incident = secrets.token_hex(8)
    kinds = [type(found).__name__ for found in _causes(error)]
    _log.error("internal error", incident=incident, exceptions=kinds, places=places(error))
    internal = ConsentgateError(ErrorCode.INTERNAL, extra={"incident": incident})
    internal.__cause__ = error
    return internal


def _causes(error: BaseException) -> Iterable[BaseException]:
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__
