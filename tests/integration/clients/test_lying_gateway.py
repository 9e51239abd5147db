"""A gateway that lies to the bank, over the wire: each lie is refused by its own name, and nothing is decrypted.

It holds the real gateway's certificate and may write whatever it wants into the ledger, since the ledger records what a
gateway says. It does not hold the keys of bank, company, registry, reviewers, departments or witnesses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from bank_client.client import BankClient
from bank_client.keystore import RecipientKey
from bank_client.session import BankSession
from consentgate.channel import open_channel
from consentgate.convert import bundle_from_message, bundle_to_message, receipt_from_message, receipt_to_message
from consentgate.errors import AnswerRefused, ErrorCode
from consentgate.evidence import EvidenceBundle
from consentgate.v1 import scoring_pb2
from ledger.receipt import Receipt
from tests.integration.clients.fake_gateway import FakeGateway
from tests.support.federation import AS_OF, PURPOSE, Federation, encryptor, hex16
from tests.support.witnessed_log import QUORUM
from tests.unit.bank_client.exchange import SpyKey


@dataclass(frozen=True)
class Lie:
    """The honest answer as the liar has it, and what it can make of it."""

    federation: Federation
    answer: scoring_pb2.ScoreResponse

    @property
    def bundle(self) -> EvidenceBundle:
        return bundle_from_message(self.answer.evidence)

    def with_bundle(self, bundle: EvidenceBundle) -> scoring_pb2.ScoreResponse:
        self.answer.evidence.CopyFrom(bundle_to_message(bundle))
        return self.answer

    def with_release(self, receipt: Receipt) -> scoring_pb2.ScoreResponse:
        self.answer.release.CopyFrom(receipt_to_message(receipt))
        return self.answer

    def with_output(self, ciphertext: bytes) -> scoring_pb2.ScoreResponse:
        """Another output, properly recorded as the release."""
        order = self.federation.order(self.bundle)
        self.answer.ciphertext = ciphertext
        return self.with_release(self.federation.release(order, tuple(self.answer.answer_jws), ciphertext))

    def encrypted(self, score: int) -> bytes:
        public = self.federation.paillier_key.public
        return encryptor(public.n).encrypt([score % int(public.n)])


def other_request(lie: Lie) -> scoring_pb2.ScoreResponse:
    """A complete honest answer, to another question of the same bank."""
    signed = lie.federation.sign_request(lie.federation.request_claims(request_id=hex16("earlier")))
    bundle = lie.federation.bundle(request=signed)
    order = lie.federation.order(bundle)
    answers = lie.federation.answers(order)
    tokens, output = [token for token, _ in answers.values()], lie.federation.output(answers)
    return scoring_pb2.ScoreResponse(
        ciphertext=output,
        evidence=bundle_to_message(bundle),
        answer_jws=tokens,
        release=receipt_to_message(lie.federation.release(order, tokens, output)),
    )


def wrong_request(lie: Lie) -> scoring_pb2.ScoreResponse:
    """The honest bundle, with another of the bank's signed requests put into it."""
    signed = lie.federation.sign_request(lie.federation.request_claims(request_id=hex16("earlier")))
    return lie.with_bundle(replace(lie.bundle, request_jws=signed))


def forged_release(lie: Lie) -> scoring_pb2.ScoreResponse:
    """A release leaf that was made up, with the proof of the true one."""
    release = receipt_from_message(lie.answer.release)
    forged = Receipt(release.leaf.replace(b'"missing":[]', b'"missing":["tax"]'), release.proof)
    return lie.with_release(forged)


def unwitnessed_release(lie: Lie) -> scoring_pb2.ScoreResponse:
    """A release that the log signed and too few witnesses saw."""
    federation = lie.federation
    order, tokens = federation.order(lie.bundle), tuple(lie.answer.answer_jws)
    return lie.with_release(federation.release(order, tokens, lie.answer.ciphertext, witnesses=QUORUM[:2]))


def release_of_another_decision(lie: Lie) -> scoring_pb2.ScoreResponse:
    """The release of another request, with its ciphertext and answers."""
    other = other_request(lie)
    lie.answer.release.CopyFrom(other.release)
    return lie.answer


