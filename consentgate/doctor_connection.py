"""The second half of `consentgate doctor`: an address, step by step — TCP, TLS, who answers, health.

The handshake is made with Python's `ssl` before gRPC's, because OpenSSL says exactly what it disliked,
and because the alert with which a server refuses *our* certificate comes after the handshake in TLS 1.3:
so one frame is read.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import closing

import grpc
from cryptography import x509
from grpc_health.v1 import health_pb2, health_pb2_grpc

from consentgate.addresses import split_address
from consentgate.channel import open_channel
from consentgate.doctor import Finding, TlsPaths, finding, healthy
from consentgate.error_status import from_rpc_error
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.identity import SpiffeId
from consentgate.tls import TlsFiles

STEP_SECONDS = 5.0
"""seconds for each step; a healthy peer needs milliseconds."""

_EXPIRED_CODES = frozenset({9, 10})
"""OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED."""


def examine_connection(
    paths: TlsPaths, address: str, peer: SpiffeId | None, *, allow_development_ca: bool = False
) -> list[Finding]:
    """The steps until one fails; without `peer` what answers is named and not judged."""
    findings = [finding("TCP", lambda: _connect(address))]
    if not healthy(findings):
        return findings
    seen: list[SpiffeId] = []

    def handshake() -> str:
        seen.append(_handshake(paths, address))
        return "both certificates accepted"

    findings.append(finding("TLS", handshake))
    if not seen:
        return findings
    findings.append(finding("peer", lambda: _judge_peer(seen[0], peer)))
    if healthy(findings):
        findings.append(_health(paths, address, seen[0], allow_development_ca))
    return findings


def _connect(address: str) -> str:
    with _tcp(address):
        return f"{address} accepts connections"


def _tcp(address: str) -> socket.socket:
    try:
        return socket.create_connection(split_address(address, "address"), STEP_SECONDS)
    except OSError as error:
        raise ConsentgateError(ErrorCode.CONNECTION_REFUSED, field="address", private=type(error).__name__) from error


def _handshake(paths: TlsPaths, address: str) -> SpiffeId:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # who answers is compared by SPIFFE id, in the next step
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    try:
        context.load_verify_locations(paths.member_ca)
        context.load_cert_chain(paths.certificate, paths.private_key)
    except OSError as error:  # ssl.SSLError is one
        raise ConsentgateError(ErrorCode.CERTIFICATE_MISSING, hint="See the findings above.") from error
    try:
        with closing(_tcp(address)) as raw, context.wrap_socket(raw) as connection:
            certificate = connection.getpeercert(binary_form=True) or b""
            _first_frame(connection)
    except ssl.SSLCertVerificationError as error:
        expired = error.verify_code in _EXPIRED_CODES
        code = ErrorCode.CERTIFICATE_EXPIRED if expired else ErrorCode.CERTIFICATE_UNTRUSTED
        raise ConsentgateError(code, hint=_OTHER_SIDE[code]) from error
    except ssl.SSLError as error:
        raise _alert(error) from error
    except OSError as error:
        raise _refused(type(error).__name__) from error
    return SpiffeId.from_certificate(x509.load_der_x509_certificate(certificate))


def _first_frame(connection: ssl.SSLSocket) -> None:
    """An HTTP/2 server speaks first; one that refuses our certificate closes."""
    if not connection.recv(1):
        raise _refused("closed")


def _alert(error: ssl.SSLError) -> ConsentgateError:
    reason = error.reason or ""
    if "WRONG_VERSION" in reason or "UNKNOWN_PROTOCOL" in reason:
        return ConsentgateError(
            ErrorCode.PEER_MISMATCH, hint="What answers does not speak TLS. Check the address and port."
        )
    return _refused(reason)


def _refused(private: str) -> ConsentgateError:
    hint = "Cure the findings above; if there are none, the other side trusts another member CA."
    return ConsentgateError(ErrorCode.CERTIFICATE_REFUSED, private=private, hint=hint)


def _judge_peer(seen: SpiffeId, wanted: SpiffeId | None) -> str:
    if wanted is not None and seen != wanted:
        raise ConsentgateError(
            ErrorCode.PEER_MISMATCH, hint=f"{seen} answers there. Correct the address or the expected peer."
        )
    return f"{seen} answers" if wanted is not None else f"{seen} answers; no --peer given to compare it with"


def _health(paths: TlsPaths, address: str, peer: SpiffeId, allow_development_ca: bool) -> Finding:
    return finding("health", lambda: _ask_health(paths, address, peer, allow_development_ca))


def _ask_health(paths: TlsPaths, address: str, peer: SpiffeId, allow_development_ca: bool) -> str:
    files = TlsFiles.of(paths.certificate, paths.private_key, paths.member_ca)
    with open_channel(address, peer, files, allow_development_ca=allow_development_ca) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=STEP_SECONDS)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        raise ConsentgateError(
            ErrorCode.UNAVAILABLE, hint="It answers, and says that it cannot work at present: see its log."
        )
    return "SERVING"


_OTHER_SIDE = {
    ErrorCode.CERTIFICATE_EXPIRED: "The other side's certificate is out of date, or this machine's clock is.",
    ErrorCode.CERTIFICATE_UNTRUSTED: "The other side's certificate comes from another CA than --member-ca.",
}
