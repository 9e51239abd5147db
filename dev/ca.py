"""A development member CA: certificates for a federation on one machine.

Separate from anything a production start accepts: the CA's subject carries `O=Consentgate DEVELOPMENT
ONLY`, and `consentgate/tls.py` refuses such a CA unless a process was started with `--development`. The
CA's key lies unencrypted in its folder, which is why.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from consentgate.certificates import (
    CLIENT_AUTH,
    DEVELOPMENT_ORGANIZATION,
    DOCUMENT_SIGNING,
    SERVER_AUTH,
)
from consentgate.identity import Role, SpiffeId
from consentgate.tls import TlsFiles

CA_LIFE = timedelta(days=365)
"""Long enough for a topology that is left running, short enough to be noticed when it is misused."""
LEAF_LIFE = timedelta(days=90)
"""Cut off at the CA's own end."""
CLOCK_TOLERANCE = timedelta(minutes=5)
"""Certificates begin this long ago, for machines whose clocks differ."""

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True)
class Validity:
    """From when until when; tests make expired certificates with it."""

    start: datetime
    end: datetime

    @classmethod
    def lasting(cls, life: timedelta) -> Validity:
        """From now on."""
        now = datetime.now(UTC)
        return cls(now - CLOCK_TOLERANCE, now + life)

    @classmethod
    def expired(cls) -> Validity:
        """Over since an hour."""
        now = datetime.now(UTC)
        return cls(now - timedelta(days=2), now - timedelta(hours=1))


@dataclass(frozen=True)
class DevelopmentCa:
    """The CA of one trust domain; its files are `ca.pem` and `ca.key` in `directory`."""

    directory: Path
    trust_domain: str
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate_path(self) -> Path:
        """What anchors name as `member_ca`."""
        return self.directory / "ca.pem"

    @classmethod
    def create(cls, directory: Path, trust_domain: str) -> DevelopmentCa:
        """A new CA; its files are written to `directory`, which is made when absent."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, DEVELOPMENT_ORGANIZATION),
                x509.NameAttribute(NameOID.COMMON_NAME, f"Development CA of {trust_domain}"[:64]),
            ]
        )
        builder = _builder(name, name, key, key, Validity.lasting(CA_LIFE))
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_key_usage(certificates=True), critical=True)
        certificate = builder.sign(key, hashes.SHA256())
        directory.mkdir(parents=True, exist_ok=True)
        _write(directory / "ca.key", _private_pem(key), 0o600)
        _write(directory / "ca.pem", certificate.public_bytes(serialization.Encoding.PEM), 0o644)
        return cls(directory, trust_domain, certificate, key)

    def issue_tls(
        self,
        role: Role,
        member: str,
        directory: Path,
        *,
        validity: Validity | None = None,
    ) -> TlsFiles:
        """`tls.pem` and `tls.key` for a member: client and server, reachable on this machine."""
        identity = SpiffeId(self.trust_domain, role, member)
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [
            x509.UniformResourceIdentifier(str(identity)),
            x509.DNSName(identity.dns_name),
            x509.DNSName("localhost"),
            x509.IPAddress(IPv4Address("127.0.0.1")),
        ]
        certificate = self._issue(identity, key, names, [CLIENT_AUTH, SERVER_AUTH], validity)
        certificate_path, key_path = _save(directory, "tls", certificate, key)
        return TlsFiles(certificate_path, key_path, self.certificate)

    def issue_signing(
        self, role: Role, member: str, directory: Path, *, validity: Validity | None = None
    ) -> tuple[Path, Path]:
        """`signing.pem` (chain) and `signing.key` (Ed25519) for a member's statements."""
        identity = SpiffeId(self.trust_domain, role, member)
        key = ed25519.Ed25519PrivateKey.generate()
        names = [x509.UniformResourceIdentifier(str(identity))]
        certificate = self._issue(identity, key, names, [DOCUMENT_SIGNING], validity)
        return _save(directory, "signing", certificate, key)

    def _issue(
        self,
        identity: SpiffeId,
        key: PrivateKey,
        names: list[x509.GeneralName] | list[x509.UniformResourceIdentifier],
        usages: list[x509.ObjectIdentifier],
        validity: Validity | None,
    ) -> x509.Certificate:
        wanted = validity or Validity.lasting(LEAF_LIFE)
        within = Validity(wanted.start, min(wanted.end, self.certificate.not_valid_after_utc))
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{identity.role} {identity.id}"[:64])])
        builder = _builder(subject, self.certificate.subject, key, self.key, within)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_key_usage(certificates=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key, hashes.SHA256())


def _builder(
    subject: x509.Name, issuer: x509.Name, key: PrivateKey, issuer_key: PrivateKey, validity: Validity
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(validity.start)
        .not_valid_after(validity.end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )


def _key_usage(*, certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certificates,
        key_cert_sign=certificates,
        crl_sign=certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _save(directory: Path, name: str, certificate: x509.Certificate, key: PrivateKey) -> tuple[Path, Path]:
    directory.mkdir(parents=True, exist_ok=True)
    certificate_path, key_path = directory / f"{name}.pem", directory / f"{name}.key"
    _write(key_path, _private_pem(key), 0o600)
    _write(certificate_path, certificate.public_bytes(serialization.Encoding.PEM), 0o644)
    return certificate_path, key_path


def _private_pem(key: PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes, mode: int) -> None:
    """Replaces the file at once: a server that follows it never reads half a certificate."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    fresh.replace(path)
