"""Between two calls: the same bytes on every repeat, and evidence on disk before a score is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bank_client import archive
from bank_client.config import BankConfig
from bank_client.question import Question
from bank_client.scoring import Answer
from bank_client.session import BankSession, Prepared
from consentgate.errors import ConsentgateError, ErrorCode
from paillier.private import save
from paillier.private.keyfile import MIN_SCRYPT_LOG2_N
from tests.support.federation import AS_OF, PURPOSE, Federation, hex16
from tests.unit.bank_client.exchange import Exchange, SpyKey

PASSPHRASE = b"correct horse battery"
REQUEST = hex16("request")


@pytest.fixture
def session(tmp_path: Path, federation: Federation) -> BankSession:
    save(tmp_path / "key.json", federation.paillier_key, PASSPHRASE, scrypt_log2_n=MIN_SCRYPT_LOG2_N)
    (tmp_path / "registration.jws").write_bytes(federation.registration)
    (tmp_path / "bank.toml").write_text(
        """
        anchors = "anchors.toml"
        archive = "archive"
        [tls]
        certificate = "tls.pem"
        private_key = "tls.key"
        [signing]
        certificate = "signing.pem"
        private_key = "signing.key"
        [gateway]
        address = "127.0.0.1:1"
        peer = "spiffe://consentgate.test/gateway/gateway"
        [paillier]
        private_key = "key.json"
        registration = "registration.jws"
        """
    )
    return BankSession(
        config=BankConfig.load(tmp_path / "bank.toml"),
        anchors=federation.anchors,
        signer=federation.bank_a.signer,
        ask_passphrase=lambda: PASSPHRASE,
        clock=lambda: federation.now,
    )


@pytest.fixture
def asked(federation: Federation) -> Question:
    return Question(federation.company.code, federation.scorecard.header.id, PURPOSE, AS_OF)


def answered(federation: Federation, prepared: Prepared, score: int | None = None) -> Answer:
    """The honest answer to a prepared question, or a properly recorded one that holds `score`."""
    bundle = federation.bundle(request=prepared.sent.signed)
    order = federation.order(bundle)
    answers = federation.answers(order)
    tokens = tuple(token for token, _ in answers.values())
    output = federation.output(answers)
    if score is not None:
        spare = Exchange(federation, prepared.question, prepared.sent, None, SpyKey(federation.paillier_key))  # type: ignore[arg-type]  # no answer yet
        output = spare.encrypted(score)
    return Answer(output, bundle, tokens, federation.release(order, tokens, output))


def test_a_question_is_durable_before_it_is_sent(session: BankSession, asked: Question) -> None:
    prepared = session.prepare(asked, REQUEST)
    assert session.archive is not None
    assert session.archive.question(REQUEST) == prepared.sent.signed


def test_a_repeat_in_another_process_sends_the_same_bytes(
    session: BankSession, asked: Question, federation: Federation
) -> None:
    first = session.prepare(asked, REQUEST)
    later = replace(session, clock=lambda: federation.now + timedelta(hours=1))
    assert later.prepare(asked, REQUEST).sent.signed == first.sent.signed


def test_without_a_request_id_every_question_is_new(session: BankSession, asked: Question) -> None:
    assert session.prepare(asked, None).sent.request_id != session.prepare(asked, None).sent.request_id


def test_a_request_id_is_refused_for_another_question(session: BankSession, asked: Question) -> None:
    session.prepare(asked, REQUEST)
    with pytest.raises(ConsentgateError) as refusal:
        session.prepare(replace(asked, purpose="credit.review"), REQUEST)
    assert refusal.value.code is ErrorCode.IDEMPOTENCY_CONFLICT


def test_a_score_comes_with_both_leaves_and_its_evidence_is_kept(
    session: BankSession, asked: Question, federation: Federation
) -> None:
    prepared = session.prepare(asked, REQUEST)
    received = answered(federation, prepared)
    score = session.finish(prepared, received)
    assert score.value == federation.plaintext_score()
    assert (score.decision.entry.kind, score.release.entry.kind) == ("query.decision", "query.release")
    assert session.archive is not None
    assert archive.read(session.archive.folder / f"{REQUEST}.zip") == received


def test_a_refused_answer_is_not_kept(session: BankSession, asked: Question, federation: Federation) -> None:
    prepared = session.prepare(asked, REQUEST)
    received = replace(answered(federation, prepared), answers=())
    with pytest.raises(ConsentgateError) as refusal:
        session.finish(prepared, received)
    assert refusal.value.code is ErrorCode.RELEASE_MISMATCH
    assert session.archive is not None
    assert not (session.archive.folder / f"{REQUEST}.zip").exists()


def test_an_impossible_score_is_kept_as_evidence(session: BankSession, asked: Question, federation: Federation) -> None:
    prepared = session.prepare(asked, REQUEST)
    received = answered(federation, prepared, federation.scorecard.header.score_high + 1)
    with pytest.raises(ConsentgateError) as refusal:
        session.finish(prepared, received)
    assert refusal.value.code is ErrorCode.SCORE_OUT_OF_RANGE
    assert session.archive is not None
    assert archive.read(session.archive.folder / f"{REQUEST}.zip") == received


def test_without_an_archive_nothing_is_written(
    session: BankSession, asked: Question, federation: Federation, tmp_path: Path
) -> None:
    before = {path.name for path in tmp_path.iterdir()}
    bare = replace(session, config=session.config.model_copy(update={"archive": None}))
    prepared = bare.prepare(asked, REQUEST)
    assert bare.finish(prepared, answered(federation, prepared)).value == federation.plaintext_score()
    assert {path.name for path in tmp_path.iterdir()} == before


def test_only_the_owner_registers_a_scorecard(session: BankSession, federation: Federation) -> None:
    stranger = replace(session, signer=federation.bank_b.signer)
    with pytest.raises(ConsentgateError) as refusal:
        stranger.check_own_scorecard(federation.scorecard)
    assert refusal.value.field == "header.owner"
    session.check_own_scorecard(federation.scorecard)
