"""Tokens of an OpenSSL timestamp authority: accepted over their note and by their root, and in no other case."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger import timestamp
from ledger.errors import KeyInvalid, SignatureInvalid, TimestampInvalid, TimestampUnavailable
from ledger.policy import LogPolicy
from ledger.timestamp import MAX_TOKEN, read_roots, timestamp_query, token_digest, token_in, verify_token
from ledger.timestamp_files import Timestamped
from tests.support.flipped_bits import flipped
from tests.support.sample_log import COSIGNED_AT, sample_log
from tests.support.timestamp_authority import Authority, make_authority
from tests.support.witnessed_log import log_signer, policy_text

NOTE = sample_log().note(COSIGNED_AT)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority") / "one")


@pytest.fixture(scope="module")
def token(authority: Authority) -> bytes:
    query = timestamp_query(NOTE)
    return token_in(authority.answer(query.der), query, read_roots(authority.roots.read_bytes()))


def test_token_verifies_and_names_a_moment(authority: Authority, token: bytes) -> None:
    assert verify_token(token, NOTE, read_roots(authority.roots.read_bytes())).tzinfo is not None


def test_openssl_reads_the_token_that_is_kept(authority: Authority, token: bytes, tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(token)
    (tmp_path / "note").write_bytes(NOTE)
    (tmp_path / "other").write_bytes(NOTE + b" ")
    assert authority.verifies(tmp_path / "token", tmp_path / "note")
    assert not authority.verifies(tmp_path / "token", tmp_path / "other")


def test_other_note_is_refused(authority: Authority, token: bytes) -> None:
    with pytest.raises(TimestampInvalid):
        verify_token(token, NOTE + b"\n", read_roots(authority.roots.read_bytes()))


def test_other_root_is_refused(token: bytes, tmp_path: Path) -> None:
    other = make_authority(tmp_path / "other")
    with pytest.raises(TimestampInvalid):
        verify_token(token, NOTE, read_roots(other.roots.read_bytes()))


def test_answer_to_another_query_is_refused(authority: Authority) -> None:
    """The nonce: nobody can hand out a token that was made earlier."""
    earlier, query = timestamp_query(NOTE), timestamp_query(NOTE)
    assert earlier.nonce != query.nonce
    with pytest.raises(TimestampInvalid):
        token_in(authority.answer(earlier.der), query, read_roots(authority.roots.read_bytes()))


def test_refusal_is_no_token(authority: Authority) -> None:
    """A query with another hash than the authority allows is answered without a token."""
    query = timestamp_query(NOTE)
    sha256, sha1_like = bytes.fromhex("608648016503040201"), bytes.fromhex("608648016503040203")
    refused = authority.answer(query.der.replace(sha256, sha1_like))
    with pytest.raises(TimestampInvalid):
        token_in(refused, query, read_roots(authority.roots.read_bytes()))


@pytest.mark.parametrize("answer", [b"", b"\x30\x00", b"hello", b"\x30" * 1000])
def test_malformed_answer_is_refused(answer: bytes, authority: Authority) -> None:
    with pytest.raises(TimestampInvalid):
        token_in(answer, timestamp_query(NOTE), read_roots(authority.roots.read_bytes()))


def test_every_listed_log_key_that_signed_the_note_must_verify() -> None:
    former = log_signer("former")
    policy = LogPolicy.parse(f"{policy_text()}log {former.verifier_key}\n")
    assert Timestamped(NOTE, b"").checkpoint(policy).size == 10
    with pytest.raises(SignatureInvalid):
        Timestamped(NOTE + former.sign(b"something else\n").line(), b"").checkpoint(policy)


def test_long_token_is_refused(authority: Authority) -> None:
    with pytest.raises(TimestampInvalid):
        verify_token(bytes(MAX_TOKEN + 1), NOTE, read_roots(authority.roots.read_bytes()))


def test_flipped_bits_are_refused_or_say_the_same(authority: Authority, token: bytes) -> None:
    """CMS leaves a few bytes outside its signature (version numbers, an algorithm's name twice); what is recorded is
    the hash of the whole token, so even these cannot change.
    """
    roots = read_roots(authority.roots.read_bytes())
    moment, passed = verify_token(token, NOTE, roots), 0
    for mutated in flipped(token):
        try:
            assert verify_token(mutated, NOTE, roots) == moment
            passed += 1
        except TimestampInvalid:
            continue
        assert token_digest(mutated) != token_digest(token)
    assert passed < 100


def test_roots_must_be_certificates() -> None:
    with pytest.raises(KeyInvalid):
        read_roots(b"hello")


def test_without_the_extra_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timestamp, "rfc3161_client", None)
    with pytest.raises(TimestampUnavailable, match="not installed"):
        timestamp_query(NOTE)
    assert "anchor" in TimestampUnavailable.hint
