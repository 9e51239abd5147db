"""A member CA for tests, in memory: deterministic keys, every field of a certificate can be made wrong on
purpose.

Deterministic, so that committed vectors can be made again byte for byte: keys come from SHA-256 of a label
(therefore worthless as secrets), serial numbers too. The production side is `dev/ca.py`; nothing here reads
or writes files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey

NOT_BEFORE = datetime(2026, 1, 1, tzinfo=UTC)
NOT_AFTER = datetime(2036, 1, 1, tzinfo=UTC)
TLS_USAGES = (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH)
SIGNING_USAGES = (x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36"),)
"""documentSigning, RFC 9336."""


def ed25519_key(label: str) -> ed25519.Ed25519PrivateKey:
    """The TEST key that belongs to `label`; the same in every run."""
    return ed25519.Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"test key " + label.encode()).digest())


def p256_key(label: str) -> ec.EllipticCurvePrivateKey:
    """The TEST key on P-256 that belongs to `label`."""
    return _ecdsa_key(label, ec.SECP256R1())


def p384_key(label: str) -> ec.EllipticCurvePrivateKey:
    """A key on a curve that no statement may use."""
    return _ecdsa_key(label, ec.SECP384R1())


def _ecdsa_key(label: str, curve: ec.EllipticCurve) -> ec.EllipticCurvePrivateKey:
    secret = int.from_bytes(hashlib.sha256(b"test key " + label.encode()).digest()[:31], "big")
    return ec.derive_private_key(secret, curve)


def private_pem(key: PrivateKey) -> bytes:
    """PKCS#8, unencrypted."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def certificate_pem(*certificates: x509.Certificate) -> bytes:
    """One or more certificates as PEM."""
    return b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in certificates)


@dataclass(frozen=True)
class MemberCa:
    """A CA with its (Ed25519 or P-256) key."""

    name: str
    key: PrivateKey
    certificate: x509.Certificate

    @classmethod
    def create(cls, name: str, *, not_before: datetime = NOT_BEFORE, not_after: datetime = NOT_AFTER) -> MemberCa:
        """A self-signed CA; `name` decides its key."""
        key = p256_key(f"ca {name}")
        builder = _builder(f"ca {name}", name, key, not_before, not_after)
        builder = builder.issuer_name(_name(name))
        builder = _ca_extensions(builder, key, None)
        return cls(name, key, builder.sign(key, hashes.SHA256(), ecdsa_deterministic=True))

    def intermediate(self, name: str) -> MemberCa:
        """A CA below this one."""
        key = p256_key(f"ca {name}")
        builder = _builder(f"ca {name}", name, key, NOT_BEFORE, NOT_AFTER).issuer_name(self.certificate.subject)
        builder = _ca_extensions(builder, key, 0)
        builder = builder.add_extension(self._authority(), critical=False)
        return MemberCa(name, key, self._sign(builder))

    def issue(
        self,
        uris: str | Sequence[str],
        key: PrivateKey,
        *,
        usages: Sequence[x509.ObjectIdentifier] = SIGNING_USAGES,
        not_before: datetime = NOT_BEFORE,
        not_after: datetime = NOT_AFTER,
        dns: Sequence[str] = (),
        ca: bool = False,
        digital_signature: bool = True,
        key_cert_sign: bool | None = None,
    ) -> x509.Certificate:
        """An end-entity certificate: for signing, or with `TLS_USAGES` for connections."""
        uris = [uris] if isinstance(uris, str) else list(uris)
        label = f"{self.name} {uris} {usages} {not_before} {not_after}"
        builder = _builder(label, "member", key, not_before, not_after).issuer_name(self.certificate.subject)
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri) for uri in uris]
        names += [x509.DNSName(name) for name in dns]
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        sign = ca if key_cert_sign is None else key_cert_sign
        builder = builder.add_extension(_key_usage(digital_signature=digital_signature, sign=sign), critical=True)
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=True)
        builder = builder.add_extension(self._authority(), critical=False)
        if usages:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        return self._sign(builder)

    def _authority(self) -> x509.AuthorityKeyIdentifier:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())

    def _sign(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        return builder.sign(self.key, hashes.SHA256(), ecdsa_deterministic=True)


def _builder(
    label: str, common_name: str, key: PrivateKey, not_before: datetime, not_after: datetime
) -> x509.CertificateBuilder:
    serial = int.from_bytes(hashlib.sha256(label.encode()).digest()[:16], "big") | 1
    builder = x509.CertificateBuilder().subject_name(_name(common_name)).serial_number(serial)
    builder = builder.not_valid_before(not_before).not_valid_after(not_after).public_key(key.public_key())
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)


def _ca_extensions(
    builder: x509.CertificateBuilder, key: PrivateKey, path_length: int | None
) -> x509.CertificateBuilder:
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
    return builder.add_extension(_key_usage(digital_signature=False, sign=True), critical=True)


def _key_usage(*, digital_signature: bool, sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=not digital_signature and not sign,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign,
        crl_sign=sign,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


DAY = timedelta(days=1)
