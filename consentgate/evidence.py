"""The evidence bundle and its one verifier (design 1, "Two ideas carry everything").

`verify(bundle, anchors, now)` is pure: no I/O, no clock, no state but a cache of already proven Paillier
keys. The adapter, the bank, the auditor (and, in quorum custody, the trustee) call it; none has a second
opinion of its own. What it returns is all that the next step may use.

What it proves, in this order:
 1. the bank signed the request, for this federation, in its own name;
 2. the company registry attested the keys of the company's signatories, valid at the time of the decision;
 3. enough distinct signatories signed the consent;
 4. the consent covers company, bank, purpose, use, period and moment of the request;
 5. the header is the scorecard that the request names, and the consent covers all its categories;
 6. two reviewers approved that scorecard for the bank's grantee group;
 7. the bank registered the recipient key, with a Paillier-Blum proof;
 8. the ledger recorded exactly this decision, `allow`, witnessed by the quorum, and recently.

What it cannot know, and the adapter checks beside it: whether the consent was revoked since (its tail of the
ledger), how often it was used (its own counter), whether the token is the one pinned, and its own catalogue.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from threading import Lock

from consentgate import canonical, signing
from consentgate.anchors import Anchors
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.identity import Role, SpiffeId
from consentgate.scorecard import ScorecardHeader
from consentgate.statements import (
    Claims,
    CompanyAttestationClaims,
    ConsentClaims,
    KeyRegistrationClaims,
    ScorecardApprovalClaims,
    ScoreRequestClaims,
    StatementKind,
)
from ledger.commitment import SALT_BYTES, commit
from ledger.errors import LedgerError, QuorumNotMet
from ledger.receipt import Receipt
from ledger.verify import VerifiedLeaf, verify_receipt
from paillier.blum import BlumProof
from paillier.blum import verify as verify_blum
from paillier.errors import PaillierError, ProofInvalid
from paillier.public_key import PublicKey

REQUEST_WINDOW = timedelta(minutes=5)
"""Largest difference between a request's `iat` and the decision (design 1, step 1)."""
DECISION_LIFE = timedelta(seconds=60)
"""Longest time between a decision and its `not_after`."""
KEY_CACHE = 256
"""Paillier keys whose proofs are remembered as good: checking one costs about 0.1 s at 3072 bits."""
_PROOF_LOCKS = tuple(Lock() for _ in range(64))
"""One of them is held while a key is checked: a burst of requests under a new key checks it once, not once each."""


@dataclass(frozen=True)
class EvidenceBundle:
    """The parts, as received; nothing here is trusted before `verify`."""

    request_jws: bytes
    request_salt: bytes
    consent_jws: bytes
    attestation_jws: bytes
    scorecard_header: bytes
    approval_jws: bytes
    key_registration_jws: bytes
    decision: Receipt


@dataclass(frozen=True)
class ReleaseOrder:
    """What a verified bundle orders, and all that the next step may use."""

    decision: VerifiedLeaf
    request: ScoreRequestClaims
    bank: SpiffeId
    consent: ConsentClaims
    attestation: CompanyAttestationClaims
    header: ScorecardHeader
    approval: ScorecardApprovalClaims
    approval_digest: str
    recipient_key: PublicKey
    decided_at: datetime
    not_after: datetime

    @property
    def leaf_hash(self) -> str:
        """Leaf hash of the decision, 64 hex digits: the identity of this order."""
        return self.decision.leaf_hash.hex()

    @property
    def subject(self) -> str:
        """Subject token, 32 hex digits."""
        return self.consent.subject


def verify(bundle: EvidenceBundle, anchors: Anchors, now: datetime) -> ReleaseOrder:
    """Verifies every binding of the bundle as of `now` (aware); raises ConsentgateError with the code of the
    first broken one.
    """
    decision = verify_decision(bundle.decision, anchors, now)
    decided_at = _time(decision.entry.ts)
    request, bank = verify_request(bundle.request_jws, anchors, decided_at)
    attestation = verify_attestation(bundle.attestation_jws, anchors, decided_at)
    consent = verify_consent(bundle.consent_jws, attestation, anchors)
    check_consent_covers(consent, request, decided_at)
    header = _verify_header(bundle.scorecard_header, request, consent)
    approval = verify_approval(bundle.approval_jws, anchors)
    _check_approved(approval, request, consent)
    recipient_key = verify_key_registration(bundle.key_registration_jws, anchors, decided_at, bank)
    if recipient_key.key_id != request.key_id:
        raise ConsentgateError(ErrorCode.KEY_MISMATCH, field="key_registration_jws.key_id")
    order = ReleaseOrder(
        decision=decision,
        request=request,
        bank=bank,
        consent=consent,
        attestation=attestation,
        header=header,
        approval=approval,
        approval_digest=canonical.digest(bundle.approval_jws),
        recipient_key=recipient_key,
        decided_at=decided_at,
        not_after=_not_after(decision),
    )
    _check_leaf_commits(order, bundle)
    _check_moment(order, anchors, now)
    return order


