"""Steps 1 to 4: who asks, what is asked, consent, law. Nothing here writes.

A refusal of step 1 is no decision: the request is not proven to be the bank's, so nothing is recorded about it. What
steps 2 to 4 refuse is a decision against a proven request, and goes on the ledger.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

from consentgate import canonical, evidence, signing
from consentgate.anchors import Anchors
from consentgate.database import Database
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.identity import SpiffeId
from consentgate.statements import ScoreRequestClaims
from gateway import consent as rules
from gateway.policy import SCORE_ACTION, ConsentFacts, Policy, Question, Ruling
from gateway.scorecards import JudgedScorecard, find_judged
from gateway.store import consents, keys, requests
from gateway.store.consents import StoredConsent
from gateway.store.keys import StoredKey
from gateway.store.requests import StoredRequest


class Refusal(ConsentgateError):
    """A refusal of steps 2 to 4, with what its denial leaf may say beside the reason."""

    def __init__(
        self,
        cause: ConsentgateError,
        *,
        consent: StoredConsent | None = None,
        policies: tuple[str, ...] = (),
    ) -> None:
        super().__init__(cause.code, field=cause.field, private=cause.private)
        self.consent = consent
        self.policies = policies


@dataclass(frozen=True)
class Asked:
    """A bank's request; `known` is what is stored about it already."""

    token: bytes
    claims: ScoreRequestClaims
    bank: SpiffeId
    known: StoredRequest | None


@dataclass(frozen=True)
class Target:
    """An approved scorecard and the key the answer is wanted under."""

    judged: JudgedScorecard
    key: StoredKey


def named_request(token: bytes) -> ScoreRequestClaims:
    """What a request says of itself, to look it up; not trusted before it is verified."""
    return ScoreRequestClaims.parse(signing.unverified_payload(token, "signed_request"), "signed_request")


class Admission:
    """Decides whether a request may go ahead."""

    def __init__(self, anchors: Anchors, database: Database, policy: Policy) -> None:
        self._anchors = anchors
        self._database = database
        self._policy = policy

    async def who_asks(self, token: bytes, caller: SpiffeId, now: datetime) -> Asked:
        """1. The caller's own request: known with the same bytes, or new and properly signed just now.

        A known request is compared before the clock window, so that a retry may come late.
        """
        named = named_request(token)
        known = await self._database.run(lambda session: requests.find(session, str(caller), named.request_id))
        if known is not None:
            if known.digest != canonical.digest(token):
                raise ConsentgateError(ErrorCode.IDEMPOTENCY_CONFLICT, field="signed_request.request_id")
            return Asked(token, named, caller, known)
        claims, bank = evidence.verify_request(token, self._anchors, now)
        if bank != caller:
            raise ConsentgateError(ErrorCode.CALLER_MISMATCH, field="signed_request.iss")
        return Asked(token, claims, bank, None)

    async def what_is_asked(self, asked: Asked, now: datetime) -> Target:
        """2. A scorecard in the judged set of the bank's group; a key the bank registered and still vouches for."""
        bank = str(asked.bank)
        judged = await self._database.run(lambda session: find_judged(session, bank, asked.claims.scorecard))
        key = await self._database.run(lambda session: keys.find(session, bank, asked.claims.key_id))
        if key is None:
            raise ConsentgateError(ErrorCode.KEY_UNKNOWN, field="request_jws.key_id")
        # A thread: the first check of a key in this process is 0.1 s of arithmetic.
        await asyncio.to_thread(evidence.verify_key_registration, key.registration_jws, self._anchors, now, asked.bank)
        return Target(judged, key)

    async def consent(self, asked: Asked, target: Target, now: datetime) -> StoredConsent:
        """3. A consent in force that covers the request; a bank that holds none learns CONSENT_NOT_FOUND only."""
        candidates = await self._database.run(
            lambda session: consents.in_force(session, asked.claims.company, str(asked.bank))
        )
        refusals = []
        for stored in candidates:
            try:
                self._check_consent(asked.claims, target, stored, now)
            except ConsentgateError as error:
                refusals.append(Refusal(error, consent=stored))
            else:
                return stored
        if not refusals:
            raise ConsentgateError(ErrorCode.CONSENT_NOT_FOUND)
        same_purpose = [
            refusal
            for refusal in refusals
            if refusal.consent is not None and refusal.consent.claims.purpose == asked.claims.purpose
        ]
        raise (same_purpose or refusals)[0]

    def _check_consent(self, request: ScoreRequestClaims, target: Target, stored: StoredConsent, now: datetime) -> None:
        evidence.verify_attestation(stored.attestation_jws, self._anchors, now)
        rules.check_usable(stored.state(now))
        evidence.check_consent_covers(stored.claims, request, now)
        evidence.check_header_covered(target.judged.stored.scorecard.header, request, stored.claims)
        if stored.claims.group != target.judged.approval.claims.group:
            raise ConsentgateError(ErrorCode.SCORECARD_NOT_APPROVED, field="consent_jws.group")

    async def law(self, asked: Asked, target: Target, stored: StoredConsent, now: datetime) -> Ruling:
        """4. Cedar allows every category of the scorecard; raises POLICY_DENIED with the policies that decided."""
        header = target.judged.stored.scorecard.header
        question = Question(
            institution=asked.bank.id,
            action=SCORE_ACTION,
            categories=tuple(sorted(header.categories())),
            purpose=asked.claims.purpose,
            custody=asked.claims.custody.value,
            consent=ConsentFacts.of(stored.claims, stored.state(now) is rules.ConsentState.ACTIVE),
            at=now,
        )
        ruling = self._policy.decide(question)
        try:
            ruling.check()
        except ConsentgateError as error:
            raise Refusal(error, consent=stored, policies=ruling.rules) from error
        return ruling
