"""Companies join a development federation: signatories' keys, the registry's attestation, certificate, `company.toml`.

A company's certificate names the opaque `entity` of its attestation and never its code.
"""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from consentgate import canonical
from consentgate.identity import Role
from consentgate.signing import PersonSigner
from consentgate.statements import CompanyAttestationClaims, StatementKind
from dev import configurations
from dev.ca import DevelopmentCa
from dev.companies import SampleCompany
from dev.departments import REGISTRY
from dev.layout import TRUST_DOMAIN, Layout, spiffe

ATTESTATION_LIFE = timedelta(days=365)
CLOCK_TOLERANCE = timedelta(minutes=5)
"""Attestations begin this long ago, for machines whose clocks differ."""


@dataclass(frozen=True)
class Mandate:
    """How many signatories a company has, and how many of them must sign together."""

    signatories: int
    threshold: int


JOINT = Mandate(signatories=3, threshold=2)
"""Two of three directors."""
ALONE = Mandate(signatories=1, threshold=1)


@dataclass(frozen=True)
class EnrolledCompany:
    """A company that can sign consents."""

    sample: SampleCompany
    entity: str
    folder: Path

    @property
    def config(self) -> Path:
        """Its `company.toml`."""
        return self.folder / "company.toml"


def enrol(layout: Layout, ca: DevelopmentCa, sample: SampleCompany, mandate: Mandate) -> EnrolledCompany:
    """Makes keys, has the registry attest them, and writes the company's folder."""
    entity = secrets.token_hex(16)
    folder = layout.member(Role.COMPANY, entity)
    ca.issue_tls(Role.COMPANY, entity, folder)
    signers = [PersonSigner.generate() for _ in range(mandate.signatories)]
    files = [f"signatory-{number}.key" for number in range(1, mandate.threshold + 1)]
    for name, signer in zip(files, signers, strict=False):
        signer.save(folder / name)
    registry = PersonSigner.load(layout.department(REGISTRY) / "registry.key")
    claims = attestation_claims(sample.code, entity, signers, mandate.threshold)
    (folder / "attestation.jws").write_bytes(registry.sign(StatementKind.COMPANY_ATTESTATION, claims))
    for name in ("anchors.toml", "ledger-policy.txt", "member-ca.pem"):
        shutil.copyfile(layout.gateway / name, folder / name)
    (folder / "company.toml").write_text(configurations.company_toml(layout.addresses, sample.code, files))
    return EnrolledCompany(sample, entity, folder)


def attestation_claims(code: str, entity: str, signers: list[PersonSigner], threshold: int) -> CompanyAttestationClaims:
    """What the registry says about a company's signatories; each is a person of its own."""
    now = datetime.now(UTC)
    claims = {
        "aud": StatementKind.COMPANY_ATTESTATION.audience(TRUST_DOMAIN),
        "iat": int(now.timestamp()),
        "iss": spiffe(Role.DEPARTMENT, REGISTRY),
        "company": code,
        "entity": entity,
        "threshold": threshold,
        "signatories": [{"person": secrets.token_hex(16), "jwk": signer.jwk.model_dump()} for signer in signers],
        "valid_from": int((now - CLOCK_TOLERANCE).timestamp()),
        "valid_until": int((now + ATTESTATION_LIFE).timestamp()),
    }
    return CompanyAttestationClaims.parse(canonical.encode(claims), "attestation")
