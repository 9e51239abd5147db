"""TLS with certificates on both ends, always (docs/wire.md, section 2).

Files are checked before they are used, so that a mistake is a named error at the start and not a broken
handshake later. The member CA is an anchor: it is given as a certificate, and changes only by a restart;
the member's own certificate and key are read again when their files change.

There is no plaintext variant. A development CA is accepted only where the caller says
`allow_development_ca=True`, which no configuration file can say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import grpc
import structlog
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from consentgate.certificates import (
    CLIENT_AUTH,
    SERVER_AUTH,
    refuse_development_ca,
    verify_signing_chain,
    verify_tls_chain,
)
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.identity import SpiffeId

__all__ = ["ServerCertificate", "TlsFiles", "TlsIdentity", "channel_credentials", "read_certificates"]
__all__ += ["load_client", "load_server", "matching_key", "server_credentials", "verify_signing_chain"]

_log = structlog.get_logger("consentgate.tls")

Stamp = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class TlsFiles:
    """A member's TLS certificate (chain) and key, PEM files, and the CA that every peer must come from."""

    certificate: Path
    private_key: Path
    member_ca: x509.Certificate

    @classmethod
    def of(cls, certificate: Path, private_key: Path, member_ca: Path) -> TlsFiles:
        """The same with the CA read from a PEM file; raises CERTIFICATE_MISSING naming it."""
        return cls(certificate, private_key, read_certificates(member_ca)[0])


@dataclass(frozen=True)
class TlsIdentity:
    """What was read and found good."""

    identity: SpiffeId
    certificate: x509.Certificate
    chain_pem: bytes
    key_pem: bytes = field(repr=False)
    member_ca_pem: bytes


def load_client(files: TlsFiles, *, allow_development_ca: bool = False) -> TlsIdentity:
    """Files for opening connections; raises CERTIFICATE_* naming the file, or DEVELOPMENT_CA."""
    return _load(files, CLIENT_AUTH, allow_development_ca)


def load_server(files: TlsFiles, *, allow_development_ca: bool = False) -> TlsIdentity:
    """Files for accepting connections; raises CERTIFICATE_* naming the file, or DEVELOPMENT_CA."""
    return _load(files, SERVER_AUTH, allow_development_ca)


def channel_credentials(files: TlsFiles, *, allow_development_ca: bool = False) -> grpc.ChannelCredentials:
    """Credentials of a client: shows its certificate, accepts servers of the member CA only."""
    loaded = load_client(files, allow_development_ca=allow_development_ca)
    return grpc.ssl_channel_credentials(loaded.member_ca_pem, loaded.key_pem, loaded.chain_pem)


def server_credentials(files: TlsFiles, *, allow_development_ca: bool = False) -> grpc.ServerCredentials:
    """Credentials of a server: demands a client certificate of the member CA; follows changed files."""
    certificate = ServerCertificate(files, allow_development_ca=allow_development_ca)
    return grpc.dynamic_ssl_server_credentials(
        certificate.configuration,
        certificate.newer,  # type: ignore[arg-type]  # grpc's own documentation: None means no change
        require_client_authentication=True,
    )


class ServerCertificate:
    """A server's certificate that follows its files; gRPC asks `newer` before every handshake.

    Files that cannot be used (half replaced, expired) leave the certificate in force that was there before.
    """

    def __init__(self, files: TlsFiles, *, allow_development_ca: bool = False) -> None:
        self._files = files
        self._allow_development_ca = allow_development_ca
        self._seen = _stamp(files)
        self.configuration = self._read()

    def newer(self) -> grpc.ServerCertificateConfiguration | None:
        """The new configuration once both files changed to something good, else None."""
        stamp = _stamp(self._files)
        if stamp == self._seen:
            return None
        self._seen = stamp
        try:
            self.configuration = self._read()
        except ConsentgateError as error:
            _log.warning("changed certificate refused", code=str(error.code))
            return None
        _log.info("certificate replaced")
        return self.configuration

    def _read(self) -> grpc.ServerCertificateConfiguration:
        loaded = load_server(self._files, allow_development_ca=self._allow_development_ca)
        return grpc.ssl_server_certificate_configuration(
            [(loaded.key_pem, loaded.chain_pem)], root_certificates=loaded.member_ca_pem
        )


def read_certificates(path: Path) -> list[x509.Certificate]:
    """At least one certificate from a PEM file; raises CERTIFICATE_MISSING naming it."""
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConsentgateError(ErrorCode.CERTIFICATE_MISSING, field=str(path)) from error


def _load(files: TlsFiles, usage: x509.ObjectIdentifier, allow_development_ca: bool) -> TlsIdentity:
    # 1. Whose federation.
    if not allow_development_ca:
        refuse_development_ca(files.member_ca)
    # 2. The certificate: path, dates, usage, kind of key, name.
    chain = read_certificates(files.certificate)
    try:
        identity = verify_tls_chain(chain, files.member_ca, datetime.now(UTC), usage)
    except ConsentgateError as error:
        raise ConsentgateError(error.code, field=str(files.certificate), private=error.private) from error
    # 3. The key is the certificate's.
    return TlsIdentity(
        identity=identity,
        certificate=chain[0],
        chain_pem=b"".join(certificate.public_bytes(_PEM) for certificate in chain),
        key_pem=matching_key(files.private_key, chain[0]),
        member_ca_pem=files.member_ca.public_bytes(_PEM),
    )


def matching_key(path: Path, certificate: x509.Certificate) -> bytes:
    """PEM of the certificate's private key; raises CERTIFICATE_MISSING or _KEY naming the file."""
    try:
        pem = path.read_bytes()
    except OSError as error:
        raise ConsentgateError(ErrorCode.CERTIFICATE_MISSING, field=str(path)) from error
    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError) as error:
        raise ConsentgateError(ErrorCode.CERTIFICATE_KEY, field=str(path), private="no unencrypted PEM key") from error
    if key.public_key() != certificate.public_key():
        raise ConsentgateError(ErrorCode.CERTIFICATE_KEY, field=str(path), private="key and certificate differ")
    return pem


def _stamp(files: TlsFiles) -> Stamp:
    """Changes when a file is replaced; a vanished file counts as a change, its loading then fails."""
    return tuple(_stamp_of(path) for path in (files.certificate, files.private_key))


def _stamp_of(path: Path) -> tuple[int, int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0, 0)
    return (status.st_mtime_ns, status.st_size, status.st_ino)


_PEM = serialization.Encoding.PEM
