"""Proof texts and commitments."""

from __future__ import annotations

import pytest

from ledger.commitment import SALT_BYTES, commit, new_salt
from ledger.errors import ProofInvalid
from ledger.merkle import MAX_PROOF
from ledger.proof import MAX_PROOF_BYTES, TlogProof

NOTE = b"origin\n1\nroot\n\n" + "— x AAAAAAAA\n".encode()


def test_exact_text() -> None:
    proof = TlogProof(7, (bytes(32), b"\xff" * 32), NOTE)
    assert proof.encode() == (
        b"c2sp.org/tlog-proof@v1\nindex 7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
        b"//////////////////////////////////////////8=\n\n" + NOTE
    )


@pytest.mark.parametrize("count", [0, 1, MAX_PROOF])
@pytest.mark.parametrize("index", [0, 1, 2**53 - 2])
def test_round_trip(count: int, index: int) -> None:
    proof = TlogProof(index, tuple(bytes([n]) * 32 for n in range(count)), NOTE)
    assert TlogProof.parse(proof.encode()) == proof


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"index 7", b"index -7"),
        (b"index 7", b"index +7"),
        (b"index 7", b"index 0x7"),
        (b"index 7", b"index  7"),
        (b"index 7", b"index 7 "),
        (b"index 7", b"Index 7"),
        (b"index 7", b"index " + b"9" * 17),
        (b"index 7\n", b""),
        (b"@v1\n", b"@v1\r\n"),
        (b"c2sp", b" c2sp"),
        (b"AAAA", b"AAA"),
        (b"AAA=", b"AAAA"),
        (b"AAA=", b"AAB="),
        (b"AAAA", b"____"),
        (b"\n\norigin", b"\norigin"),
    ],
)
def test_malformed(old: bytes, new: bytes) -> None:
    encoded = TlogProof(7, (bytes(32),), NOTE).encode().replace(b"\n\norigin\n1\nroot\n\n", b"\n\norigin\n")
    assert TlogProof.parse(encoded)
    with pytest.raises(ProofInvalid):
        TlogProof.parse(encoded.replace(old, new, 1))


def test_too_long() -> None:
    encoded = TlogProof(7, (), b"x" * MAX_PROOF_BYTES).encode()
    with pytest.raises(ProofInvalid, match="too long"):
        TlogProof.parse(encoded)
    with pytest.raises(ProofInvalid):
        TlogProof.parse(TlogProof(7, (bytes(32),) * (MAX_PROOF + 1), NOTE).encode())


def test_commitment_known_answer() -> None:
    """Computed with `printf 'request\\0abc' | openssl mac -digest SHA256 -macopt hexkey:00…1f HMAC`."""
    salt = bytes(range(32))
    assert commit("request", b"abc", salt) == "bd7c03ea80a57de714c562d8f2b7198abef97b5d3ad5ef8a465f2b3812caed93"


def test_commitment_binds_field_value_and_salt() -> None:
    salt = new_salt()
    same = commit("request", b"value", salt)
    others = {
        commit("query", b"value", salt),
        commit("request", b"valu", salt),
        commit("request", b"value", new_salt()),
        commit("request", b"\x00value", salt),
    }
    assert same == commit("request", b"value", salt)
    assert len(others | {same}) == 5
    with pytest.raises(ValueError, match="field"):
        commit("request\x00v", b"alue", salt)


@pytest.mark.parametrize("length", [0, 16, SALT_BYTES - 1, SALT_BYTES + 1])
def test_salts_have_one_length(length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        commit("request", b"value", bytes(length))


def test_salts_are_fresh() -> None:
    assert len({new_salt() for _ in range(100)}) == 100
