"""The frozen vectors: still what the engine computes, and right by plain integers, hashlib and phe alone."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import phe
import pytest

from paillier import blum
from paillier.blum import BlumProof
from paillier.columns import column_from_json
from paillier.public_key import PublicKey
from tests.vectors.paillier.generate import deterministic_vectors, exponent

FOLDER = Path(__file__).parents[2] / "vectors" / "paillier"
VECTORS: dict[str, Any] = json.loads((FOLDER / "vectors.json").read_text())
PROOF: dict[str, Any] = json.loads((FOLDER / "blum_proof.json").read_text())

P, Q = int(VECTORS["p"], 16), int(VECTORS["q"], 16)
N = P * Q


def test_the_engine_still_computes_the_frozen_vectors() -> None:
    assert deterministic_vectors() == VECTORS


# --- independent checks: nothing below calls the engine's arithmetic ----------------------------------------


def test_public_key_and_id() -> None:
    text = VECTORS["public_key"]["n"]
    assert int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big") == N
    hashed = b"consentgate/paillier/public-key/v1\x00" + (2048).to_bytes(4, "big") + N.to_bytes(256, "big")
    assert hashlib.sha256(hashed).hexdigest() == VECTORS["key_id"] == VECTORS["public_key"]["kid"]


def test_short_exponent_base() -> None:
    seed = b"consentgate/paillier/short-exponent-base/v1\x00" + N.to_bytes(256, "big")
    x = int.from_bytes(hashlib.shake_256(seed).digest(272), "big") % N
    assert pow(-x * x % N, N, N * N) == int(VECTORS["short_exponent_base"], 16)


@pytest.mark.parametrize("number", range(len(VECTORS["companies"])))
def test_companies(number: int) -> None:
    company = VECTORS["companies"][number]
    base = int(VECTORS["short_exponent_base"], 16)
    column = [
        (1 + x * N) * pow(base, exponent(100 * number + index), N * N) % (N * N)
        for index, x in enumerate(company["encoded"])
    ]
    assert column[0] == int(company["first_ciphertext"], 16)
    wire = b"".join(c.to_bytes(512, "big") for c in column)
    assert hashlib.sha256(wire).hexdigest() == company["column_sha256"]
    total = 1 + VECTORS["shifted_bias"] * N
    for c, weight in zip(column, VECTORS["weights"], strict=True):
        total = total * pow(c, weight, N * N) % (N * N)
    assert total % (N * N) == int(company["weighted_sum"], 16)
    oracle = phe.PaillierPrivateKey(phe.PaillierPublicKey(N), P, Q)
    assert [oracle.raw_decrypt(c) for c in column] == company["encoded"]
    residue = oracle.raw_decrypt(int(company["weighted_sum"], 16))
    assert (residue if residue < N // 2 else residue - N) == company["score"]
    lo, hi = VECTORS["score_range"]
    assert lo <= company["score"] <= hi


def test_encodings_by_hand() -> None:
    # 1234567.5 units tie to the even 1234568; 10^4·ln 1.25 = 2231.4; the logarithm of -4 is missing.
    rows = [company["encoded"] for company in VECTORS["companies"]]
    assert rows[0] == [
        1234568 + 1000,
        0,
        2231 + 20000,
        0,
        1,
        0,
        0,
        0,
        0,
    ]
    assert rows[1] == [0, 0, 0, 0, 0, 0, 1, 0, 0]
    assert rows[2] == [5_001_000, 0, 0, 1, 0, 0, 0, 1, 0]
    assert rows[3] == [0, 1, 0, 1, 0, 0, 0, 0, 1]


def test_shifted_bias_by_hand() -> None:
    assert VECTORS["shifted_bias"] == 123 + (-3 * -1000) + (7 * -20_000)


def test_columns_parse() -> None:
    assert [column_from_json(form).to_json() for form in VECTORS["columns"]] == VECTORS["columns"]


def blum_challenge(context: bytes, w: int, index: int) -> int:
    data = b"consentgate/paillier/blum-proof/v1\x00"
    for part in (N.to_bytes(256, "big"), context, w.to_bytes(256, "big")):
        data += len(part).to_bytes(4, "big") + part
    return int.from_bytes(hashlib.shake_256(data + index.to_bytes(4, "big")).digest(272), "big") % N


def test_blum_challenges() -> None:
    frozen = VECTORS["blum_challenge"]
    computed = [
        blum_challenge(bytes.fromhex(frozen["context"]), int(frozen["w"], 16), index) for index in frozen["indexes"]
    ]
    assert computed == [int(y, 16) for y in frozen["y"]]


def test_the_blum_proof_holds_by_plain_arithmetic() -> None:
    proof = PROOF["proof"]
    w = int(proof["w"], 16)
    for index in range(128):
        y = blum_challenge(bytes.fromhex(PROOF["context"]), w, index)
        assert pow(int(proof["z"][index], 16), N, N) == y
        adjusted = (-1) ** proof["a"][index] * w ** proof["b"][index] * y % N
        assert pow(int(proof["x"][index], 16), 4, N) == adjusted


def test_the_engine_accepts_the_blum_proof() -> None:
    public = PublicKey.from_phe_json(json.dumps(VECTORS["public_key"]))
    assert PROOF["key_id"] == public.key_id
    assert blum.verify(public, BlumProof.from_json(PROOF["proof"]), bytes.fromhex(PROOF["context"])) is None
