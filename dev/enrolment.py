"""Companies join a development federation: signatories' keys, the registry's attestation, certificate, `company.toml`.

A company's certificate names the opaque `entity` of its attestation and never its code.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from consentgate.anchors import Anchors
from consentgate.identity import Role
from consentgate.signing import PersonSigner
from department_adapter import registry
from dev import configurations
from dev.ca import DevelopmentCa
from dev.companies import SampleCompany
from dev.departments import REGISTRY
from dev.layout import Layout

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
    (folder / "attestation.jws").write_bytes(_attested(layout, sample.code, entity, signers, mandate.threshold))
    for name in ("anchors.toml", "ledger-policy.txt", "member-ca.pem"):
        shutil.copyfile(layout.gateway / name, folder / name)
    (folder / "company.toml").write_text(configurations.company_toml(layout.addresses, sample.code, files))
    return EnrolledCompany(sample, entity, folder)


def _attested(layout: Layout, code: str, entity: str, signers: Sequence[PersonSigner], threshold: int) -> bytes:
    """What `department-adapter attest` does at the registry; each signatory is a person of its own."""
    folder, now = layout.department(REGISTRY), datetime.now(UTC)
    signatories = [registry.NamedKey.parse(signer.jwk.x) for signer in signers]
    mandate = registry.Mandate(code, entity, threshold, signatories, now - CLOCK_TOLERANCE, ATTESTATION_LIFE)
    anchors = Anchors.load(folder / "anchors.toml")
    return registry.attest(mandate, PersonSigner.load(folder / "registry.key"), anchors, now)