def swapped_ciphertext(lie: Lie) -> scoring_pb2.ScoreResponse:
    """A score of the liar's choice, which the ledger did not record."""
    lie.answer.ciphertext = lie.encrypted(650)
    return lie.answer


def missing_answer(lie: Lie) -> scoring_pb2.ScoreResponse:
    """One department's answer left out."""
    del lie.answer.answer_jws[0]
    return lie.answer


def answer_by_the_wrong_department(lie: Lie) -> scoring_pb2.ScoreResponse:
    """One department's answer in the place of another's."""
    lie.answer.answer_jws[1] = lie.answer.answer_jws[0]
    return lie.answer


def answer_to_another_decision(lie: Lie) -> scoring_pb2.ScoreResponse:
    """What the departments answered to another request, under this decision."""
    tokens = list(other_request(lie).answer_jws)
    del lie.answer.answer_jws[:]
    lie.answer.answer_jws.extend(tokens)
    return lie.answer


def unwitnessed_decision(lie: Lie) -> scoring_pb2.ScoreResponse:
    """A decision that the witnesses never saw."""
    return lie.with_bundle(lie.federation.bundle(request=lie.bundle.request_jws, witnesses=QUORUM[:1]))


def denied(lie: Lie) -> scoring_pb2.ScoreResponse:
    """The ledger says deny."""
    body = {"verdict": "deny", "reason": "CONSENT_REVOKED"}
    return lie.with_bundle(lie.federation.bundle(request=lie.bundle.request_jws, body=body))


def another_scorecard_in_the_leaf(lie: Lie) -> scoring_pb2.ScoreResponse:
    """The ledger says another scorecard than the evidence."""
    return lie.with_bundle(lie.federation.bundle(request=lie.bundle.request_jws, body={"scorecard": "00" * 32}))


def consent_of_another_company(lie: Lie) -> scoring_pb2.ScoreResponse:
    """A true consent, of somebody else."""
    federation, company = lie.federation, lie.federation.second_company
    consent = federation.sign_consent(federation.consent_claims(company), company.signers[:2])
    attestation = federation.sign_attestation(federation.attestation_claims(company))
    bundle = federation.bundle(request=lie.bundle.request_jws, consent=consent, attestation=attestation)
    return lie.with_bundle(bundle)


def answered_long_after(lie: Lie) -> scoring_pb2.ScoreResponse:
    """The question was kept for ten minutes, and answered from then."""
    late = lie.federation.now + timedelta(minutes=10)
    bundle = lie.federation.bundle(request=lie.bundle.request_jws, decided_at=late, cosigned_at=late)
    return lie.with_bundle(bundle)


def too_short(lie: Lie) -> scoring_pb2.ScoreResponse:
    return lie.with_output(lie.answer.ciphertext[:-1])


def no_unit(lie: Lie) -> scoring_pb2.ScoreResponse:
    """A multiple of a prime of the bank's key: whoever gets to see what it decrypts to learns about the key."""
    return lie.with_output(int(lie.federation.paillier_key.p).to_bytes(len(lie.answer.ciphertext), "big"))


LIES: dict[Callable[[Lie], scoring_pb2.ScoreResponse], ErrorCode] = {
    wrong_request: ErrorCode.RECEIPT_MISMATCH,
    other_request: ErrorCode.RECEIPT_MISMATCH,
    forged_release: ErrorCode.RECEIPT_INVALID,
    unwitnessed_release: ErrorCode.RECEIPT_INVALID,
    release_of_another_decision: ErrorCode.RELEASE_MISMATCH,
    swapped_ciphertext: ErrorCode.RELEASE_MISMATCH,
    missing_answer: ErrorCode.RELEASE_MISMATCH,
    answer_by_the_wrong_department: ErrorCode.RELEASE_MISMATCH,
    answer_to_another_decision: ErrorCode.ANSWER_MISMATCH,
    unwitnessed_decision: ErrorCode.LEDGER_QUORUM,
    denied: ErrorCode.RECEIPT_VERDICT,
    another_scorecard_in_the_leaf: ErrorCode.RECEIPT_MISMATCH,
    consent_of_another_company: ErrorCode.CONSENT_AUDIENCE,
    answered_long_after: ErrorCode.CLOCK_SKEW,
    too_short: ErrorCode.CIPHERTEXT_INVALID,
    no_unit: ErrorCode.CIPHERTEXT_INVALID,
}


