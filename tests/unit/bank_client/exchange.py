"""One honest exchange between a bank and a gateway, and every way to spoil it.

`SpyKey` counts decryptions: the tests assert that a refused answer never reached the private key.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from bank_client import scoring
from bank_client.question import Question, SignedQuestion
from bank_client.scoring import Answer
from paillier.private import PrivateKey
from paillier.public_key import PublicKey
from tests.support.federation import AS_OF, PURPOSE, Federation, encryptor


@dataclass
class SpyKey:
    """The bank's key, with a count of how often it decrypted."""

    private: PrivateKey
    decryptions: int = 0

    @property
    def public(self) -> PublicKey:
        return self.private.public

    def decrypt(self, ciphertext: Any) -> int:
        self.decryptions += 1
        return self.private.decrypt(ciphertext)


@dataclass(frozen=True)
class Exchange:
    """What the bank asked and what came back."""

    federation: Federation
    question: Question
    sent: SignedQuestion
    received: Answer
    key: SpyKey

    def verify(self, received: Answer | None = None, **changes: Any) -> scoring.VerifiedAnswer:
        """Steps 1 to 6 on what was received, or on something else."""
        arguments: dict[str, Any] = {
            "question": self.question,
            "sent": self.sent,
            "received": received or self.received,
            "anchors": self.federation.anchors,
            "now": self.federation.now,
        }
        return scoring.verify_for(**{**arguments, **changes})

    def open(self, received: Answer | None = None, **changes: Any) -> int:
        """All steps."""
        return scoring.open_verified(self.verify(received, **changes), self.key)

    def with_output(self, ciphertext: bytes) -> Answer:
        """A release that the ledger recorded properly, of another ciphertext."""
        order = self.federation.order(self.received.evidence)
        release = self.federation.release(order, self.received.answers, ciphertext)
        return replace(self.received, ciphertext=ciphertext, release=release)

    def encrypted(self, score: int) -> bytes:
        """A proper ciphertext of any number."""
        public = self.key.public
        return encryptor(public.n).encrypt([score % int(public.n)])


def exchange(federation: Federation, **request: Any) -> Exchange:
    """An honest exchange; `request` changes claims of the question."""
    claims = federation.request_claims(**request)
    signed = federation.sign_request(claims)
    bundle = federation.bundle(request=signed)
    order = federation.order(bundle)
    answers = federation.answers(order)
    output = federation.output(answers)
    tokens = tuple(token for token, _ in answers.values())
    return Exchange(
        federation=federation,
        question=Question(claims.company, claims.scorecard, PURPOSE, AS_OF),
        sent=SignedQuestion(claims, signed),
        received=Answer(output, bundle, tokens, federation.release(order, tokens, output)),
        key=SpyKey(federation.paillier_key),
    )
