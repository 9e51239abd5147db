"""Who somebody is: `spiffe://<trust-domain>/<role>/<id>` (docs/wire.md, section 2).

Parsing is strict: what does not read back to the same text is refused. Left out of the SPIFFE standard on
purpose: other path forms, upper case, and workload APIs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from cryptography import x509

from consentgate.errors import ConsentgateError, ErrorCode

SAN_PROPERTY = "x509_subject_alternative_name"
"""Property of gRPC's auth context that lists the peer's subject alternative names."""
SCHEME = "spiffe://"

_TRUST_DOMAIN = re.compile(r"[a-z0-9.-]{1,255}")
_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


class Role(StrEnum):
    """What a member is; nothing but the certificate says so."""

    BANK = "bank"
    COMPANY = "company"
    DEPARTMENT = "department"
    GATEWAY = "gateway"
    LEDGER = "ledger"
    OFFICER = "officer"
    REVIEWER = "reviewer"


class IdentityInvalid(ConsentgateError, ValueError):
    """A text or certificate names no member. Also a ValueError, so that parsers can wrap it."""


@dataclass(frozen=True)
class SpiffeId:
    """One member."""

    trust_domain: str
    role: Role
    id: str

    def __post_init__(self) -> None:
        if not _TRUST_DOMAIN.fullmatch(self.trust_domain):
            raise IdentityInvalid(ErrorCode.INVALID_ARGUMENT_FIELD, field="spiffe_id.trust_domain")
        if not _ID.fullmatch(self.id):
            raise IdentityInvalid(ErrorCode.INVALID_ARGUMENT_FIELD, field="spiffe_id.id")

    def __str__(self) -> str:
        return f"{SCHEME}{self.trust_domain}/{self.role}/{self.id}"

    @property
    def dns_name(self) -> str:
        """The DNS name that this member's TLS certificate carries beside the URI.

        gRPC can compare a peer's certificate with a DNS name only, so clients expect this one (channel.py).
        """
        return f"{self.id}.{self.role}.{self.trust_domain}"

    @classmethod
    def parse(cls, text: str) -> SpiffeId:
        """Reads the URI; raises IdentityInvalid."""
        parts = text.removeprefix(SCHEME).split("/")
        if not text.startswith(SCHEME) or len(parts) != 3 or parts[1] not in set(Role):
            raise IdentityInvalid(ErrorCode.INVALID_ARGUMENT_FIELD, field="spiffe_id")
        return cls(parts[0], Role(parts[1]), parts[2])

    @classmethod
    def from_certificate(cls, certificate: x509.Certificate) -> SpiffeId:
        """The only URI among the subject alternative names; raises IdentityInvalid (CERTIFICATE_ROLE)."""
        try:
            names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except (x509.ExtensionNotFound, ValueError) as error:
            raise _no_member("no readable subject alternative name") from error
        return _only(names.get_values_for_type(x509.UniformResourceIdentifier))

    @classmethod
    def from_auth_context(cls, context: Mapping[str, Iterable[bytes]]) -> SpiffeId:
        """The peer of a gRPC call, whose chain the TLS handshake verified; raises IdentityInvalid.

        The context mixes all kinds of names; a URI is one that has a scheme.
        """
        try:
            names = [name.decode("ascii") for name in context.get(SAN_PROPERTY, ())]
        except UnicodeDecodeError as error:
            raise _no_member("subject alternative name is not ASCII") from error
        return _only([name for name in names if "://" in name])


def _only(uris: list[str]) -> SpiffeId:
    if len(uris) != 1:
        raise _no_member("not exactly one URI")
    try:
        return SpiffeId.parse(uris[0])
    except IdentityInvalid as error:
        raise _no_member("the URI is no member's SPIFFE id") from error


def _no_member(private: str) -> IdentityInvalid:
    return IdentityInvalid(ErrorCode.CERTIFICATE_ROLE, private=private)
