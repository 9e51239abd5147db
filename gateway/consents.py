"""Granting and moving consents: verify the company's word, write the intent, put it on the ledger, then acknowledge.

The rules of states are in `gateway.consent`; here is the order of things. A move waits until everything before it is
on the ledger, so that the ledger's order is the order in which the company spoke. A restriction bites as soon as its
intent is stored, even while the ledger does not answer; a revocation is stored whatever else still waits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from consentgate import canonical, evidence, signing
from consentgate.anchors import Anchors
from consentgate.database import Database
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.identity import Role, SpiffeId
from consentgate.statements import (
    CompanyAttestationClaims,
    ConsentClaims,
    ConsentTransitionClaims,
    StatementKind,
)
from gateway import consent as rules
from gateway.policy import Policy
from gateway.recorder import Recorder
from gateway.store import approvals, records
from gateway.store import consents as store
from gateway.store.consents import StoredConsent
from ledger.entry import format_time
from ledger.receipt import Receipt

ISSUE_TOLERANCE = timedelta(minutes=5)
"""How far in the future `iat` may lie: clocks of companies are not synchronised with ours."""
EXPIRED_NONCE = "expired"
"""Marks the gateway's own move; no signed nonce (hex digits) can collide with it."""
EXPIRY_BATCH = 100
"""Expired consents noted in one round."""
MAX_PENDING_ROUNDS = 4
"""How often a move waits for moves that came in between before it gives up."""

KINDS = {
    rules.Move.PAUSE: "consent.paused",
    rules.Move.RESUME: "consent.resumed",
    rules.Move.REVOKE: "consent.revoked",
    rules.Move.EXPIRE: "consent.expired",
}


@dataclass(frozen=True)
class OwnConsent:
    """A consent as its owner sees it."""

    consent: StoredConsent
    state: rules.ConsentState
    uses: int


class Consents:
    """Everything companies do with their consents."""

    def __init__(
        self,
        anchors: Anchors,
        database: Database,
        recorder: Recorder,
        policy: Policy,
        clock: Callable[[], datetime],
    ) -> None:
        self._anchors = anchors
        self._database = database
        self._recorder = recorder
        self._policy = policy
        self._clock = clock

    async def grant(self, consent_jws: bytes, attestation_jws: bytes, caller: SpiffeId) -> Receipt:
        """Grants a consent or a new version; a repeat of the same statement returns the same leaf's receipt."""
        now = self._clock()
        attestation = evidence.verify_attestation(attestation_jws, self._anchors, now)
        _check_caller(attestation, caller)
        consent = evidence.verify_consent(consent_jws, attestation, self._anchors)
        self._check_terms(consent, now)
        keys = await self._database.run(
            lambda session: self._intend_grant(session, consent, attestation, (consent_jws, attestation_jws), now)
        )
        return [await self._recorder.record(key) for key in keys][-1]

    def _check_terms(self, consent: ConsentClaims, now: datetime) -> None:
        if consent.issued_at > now + ISSUE_TOLERANCE:
            raise ConsentgateError(ErrorCode.CLOCK_SKEW, field="consent_jws.iat")
        if consent.valid_until <= now.timestamp():
            raise ConsentgateError(ErrorCode.CONSENT_EXPIRED, field="consent_jws.valid_until")
        if not all(map(self._policy.knows_category, consent.categories)):
            raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="consent_jws.categories")
        if len(set(consent.categories)) != len(consent.categories):
            raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="consent_jws.categories")
        if not self._policy.knows_purpose(consent.purpose):
            raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="consent_jws.purpose")
        grantee = SpiffeId.parse(consent.grantee)
        if grantee.role is not Role.BANK or grantee.trust_domain != self._anchors.trust_domain:
            raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="consent_jws.grantee")

    def _intend_grant(
        self,
        session: Session,
        consent: ConsentClaims,
        attestation: CompanyAttestationClaims,
        statements: tuple[bytes, bytes],
        now: datetime,
    ) -> tuple[str, ...]:
        """Keys of the records to bring onto the ledger, in order; the last one is the grant's."""
        earlier = store.versions(session, consent.consent_id)
        same = next((stored for stored in earlier if stored.claims.version == consent.version), None)
        if same is not None and same.digest == canonical.digest(statements[0]):
            return (same.key,)
        if earlier:
            if earlier[0].entity != attestation.entity:
                raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="consent_jws.consent_id")
            rules.check_supersedes(consent, earlier[0].claims, earlier[0].state(now))
        group = approvals.group_of(session, consent.grantee)
        if group is not None and group != consent.group:
            raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="consent_jws.group")
        data_key = store.pin_subject(session, consent, attestation.entity)
        key = f"consent:{consent.consent_id}:{consent.version}"
        record = records.intend(session, key, "consent.granted", granted_body(consent, statements[0]), now)
        store.add_consent(session, consent, statements, data_key, record)
        return (*(earlier[0].pending if earlier else ()), key)

    async def move(self, transition_jws: bytes, expected: rules.Move, caller: SpiffeId) -> Receipt:
        """Pauses, resumes or revokes; the statement's action must be `expected`."""
        now = self._clock()
        for _ in range(MAX_PENDING_ROUNDS):
            keys = await self._database.run(
                lambda session: self._intend_move(session, transition_jws, expected, caller, now)
            )
            receipts = [await self._recorder.record(key) for key in keys.keys]
            if keys.complete:
                return receipts[-1]
        raise ConsentgateError(ErrorCode.CONSENT_STATE, private="other moves kept coming in")

    def _intend_move(
        self,
        session: Session,
        transition_jws: bytes,
        expected: rules.Move,
        caller: SpiffeId,
        now: datetime,
    ) -> _Keys:
        named = _named_transition(transition_jws)
        versions = store.versions(session, named.consent_id)
        if not versions or versions[0].entity != caller.id:
            raise ConsentgateError(ErrorCode.CONSENT_NOT_FOUND)
        newest = versions[0]
        transition = self._verify_transition(transition_jws, newest, now)
        if transition.action.value != expected.value:
            raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="transition_jws.action")
        if transition.version != newest.claims.version:
            raise ConsentgateError(ErrorCode.CONSENT_STATE, field="transition_jws.version")
        known = store.known_transition(session, newest.row_id, transition.nonce)
        if known is not None:
            if known[0] != transition_jws:
                raise ConsentgateError(ErrorCode.IDEMPOTENCY_CONFLICT, field="transition_jws.nonce")
            return _Keys((*newest.pending, known[1]), complete=True)
        if newest.pending and expected is not rules.Move.REVOKE:
            return _Keys(newest.pending, complete=False)
        rules.after(newest.state(now), expected)
        key = f"consent:{transition.consent_id}:{transition.version}:{transition.nonce}"
        body = {**_moved_body(newest), "digest": canonical.digest(transition_jws)}
        record = records.intend(session, key, KINDS[expected], body, now)
        store.add_transition(session, newest.row_id, expected, transition.nonce, transition_jws, record)
        return _Keys((*newest.pending, key), complete=True)

    def _verify_transition(
        self, transition_jws: bytes, stored: StoredConsent, now: datetime
    ) -> ConsentTransitionClaims:
        kind = StatementKind.CONSENT_TRANSITION
        attestation = evidence.verify_attestation(stored.attestation_jws, self._anchors, now)
        payload = evidence.verify_by_company(transition_jws, kind, attestation, ErrorCode.CONSENT_SIGNATURE)
        claims = ConsentTransitionClaims.parse(payload, "transition_jws")
        if claims.aud != kind.audience(self._anchors.trust_domain):
            raise ConsentgateError(ErrorCode.CONSENT_SIGNATURE, field="transition_jws.aud")
        if claims.company != stored.claims.company:
            raise ConsentgateError(ErrorCode.CONSENT_SIGNATURE, field="transition_jws.company")
        return claims

    async def own(self, caller: SpiffeId, before_row: int | None, limit: int) -> list[OwnConsent]:
        """The calling company's consents, newest first."""
        now = self._clock()

        def read(session: Session) -> list[OwnConsent]:
            stored = store.of_entity(session, caller.id, before_row, limit)
            return [
                OwnConsent(entry, entry.state(now), store.uses_of(session, entry.row_id, 0).total) for entry in stored
            ]

        return await self._database.run(read)

    async def subjects(self, caller: SpiffeId) -> list[str]:
        """Tokens under which the ledger speaks of the calling company."""
        return await self._database.run(lambda session: store.subjects_of(session, caller.id))

    async def expire_due(self) -> int:
        """Notes on the ledger which consents ended by time; returns how many."""
        now = self._clock()
        keys = await self._database.run(lambda session: _intend_expiries(session, now))
        for key in keys:
            await self._recorder.record(key)
        return len(keys)


