"""The signed statements: what each party may say, claim by claim (docs/wire.md).

Every kind of statement has its own `typ` and its own audience, so that a signature made for one purpose is
worth nothing for another. Models are strict and closed: an unknown claim is refused, since a verifier that
ignores what it does not know may drop a restriction. Times are integer seconds since 1970 (RFC 7519
NumericDate without fraction).
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from stdnum.cn import uscc

from consentgate import canonical
from consentgate.errors import ConsentgateError, ErrorCode

Hex16 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Hex32 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Identifier = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Spiffe = Annotated[str, Field(pattern=r"^spiffe://[a-z0-9.-]{1,255}/[a-z]{1,16}/[a-z0-9._-]{1,64}$")]
CompanyCode = Annotated[str, Field(pattern=r"^[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}$")]
LogName = Annotated[str, Field(pattern=r"^[!-*,-~]{1,255}$")]
"""A log's origin (c2sp.org/signed-note: printable, no blank, no plus sign); SPIFFE ids have this form too."""
Seconds = Annotated[int, Field(ge=0, le=253402300799)]
Period = Annotated[str, Field(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$")]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
One = Annotated[int, Field(ge=1, le=1)]
"""Exactly 1. `Literal[1]` would take `true` for it, also in a strict model."""

MAX_SIGNATORIES = 16
"""Most persons whose joint signature a mandate can ask for."""
MAX_GROUP_MEMBERS = 256
"""Most banks in one grantee group."""
MAX_JUDGED_SCORECARDS = 1000
"""Most scorecards in one group's judged set."""


class StatementKind(StrEnum):
    """Kinds of signed statements; the value is the middle part of `typ` and the last part of `aud`."""

    SCORE_REQUEST = "score-request"
    CONSENT = "consent"
    CONSENT_TRANSITION = "consent-transition"
    COMPANY_ATTESTATION = "company-attestation"
    SCORECARD_APPROVAL = "scorecard-approval"
    KEY_REGISTRATION = "key-registration"
    FEATURE_ANSWER = "feature-answer"
    SUBJECT_HISTORY = "subject-history"
    LEDGER_REPORT = "ledger-report"

    @property
    def typ(self) -> str:
        """JWS header `typ` (RFC 7515 section 4.1.9)."""
        return f"consentgate-{self.value}+jwt"

    def audience(self, trust_domain: str) -> str:
        """The `aud` claim: this federation, this kind of statement."""
        return f"consentgate://{trust_domain}/{self.value}"


class Use(StrEnum):
    """What a consent allows to be made of the data."""

    SCORE = "SCORE"
    PROFILE = "PROFILE"
    MATCH = "MATCH"


class Custody(StrEnum):
    """Who can open a score (design 1)."""

    RECIPIENT = "recipient"


class Claims(BaseModel):
    """Base of all statements: closed, frozen, strict types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    aud: Annotated[str, Field(max_length=400)]
    iat: Seconds

    @classmethod
    def parse(cls, payload: bytes, name: str) -> Self:
        """Claims in `payload`; raises INVALID_ARGUMENT_FIELD that names the first offending claim, never its
        value.
        """
        canonical.parse(payload, name)
        try:
            return cls.model_validate_json(payload)
        except ValidationError as error:
            where = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
            raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=f"{name}.{where}".rstrip(".")) from None

    def payload(self) -> bytes:
        """Canonical bytes to be signed."""
        return canonical.encode(self.model_dump(mode="json", exclude_none=True))

    @property
    def issued_at(self) -> datetime:
        """`iat` as an aware datetime."""
        return datetime.fromtimestamp(self.iat, UTC)


def check_company(code: str) -> None:
    """Raises ValueError unless the check character fits; the form is CompanyCode's.

    `uscc.is_valid` would refuse codes that begin with a letter (GB 32100-2015, table 1).
    """
    if uscc.calc_check_digit(code[:-1]) != code[-1]:
        raise ValueError("company is not a valid unified social credit code")


class _OfCompany(Claims):
    company: CompanyCode

    @model_validator(mode="after")
    def _valid_company(self) -> Self:
        check_company(self.company)
        return self


class ScoreRequestClaims(_OfCompany):
    """A bank asks for one score; signed by the bank."""

    iss: Spiffe
    request_id: Hex16
    scorecard: Hex32
    purpose: Identifier
    use: Literal[Use.SCORE]
    key_id: Hex32
    custody: Custody
    as_of: Period


class Frequency(BaseModel):
    """At most `count` uses per calendar unit."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    count: Count
    per: Literal["HOUR", "DAY", "MONTH", "YEAR"]


class DataRange(BaseModel):
    """First and last as-of period the consent covers."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    first: Period
    last: Period


class ConsentClaims(_OfCompany):
    """A company's consent (fields as in India's Account Aggregator / ReBIT); signed by its signatories.

    Never edited: a change is a new version that supersedes. `subject` is the token under which the ledger
    speaks of this company towards this grantee group; `data_life` is for how many days the grantee may keep
    what it learned.
    """

    consent_id: Hex16
    version: Annotated[int, Field(ge=1, le=1_000_000)]
    subject: Hex16
    group: Identifier
    grantee: Spiffe
    purpose: Identifier
    use: Use
    categories: Annotated[list[Identifier], Field(min_length=1, max_length=256)]
    valid_from: Seconds
    valid_until: Seconds
    frequency: Frequency
    total_uses: Count
    data_range: DataRange
    data_life_days: Annotated[int, Field(ge=0, le=36500)]
    nonce: Hex16

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.valid_until <= self.valid_from:
            raise ValueError("valid_until must be later than valid_from")
        if self.data_range.last < self.data_range.first:
            raise ValueError("data_range.last must not be before data_range.first")
        return self


class TransitionAction(StrEnum):
    """What a company can do with a consent it granted."""

    PAUSE = "PAUSE"
    RESUME = "RESUME"
    REVOKE = "REVOKE"


class ConsentTransitionClaims(_OfCompany):
    """A company pauses, resumes or revokes a consent; signed by its signatories."""

    consent_id: Hex16
    version: Annotated[int, Field(ge=1, le=1_000_000)]
    action: TransitionAction
    nonce: Hex16


class PublicJwk(BaseModel):
    """An Ed25519 public key (RFC 8037)."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    x: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]


class Signatory(BaseModel):
    """One natural person (opaque id) with the key that signs for the company."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    person: Hex16
    jwk: PublicJwk


class CompanyAttestationClaims(_OfCompany):
    """The company registry says which persons sign for a company, and how many of them; signed by the
    registry.

    `entity` is an opaque id under which the company appears in certificates, so that its code appears in
    none.
    """

    iss: Spiffe
    entity: Hex16
    threshold: Annotated[int, Field(ge=1, le=MAX_SIGNATORIES)]
    signatories: Annotated[list[Signatory], Field(min_length=1, max_length=MAX_SIGNATORIES)]
    valid_from: Seconds
    valid_until: Seconds

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.threshold > len({signatory.person for signatory in self.signatories}):
            raise ValueError("threshold is larger than the number of distinct persons")
        if len({signatory.jwk.x for signatory in self.signatories}) != len(self.signatories):
            raise ValueError("two signatories share a key")
        return self


class JudgedScorecard(BaseModel):
    """A scorecard in a group's judged set. Retired ones stay: their answers may still live."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    id: Hex32
    state: Literal["approved", "retired"]


class ScorecardApprovalClaims(Claims):
    """The next link of a grantee group's approval chain; signed by the reviewers (design 4)."""

    group: Identifier
    members: Annotated[list[Spiffe], Field(min_length=1, max_length=MAX_GROUP_MEMBERS)]
    sequence: Annotated[int, Field(ge=1, le=1_000_000)]
    previous: Hex32
    action: Literal["APPROVE", "RETIRE"]
    scorecard: Hex32
    scorecards: Annotated[list[JudgedScorecard], Field(min_length=1, max_length=MAX_JUDGED_SCORECARDS)]
    report: Hex32

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        states = {judged.id: judged.state for judged in self.scorecards}
        if len(states) != len(self.scorecards):
            raise ValueError("scorecards names one id twice")
        if states.get(self.scorecard) != ("approved" if self.action == "APPROVE" else "retired"):
            raise ValueError("scorecards does not contain the scorecard in the state that the action gives it")
        return self

    def approved(self) -> frozenset[str]:
        """Ids that may be asked for now."""
        return frozenset(judged.id for judged in self.scorecards if judged.state == "approved")


class KeyRegistrationClaims(Claims):
    """A bank registers the Paillier key under which it receives scores; signed by the bank.

    `key` is phe's public-key JSON form, `proof` the Paillier-Blum proof bound to the bank's SPIFFE id.
    """

    iss: Spiffe
    key_id: Hex32
    key: Annotated[str, Field(max_length=4096)]
    proof: Annotated[str, Field(max_length=900_000)]


class FeatureAnswerClaims(Claims):
    """A department says what it released: signed by the department."""

    iss: Spiffe
    leaf: Hex32
    subject: Hex16
    columns: Annotated[list[Identifier], Field(min_length=1, max_length=4096)]
    widths: Annotated[list[Annotated[int, Field(ge=1, le=4096)]], Field(min_length=1, max_length=4096)]
    slots: One
    key_id: Hex32
    as_of: Period
    ciphertexts: Hex32


class SubjectHistoryClaims(Claims):
    """A department says what the ledger, up to `size` leaves, holds about a subject: signed by the department.

    `history` is the digest of docs/ledger-format.md, section 14; zeros when no leaf bears the token.
    """

    iss: Spiffe
    subject: Hex16
    size: Annotated[int, Field(ge=1, le=9007199254740991)]
    root: Hex32
    entries: Annotated[int, Field(ge=0, le=9007199254740991)]
    history: Hex32


class LedgerReportClaims(Claims):
    """Somebody vouches for a report of the ledger (docs/operations.md); signed by the log's key or by an officer.

    `iss` is an officer's SPIFFE id, or the log's origin when its own key signed. `size` and `root` are of the tree
    against which every entry was verified; `summary` is SHA-256 of `summary.json`, which names all other files.
    """

    iss: LogName
    log: LogName
    size: Annotated[int, Field(ge=1, le=9007199254740991)]
    root: Hex32
    entries: Annotated[int, Field(ge=0, le=9007199254740991)]
    summary: Hex32
