"""Pauses and revocations that a company hands over itself, past a gateway that it does not trust.

They are honoured at once, whatever the ledger says, and survive restarts. Rules:

 1. Enough attested signatories must have signed, for this federation; the caller is the company that the registry's
    attestation names.
 2. A revocation ends the consent id for ever, in every version.
 3. A pause holds back its version and the ones before it, until the ledger records a `consent.resumed` of it after the
    pause was handed over.
 4. The same statement again changes nothing; in particular it does not pause anew what was resumed.
 5. Consent ids are public: a company's word counts for its own consents only.

RESUME is not accepted here: only the ledger can end a restriction that others see.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from consentgate import evidence
from consentgate.anchors import Anchors
from consentgate.database import Database
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.identity import SpiffeId
from consentgate.statements import (
    CompanyAttestationClaims,
    ConsentTransitionClaims,
    StatementKind,
    TransitionAction,
)
from department_adapter.projection import ConsentFact
from department_adapter.state import restrictions as store
from department_adapter.state.restrictions import DirectRestriction
from department_adapter.tail import Tail

ISSUE_TOLERANCE = timedelta(minutes=5)
"""How far in the future `iat` may lie: clocks of companies are not synchronised with ours."""


def check_unrestricted(said: Iterable[DirectRestriction], version: int, recorded: ConsentFact) -> None:
    """Rules 2 and 3; raises CONSENT_REVOKED or CONSENT_PAUSED."""
    for restriction in said:
        if restriction.action is TransitionAction.REVOKE:
            raise ConsentgateError(ErrorCode.CONSENT_REVOKED, field="consent_jws")
        if version <= restriction.version and recorded.resumed_at < restriction.tail_size:
            raise ConsentgateError(ErrorCode.CONSENT_PAUSED, field="consent_jws")


class Revocations:
    """Takes companies' direct statements."""

    def __init__(self, anchors: Anchors, database: Database, tail: Tail, clock: Callable[[], datetime]) -> None:
        self._anchors = anchors
        self._database = database
        self._tail = tail
        self._clock = clock

    async def submit(self, transition_jws: bytes, attestation_jws: bytes, caller: SpiffeId) -> None:
        """Verifies and stores; when this returns, the restriction holds."""
        transition = await asyncio.to_thread(self._verify, transition_jws, attestation_jws, caller)
        restriction = DirectRestriction(
            consent_id=transition.consent_id,
            nonce=transition.nonce,
            company=transition.company,
            version=transition.version,
            action=transition.action,
            tail_size=self._tail.status.size,
        )
        await self._database.run(lambda session: store.add(session, restriction, transition_jws))

    def _verify(self, transition_jws: bytes, attestation_jws: bytes, caller: SpiffeId) -> ConsentTransitionClaims:
        now = self._clock()
        attestation = evidence.verify_attestation(attestation_jws, self._anchors, now)
        if caller.trust_domain != self._anchors.trust_domain or caller.id != attestation.entity:
            raise ConsentgateError(ErrorCode.CALLER_MISMATCH, field="attestation_jws.entity")
        transition = self._verify_transition(transition_jws, attestation)
        if transition.action is TransitionAction.RESUME:
            raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="transition_jws.action")
        if transition.issued_at > now + ISSUE_TOLERANCE:
            raise ConsentgateError(ErrorCode.CLOCK_SKEW, field="transition_jws.iat")
        return transition

    def _verify_transition(self, token: bytes, attestation: CompanyAttestationClaims) -> ConsentTransitionClaims:
        """Rule 1."""
        kind = StatementKind.CONSENT_TRANSITION
        payload = evidence.verify_by_company(token, kind, attestation, ErrorCode.CONSENT_SIGNATURE)
        transition = ConsentTransitionClaims.parse(payload, "transition_jws")
        if transition.aud != kind.audience(self._anchors.trust_domain):
            raise ConsentgateError(ErrorCode.CONSENT_SIGNATURE, field="transition_jws.aud")
        if transition.company != attestation.company:
            raise ConsentgateError(ErrorCode.CONSENT_SIGNATURE, field="transition_jws.company")
        return transition
