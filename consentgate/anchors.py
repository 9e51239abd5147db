"""Anchors: what a verifier must hold beforehand, in one small file it controls (`anchors.toml`).

Nothing that arrives over a wire can add to them. Paths inside the file are relative to the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from cryptography import x509
from pydantic import Field

from consentgate.config import Table, read_config
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.statements import Identifier, PublicJwk
from ledger.errors import LedgerError
from ledger.policy import LogPolicy

MAX_FRESHNESS_SECONDS = 300
"""Upper bound for `freshness_seconds`: beyond it a revocation would bite too late to be called one."""


class _Reviewer(Table):
    id: Identifier
    jwk: PublicJwk


class _Registry(Table):
    department: Identifier
    jwk: PublicJwk


class _AnchorsFile(Table):
    trust_domain: Annotated[str, Field(pattern=r"^[a-z0-9.-]{1,255}$")]
    member_ca: str
    ledger_policy: str
    freshness_seconds: Annotated[int, Field(ge=1, le=MAX_FRESHNESS_SECONDS)] = 5
    reviewers_required: Annotated[int, Field(ge=2, le=16)] = 2
    registry: _Registry
    reviewers: Annotated[list[_Reviewer], Field(min_length=2, max_length=64)]


@dataclass(frozen=True)
class Anchors:
    """Keys and bounds against which everything is verified."""

    trust_domain: str
    member_ca: x509.Certificate
    registry_department: str
    registry_key: PublicJwk
    reviewers: dict[str, PublicJwk]
    reviewers_required: int
    log_policy: LogPolicy
    freshness: timedelta

    @classmethod
    def load(cls, path: Path) -> Anchors:
        """Reads `anchors.toml`; raises CONFIG_INVALID naming file and entry."""
        content = read_config(_AnchorsFile, path)
        if content.reviewers_required > len({reviewer.jwk.x for reviewer in content.reviewers}):
            raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=f"{path}: reviewers_required")
        if len({reviewer.id for reviewer in content.reviewers}) != len(content.reviewers):
            raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=f"{path}: reviewers")
        return cls(
            trust_domain=content.trust_domain,
            member_ca=_read_ca(path.parent / content.member_ca),
            registry_department=content.registry.department,
            registry_key=content.registry.jwk,
            reviewers={reviewer.id: reviewer.jwk for reviewer in content.reviewers},
            reviewers_required=content.reviewers_required,
            log_policy=_read_policy(path.parent / content.ledger_policy),
            freshness=timedelta(seconds=content.freshness_seconds),
        )


def _read_ca(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=str(path)) from error


def _read_policy(path: Path) -> LogPolicy:
    try:
        return LogPolicy.parse(path.read_text())
    except (OSError, ValueError, LedgerError) as error:
        raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=str(path)) from error
