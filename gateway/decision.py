"""Bodies of `query.decision` leaves (design 1, "query.decision commits to"; docs/ledger-format.md).

An allowance names everything that the evidence bundle must prove, so that a department can compare. A denial names
what was asked and the reason; the consent, and with it the company's token, only towards the bank that the consent
was granted to: a stranger must not learn that a consent exists, from the ledger as little as from an error.

The catalogue version is committed to through `scorecard`: its header repeats every column specification in full.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from consentgate import canonical, evidence
from consentgate.identity import SpiffeId
from consentgate.scorecard import ScorecardHeader
from consentgate.statements import ConsentClaims, ScoreRequestClaims
from ledger.commitment import commit
from ledger.entry import format_time

DECISION_LIFE = timedelta(seconds=55)
"""From reservation to `not_after`. Verifiers accept 60 s from the leaf's own time; the difference is for a ledger
whose clock runs behind ours.
"""
ALLOWED = "ALLOWED"
"""`reason` of a decision that allows."""


def decision_key(bank: SpiffeId, request_id: str) -> str:
    """Idempotency key of the decision leaf."""
    return f"decision:{bank.id}:{request_id}"


def release_key(bank: SpiffeId, request_id: str) -> str:
    """Idempotency key of the release leaf."""
    return f"release:{bank.id}:{request_id}"


def allow_body(
    request: ScoreRequestClaims,
    bank: SpiffeId,
    consent: ConsentClaims,
    header: ScorecardHeader,
    digests: dict[str, str],
    rules: tuple[str, ...],
    not_after: datetime,
) -> dict[str, object]:
    """Body of an allowance; `digests` are request (salted), consent_digest, approval and policy."""
    return {
        **evidence.leaf_fields(request, bank, consent, header),
        **digests,
        "verdict": "allow",
        "reason": ALLOWED,
        "rules": list(rules),
        "not_after": format_time(not_after),
    }


def deny_body(
    request: ScoreRequestClaims,
    bank: SpiffeId,
    commitment: str,
    policy: str,
    reason: str,
    rules: tuple[str, ...],
    consent: tuple[ConsentClaims, bytes] | None,
) -> dict[str, object]:
    """Body of a denial; `consent` (claims and statement) only when the asking bank is its grantee."""
    body: dict[str, object] = {
        "request_id": request.request_id,
        "request": commitment,
        "institution": bank.id,
        "scorecard": request.scorecard,
        "purpose": request.purpose,
        "use": request.use.value,
        "policy": policy,
        "verdict": "deny",
        "reason": reason,
        "rules": list(rules),
    }
    if consent is not None and consent[0].grantee == str(bank):
        claims, token = consent
        body |= {
            "group": claims.group,
            "subject": claims.subject,
            "consent_id": claims.consent_id,
            "consent_version": claims.version,
            "consent_digest": canonical.digest(token),
        }
    return body


def request_commitment(request_jws: bytes, salt: bytes) -> str:
    """Salted commitment to the bank's signed bytes."""
    return commit("request", request_jws, salt)
