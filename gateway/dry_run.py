"""Would this be allowed now, and if not, which facts would have to change? Releases and uses up nothing.

Obstacles come in the order of the flow's steps 2 to 5. A consent's terms are examined one after the other: each that
fails is reported, then assumed to hold, so that all of them are found. A bank that is not the grantee of any consent
of the company learns CONSENT_NOT_FOUND, exactly as when there is no such company.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy.orm import Session

from consentgate import evidence
from consentgate.anchors import Anchors
from consentgate.database import Database
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.identity import SpiffeId
from consentgate.scorecard import ScorecardHeader
from consentgate.statements import (
    ConsentClaims,
    Custody,
    DataRange,
    ScoreRequestClaims,
    StatementKind,
    Use,
)
from gateway import consent as rules
from gateway.policy import SCORE_ACTION, ConsentFacts, Policy, Question
from gateway.policy_bundle import PolicyBasis
from gateway.scorecards import JudgedScorecard, find_judged
from gateway.store import approvals, consents, keys
from gateway.store.consents import StoredConsent

UNSIGNED = "0" * 32
"""Request id of a question that is not a request."""


@dataclass(frozen=True)
class Obstacle:
    """One fact that stands against the request; an empty hint means the catalogue's own."""

    reason: ErrorCode
    hint: str = ""


@dataclass(frozen=True)
class DryRun:
    """The answer to a dry run."""

    obstacles: tuple[Obstacle, ...]
    policies: tuple[PolicyBasis, ...]