def decision_time(bundle: EvidenceBundle, anchors: Anchors) -> datetime:
    """When the quorum had witnessed the decision: the moment as of which an auditor calls `verify`."""
    return _receipt(bundle.decision, anchors).cosigned_at


# 1. Who asks.


def verify_request(token: bytes, anchors: Anchors, at: datetime) -> tuple[ScoreRequestClaims, SpiffeId]:
    """The bank's signed request: signature and chain valid at `at`, signer is `iss` and a bank, issued
    around `at`.
    """
    kind = StatementKind.SCORE_REQUEST
    payload, signer = signing.verify_institution(token, kind, anchors.member_ca, at, ErrorCode.REQUEST_SIGNATURE)
    request = ScoreRequestClaims.parse(payload, "request_jws")
    if signer.role is not Role.BANK or str(signer) != request.iss or signer.trust_domain != anchors.trust_domain:
        raise ConsentgateError(ErrorCode.REQUEST_ISSUER, field="request_jws.iss")
    _check_audience(request, kind, anchors, ErrorCode.REQUEST_AUDIENCE, "request_jws")
    if abs(request.issued_at - at) > REQUEST_WINDOW:
        raise ConsentgateError(ErrorCode.CLOCK_SKEW, field="request_jws.iat")
    return request, signer


# 2. Whose keys sign for the company.


def verify_attestation(token: bytes, anchors: Anchors, at: datetime) -> CompanyAttestationClaims:
    """The registry's attestation, valid at `at`."""
    kind = StatementKind.COMPANY_ATTESTATION
    payload = signing.verify_pinned(token, kind, anchors.registry_key, ErrorCode.ATTESTATION_SIGNATURE)
    attestation = CompanyAttestationClaims.parse(payload, "attestation_jws")
    _check_audience(attestation, kind, anchors, ErrorCode.ATTESTATION_SIGNATURE, "attestation_jws")
    registry = f"spiffe://{anchors.trust_domain}/{Role.DEPARTMENT}/{anchors.registry_department}"
    if attestation.iss != registry:
        raise ConsentgateError(ErrorCode.ATTESTATION_SIGNATURE, field="attestation_jws.iss")
    if not attestation.valid_from <= at.timestamp() < attestation.valid_until:
        raise ConsentgateError(ErrorCode.ATTESTATION_EXPIRED, field="attestation_jws.valid_until")
    return attestation


# 3. The company's word.


def verify_by_company(
    token: bytes, kind: StatementKind, attestation: CompanyAttestationClaims, failure: ErrorCode
) -> bytes:
    """Payload of a statement that enough of the company's signatories signed."""
    keys = {signatory.person: signatory.jwk for signatory in attestation.signatories}
    return signing.verify_jointly(token, kind, keys, attestation.threshold, failure)


def verify_consent(token: bytes, attestation: CompanyAttestationClaims, anchors: Anchors) -> ConsentClaims:
    """The company's consent, signed by the signatories the registry attested for the same company."""
    kind = StatementKind.CONSENT
    payload = verify_by_company(token, kind, attestation, ErrorCode.CONSENT_SIGNATURE)
    consent = ConsentClaims.parse(payload, "consent_jws")
    _check_audience(consent, kind, anchors, ErrorCode.CONSENT_SIGNATURE, "consent_jws")
    if consent.company != attestation.company:
        raise ConsentgateError(ErrorCode.CONSENT_SIGNATURE, field="consent_jws.company")
    return consent


# 4. Does it cover what is asked?


