"""Every part of an answer, spoilt: refused with its own code, and the private key never touched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bank_client import scoring
from bank_client.scoring import Answer
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.evidence import REQUEST_WINDOW
from consentgate.scorecard import Scorecard
from ledger.receipt import Receipt
from tests.support.federation import Federation, hex16
from tests.support.paillier_keys import other_key_2048
from tests.support.sample_scorecard import small_scorecard
from tests.unit.bank_client.exchange import Exchange, SpyKey, exchange


def flipped(data: bytes, at: int = -1) -> bytes:
    """One bit of one byte changed."""
    index = at % len(data)
    return data[:index] + bytes([data[index] ^ 1]) + data[index + 1 :]


def altered_signature(token: bytes) -> bytes:
    """A compact JWS whose signature is of the right form and wrong."""
    head, payload, signature = token.split(b".")
    first = b"A" if signature[:1] != b"A" else b"B"
    return b".".join((head, payload, first + signature[1:]))


def with_bundle(honest: Exchange, **parts: object) -> Answer:
    return replace(honest.received, evidence=replace(honest.received.evidence, **parts))  # type: ignore[arg-type]  # parts by name


SPOILT: dict[str, tuple[Callable[[Exchange], Answer], ErrorCode]] = {
    "another request of this bank": (
        lambda x: exchange(x.federation, request_id=hex16("other request")).received,
        ErrorCode.RECEIPT_MISMATCH,
    ),
    "request signed again, same claims, another chain": (
        lambda x: with_bundle(x, request_jws=x.federation.sign_request(signer=x.federation.bank_b.signer)),
        ErrorCode.RECEIPT_MISMATCH,
    ),
    "registration of another key": (
        lambda x: with_bundle(
            x,
            key_registration_jws=x.federation.sign_registration(
                x.federation.registration_claims(private=other_key_2048())
            ),
        ),
        ErrorCode.KEY_MISMATCH,
    ),
    "consent altered": (
        lambda x: with_bundle(x, consent_jws=x.federation.sign_consent(x.federation.consent_claims(version=2))),
        ErrorCode.RECEIPT_MISMATCH,
    ),
    "consent signed by one person": (
        lambda x: with_bundle(x, consent_jws=x.federation.sign_consent(signers=x.federation.company.signers[:1])),
        ErrorCode.CONSENT_SIGNATURE,
    ),
    "attestation by somebody else": (
        lambda x: with_bundle(x, attestation_jws=x.federation.sign_attestation(signer=x.federation.company.signers[0])),
        ErrorCode.ATTESTATION_SIGNATURE,
    ),
    "header altered": (
        lambda x: with_bundle(x, scorecard_header=small_scorecard(name="other").header.encode()),
        ErrorCode.SCORECARD_HEADER,
    ),
    "approval by one reviewer": (
        lambda x: with_bundle(
            x,
            approval_jws=x.federation.sign_approval(signers=list(x.federation.reviewers.values())[:1]),
        ),
        ErrorCode.APPROVAL_SIGNATURE,
    ),
    "salt altered": (
        lambda x: with_bundle(x, request_salt=flipped(x.received.evidence.request_salt)),
        ErrorCode.RECEIPT_MISMATCH,
    ),
    "decision leaf altered": (
        lambda x: with_bundle(
            x,
            decision=Receipt(
                leaf=x.received.evidence.decision.leaf.replace(b'"allow"', b'"deny"'),
                proof=x.received.evidence.decision.proof,
            ),
        ),
        ErrorCode.RECEIPT_INVALID,
    ),
    "answer's signature altered": (
        lambda x: replace(x.received, answers=(altered_signature(x.received.answers[0]), *x.received.answers[1:])),
        ErrorCode.ANSWER_SIGNATURE,
    ),
    "answer left out that the scorecard demands": (
        lambda x: replace(x.received, answers=x.received.answers[:1]),
        ErrorCode.RELEASE_MISMATCH,
    ),
    "answers in another order": (
        lambda x: replace(x.received, answers=x.received.answers[::-1]),
        ErrorCode.RELEASE_MISMATCH,
    ),
    "release of another request": (
        lambda x: replace(
            x.received,
            release=exchange(x.federation, request_id=hex16("other request")).received.release,
        ),
        ErrorCode.RELEASE_MISMATCH,
    ),
    "decision in place of the release": (
        lambda x: replace(x.received, release=x.received.evidence.decision),
        ErrorCode.RELEASE_MISMATCH,
    ),
    "release leaf altered": (
        lambda x: replace(
            x.received,
            release=Receipt(
                leaf=x.received.release.leaf.replace(b'"missing":[]', b'"missing":["courts"]'),
                proof=x.received.release.proof,
            ),
        ),
        ErrorCode.RECEIPT_INVALID,
    ),
    "ciphertext that the ledger did not record": (
        lambda x: replace(x.received, ciphertext=x.encrypted(600)),
        ErrorCode.RELEASE_MISMATCH,
    ),
    "ciphertext one byte short": (
        lambda x: x.with_output(x.received.ciphertext[1:]),
        ErrorCode.CIPHERTEXT_INVALID,
    ),
    "ciphertext one byte long": (
        lambda x: x.with_output(b"\x00" + x.received.ciphertext),
        ErrorCode.CIPHERTEXT_INVALID,
    ),
    "two ciphertexts": (
        lambda x: x.with_output(2 * x.received.ciphertext),
        ErrorCode.CIPHERTEXT_INVALID,
    ),
    "ciphertext zero": (
        lambda x: x.with_output(bytes(len(x.received.ciphertext))),
        ErrorCode.CIPHERTEXT_INVALID,
    ),
    "ciphertext not below n squared": (
        lambda x: x.with_output(b"\xff" * len(x.received.ciphertext)),
        ErrorCode.CIPHERTEXT_INVALID,
    ),
    "ciphertext not a unit": (
        lambda x: x.with_output(int(x.key.private.p).to_bytes(len(x.received.ciphertext), "big")),
        ErrorCode.CIPHERTEXT_INVALID,
    ),
}


def test_an_honest_answer_opens_to_the_plaintext_score(honest: Exchange) -> None:
    verified = honest.verify()
    assert scoring.open_verified(verified, honest.key) == honest.federation.plaintext_score()
    assert verified.departments == ("tax", "customs")
    assert verified.missing == ()


@pytest.mark.parametrize("defect", SPOILT)
def test_a_spoilt_answer_is_refused_before_decryption(honest: Exchange, defect: str) -> None:
    spoil, code = SPOILT[defect]
    spy = SpyKey(honest.key.private)
    with pytest.raises(ConsentgateError) as refusal:
        replace(honest, key=spy).open(spoil(honest))
    assert refusal.value.code is code
    assert spy.decryptions == 0


@pytest.mark.parametrize("beyond", [REQUEST_WINDOW + timedelta(minutes=1), -REQUEST_WINDOW - timedelta(minutes=1)])
def test_a_decision_far_from_the_question_is_refused(honest: Exchange, beyond: timedelta) -> None:
    """The gateway holds the question back, or shows a decision from before it was asked."""
    claims = honest.sent.claims
    moved = claims.model_copy(update={"iat": claims.iat + int(beyond.total_seconds())})
    with pytest.raises(ConsentgateError) as refusal:
        honest.verify(sent=replace(honest.sent, claims=moved))
    assert refusal.value.code is ErrorCode.CLOCK_SKEW


def test_a_decision_from_the_future_is_refused(honest: Exchange) -> None:
    with pytest.raises(ConsentgateError) as refusal:
        honest.verify(now=honest.federation.now - REQUEST_WINDOW - timedelta(minutes=1))
    assert refusal.value.code is ErrorCode.CLOCK_SKEW


def test_the_stored_answer_to_a_repeated_question_opens_much_later(honest: Exchange) -> None:
    verified = honest.verify(now=honest.federation.now + timedelta(days=2))
    assert scoring.open_verified(verified, honest.key) == honest.federation.plaintext_score()


@pytest.mark.parametrize("end", ["below", "above"])
def test_a_score_outside_the_range_is_refused(honest: Exchange, end: str) -> None:
    header = honest.federation.scorecard.header
    score = header.score_low - 1 if end == "below" else header.score_high + 1
    with pytest.raises(ConsentgateError) as refusal:
        honest.open(honest.with_output(honest.encrypted(score)))
    assert refusal.value.code is ErrorCode.SCORE_OUT_OF_RANGE
    assert str(score) not in str(refusal.value)


@pytest.mark.parametrize("end", ["low", "high"])
def test_both_ends_of_the_range_are_scores(honest: Exchange, end: str) -> None:
    score = getattr(honest.federation.scorecard.header, f"score_{end}")
    assert honest.open(honest.with_output(honest.encrypted(score))) == score


def test_another_private_key_is_refused_before_decryption(honest: Exchange) -> None:
    spy = SpyKey(other_key_2048())
    with pytest.raises(ConsentgateError) as refusal:
        scoring.open_verified(honest.verify(), spy)
    assert refusal.value.code is ErrorCode.KEY_MISMATCH
    assert spy.decryptions == 0


def test_the_scorecard_that_the_bank_holds_is_accepted(honest: Exchange) -> None:
    question = replace(honest.question, scorecard=honest.federation.scorecard)
    assert honest.verify(question=question).order.request.scorecard == question.scorecard_id


def test_other_weights_than_the_bank_holds_are_refused(honest: Exchange) -> None:
    """The same header id cannot carry other weights; a scorecard object with another header is another question."""
    other = small_scorecard(name="other")
    with pytest.raises(ConsentgateError) as refusal:
        honest.verify(question=replace(honest.question, scorecard=other))
    assert refusal.value.code is ErrorCode.SCORECARD_INVALID


def test_a_missing_department_that_the_scorecard_allows_is_named() -> None:
    federation = Federation(scorecard=small_scorecard(name="lenient", missing="encode"))
    signed = federation.sign_request()
    bundle = federation.bundle(request=signed)
    order = federation.order(bundle)
    token, _ = federation.answer("tax", order)
    output = Exchange(federation, None, None, None, SpyKey(federation.paillier_key)).encrypted(610)  # type: ignore[arg-type]  # only the key is used
    release = federation.release(order, [token], output, missing=["customs"])
    verified = scoring.verify_answer(Answer(output, bundle, (token,), release), federation.anchors)
    assert (verified.departments, verified.missing) == (("tax",), ("customs",))


def test_an_auditor_needs_neither_key_nor_clock(honest: Exchange) -> None:
    verified = scoring.verify_answer(honest.received, honest.federation.anchors)
    assert verified.order.request.request_id == honest.sent.request_id


def test_a_scorecard_object_and_its_id_ask_the_same(honest: Exchange) -> None:
    scorecard: Scorecard = honest.federation.scorecard
    assert replace(honest.question, scorecard=scorecard).scorecard_id == honest.question.scorecard_id