class DryRunner:
    """Answers dry runs from one consistent view of the store."""

    def __init__(self, anchors: Anchors, database: Database, policy: Policy, clock: Callable[[], datetime]) -> None:
        self._anchors = anchors
        self._database = database
        self._policy = policy
        self._clock = clock

    async def run(self, bank: SpiffeId, company: str, scorecard: str, purpose: str) -> DryRun:
        """All obstacles in flow order, and the policies that decided."""
        now = self._clock()
        question = self._request(bank, company, scorecard, purpose, now)
        return await self._database.run(lambda session: self._examine(session, bank, question, now))

    def _request(self, bank: SpiffeId, company: str, scorecard: str, purpose: str, now: datetime) -> ScoreRequestClaims:
        claims = {
            "aud": StatementKind.SCORE_REQUEST.audience(self._anchors.trust_domain),
            "iat": int(now.timestamp()),
            "company": company,
            "iss": str(bank),
            "request_id": UNSIGNED,
            "scorecard": scorecard,
            "purpose": purpose,
            "use": Use.SCORE,
            "key_id": "0" * 64,
            "custody": Custody.RECIPIENT,
            "as_of": now.strftime("%Y-%m"),
        }
        try:
            return ScoreRequestClaims.model_validate(claims)
        except ValueError:
            # Values are not repeated: the only part that can still be wrong is the company's check digit.
            raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="company") from None

    def _examine(self, session: Session, bank: SpiffeId, request: ScoreRequestClaims, now: datetime) -> DryRun:
        obstacles: list[Obstacle] = []
        # 2. What is asked.
        judged = self._judged(session, bank, request, obstacles)
        if keys.newest(session, str(bank)) is None:
            obstacles.append(Obstacle(ErrorCode.KEY_UNKNOWN))
        header = self._header(session, judged, request)
        # 3. Consent.
        candidates = consents.in_force(session, request.company, str(bank))
        if not candidates:
            return DryRun((*obstacles, Obstacle(ErrorCode.CONSENT_NOT_FOUND)), ())
        results = [self._with_consent(session, bank, request, header, judged, stored, now) for stored in candidates]
        best = min(results, key=lambda result: len(result.obstacles))
        return DryRun((*obstacles, *best.obstacles), best.policies)

    def _judged(
        self, session: Session, bank: SpiffeId, request: ScoreRequestClaims, obstacles: list[Obstacle]
    ) -> JudgedScorecard | None:
        try:
            return find_judged(session, str(bank), request.scorecard)
        except ConsentgateError as error:
            obstacles.append(Obstacle(error.code))
            return None

    def _header(
        self, session: Session, judged: JudgedScorecard | None, request: ScoreRequestClaims
    ) -> ScorecardHeader | None:
        """The header of an approved or at least registered scorecard, so that the rest can be examined too."""
        if judged is not None:
            return judged.stored.scorecard.header
        stored = approvals.find_scorecard(session, request.scorecard)
        own = stored is not None and stored.scorecard.header.owner == SpiffeId.parse(request.iss).id
        return stored.scorecard.header if stored is not None and own else None

    def _with_consent(
        self,
        session: Session,
        bank: SpiffeId,
        request: ScoreRequestClaims,
        header: ScorecardHeader | None,
        judged: JudgedScorecard | None,
        stored: StoredConsent,
        now: datetime,
    ) -> DryRun:
        obstacles = [Obstacle(code) for code in self._consent_obstacles(request, header, stored, now)]
        if judged is not None and stored.claims.group != judged.approval.claims.group:
            obstacles.append(Obstacle(ErrorCode.SCORECARD_NOT_APPROVED))
        policies: tuple[PolicyBasis, ...] = ()
        if header is not None:
            # 4. Law.
            found, policies = self._law_obstacles(bank, request, header, stored, now)
            obstacles += found
        # 5. Frequency and total.
        since = rules.unit_start_of(stored.claims.frequency, now)
        code = _code_of(lambda: rules.check_uses(stored.claims, consents.uses_of(session, stored.row_id, since)))
        if code is not None:
            obstacles.append(Obstacle(code))
        return DryRun(tuple(obstacles), policies)

    def _consent_obstacles(
        self,
        request: ScoreRequestClaims,
        header: ScorecardHeader | None,
        stored: StoredConsent,
        now: datetime,
    ) -> list[ErrorCode]:
        state = stored.state(now)
        found = [
            _code_of(lambda: evidence.verify_attestation(stored.attestation_jws, self._anchors, now)),
            _code_of(lambda: rules.check_usable(state)),
        ]
        consent = stored.claims
        while (code := _code_of(partial(evidence.check_consent_covers, consent, request, now))) is not None:
            found.append(code)
            consent = _assume(code, consent, request, now)
        if header is not None:
            found.append(_code_of(partial(evidence.check_header_covered, header, request, consent)))
        return list(dict.fromkeys(code for code in found if code is not None))

    def _law_obstacles(
        self,
        bank: SpiffeId,
        request: ScoreRequestClaims,
        header: ScorecardHeader,
        stored: StoredConsent,
        now: datetime,
    ) -> tuple[list[Obstacle], tuple[PolicyBasis, ...]]:
        question = Question(
            institution=bank.id,
            action=SCORE_ACTION,
            categories=tuple(sorted(header.categories())),
            purpose=request.purpose,
            custody=header.custody.value,
            consent=ConsentFacts.of(stored.claims, stored.state(now) is rules.ConsentState.ACTIVE),
            at=now,
        )
        ruling = self._policy.decide(question)
        policies = tuple(self._policy.basis(ruling.rules))
        if ruling.allowed:
            return [], policies
        changes = self._policy.explain(question)
        if not changes:
            return [Obstacle(ErrorCode.POLICY_DENIED)], policies
        return [Obstacle(ErrorCode.POLICY_DENIED, change.hint) for change in changes], policies


def _code_of(check: Callable[[], object]) -> ErrorCode | None:
    """The code with which a check refuses."""
    try:
        check()
    except ConsentgateError as error:
        return error.code
    return None


def _assume(code: ErrorCode, consent: ConsentClaims, request: ScoreRequestClaims, now: datetime) -> ConsentClaims:
    """The consent as if the failed term held, so that the next one can be examined."""
    seconds = int(now.timestamp())
    updates: dict[ErrorCode, dict[str, object]] = {
        ErrorCode.CONSENT_PURPOSE: {"purpose": request.purpose},
        ErrorCode.CONSENT_NOT_YET_VALID: {"valid_from": seconds},
        ErrorCode.CONSENT_EXPIRED: {"valid_until": seconds + 1},
        ErrorCode.CONSENT_SCOPE: {
            "use": request.use,
            "data_range": DataRange(first=request.as_of, last=request.as_of),
        },
        ErrorCode.CONSENT_AUDIENCE: {"company": request.company, "grantee": request.iss},
    }
    return consent.model_copy(update=updates[code])
