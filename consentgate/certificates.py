"""Certificates of members (docs/wire.md, section 2): chains to the member CA, and what each may be used for.

Two kinds, never one for both: *TLS* (P-256, Extended Key Usage clientAuth and/or serverAuth, nothing
else) and *signing* (Ed25519 or P-256, Extended Key Usage documentSigning, RFC 9336, and nothing else).
Path building is `cryptography.x509.verification` with an extension policy: the web's rules for CA
certificates, own rules for the members', since the web's want a DNS name where we want a SPIFFE id.

Left out: revocation lists. Members' certificates are short-lived; who is suspended says the gateway's
list.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypeGuard

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.identity import SpiffeId

DEVELOPMENT_ORGANIZATION = "Consentgate DEVELOPMENT ONLY"
"""Organization in the subject of every development CA (dev/ca.py); refused by a production start."""
DOCUMENT_SIGNING = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")
"""id-kp-documentSigning, RFC 9336."""
CLIENT_AUTH = ExtendedKeyUsageOID.CLIENT_AUTH
SERVER_AUTH = ExtendedKeyUsageOID.SERVER_AUTH
MAX_INTERMEDIATES = 2
"""Most CAs between the member CA and a member."""

PublicSigningKey = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey


def refuse_development_ca(member_ca: x509.Certificate) -> None:
    """Raises DEVELOPMENT_CA for a CA that `dev/ca.py` made."""
    organizations = member_ca.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    if any(name.value == DEVELOPMENT_ORGANIZATION for name in organizations):
        raise ConsentgateError(ErrorCode.DEVELOPMENT_CA, field="member_ca")


def verify_signing_chain(
    x5c: Sequence[bytes], member_ca: x509.Certificate, at: datetime
) -> tuple[SpiffeId, PublicSigningKey]:
    """Signer and key of a chain of DER certificates, member first, as of `at` (aware).

    Raises CERTIFICATE_UNTRUSTED, _EXPIRED, _USAGE, _KEY or _ROLE.
    """
    try:
        chain = [x509.load_der_x509_certificate(der) for der in x5c]
    except (ValueError, TypeError) as error:
        raise _refused(ErrorCode.CERTIFICATE_UNTRUSTED, "not a certificate in DER") from error
    verify_path(chain, member_ca, at)
    check_usages(chain[0], {DOCUMENT_SIGNING}, {DOCUMENT_SIGNING})
    return SpiffeId.from_certificate(chain[0]), _signing_key(chain[0])


def verify_tls_chain(
    chain: Sequence[x509.Certificate],
    member_ca: x509.Certificate,
    at: datetime,
    usage: x509.ObjectIdentifier,
) -> SpiffeId:
    """Member that a TLS chain names, as of `at` (aware); `usage` is CLIENT_AUTH or SERVER_AUTH.

    A server's certificate also carries the DNS name made from its SPIFFE id: by that clients recognise it.
    """
    verify_path(chain, member_ca, at)
    check_usages(chain[0], {CLIENT_AUTH, SERVER_AUTH}, {usage})
    if not is_p256(chain[0].public_key()):
        raise _refused(ErrorCode.CERTIFICATE_KEY, "not P-256")
    identity = SpiffeId.from_certificate(chain[0])
    if usage == SERVER_AUTH and identity.dns_name not in dns_names(chain[0]):
        raise _refused(ErrorCode.CERTIFICATE_ROLE, "the DNS name of the SPIFFE id is absent")
    return identity


def verify_path(chain: Sequence[x509.Certificate], member_ca: x509.Certificate, at: datetime) -> None:
    """The chain leads to `member_ca` and nothing in it is out of date at `at`."""
    if not chain or len(chain) > MAX_INTERMEDIATES + 2:
        raise _refused(ErrorCode.CERTIFICATE_UNTRUSTED, "empty or too long a chain")
    for certificate in (*chain, member_ca):
        if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
            raise _refused(ErrorCode.CERTIFICATE_EXPIRED, "outside its dates")
    verifier = (
        verification.PolicyBuilder()
        .store(verification.Store([member_ca]))
        .time(at.astimezone(UTC))
        .max_chain_depth(MAX_INTERMEDIATES)
        .extension_policies(ca_policy=verification.ExtensionPolicy.webpki_defaults_ca(), ee_policy=_MEMBER)
        .build_client_verifier()
    )
    try:
        verifier.verify(chain[0], list(chain[1:]))
    except (verification.VerificationError, ValueError) as error:
        raise _refused(ErrorCode.CERTIFICATE_UNTRUSTED, "no path to the member CA") from error


def check_usages(
    certificate: x509.Certificate,
    allowed: set[x509.ObjectIdentifier],
    needed: set[x509.ObjectIdentifier],
) -> None:
    """Extended Key Usage holds all of `needed` and nothing but `allowed`; raises CERTIFICATE_USAGE."""
    try:
        usages = set(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except (x509.ExtensionNotFound, ValueError) as error:
        raise _refused(ErrorCode.CERTIFICATE_USAGE, "no extended key usage") from error
    if not needed <= usages <= allowed:
        raise _refused(ErrorCode.CERTIFICATE_USAGE, "extended key usage of another kind")


def _digital_signature(_policy: verification.Policy, _certificate: x509.Certificate, usage: x509.KeyUsage) -> None:
    if not usage.digital_signature or usage.key_cert_sign:
        raise ValueError("a member's key makes digital signatures and no certificates")


def _no_ca(
    _policy: verification.Policy, _certificate: x509.Certificate, constraints: x509.BasicConstraints | None
) -> None:
    if constraints is not None and constraints.ca:
        raise ValueError("a member is no CA")


_ANY = verification.Criticality.AGNOSTIC
_MEMBER = (
    verification.ExtensionPolicy.webpki_defaults_ee()
    .require_present(x509.SubjectAlternativeName, _ANY, None)
    .require_present(x509.KeyUsage, _ANY, _digital_signature)
    .may_be_present(x509.BasicConstraints, _ANY, _no_ca)
    .may_be_present(x509.ExtendedKeyUsage, _ANY, None)  # judged by check_usages, with an error of its own
)


def _signing_key(certificate: x509.Certificate) -> PublicSigningKey:
    key = certificate.public_key()
    if isinstance(key, ed25519.Ed25519PublicKey) or is_p256(key):
        return key
    raise _refused(ErrorCode.CERTIFICATE_KEY, "neither Ed25519 nor P-256")


def is_p256(key: object) -> TypeGuard[ec.EllipticCurvePublicKey]:
    """The only kind of key for connections."""
    return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)


def dns_names(certificate: x509.Certificate) -> list[str]:
    """DNS names among the subject alternative names."""
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return names.get_values_for_type(x509.DNSName)


def _refused(code: ErrorCode, private: str) -> ConsentgateError:
    return ConsentgateError(code, field="certificate", private=private)
