"""A complete federation in one process, with real keys: everything an evidence bundle needs, and every
wrong key too.

    federation = Federation()                      # or Federation(now=datetime.now(UTC)) beside real clocks
    order = federation.order()                     # what an honest bundle verifies to
    bundle = federation.bundle(consent=federation.sign_consent(federation.consent_claims(purpose="x")))
    evidence.verify(bundle, federation.anchors, federation.now)

`bundle` writes a decision leaf that commits to whatever parts it is given, so that a forged part meets the
check made for it and not merely a leaf that names another part; `body={...}` then makes the leaf itself
wrong. All keys are derived from labels (tests/support/member_ca.py): worthless as secrets, the same in every
run.

Parties: banks bank-a, bank-b; departments tax, customs, social-security, courts, market-regulation (the
registry); a gateway; two companies; three reviewers, of whom two must sign; four witnesses, of whom three
must cosign.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from typing import Any

from cryptography import x509
from joserfc.jwk import ECKey, OKPKey
from stdnum.cn import uscc

from consentgate import canonical, evidence, signing
from consentgate.anchors import Anchors
from consentgate.answer import VerifiedAnswer, release_body, sign_answer, verify_answer
from consentgate.evidence import EvidenceBundle, ReleaseOrder
from consentgate.identity import Role, SpiffeId
from consentgate.scorecard import Scorecard, ScorecardHeader
from consentgate.signing import InstitutionSigner, PersonSigner
from consentgate.statements import (
    Claims,
    CompanyAttestationClaims,
    ConsentClaims,
    ConsentTransitionClaims,
    KeyRegistrationClaims,
    ScorecardApprovalClaims,
    ScoreRequestClaims,
    StatementKind,
)
from ledger.commitment import commit
from ledger.entry import format_time
from ledger.receipt import Receipt
from paillier.encryption import Encryptor
from paillier.linear import rerandomise, weighted_sum
from paillier.private import PrivateKey, prove
from paillier.wire import join, split
from tests.support.fixed_randomness import fixed_randomness
from tests.support.member_ca import TLS_USAGES, MemberCa, ed25519_key, p256_key, private_pem
from tests.support.member_ca import PrivateKey as SigningKey
from tests.support.paillier_keys import key_2048, other_key_2048
from tests.support.sample_scorecard import SCORECARD, VALUES
from tests.support.witnessed_log import WitnessedLog

TRUST_DOMAIN = "consentgate.test"
NOW = datetime(2026, 11, 24, 4, 1, 2, tzinfo=UTC)
DEPARTMENTS = ("tax", "customs", "social-security", "courts", "market-regulation")
REGISTRY = "market-regulation"
GROUP = "group-a"
PURPOSE = "credit.origination"
AS_OF = "2026-10"
SALT = hashlib.sha256(b"request salt").digest()
ZERO = "0" * 64


def hex16(label: str) -> str:
    """The id that belongs to `label`."""
    return hashlib.sha256(b"test id " + label.encode()).hexdigest()[:32]


def company_code(serial: int) -> str:
    """A valid unified social credit code."""
    stem = f"91350100M{serial:08d}"
    return stem + uscc.calc_check_digit(stem)


def person(label: str) -> PersonSigner:
    """The Ed25519 key of a natural person, or of the registry."""
    return PersonSigner(OKPKey.import_key(private_pem(ed25519_key(f"person {label}"))))


@dataclass(frozen=True)
class Institution:
    """A member with a signing certificate and, apart from it, a TLS certificate."""

    identity: SpiffeId
    signer: InstitutionSigner
    tls_certificate: x509.Certificate
    tls_key: SigningKey

    @property
    def signer_with_tls_key(self) -> InstitutionSigner:
        """What an intruder can sign who stole only the TLS key."""
        key = ECKey.import_key(private_pem(self.tls_key))
        return InstitutionSigner(self.identity, (self.tls_certificate,), key)


@dataclass(frozen=True)
class Company:
    """A company with its signatories; `threshold` of them must sign."""

    code: str
    entity: str
    persons: tuple[str, ...]
    signers: tuple[PersonSigner, ...]
    threshold: int
    subject: str

    @classmethod
    def create(cls, label: str, serial: int, signatories: int = 3, threshold: int = 2) -> Company:
        names = [f"{label} person {index}" for index in range(signatories)]
        return cls(
            code=company_code(serial),
            entity=hex16(f"entity {label}"),
            persons=tuple(map(hex16, names)),
            signers=tuple(map(person, names)),
            threshold=threshold,
            subject=hex16(f"subject {label}"),
        )


@cache
def blum_proof(private: PrivateKey, owner: str) -> str:
    """JSON of the Paillier-Blum proof; takes about a second, so made once per key and owner."""
    with fixed_randomness(f"blum proof {private.public.key_id} {owner}"):
        return canonical.encode(prove(private, owner.encode()).to_json()).decode()


def institution(ca: MemberCa, role: str, name: str, **certificate: Any) -> Institution:
    """A member certified by `ca`; `certificate` changes fields of the *signing* certificate
    (MemberCa.issue).
    """
    identity = SpiffeId(TRUST_DOMAIN, Role(role), name)
    signing_key, tls_key = ed25519_key(f"signing {role} {name}"), p256_key(f"tls {role} {name}")
    chain = (ca.issue(str(identity), signing_key, **certificate),)
    return Institution(
        identity=identity,
        signer=InstitutionSigner(identity, chain, OKPKey.import_key(private_pem(signing_key))),
        tls_certificate=ca.issue(str(identity), tls_key, usages=TLS_USAGES, dns=[identity.dns_name]),
        tls_key=tls_key,
    )


class Federation:
    """All parties at one moment. Building one costs milliseconds; proofs of Paillier keys are shared
    between them.
    """

    def __init__(self, now: datetime = NOW, scorecard: Scorecard = SCORECARD) -> None:
        self.now = now
        self.scorecard = scorecard
        self.ca = MemberCa.create("member ca")
        self.other_ca = MemberCa.create("other ca")
        self.bank_a = institution(self.ca, "bank", "bank-a")
        self.bank_b = institution(self.ca, "bank", "bank-b")
        self.gateway = institution(self.ca, "gateway", "gateway")
        self.departments = {name: institution(self.ca, "department", name) for name in DEPARTMENTS}
        self.registry_key = person("registry")
        self.reviewers = {f"reviewer-{index}": person(f"reviewer {index}") for index in (1, 2, 3)}
        self.company = Company.create("company one", 1)
        self.second_company = Company.create("company two", 2)
        self.log = WitnessedLog(now - timedelta(minutes=10))
        self.anchors = Anchors(
            trust_domain=TRUST_DOMAIN,
            member_ca=self.ca.certificate,
            registry_department=REGISTRY,
            registry_key=self.registry_key.jwk,
            reviewers={name: signer.jwk for name, signer in self.reviewers.items()},
            reviewers_required=2,
            log_policy=self.log.policy,
            freshness=timedelta(seconds=5),
        )

    # Claims. Each method gives the honest statement; keyword arguments change single claims.

    def seconds(self, **delta: float) -> int:
        """`now` plus a timedelta, as NumericDate."""
        return int((self.now + timedelta(**delta)).timestamp())

    def request_claims(self, **changes: object) -> ScoreRequestClaims:
        return _claims(ScoreRequestClaims, StatementKind.SCORE_REQUEST, changes, {
            "iat": self.seconds(seconds=-3),
            "iss": str(self.bank_a.identity),
            "request_id": hex16("request"),
            "company": self.company.code,
            "scorecard": self.scorecard.header.id,
            "purpose": PURPOSE,
            "use": "SCORE",
            "key_id": self.paillier_key.public.key_id,
            "custody": "recipient",
            "as_of": AS_OF,
        })  # fmt: skip

    def consent_claims(self, company: Company | None = None, **changes: object) -> ConsentClaims:
        company = company or self.company
        return _claims(ConsentClaims, StatementKind.CONSENT, changes, {
            "iat": self.seconds(days=-2),
            "company": company.code,
            "consent_id": hex16(f"consent {company.entity}"),
            "version": 1,
            "subject": company.subject,
            "group": GROUP,
            "grantee": str(self.bank_a.identity),
            "purpose": PURPOSE,
            "use": "SCORE",
            "categories": sorted(self.scorecard.header.categories()),
            "valid_from": self.seconds(days=-1),
            "valid_until": self.seconds(days=180),
            "frequency": {"count": 4, "per": "MONTH"},
            "total_uses": 100,
            "data_range": {"first": "2025-01", "last": "2026-12"},
            "data_life_days": 90,
            "nonce": hex16("consent nonce"),
        })  # fmt: skip

    def transition_claims(self, action: str, company: Company | None = None, **changes: object) -> Claims:
        company = company or self.company
        return _claims(ConsentTransitionClaims, StatementKind.CONSENT_TRANSITION, changes, {
            "iat": self.seconds(),
            "company": company.code,
            "consent_id": hex16(f"consent {company.entity}"),
            "version": 1,
            "action": action,
            "nonce": hex16(f"transition {action}"),
        })  # fmt: skip

    def attestation_claims(self, company: Company | None = None, **changes: object) -> CompanyAttestationClaims:
        company = company or self.company
        signatories = [
            {"person": name, "jwk": signer.jwk.model_dump()}
            for name, signer in zip(company.persons, company.signers, strict=True)
        ]
        return _claims(CompanyAttestationClaims, StatementKind.COMPANY_ATTESTATION, changes, {
            "iat": self.seconds(days=-30),
            "iss": str(self.departments[REGISTRY].identity),
            "company": company.code,
            "entity": company.entity,
            "threshold": company.threshold,
            "signatories": signatories,
            "valid_from": self.seconds(days=-30),
            "valid_until": self.seconds(days=335),
        })  # fmt: skip

    def approval_claims(self, **changes: object) -> ScorecardApprovalClaims:
        return _claims(ScorecardApprovalClaims, StatementKind.SCORECARD_APPROVAL, changes, {
            "iat": self.seconds(days=-20),
            "group": GROUP,
            "members": [str(self.bank_a.identity)],
            "sequence": 1,
            "previous": ZERO,
            "action": "APPROVE",
            "scorecard": self.scorecard.header.id,
            "scorecards": [{"id": self.scorecard.header.id, "state": "approved"}],
            "report": canonical.digest(b"report"),
        })  # fmt: skip

    def registration_claims(
        self, owner: Institution | None = None, private: PrivateKey | None = None, **changes: object
    ) -> KeyRegistrationClaims:
        owner = owner or self.bank_a
        private = private or (self.paillier_key if owner is self.bank_a else other_key_2048())
        if "proof" not in changes:
            changes["proof"] = blum_proof(private, str(owner.identity))
        return _claims(KeyRegistrationClaims, StatementKind.KEY_REGISTRATION, changes, {
            "iat": self.seconds(days=-20),
            "iss": str(owner.identity),
            "key_id": private.public.key_id,
            "key": private.public.to_phe_json(),
        })  # fmt: skip

    # Signatures.

    @property
    def paillier_key(self) -> PrivateKey:
        """bank-a's recipient key."""
        return key_2048()

    def sign_request(self, claims: ScoreRequestClaims | None = None, signer: InstitutionSigner | None = None) -> bytes:
        return (signer or self.bank_a.signer).sign(StatementKind.SCORE_REQUEST, claims or self.request_claims())

    def sign_consent(self, claims: ConsentClaims | None = None, signers: Sequence[PersonSigner] | None = None) -> bytes:
        signers = self.company.signers[:2] if signers is None else signers
        return signing.sign_jointly(StatementKind.CONSENT, claims or self.consent_claims(), signers)

    def sign_transition(self, claims: Claims, signers: Sequence[PersonSigner] | None = None) -> bytes:
        signers = self.company.signers[:2] if signers is None else signers
        return signing.sign_jointly(StatementKind.CONSENT_TRANSITION, claims, signers)

    def sign_attestation(
        self, claims: CompanyAttestationClaims | None = None, signer: PersonSigner | None = None
    ) -> bytes:
        signer = signer or self.registry_key
        return signer.sign(StatementKind.COMPANY_ATTESTATION, claims or self.attestation_claims())

    def sign_approval(
        self, claims: ScorecardApprovalClaims | None = None, signers: Sequence[PersonSigner] | None = None
    ) -> bytes:
        signers = list(self.reviewers.values())[:2] if signers is None else signers
        return signing.sign_jointly(StatementKind.SCORECARD_APPROVAL, claims or self.approval_claims(), signers)

    def sign_registration(
        self, claims: KeyRegistrationClaims | None = None, signer: InstitutionSigner | None = None
    ) -> bytes:
        return (signer or self.bank_a.signer).sign(StatementKind.KEY_REGISTRATION, claims or self.registration_claims())

    @cached_property
    def registration(self) -> bytes:
        """bank-a's key registration."""
        return self.sign_registration()

    # The bundle.

    def bundle(
        self,
        *,
        request: bytes | None = None,
        consent: bytes | None = None,
        attestation: bytes | None = None,
        header: bytes | None = None,
        approval: bytes | None = None,
        registration: bytes | None = None,
        body: Mapping[str, object] | None = None,
        kind: str = "query.decision",
        decided_at: datetime | None = None,
        salt: bytes = SALT,
        **receipt: Any,
    ) -> EvidenceBundle:
        """Parts as given, else honest, and a leaf that commits to them; `body` changes (None: drops) leaf
        fields.

        `receipt` goes to `WitnessedLog.receipt` (witnesses, cosigned_at, ...).
        """
        parts = {
            "request_jws": request or self.sign_request(),
            "consent_jws": consent or self.sign_consent(),
            "attestation_jws": attestation or self.sign_attestation(),
            "scorecard_header": header or self.scorecard.header.encode(),
            "approval_jws": approval or self.sign_approval(),
            "key_registration_jws": registration or self.registration,
        }
        decided_at = decided_at or self.now - timedelta(seconds=1)
        fields = self.decision_body(parts, decided_at, salt)
        fields.update(body or {})
        fields = {name: value for name, value in fields.items() if value is not None}
        index = self.log.append(kind, fields, decided_at)
        receipt.setdefault("cosigned_at", self.now - timedelta(seconds=1))
        return EvidenceBundle(request_salt=salt, decision=self.log.receipt(index, **receipt), **parts)

    def decision_body(self, parts: Mapping[str, bytes], decided_at: datetime, salt: bytes = SALT) -> dict[str, object]:
        """What the gateway writes for these parts. Claims that do not parse are replaced by the honest
        ones.
        """
        request = _lenient(ScoreRequestClaims, parts["request_jws"], self.request_claims())
        consent = _lenient(ConsentClaims, parts["consent_jws"], self.consent_claims())
        try:
            header = ScorecardHeader.parse(parts["scorecard_header"], "header")
        except signing.ConsentgateError:
            header = self.scorecard.header
        bank = SpiffeId.parse(request.iss)
        return {
            **evidence.leaf_fields(request, bank, consent, header),
            "request": commit("request", parts["request_jws"], salt),
            "consent_digest": canonical.digest(parts["consent_jws"]),
            "approval": canonical.digest(parts["approval_jws"]),
            "verdict": "allow",
            "reason": "ALLOWED",
            "rules": ["score.consented"],
            "not_after": format_time(decided_at + timedelta(seconds=60)),
        }

    @cached_property
    def honest(self) -> EvidenceBundle:
        """One honest bundle, made once."""
        return self.bundle()

    def order(self, bundle: EvidenceBundle | None = None) -> ReleaseOrder:
        """What a bundle (the honest one) verifies to."""
        return evidence.verify(bundle or self.honest, self.anchors, self.now)

    # Answers and release.

    def positions(self, department: str, values: Mapping[str, str | None] | None = None) -> list[int]:
        """The department's columns as integers, in the header's order."""
        values = VALUES if values is None else values
        entries = self.scorecard.header.department(department).columns
        return [position for entry in entries for position in entry.column.encode(values[entry.column.name])]

    def answer(self, department: str, order: ReleaseOrder | None = None) -> tuple[bytes, bytes]:
        """(answer_jws, ciphertexts) of one department."""
        order = order or self.order()
        ciphertexts = encryptor(order.recipient_key.n).encrypt(self.positions(department))
        token = sign_answer(order, self.departments[department].signer, ciphertexts, self.now)
        return token, ciphertexts

    def answers(self, order: ReleaseOrder | None = None) -> dict[str, tuple[bytes, bytes]]:
        """Answers of all departments of the scorecard, in the header's order."""
        order = order or self.order()
        return {entry.id: self.answer(entry.id, order) for entry in order.header.departments}

    def output(self, answers: Mapping[str, tuple[bytes, bytes]]) -> bytes:
        """The encrypted score, as the gateway computes it."""
        key = self.paillier_key.public
        columns = [
            c
            for department, (_, data) in answers.items()
            for c in split(data, key, sum(self.scorecard.header.department(department).widths()))
        ]
        total = weighted_sum(key, columns, self.scorecard.points(), self.scorecard.weights.bias)
        return join([rerandomise(key, total, weight_bits=16, columns=len(columns))], key)

    def plaintext_score(self) -> int:
        """What the bank must find."""
        positions = [p for entry in self.scorecard.header.departments for p in self.positions(entry.id)]
        points = self.scorecard.points()
        return self.scorecard.weights.bias + sum(w * x for w, x in zip(points, positions, strict=True))

    def release(
        self,
        order: ReleaseOrder,
        tokens: Sequence[bytes],
        output: bytes,
        missing: Sequence[str] = (),
        body: Mapping[str, object] | None = None,
        kind: str = "query.release",
        **receipt: Any,
    ) -> Receipt:
        """Receipt of a release leaf over these answers; `body` changes leaf fields."""
        answers: list[VerifiedAnswer] = [verify_answer(token, order, self.anchors) for token in tokens]
        fields = {**release_body(order, answers, missing, output), **(body or {})}
        index = self.log.append(kind, fields, self.now)
        receipt.setdefault("cosigned_at", self.now)
        return self.log.receipt(index, **receipt)


@cache
def encryptor(n: Any) -> Encryptor:
    """Tables for one key, small and made once."""
    for private in (key_2048(), other_key_2048()):
        if private.public.n == n:
            return Encryptor(private.public, window=4)
    raise AssertionError("no test key has this modulus")


def _claims(model: type[Any], kind: StatementKind, changes: Mapping[str, object], honest: dict[str, object]) -> Any:
    """Built from JSON, as on the wire: strict models take enumerations and lists from JSON only."""
    fields = {"aud": kind.audience(TRUST_DOMAIN), **honest, **changes}
    return model.parse(canonical.encode(fields), "claims")


def _lenient(model: type[Any], token: bytes, fallback: Any) -> Any:
    try:
        return model.parse(signing.unverified_payload(token, "part"), "part")
    except signing.ConsentgateError:
        return fallback