@pytest.fixture
def spy(session: BankSession, federation: Federation) -> SpyKey:
    """The session's key, which counts how often it decrypts."""
    spy = SpyKey(federation.paillier_key)
    session._key = RecipientKey(spy, federation.registration)  # type: ignore[arg-type]  # decrypts and counts
    return spy


def ask(session: BankSession, federation: Federation) -> int:
    channel = open_channel(session.config.gateway.address, session.gateway, session.tls)
    with BankClient(session, channel) as bank:
        return bank.score(
            company=federation.company.code,
            scorecard=federation.scorecard.header.id,
            purpose=PURPOSE,
            as_of=AS_OF,
            request_id=hex16("the question"),
        ).value


def test_the_same_gateway_when_it_does_not_lie(
    session: BankSession, federation: Federation, gateway: FakeGateway, spy: SpyKey
) -> None:
    assert ask(session, federation) == federation.plaintext_score()
    assert spy.decryptions == 1


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__.replace("_", " "))
def test_a_lie_is_refused_before_anything_is_decrypted(
    session: BankSession,
    federation: Federation,
    gateway: FakeGateway,
    spy: SpyKey,
    lie: Callable[[Lie], scoring_pb2.ScoreResponse],
) -> None:
    gateway.spoil = lambda answer: lie(Lie(federation, answer))
    with pytest.raises(AnswerRefused) as refusal:
        ask(session, federation)
    assert refusal.value.code is LIES[lie]
    assert spy.decryptions == 0
    assert len(gateway.requests) == 1  # A lie is final: the same question is not asked again.
    assert session.archive is not None
    assert [path.suffix for path in session.archive.folder.iterdir()] == [".jws"]


@pytest.mark.parametrize("off", [-1, 1], ids=["below", "above"])
def test_a_score_out_of_range_is_refused_and_kept_as_evidence(
    session: BankSession, federation: Federation, gateway: FakeGateway, off: int
) -> None:
    header = federation.scorecard.header
    score = header.score_low - 1 if off < 0 else header.score_high + 1
    gateway.spoil = lambda answer: Lie(federation, answer).with_output(Lie(federation, answer).encrypted(score))
    with pytest.raises(AnswerRefused) as refusal:
        ask(session, federation)
    assert refusal.value.code is ErrorCode.SCORE_OUT_OF_RANGE
    assert str(score) not in f"{refusal.value} {refusal.value.private} {refusal.value.extra}"
    assert session.archive is not None
    assert (session.archive.folder / f"{hex16('the question')}.zip").is_file()


RECEIPT_LIES: dict[str, tuple[Callable[[Federation, Receipt], Receipt], ErrorCode]] = {
    "of another entry": (
        lambda federation, _: federation.log.receipt(0, cosigned_at=federation.now),
        ErrorCode.RECEIPT_MISMATCH,
    ),
    "of another bank's key": (
        lambda federation, _: federation.log.receipt(
            federation.log.append(
                "key.registered",
                {"key_id": federation.paillier_key.public.key_id, "institution": "bank-b", "digest": "00" * 32},
                federation.now,
            ),
            cosigned_at=federation.now,
        ),
        ErrorCode.RECEIPT_MISMATCH,
    ),
    "that nobody witnessed": (
        lambda federation, _: federation.log.receipt(
            len(federation.log.leaves) - 1, cosigned_at=federation.now, witnesses=()
        ),
        ErrorCode.RECEIPT_INVALID,
    ),
    "empty": (lambda _, __: Receipt(b"", b""), ErrorCode.RECEIPT_INVALID),
}


@pytest.mark.parametrize("lie", RECEIPT_LIES)
def test_a_registration_is_believed_only_with_its_receipt(
    session: BankSession, federation: Federation, gateway: FakeGateway, lie: str
) -> None:
    spoil, code = RECEIPT_LIES[lie]
    gateway.spoil_receipt = lambda receipt: spoil(federation, receipt)
    channel = open_channel(session.config.gateway.address, session.gateway, session.tls)
    with BankClient(session, channel) as bank, pytest.raises(AnswerRefused) as refusal:
        bank.register_key()
    assert refusal.value.code is code
