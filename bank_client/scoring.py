"""Opening a score: everything is verified before the private key is touched (design 1, step 11).

An answer is what the gateway handed over; nothing in it is believed. In this order:
 1. the bundle holds the question that this bank signed, byte for byte;
 2. the decision was witnessed around the moment when the bank asked, by the bank's own clock;
 3. the evidence holds: `evidence.verify`, as of the decision;
 4. when the bank holds the scorecard itself, the order is for exactly that scorecard and weights;
 5. the ledger recorded this release: every department's answer, and this output;
 6. the ciphertext has exactly the key's width, lies in (0, n²) and is a unit;
 7. only now, and only when the order is for the key at hand: decrypt, decode as a signed integer;
 8. the score lies in the scorecard's range.

`verify_answer` is steps 3, 5 and 6, which need no secret and no clock: an auditor runs them on an archive. Left out,
because nobody can know it from these parts: whether the gateway combined the departments' ciphertexts as the weights
say. In recipient custody a gateway that computes wrongly is bounded by step 8 alone (docs/threat-model.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gmpy2 import mpz

from bank_client.question import Question, SignedQuestion
from consentgate import answer as department_answer
from consentgate import evidence
from consentgate.anchors import Anchors
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.evidence import REQUEST_WINDOW, EvidenceBundle, ReleaseOrder
from consentgate.scorecard import Scorecard
from ledger.receipt import Receipt
from ledger.verify import VerifiedLeaf
from paillier.errors import PaillierError, ScoreOutOfRange
from paillier.public_key import PublicKey
from paillier.score_range import check_score, decode_signed
from paillier.wire import split


@dataclass(frozen=True)
class Answer:
    """What the gateway returned, as received: unverified."""

    ciphertext: bytes
    evidence: EvidenceBundle
    answers: tuple[bytes, ...]
    release: Receipt


@dataclass(frozen=True)
class VerifiedAnswer:
    """An answer whose evidence, release and ciphertext hold. The score in it is still closed."""

    order: ReleaseOrder
    release: VerifiedLeaf
    ciphertext: mpz
    departments: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Score:
    """A score with the two ledger leaves that prove how it came about.

    `departments` answered; `missing` did not and were encoded as missing, as the scorecard allows. `seconds` counts
    from the question to the opened score.
    """

    value: int
    request_id: str
    decision: VerifiedLeaf
    release: VerifiedLeaf
    departments: tuple[str, ...]
    missing: tuple[str, ...]
    seconds: float


class Opener(Protocol):
    """A key that can open one ciphertext; `paillier.private.PrivateKey` is one."""

    @property
    def public(self) -> PublicKey:
        """The key under which answers are encrypted."""

    def decrypt(self, ciphertext: int | mpz) -> int:
        """The plaintext in [0, n)."""


def verify_for(
    question: Question,
    sent: SignedQuestion,
    received: Answer,
    anchors: Anchors,
    now: datetime,
) -> VerifiedAnswer:
    """Steps 1 to 6 for the bank's own question; raises ConsentgateError with the code of the first broken one."""
    # 1. It answers what this bank asked.
    if received.evidence.request_jws != sent.signed:
        raise ConsentgateError(ErrorCode.RECEIPT_MISMATCH, field="evidence.request_jws")
    # 2. It was decided when the bank asked.
    _check_moment(sent, received, anchors, now)
    # 3, 5, 6. What any auditor can check.
    verified = verify_answer(received, anchors)
    # 4. It is the scorecard whose weights the bank holds.
    if isinstance(question.scorecard, Scorecard):
        Scorecard(verified.order.header, question.scorecard.weights)
    return verified


def verify_answer(received: Answer, anchors: Anchors) -> VerifiedAnswer:
    """Steps 3, 5 and 6: what holds for ever, for anybody who holds the anchors."""
    # 3. The evidence, as of the moment when the quorum had witnessed the decision.
    order = evidence.verify(received.evidence, anchors, evidence.decision_time(received.evidence, anchors))
    # 5. The release, with every department's answer.
    release = department_answer.verify_release(received.release, order, received.answers, received.ciphertext, anchors)
    # 6. The ciphertext.
    ciphertext = _check_ciphertext(received.ciphertext, order.recipient_key)
    missing = _missing(release)
    answered = tuple(entry.id for entry in order.header.departments if entry.id not in missing)
    return VerifiedAnswer(order, release, ciphertext, answered, missing)


def open_verified(verified: VerifiedAnswer, key: Opener) -> int:
    """Steps 7 and 8: the score; raises KEY_MISMATCH for another key and SCORE_OUT_OF_RANGE."""
    public = verified.order.recipient_key
    if key.public.key_id != public.key_id:
        raise ConsentgateError(ErrorCode.KEY_MISMATCH, field="paillier.private_key")
    # 7. Decrypt and decode.
    score = decode_signed(key.decrypt(verified.ciphertext), public)
    # 8. The range. The impossible value itself appears nowhere: it may encode what it should not.
    try:
        check_score(score, verified.order.header.score_low, verified.order.header.score_high)
    except ScoreOutOfRange as error:
        raise ConsentgateError(ErrorCode.SCORE_OUT_OF_RANGE, field="ciphertext") from error
    return score


def _check_moment(sent: SignedQuestion, received: Answer, anchors: Anchors, now: datetime) -> None:
    """The decision lies within the window around the question's `iat`, which was this bank's clock; never ahead of it.

    Measured from the question and not from `now`: the stored answer to a repeated question may be old and still true.
    """
    decided = evidence.decision_time(received.evidence, anchors)
    if abs(decided - sent.claims.issued_at) > REQUEST_WINDOW or decided > now + REQUEST_WINDOW:
        raise ConsentgateError(ErrorCode.CLOCK_SKEW, field="evidence.decision")


def _check_ciphertext(data: bytes, key: PublicKey) -> mpz:
    try:
        (ciphertext,) = split(data, key, 1)
    except PaillierError as error:
        raise ConsentgateError(
            ErrorCode.CIPHERTEXT_INVALID, field="ciphertext", private=f"{type(error).__name__}: {error}"
        ) from error
    return ciphertext


def _missing(release: VerifiedLeaf) -> tuple[str, ...]:
    """Departments left out, from a body that `verify_release` compared with what it must be."""
    names = release.entry.body["missing"]
    return tuple(str(name) for name in names) if isinstance(names, list) else ()