def check_consent_covers(consent: ConsentClaims, request: ScoreRequestClaims, at: datetime) -> None:
    """Raises the code of the first term of the consent that does not cover the request at `at`."""
    if consent.company != request.company:
        raise ConsentgateError(ErrorCode.CONSENT_AUDIENCE, field="consent_jws.company")
    if consent.grantee != request.iss:
        raise ConsentgateError(ErrorCode.CONSENT_AUDIENCE, field="consent_jws.grantee")
    if consent.purpose != request.purpose:
        raise ConsentgateError(ErrorCode.CONSENT_PURPOSE, field="consent_jws.purpose")
    if consent.use != request.use:
        raise ConsentgateError(ErrorCode.CONSENT_SCOPE, field="consent_jws.use")
    if not consent.data_range.first <= request.as_of <= consent.data_range.last:
        raise ConsentgateError(ErrorCode.CONSENT_SCOPE, field="consent_jws.data_range")
    if at.timestamp() < consent.valid_from:
        raise ConsentgateError(ErrorCode.CONSENT_NOT_YET_VALID, field="consent_jws.valid_from")
    if at.timestamp() >= consent.valid_until:
        raise ConsentgateError(ErrorCode.CONSENT_EXPIRED, field="consent_jws.valid_until")


# 5. Which scorecard.


def _verify_header(data: bytes, request: ScoreRequestClaims, consent: ConsentClaims) -> ScorecardHeader:
    if canonical.digest(data) != request.scorecard:
        raise ConsentgateError(ErrorCode.SCORECARD_HEADER, field="scorecard_header")
    header = ScorecardHeader.parse(data, "scorecard_header")
    check_header_covered(header, request, consent)
    return header


def check_header_covered(header: ScorecardHeader, request: ScoreRequestClaims, consent: ConsentClaims) -> None:
    """The scorecard serves the request's use and custody, and reads only categories the consent names."""
    if header.use != request.use:
        raise ConsentgateError(ErrorCode.CONSENT_SCOPE, field="scorecard_header.use")
    if header.custody != request.custody:
        raise ConsentgateError(ErrorCode.CUSTODY_NOT_ALLOWED, field="request_jws.custody")
    if not header.categories() <= set(consent.categories):
        raise ConsentgateError(ErrorCode.CONSENT_SCOPE, field="consent_jws.categories")


# 6. Approved for this bank's group.


def verify_approval(token: bytes, anchors: Anchors) -> ScorecardApprovalClaims:
    """A link of an approval chain, signed by enough reviewers."""
    kind = StatementKind.SCORECARD_APPROVAL
    payload = signing.verify_jointly(
        token, kind, anchors.reviewers, anchors.reviewers_required, ErrorCode.APPROVAL_SIGNATURE
    )
    approval = ScorecardApprovalClaims.parse(payload, "approval_jws")
    _check_audience(approval, kind, anchors, ErrorCode.APPROVAL_SIGNATURE, "approval_jws")
    return approval


def _check_approved(approval: ScorecardApprovalClaims, request: ScoreRequestClaims, consent: ConsentClaims) -> None:
    if request.iss not in approval.members or approval.group != consent.group:
        raise ConsentgateError(ErrorCode.SCORECARD_NOT_APPROVED, field="approval_jws.group")
    if request.scorecard not in approval.approved():
        raise ConsentgateError(ErrorCode.SCORECARD_NOT_APPROVED, field="approval_jws.scorecards")


# 7. Under whose key.


def verify_key_registration(token: bytes, anchors: Anchors, at: datetime, bank: SpiffeId) -> PublicKey:
    """The bank's registered Paillier key, proven to be a Blum modulus for this bank."""
    kind = StatementKind.KEY_REGISTRATION
    payload, signer = signing.verify_institution(token, kind, anchors.member_ca, at, ErrorCode.KEY_UNKNOWN)
    registration = KeyRegistrationClaims.parse(payload, "key_registration_jws")
    _check_audience(registration, kind, anchors, ErrorCode.KEY_UNKNOWN, "key_registration_jws")
    if signer != bank or registration.iss != str(bank):
        raise ConsentgateError(ErrorCode.KEY_UNKNOWN, field="key_registration_jws.iss")
    with _PROOF_LOCKS[hash(registration.key) % len(_PROOF_LOCKS)]:
        key = _proven_key(registration.key, registration.proof, registration.iss)
    if key.key_id != registration.key_id:
        raise ConsentgateError(ErrorCode.KEY_MISMATCH, field="key_registration_jws.key_id")
    return key


@lru_cache(maxsize=KEY_CACHE)
def _proven_key(key_json: str, proof_json: str, owner: str) -> PublicKey:
    try:
        key = PublicKey.from_phe_json(key_json)
        proof = canonical.parse(proof_json.encode(), "key_registration_jws.proof")
        verify_blum(key, BlumProof.from_json(proof), owner.encode())
    except (ProofInvalid, ConsentgateError) as error:
        raise ConsentgateError(ErrorCode.KEY_PROOF, field="key_registration_jws.proof") from error
    except PaillierError as error:
        raise ConsentgateError(ErrorCode.KEY_INVALID, field="key_registration_jws.key") from error
    return key


