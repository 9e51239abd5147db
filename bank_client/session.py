"""What a bank does between two network calls; shared by the synchronous and the asynchronous client.

`prepare` signs a question, or takes the bytes that were signed before under the same request id; `finish` verifies the
answer, opens it and keeps the evidence. The private key is read before the question is sent, since a bank that cannot
open an answer should not cause one; it is used in `scoring.open_verified` alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bank_client import keystore, question, scoring
from bank_client.archive import Archive
from bank_client.config import BankConfig
from bank_client.keystore import AskPassphrase, RecipientKey
from bank_client.question import Question, SignedQuestion
from bank_client.scoring import Answer, Score
from consentgate import evidence
from consentgate.anchors import Anchors
from consentgate.certificates import refuse_development_ca
from consentgate.errors import ConsentgateError, ErrorCode, judging_answer
from consentgate.identity import SpiffeId
from consentgate.scorecard import Scorecard
from consentgate.signing import InstitutionSigner
from consentgate.tls import TlsFiles
from ledger.errors import LedgerError
from ledger.receipt import Receipt
from ledger.verify import VerifiedLeaf, verify_receipt

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The system's clock."""
    return datetime.now(UTC)


def load_anchors(path: Path, *, allow_development_ca: bool = False) -> Anchors:
    """The anchors; raises DEVELOPMENT_CA: what anybody can sign proves nothing."""
    anchors = Anchors.load(path)
    if not allow_development_ca:
        refuse_development_ca(anchors.member_ca)
    return anchors


@dataclass(frozen=True)
class Prepared:
    """A question that is ready to be sent, again and again, as the same bytes."""

    question: Question
    sent: SignedQuestion
    key: RecipientKey
    started: datetime


@dataclass
class BankSession:
    """The bank's keys, anchors and archive. Safe to share between threads."""

    config: BankConfig
    anchors: Anchors
    signer: InstitutionSigner
    ask_passphrase: AskPassphrase | None = None
    clock: Clock = utc_now
    allow_development_ca: bool = False
    _key: RecipientKey | None = field(default=None, init=False, repr=False)
    _prover: threading.Thread | None = field(default=None, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    @classmethod
    def load(
        cls,
        path: Path,
        ask_passphrase: AskPassphrase | None = None,
        clock: Clock = utc_now,
        *,
        allow_development_ca: bool = False,
    ) -> BankSession:
        """Reads `bank.toml` and what it names, except for the private key, which `key` reads when it is needed."""
        config = BankConfig.load(path)
        anchors = load_anchors(config.anchors, allow_development_ca=allow_development_ca)
        signer = InstitutionSigner.load(config.signing.certificate, config.signing.private_key)
        return cls(config, anchors, signer, ask_passphrase, clock, allow_development_ca)

    @property
    def tls(self) -> TlsFiles:
        """What the bank shows the gateway, and the CA that the gateway must come from."""
        return TlsFiles(self.config.tls.certificate, self.config.tls.private_key, self.anchors.member_ca)

    @property
    def gateway(self) -> SpiffeId:
        """As whom the gateway must identify itself."""
        return SpiffeId.parse(self.config.gateway.peer)

    @property
    def archive(self) -> Archive | None:
        """Where questions and evidence are kept, when the configuration names a folder."""
        return None if self.config.archive is None else Archive(self.config.archive)

    def key(self) -> RecipientKey:
        """The recipient key, read from its encrypted file once."""
        with self._lock:
            if self._key is None:
                self._key = keystore.load(self.config.paillier, self.ask_passphrase)
            return self._key

    def prepare(self, asked: Question, request_id: str | None) -> Prepared:
        """A signed question; durable in the archive before it is returned, so that a crash can be resumed."""
        started = self.clock()
        key = self.key()
        self._verify_own_proof_ahead(key)
        wanted_id = request_id or question.new_request_id()
        archive = self.archive
        kept = None if archive is None else archive.question(wanted_id)
        if kept is not None:
            return Prepared(asked, question.reopen(kept, wanted_id, asked, key.key_id), key, started)
        sent = question.sign(asked, wanted_id, key.key_id, self.signer, started)
        if archive is not None:
            # Another process may have been faster: then its bytes are the question, and these are never sent.
            kept = archive.remember_question(wanted_id, sent.signed)
            sent = question.reopen(kept, wanted_id, asked, key.key_id)
        return Prepared(asked, sent, key, started)

    def finish(self, prepared: Prepared, received: Answer) -> Score:
        """Verifies, keeps, opens: no score without its proof, and an impossible score is itself evidence.

        Raises AnswerRefused with the code of the first part that does not hold.
        """
        if self._prover is not None:
            self._prover.join()
        with judging_answer():
            verified = scoring.verify_for(
                prepared.question,
                prepared.sent,
                received,
                self.anchors,
                self.clock(),
            )
        if self.archive is not None:
            self.archive.keep(prepared.sent.request_id, received)
        with judging_answer():
            value = scoring.open_verified(verified, prepared.key.private)
        return Score(
            value=value,
            request_id=prepared.sent.request_id,
            decision=verified.order.decision,
            release=verified.release,
            departments=verified.departments,
            missing=verified.missing,
            seconds=(self.clock() - prepared.started).total_seconds(),
        )

    def _verify_own_proof_ahead(self, key: RecipientKey) -> None:
        """Begins the second of arithmetic that verifying the bundle will ask for, while the gateway is at work.

        Nothing is taken on trust for it: `evidence` remembers good proofs, and meets this one again in the bundle.
        """
        with self._lock:
            if self._prover is None:
                self._prover = threading.Thread(target=self._verify_own_proof, args=(key,), daemon=True)
                self._prover.start()

    def _verify_own_proof(self, key: RecipientKey) -> None:
        # What is wrong with it is raised by `finish`, which verifies everything in its order.
        with suppress(ConsentgateError):
            evidence.verify_key_registration(key.registration_jws, self.anchors, self.clock(), self.signer.identity)

    def verify_receipt(self, receipt: Receipt, kind: str) -> VerifiedLeaf:
        """A witnessed leaf of this kind; raises RECEIPT_INVALID or RECEIPT_MISMATCH."""
        try:
            leaf = verify_receipt(receipt, self.anchors.log_policy)
        except LedgerError as error:
            raise ConsentgateError(ErrorCode.RECEIPT_INVALID, field="receipt") from error
        if leaf.entry.kind != kind:
            raise ConsentgateError(ErrorCode.RECEIPT_MISMATCH, field="receipt.leaf.kind")
        return leaf

    def check_own_scorecard(self, scorecard: Scorecard) -> None:
        """A scorecard is registered by its owner; raises INVALID_ARGUMENT_FIELD before anything is sent."""
        if scorecard.header.owner != self.signer.identity.id:
            raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="header.owner")
