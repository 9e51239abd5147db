"""Step 5: reserve request id and use, and store everything the decision leaf is built from (design 1).

One serialisable transaction: it looks at consent, judged set and uses once more, because they may have changed since
steps 2 to 4, then stores verdict, salt and the leaf's exact body. A crash after it loses nothing: the same body is
appended under the same key later. A reservation is never handed back: an allowed request that later fails has used
the consent, as the ledger says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from consentgate import canonical
from consentgate.database import Database
from consentgate.errors import ConsentgateError, ErrorCode
from gateway import consent as rules
from gateway.admission import Asked, Refusal, Target
from gateway.decision import (
    DECISION_LIFE,
    allow_body,
    decision_key,
    deny_body,
    request_commitment,
)
from gateway.policy import Ruling
from gateway.scorecards import find_judged
from gateway.store import consents, records, requests
from gateway.store.consents import StoredConsent
from gateway.store.requests import NewAllowance, NewRequest, StoredRequest
from ledger.commitment import new_salt


@dataclass(frozen=True)
class Proposal:
    """What steps 2 to 4 found for an allowance."""

    target: Target
    consent: StoredConsent
    ruling: Ruling


class Reservations:
    """Writes decisions as intents; `policy_digest` stands in each of them."""

    def __init__(self, database: Database, policy_digest: str) -> None:
        self._database = database
        self._policy_digest = policy_digest

    async def reserve(self, asked: Asked, verdict: Proposal | Refusal, now: datetime) -> StoredRequest:
        """The stored request, allowed or denied; raises IDEMPOTENCY_CONFLICT when another process was first
        with other bytes under the same id.
        """
        salt = new_salt()
        return await self._database.run(lambda session: self._reserve(session, asked, verdict, salt, now))

    def _reserve(
        self,
        session: Session,
        asked: Asked,
        verdict: Proposal | Refusal,
        salt: bytes,
        now: datetime,
    ) -> StoredRequest:
        known = requests.find(session, str(asked.bank), asked.claims.request_id)
        if known is not None:
            if known.digest != canonical.digest(asked.token):
                raise ConsentgateError(ErrorCode.IDEMPOTENCY_CONFLICT, field="signed_request.request_id")
            return known
        if isinstance(verdict, Refusal):
            return self._deny(session, asked, verdict, salt, now)
        try:
            settled = _settled(session, asked, verdict, now)
        except ConsentgateError as error:
            refusal = Refusal(error, consent=verdict.consent, policies=verdict.ruling.rules)
            return self._deny(session, asked, refusal, salt, now)
        return self._allow(session, asked, settled, salt, now)

    def _allow(self, session: Session, asked: Asked, proposal: Proposal, salt: bytes, now: datetime) -> StoredRequest:
        target, consent = proposal.target, proposal.consent
        not_after = now + DECISION_LIFE
        digests = {
            "request": request_commitment(asked.token, salt),
            "consent_digest": consent.digest,
            "approval": target.judged.approval.digest,
            "policy": self._policy_digest,
        }
        header = target.judged.stored.scorecard.header
        body = allow_body(asked.claims, asked.bank, consent.claims, header, digests, proposal.ruling.rules, not_after)
        key = decision_key(asked.bank, asked.claims.request_id)
        record = records.intend(session, key, "query.decision", body, now)
        allowance = NewAllowance(
            consent_row_id=consent.row_id,
            approval_row_id=target.judged.approval.row_id,
            scorecard_row_id=target.judged.stored.row_id,
            key_row_id=target.key.row_id,
            not_after=not_after,
        )
        return requests.add(session, _new_request(asked, salt, now, "allow"), record, allowance)

    def _deny(self, session: Session, asked: Asked, refusal: Refusal, salt: bytes, now: datetime) -> StoredRequest:
        consent = None if refusal.consent is None else (refusal.consent.claims, refusal.consent.consent_jws)
        body = deny_body(
            asked.claims,
            asked.bank,
            request_commitment(asked.token, salt),
            self._policy_digest,
            str(refusal.code),
            refusal.policies,
            consent,
        )
        key = decision_key(asked.bank, asked.claims.request_id)
        record = records.intend(session, key, "query.decision", body, now)
        return requests.add(session, _new_request(asked, salt, now, "deny", refusal), record, None)


def _settled(session: Session, asked: Asked, proposal: Proposal, now: datetime) -> Proposal:
    """The facts of steps 2 and 3 as they are inside this transaction, and the uses, which only it can count.

    A link that was added in the meantime and still approves the scorecard is the one that the decision names.
    """
    judged = find_judged(session, str(asked.bank), asked.claims.scorecard)
    if judged.approval.claims.group != proposal.consent.claims.group:
        raise ConsentgateError(ErrorCode.SCORECARD_NOT_APPROVED, field="consent_jws.group")
    in_force = consents.in_force(session, asked.claims.company, str(asked.bank))
    current = next((stored for stored in in_force if stored.row_id == proposal.consent.row_id), None)
    if current is None:
        raise ConsentgateError(ErrorCode.CONSENT_NOT_FOUND)
    rules.check_usable(current.state(now))
    since = rules.unit_start_of(current.claims.frequency, now)
    rules.check_uses(current.claims, consents.uses_of(session, current.row_id, since))
    return replace(proposal, target=replace(proposal.target, judged=judged), consent=current)


def _new_request(asked: Asked, salt: bytes, now: datetime, verdict: str, refusal: Refusal | None = None) -> NewRequest:
    return NewRequest(
        bank=str(asked.bank),
        request_id=asked.claims.request_id,
        company=asked.claims.company,
        request_jws=asked.token,
        request_salt=salt,
        received_at=now,
        verdict=verdict,
        reason="" if refusal is None else str(refusal.code),
        field="" if refusal is None else refusal.field or "",
    )