# 8. What the ledger recorded.


def verify_decision(receipt: Receipt, anchors: Anchors, now: datetime) -> VerifiedLeaf:
    """A witnessed, recent `query.decision` leaf with verdict `allow`."""
    leaf = _receipt(receipt, anchors)
    if abs(now - leaf.cosigned_at) > anchors.freshness:
        raise ConsentgateError(ErrorCode.LEDGER_STALE, field="decision.proof")
    if leaf.entry.kind != "query.decision":
        raise ConsentgateError(ErrorCode.RECEIPT_MISMATCH, field="decision.leaf.kind")
    if leaf.entry.body.get("verdict") != "allow":
        raise ConsentgateError(ErrorCode.RECEIPT_VERDICT, field="decision.leaf.verdict")
    return leaf


def _receipt(receipt: Receipt, anchors: Anchors) -> VerifiedLeaf:
    try:
        return verify_receipt(receipt, anchors.log_policy)
    except QuorumNotMet as error:
        raise ConsentgateError(ErrorCode.LEDGER_QUORUM, field="decision.proof") from error
    except LedgerError as error:
        raise ConsentgateError(ErrorCode.RECEIPT_INVALID, field="decision") from error


def leaf_fields(
    request: ScoreRequestClaims, bank: SpiffeId, consent: ConsentClaims, header: ScorecardHeader
) -> dict[str, object]:
    """The part of a `query.decision` body that follows from the signed statements alone."""
    return {
        "request_id": request.request_id,
        "institution": bank.id,
        "group": consent.group,
        "subject": consent.subject,
        "consent_id": consent.consent_id,
        "consent_version": consent.version,
        "scorecard": request.scorecard,
        "purpose": request.purpose,
        "use": request.use.value,
        "departments": [{"id": entry.id, "columns": entry.names()} for entry in header.departments],
        "recipient_key": request.key_id,
        "custody": request.custody.value,
        "as_of": request.as_of,
    }


def _check_leaf_commits(order: ReleaseOrder, bundle: EvidenceBundle) -> None:
    if len(bundle.request_salt) != SALT_BYTES:
        raise ConsentgateError(ErrorCode.RECEIPT_MISMATCH, field="decision.leaf.request")
    expected = leaf_fields(order.request, order.bank, order.consent, order.header)
    expected["request"] = commit("request", bundle.request_jws, bundle.request_salt)
    expected["consent_digest"] = canonical.digest(bundle.consent_jws)
    expected["approval"] = order.approval_digest
    body = order.decision.entry.body
    for name, value in expected.items():
        # Compared as bytes: to Python, and to no other language, True equals 1.
        if name not in body or canonical.encode(body[name]) != canonical.encode(value):
            raise ConsentgateError(ErrorCode.RECEIPT_MISMATCH, field=f"decision.leaf.{name}")


def _check_moment(order: ReleaseOrder, anchors: Anchors, now: datetime) -> None:
    # Whoever writes the ledger dates its leaves; the witnesses' clocks bound what it can claim. Without this,
    # a leaf dated next year would use a consent that is not valid yet.
    if order.decided_at > order.decision.cosigned_at + anchors.freshness:
        raise ConsentgateError(ErrorCode.CLOCK_SKEW, field="decision.leaf.ts")
    if not timedelta(0) < order.not_after - order.decided_at <= DECISION_LIFE:
        raise ConsentgateError(ErrorCode.RECEIPT_EXPIRED, field="decision.leaf.not_after")
    if now > order.not_after:
        raise ConsentgateError(ErrorCode.RECEIPT_EXPIRED, field="decision.leaf.not_after")


def _not_after(decision: VerifiedLeaf) -> datetime:
    value = decision.entry.body.get("not_after")
    if not isinstance(value, str):
        raise ConsentgateError(ErrorCode.RECEIPT_MISMATCH, field="decision.leaf.not_after")
    return _time(value)


def _time(text: str) -> datetime:
    """A leaf's timestamp, whose form the ledger's entry parser has checked already."""
    return datetime.fromisoformat(text).astimezone(UTC)


def _check_audience(claims: Claims, kind: StatementKind, anchors: Anchors, failure: ErrorCode, name: str) -> None:
    if claims.aud != kind.audience(anchors.trust_domain):
        raise ConsentgateError(failure, field=f"{name}.aud")
