"""Who vouches for a report: a statement (docs/wire.md, section 5.9) over `summary.json`, beside it as `summary.jws`.

Signed by the log's own key, as its operator, or by an officer's certificate; the reader's anchors know both. A log's
key signs checkpoints too: those are texts with line breaks, and what a JWS signs holds none, so neither can pass for
the other. The statement adds nothing to what the checkpoint proves about entries. It says who chose the period and
drew the charts.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from consentgate import signing
from consentgate.anchors import Anchors
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.identity import Role
from consentgate.statements import LedgerReportClaims, PublicJwk, StatementKind
from ledger.note import VerifierKey

STATEMENT_FILE = "summary.jws"
MAX_STATEMENT = 64 * 1024
"""Bytes: four certificates and eight claims are below."""
SKEW = timedelta(minutes=5)
"""Clocks of officers and witnesses are not synchronised."""
_KIND = StatementKind.LEDGER_REPORT


@dataclass(frozen=True)
class ReportSigner:
    """The one who signs, and the name under which the statement says so."""

    name: str
    key: signing.PersonSigner | signing.InstitutionSigner

    @classmethod
    def of_log(cls, origin: str, key: signing.PersonSigner) -> ReportSigner:
        """The log's own key."""
        return cls(origin, key)

    @classmethod
    def of_officer(cls, key: signing.InstitutionSigner) -> ReportSigner:
        """An officer's certificate."""
        return cls(str(key.identity), key)

    def sign(self, claims: LedgerReportClaims) -> bytes:
        """The statement as it stands in the file."""
        return self.key.sign(_KIND, claims)


def audience(trust_domain: str) -> str:
    """The `aud` claim."""
    return _KIND.audience(trust_domain)


def verify_statement(token: bytes, anchors: Anchors, now: datetime) -> LedgerReportClaims:
    """The claims, if a key that the anchors know signed them; raises REPORT_INVALID naming the claim at fault.

    1. the log's key or an officer's certificate, valid when the statement says it was made, signed it;
    2. it was made for this federation, and not in the future.
    """
    # 1. Which of the two is said inside; nothing else is believed before the signature.
    claims = _claims(token)
    if claims.iss == claims.log:
        _verify_by_log(token, claims, anchors)
    else:
        _verify_by_officer(token, claims, anchors)
    # 2.
    if claims.aud != audience(anchors.trust_domain):
        raise _invalid("aud")
    if claims.issued_at > now + SKEW:
        raise _invalid("iat")
    return claims


def _claims(token: bytes) -> LedgerReportClaims:
    try:
        return LedgerReportClaims.parse(signing.unverified_payload(token, STATEMENT_FILE), STATEMENT_FILE)
    except ConsentgateError as error:
        raise ConsentgateError(ErrorCode.REPORT_INVALID, field=error.field) from error


def _verify_by_log(token: bytes, claims: LedgerReportClaims, anchors: Anchors) -> None:
    if not any(_signed_by(token, key) for key in _jwks(claims.log, anchors.log_policy.logs)):
        raise _invalid("iss")


def _signed_by(token: bytes, key: PublicJwk) -> bool:
    try:
        signing.verify_pinned(token, _KIND, key, ErrorCode.REPORT_INVALID)
    except ConsentgateError:
        return False
    return True


def _verify_by_officer(token: bytes, claims: LedgerReportClaims, anchors: Anchors) -> None:
    at = datetime.fromtimestamp(claims.iat, UTC)
    _, signer = signing.verify_institution(token, _KIND, anchors.member_ca, at, ErrorCode.REPORT_INVALID)
    if signer.role is not Role.OFFICER or signer.trust_domain != anchors.trust_domain or str(signer) != claims.iss:
        raise _invalid("iss")


def _jwks(origin: str, keys: tuple[VerifierKey, ...]) -> Iterator[PublicJwk]:
    """The policy's keys of this log, in the form of statements."""
    for key in keys:
        if key.name == origin:
            x = base64.urlsafe_b64encode(key.public).rstrip(b"=").decode()
            yield PublicJwk(kty="OKP", crv="Ed25519", x=x)


def _invalid(claim: str) -> ConsentgateError:
    return ConsentgateError(ErrorCode.REPORT_INVALID, field=f"{STATEMENT_FILE}.{claim}")