@dataclass(frozen=True)
class _Keys:
    """Records to bring onto the ledger, in order; `complete` when the wanted move is the last of them."""

    keys: tuple[str, ...]
    complete: bool


def granted_body(consent: ConsentClaims, consent_jws: bytes) -> Mapping[str, object]:
    """Body of the `consent.granted` leaf: terms that adapters and officers need, never the company."""
    return {
        "consent_id": consent.consent_id,
        "version": consent.version,
        "digest": canonical.digest(consent_jws),
        "subject": consent.subject,
        "group": consent.group,
        "institution": SpiffeId.parse(consent.grantee).id,
        "purpose": consent.purpose,
        "use": consent.use.value,
        "categories": consent.categories,
        "valid_from": format_time(datetime.fromtimestamp(consent.valid_from, UTC)),
        "valid_until": format_time(datetime.fromtimestamp(consent.valid_until, UTC)),
    }


def _moved_body(stored: StoredConsent) -> dict[str, object]:
    return {
        "consent_id": stored.claims.consent_id,
        "version": stored.claims.version,
        "subject": stored.claims.subject,
    }


def _intend_expiries(session: Session, now: datetime) -> list[str]:
    keys = []
    for stored in store.due_to_expire(session, now, EXPIRY_BATCH):
        if stored.pending:
            continue
        key = f"consent:{stored.claims.consent_id}:{stored.claims.version}:{EXPIRED_NONCE}"
        record = records.intend(session, key, KINDS[rules.Move.EXPIRE], _moved_body(stored), now)
        store.add_transition(session, stored.row_id, rules.Move.EXPIRE, EXPIRED_NONCE, b"", record)
        keys.append(key)
    return keys


def _named_transition(transition_jws: bytes) -> ConsentTransitionClaims:
    """What the statement says, to find the keys it must be signed with; not trusted before it is verified."""
    payload = signing.unverified_payload(transition_jws, "transition_jws")
    return ConsentTransitionClaims.parse(payload, "transition_jws")


def _check_caller(attestation: CompanyAttestationClaims, caller: SpiffeId) -> None:
    if attestation.entity != caller.id:
        raise ConsentgateError(ErrorCode.CALLER_MISMATCH, field="attestation_jws.entity")
