"""Consents and their transitions as the company signs them; alone, or k of n persons one after the other.

Terms become claims here: fresh consent id and nonce, the subject token of the grantee's group. When several persons
must sign, the first writes a *draft*: the exact payload and the signatures so far. Each further person reads what it
says, adds a signature to a copy, and `join` puts all together. Nobody can alter a draft unnoticed: every signature is
over the same bytes, and `join` refuses drafts that differ.

Left out: negotiation of the terms; who the persons are, which the registry's attestation says.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from consentgate import canonical, signing
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.signing import PersonSigner
from consentgate.statements import (
    Claims,
    ConsentClaims,
    ConsentTransitionClaims,
    DataRange,
    Frequency,
    StatementKind,
    TransitionAction,
    Use,
)
from ledger.durable_files import write_new

NONCE_BYTES = 16
"""bytes of randomness in a consent id and in a nonce."""
DRAFT_FORMAT = "consentgate-signature-draft"
MAX_DRAFT_BYTES = 131072
"""bytes; twice the wire's bound for a signed statement, since a draft repeats the payload per signature."""

SIGNABLE: dict[StatementKind, type[Claims]] = {
    StatementKind.CONSENT: ConsentClaims,
    StatementKind.CONSENT_TRANSITION: ConsentTransitionClaims,
}
"""What a company signs."""


@dataclass(frozen=True)
class ConsentVersion:
    """One version of a consent, which the next one supersedes."""

    consent_id: str
    version: int


@dataclass(frozen=True)
class ConsentTerms:
    """What is consented to. `grantee` is the bank's SPIFFE id, `group` the grantee group it belongs to."""

    grantee: str
    group: str
    purpose: str
    categories: Sequence[str]
    valid_from: datetime
    valid_until: datetime
    frequency: Frequency
    total_uses: int
    data_range: DataRange
    data_life_days: int
    use: Use = Use.SCORE


def consent_claims(
    terms: ConsentTerms,
    company: str,
    subject: str,
    trust_domain: str,
    now: datetime,
    supersedes: ConsentVersion | None = None,
) -> ConsentClaims:
    """A new consent, or the next version of `supersedes`; raises INVALID_ARGUMENT_FIELD naming the offending term."""
    claims = {
        "aud": StatementKind.CONSENT.audience(trust_domain),
        "iat": int(now.timestamp()),
        "company": company,
        "consent_id": secrets.token_hex(NONCE_BYTES) if supersedes is None else supersedes.consent_id,
        "version": 1 if supersedes is None else supersedes.version + 1,
        "subject": subject,
        "group": terms.group,
        "grantee": terms.grantee,
        "purpose": terms.purpose,
        "use": terms.use.value,
        "categories": list(terms.categories),
        "valid_from": int(terms.valid_from.timestamp()),
        "valid_until": int(terms.valid_until.timestamp()),
        "frequency": terms.frequency.model_dump(),
        "total_uses": terms.total_uses,
        "data_range": terms.data_range.model_dump(),
        "data_life_days": terms.data_life_days,
        "nonce": secrets.token_hex(NONCE_BYTES),
    }
    return ConsentClaims.parse(canonical.encode(claims), "consent")


def transition_claims(
    action: TransitionAction, consent_id: str, version: int, company: str, trust_domain: str, now: datetime
) -> ConsentTransitionClaims:
    """A pause, resumption or revocation of one version of a consent."""
    claims = {
        "aud": StatementKind.CONSENT_TRANSITION.audience(trust_domain),
        "iat": int(now.timestamp()),
        "company": company,
        "consent_id": consent_id,
        "version": version,
        "action": action.value,
        "nonce": secrets.token_hex(NONCE_BYTES),
    }
    return ConsentTransitionClaims.parse(canonical.encode(claims), "transition")


@dataclass(frozen=True)
class Draft:
    """A statement that some persons signed already (compact JWS each, all over `payload`)."""

    kind: StatementKind
    payload: bytes
    signatures: tuple[bytes, ...]

    @classmethod
    def begin(cls, kind: StatementKind, claims: Claims, signers: Sequence[PersonSigner]) -> Draft:
        """A draft signed by the persons at hand; may be none."""
        draft = cls(kind, claims.payload(), ())
        for signer in signers:
            draft = draft.signed_by(signer)
        return draft

    def claims(self) -> ConsentClaims | ConsentTransitionClaims:
        """What a person is asked to sign: show this, not anything that travels beside it."""
        claims = SIGNABLE[self.kind].parse(self.payload, "draft.payload")
        if not isinstance(claims, ConsentClaims | ConsentTransitionClaims):
            raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="draft.kind")
        return claims

    def signed_by(self, signer: PersonSigner) -> Draft:
        """The draft with one more person's signature; signing twice changes nothing."""
        self.claims()
        signature = signing.signature_of(self.kind, self.payload, signer)
        others = tuple(kept for kept in self.signatures if kept != signature)
        return Draft(self.kind, self.payload, (*others, signature))

    def joined(self, *others: Draft) -> Draft:
        """All signatures of drafts over one and the same payload; raises INVALID_ARGUMENT_FIELD otherwise."""
        if any((other.kind, other.payload) != (self.kind, self.payload) for other in others):
            raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="draft.payload")
        signatures = dict.fromkeys(one for draft in (self, *others) for one in draft.signatures)
        return Draft(self.kind, self.payload, tuple(signatures))

    def statement(self) -> bytes:
        """The jointly signed statement; raises INVALID_ARGUMENT_FIELD when nobody signed or a payload differs."""
        if not self.signatures:
            raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="draft.signatures")
        token = signing.join_signatures(self.signatures)
        if signing.unverified_payload(token, "draft.signatures") != self.payload:
            # A signature over other bytes than the ones that were shown.
            raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="draft.signatures")
        return token

    def save(self, path: Path) -> None:
        """Writes the draft for the next person; never overwrites. It names the company: 0600."""
        content = canonical.encode(
            {
                "format": DRAFT_FORMAT,
                "version": 1,
                "kind": self.kind.value,
                "payload": self.payload.decode(),
                "signatures": [signature.decode() for signature in self.signatures],
            }
        )
        try:
            write_new(path, content + b"\n")
        except FileExistsError as error:
            hint = "A draft is never overwritten. Name a new file."
            raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=str(path), hint=hint) from error

    @classmethod
    def load(cls, path: Path) -> Draft:
        """Reads a draft; raises INVALID_ARGUMENT_FIELD naming the file. Signatures are checked when it is sent."""
        try:
            with path.open("rb") as file:
                content = canonical.parse(file.read(MAX_DRAFT_BYTES), str(path))
            return cls._from(content)
        except (OSError, ValidationError, ValueError, KeyError, TypeError) as error:
            raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=str(path)) from error

    @classmethod
    def _from(cls, content: dict[str, object]) -> Draft:
        if set(content) != {"format", "version", "kind", "payload", "signatures"}:
            raise ValueError("unknown or missing member")
        if content["format"] != DRAFT_FORMAT or content["version"] != 1:
            raise ValueError("not a draft of a known version")
        kind = StatementKind(str(content["kind"]))
        if kind not in SIGNABLE or not isinstance(content["payload"], str):
            raise ValueError("not a statement that a company signs")
        signatures = content["signatures"]
        if not isinstance(signatures, list) or not all(_is_compact(item) for item in signatures):
            raise ValueError("signatures are not compact JWS")
        return cls(kind, content["payload"].encode(), tuple(str(item).encode() for item in signatures))


def _is_compact(item: object) -> bool:
    return isinstance(item, str) and item.isascii() and item.count(".") == 2
