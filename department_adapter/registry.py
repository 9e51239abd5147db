"""Only for the company registry: attesting which persons sign for a company (docs/wire.md, section 5.4).

Whoever holds the registry's key can speak for every company, so `serve` never loads it: it is used by the command
`department-adapter attest`, on whatever machine the registry keeps the key.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from consentgate import canonical, evidence
from consentgate.anchors import Anchors
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.identity import Role, SpiffeId
from consentgate.signing import PersonSigner
from consentgate.statements import CompanyAttestationClaims, StatementKind

_SIGNATORY = re.compile(r"(?:([0-9a-f]{32}):)?([A-Za-z0-9_-]{43})")


@dataclass(frozen=True)
class NamedKey:
    """A signatory: an opaque person id (32 hex digits) and the public Ed25519 key (base64url)."""

    person: str
    x: str

    @classmethod
    def parse(cls, text: str) -> NamedKey:
        """`[<person>:]<key>`; without a person a fresh id is made. Raises INVALID_ARGUMENT_FIELD."""
        found = _SIGNATORY.fullmatch(text)
        if found is None:
            raise ConsentgateError(
                ErrorCode.INVALID_ARGUMENT_FIELD,
                field="signatory",
                hint="Give the key as `company keygen` shows it (x), or <32 hex digits of the person>:<x>.",
            )
        return cls(found[1] or secrets.token_hex(16), found[2])


@dataclass(frozen=True)
class Mandate:
    """Who signs for a company: `threshold` of these persons together, in a span of time."""

    company: str
    entity: str
    threshold: int
    signatories: Sequence[NamedKey]
    valid_from: datetime
    valid_for: timedelta


def attest(mandate: Mandate, signer: PersonSigner, anchors: Anchors, now: datetime) -> bytes:
    """The registry's signed attestation; raises INVALID_ARGUMENT_FIELD naming the claim that breaks its form.

    Verified before it is returned, with the anchors that everybody else has: a key that is not the anchored one would
    make attestations that nobody accepts.
    """
    kind = StatementKind.COMPANY_ATTESTATION
    claims = {
        "aud": kind.audience(anchors.trust_domain),
        "iat": int(now.timestamp()),
        "iss": str(SpiffeId(anchors.trust_domain, Role.DEPARTMENT, anchors.registry_department)),
        "company": mandate.company,
        "entity": mandate.entity,
        "threshold": mandate.threshold,
        "signatories": [
            {"person": named.person, "jwk": {"kty": "OKP", "crv": "Ed25519", "x": named.x}}
            for named in mandate.signatories
        ],
        "valid_from": int(mandate.valid_from.timestamp()),
        "valid_until": int((mandate.valid_from + mandate.valid_for).timestamp()),
    }
    token = signer.sign(kind, CompanyAttestationClaims.parse(canonical.encode(claims), "attestation"))
    evidence.verify_attestation(token, anchors, mandate.valid_from)
    return token
