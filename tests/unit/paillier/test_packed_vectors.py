"""The frozen packed portfolio and powers: still what the engine computes, and right by plain integers and phe alone."""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import phe
import pytest

from paillier import errors, nadic
from paillier.encryption import Encryptor
from paillier.packing import SlotLayout
from paillier.private import PrivateKey
from paillier.private.portfolio import decrypt_scores
from paillier.public_key import PublicKey
from tests.vectors.paillier.generate import exponent
from tests.vectors.paillier.generate_packed import EXPONENTS, packed_vectors

FOLDER = Path(__file__).parents[2] / "vectors" / "paillier"
VECTORS: dict[str, Any] = json.loads((FOLDER / "packed.json").read_text())
KEY: dict[str, Any] = json.loads((FOLDER / "vectors.json").read_text())

P, Q = int(KEY["p"], 16), int(KEY["q"], 16)
N = P * Q
BASE = int(KEY["short_exponent_base"], 16)
SLOT = VECTORS["layout"]["slot_bits"]
SIZES = VECTORS["layout"]["sizes"]
LOW, HIGH = VECTORS["score_range"]
SCORE_COLUMN = bytes.fromhex(VECTORS["score_column"])


def test_the_engine_still_computes_the_frozen_vectors() -> None:
    assert packed_vectors() == VECTORS


def test_the_engine_opens_the_frozen_score_column(key: PrivateKey) -> None:
    layout = SlotLayout(SLOT, VECTORS["layout"]["slots"])
    assert decrypt_scores(key, layout, SCORE_COLUMN, len(VECTORS["rows"]), LOW, HIGH) == VECTORS["scores"]
    with pytest.raises(errors.ScoreOutOfRange):
        decrypt_scores(key, layout, SCORE_COLUMN, len(VECTORS["rows"]), LOW, HIGH - 1)


def test_tables_of_the_default_window_give_the_frozen_powers(encryptor: Encryptor, public: PublicKey) -> None:
    powers = {n: nadic.to_integer(encryptor.power(e), public.n) for n, e in EXPONENTS.items()}
    assert {name: f"{power:x}" for name, power in powers.items()} == VECTORS["powers"]


# --- independent checks: nothing below calls the engine's arithmetic ----------------------------------------


def chunks(values: list[int]) -> list[list[int]]:
    assert sum(SIZES) == len(values)
    starts = [sum(SIZES[:number]) for number in range(len(SIZES))]
    return [values[start : start + size] for start, size in zip(starts, SIZES, strict=True)]


def packed(values: list[int]) -> int:
    return sum(value << (SLOT * place) for place, value in enumerate(values))


@cache
def columns() -> list[list[int]]:
    """Ciphertexts of every position, by the formula (1 + m·n)·h_s^r modulo n²."""
    made = []
    for position, plaintexts in enumerate(VECTORS["plaintexts"]):
        numbers = range(len(plaintexts) * position, len(plaintexts) * (position + 1))
        made.append(
            [
                (1 + int(m, 16) * N) * pow(BASE, exponent(number), N * N) % (N * N)
                for number, m in zip(numbers, plaintexts, strict=True)
            ]
        )
    return made


def test_the_layout_is_as_wide_as_the_range_and_fills_the_key() -> None:
    assert (HIGH - LOW).bit_length() == SLOT
    assert VECTORS["layout"]["slots"] == (2048 - 2) // SLOT
    assert SIZES == [113, 3]
    assert all(layout["slots"] == (2048 - 2) // layout["slot_bits"] for layout in VECTORS["layouts"])


def test_plaintexts_are_shifted_sums() -> None:
    for position, plaintexts in enumerate(VECTORS["plaintexts"]):
        values = [row[position] for row in VECTORS["rows"]]
        assert [packed(chunk) for chunk in chunks(values)] == [int(m, 16) for m in plaintexts]


def test_columns_are_encryptions_of_the_plaintexts() -> None:
    joined = [b"".join(c.to_bytes(512, "big") for c in column) for column in columns()]
    assert [hashlib.sha256(data).hexdigest() for data in joined] == VECTORS["columns_sha256"]


def test_the_bias_stands_in_every_slot() -> None:
    assert [int(bias, 16) for bias in VECTORS["packed_bias"]] == [packed([VECTORS["bias"] - LOW] * s) for s in SIZES]


def test_the_score_column_is_the_product_of_powers() -> None:
    for chunk, bias in enumerate(VECTORS["packed_bias"]):
        total = 1 + int(bias, 16) * N
        for column, weight in zip(columns(), VECTORS["weights"], strict=True):
            total = total * pow(column[chunk], weight, N * N) % (N * N)
        assert total == int.from_bytes(SCORE_COLUMN[512 * chunk : 512 * (chunk + 1)], "big")


def test_phe_opens_the_score_column_to_the_plain_scores() -> None:
    oracle = phe.PaillierPrivateKey(phe.PaillierPublicKey(N), P, Q)
    scores = []
    for chunk, size in enumerate(SIZES):
        opened = oracle.raw_decrypt(int.from_bytes(SCORE_COLUMN[512 * chunk : 512 * (chunk + 1)], "big"))
        assert opened >> (SLOT * size) == 0
        scores += [(opened >> (SLOT * place)) % (1 << SLOT) + LOW for place in range(size)]
    plain = [
        VECTORS["bias"] + sum(w * x for w, x in zip(VECTORS["weights"], row, strict=True)) for row in VECTORS["rows"]
    ]
    assert scores == plain == VECTORS["scores"]


def test_lowest_and_highest_score_stand_beside_each_other() -> None:
    """A borrow or carry across a slot's border would show in the neighbour."""
    assert VECTORS["scores"][1:4] == [LOW, HIGH, LOW]


@pytest.mark.parametrize("name", EXPONENTS)
def test_powers(name: str) -> None:
    assert pow(BASE, EXPONENTS[name], N * N) == int(VECTORS["powers"][name], 16)
