"""A question as the bank signs it: once, and sent again byte for byte (design 1, step 1).

The request id makes the question unique, the signature makes it undeniable. A repeat must be the *same bytes*: the
gateway answers a known (bank, request id) with the stored answer for the same bytes and refuses other bytes.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime

from consentgate import canonical
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.scorecard import Scorecard
from consentgate.signing import InstitutionSigner, unverified_payload
from consentgate.statements import Custody, ScoreRequestClaims, StatementKind, Use

REQUEST_ID_BYTES = 16
"""bytes of randomness in a request id: 128 bits never collide."""
REQUEST_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Question:
    """What the caller wants to know. `scorecard` is an id, or the scorecard itself when the bank holds its weights."""

    company: str
    scorecard: str | Scorecard
    purpose: str
    as_of: str

    @property
    def scorecard_id(self) -> str:
        """Id of the scorecard asked for, 64 hex digits."""
        return self.scorecard if isinstance(self.scorecard, str) else self.scorecard.header.id


@dataclass(frozen=True)
class SignedQuestion:
    """The claims, and the bytes that were signed: these go over the wire, now and on every repeat."""

    claims: ScoreRequestClaims
    signed: bytes

    @property
    def request_id(self) -> str:
        """32 hex digits."""
        return self.claims.request_id


def new_request_id() -> str:
    """A fresh random request id."""
    return secrets.token_hex(REQUEST_ID_BYTES)


def check_request_id(request_id: str) -> None:
    """Raises INVALID_ARGUMENT_FIELD unless `request_id` is 32 lowercase hex digits; it also names files."""
    if REQUEST_ID.fullmatch(request_id) is None:
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="request_id")


def current_period(now: datetime) -> str:
    """The calendar month of `now`, as `as_of` wants it."""
    return f"{now:%Y-%m}"


def sign(question: Question, request_id: str, key_id: str, signer: InstitutionSigner, now: datetime) -> SignedQuestion:
    """Signs the question for the recipient key `key_id`."""
    check_request_id(request_id)
    kind = StatementKind.SCORE_REQUEST
    payload = {
        "aud": kind.audience(signer.identity.trust_domain),
        "iat": int(now.timestamp()),
        "iss": str(signer.identity),
        "request_id": request_id,
        "company": question.company,
        "scorecard": question.scorecard_id,
        "purpose": question.purpose,
        "use": Use.SCORE.value,
        "key_id": key_id,
        "custody": Custody.RECIPIENT.value,
        "as_of": question.as_of,
    }
    # Through `parse`, so that a bad argument is refused here, with its name, before anything is signed.
    claims = ScoreRequestClaims.parse(canonical.encode(payload), "request")
    return SignedQuestion(claims, signer.sign(kind, claims))


def reopen(signed: bytes, request_id: str, question: Question, key_id: str) -> SignedQuestion:
    """A question signed earlier, to be sent again; raises IDEMPOTENCY_CONFLICT when it asked something else."""
    claims = ScoreRequestClaims.parse(unverified_payload(signed, "request"), "request")
    asked = (claims.request_id, claims.company, claims.scorecard, claims.purpose, claims.as_of, claims.key_id)
    wanted = (
        request_id,
        question.company,
        question.scorecard_id,
        question.purpose,
        question.as_of,
        key_id,
    )
    if asked != wanted:
        raise ConsentgateError(ErrorCode.IDEMPOTENCY_CONFLICT, field="request_id")
    return SignedQuestion(claims, signed)
