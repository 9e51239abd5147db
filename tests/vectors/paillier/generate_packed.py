"""Writes packed.json next to this file: `python -m tests.vectors.paillier.generate_packed`.

A portfolio from encoded values to scores: slot layout, packed plaintexts, encrypted columns, packed bias, score column;
and powers of the short-exponent base as the tables give them. Origin and warning as in `generate.py`: the published
TEST key and exponents derived from their index, **which no real encryption may do**. Independent check:
tests/unit/paillier/test_packed_vectors.py, with plain Python integers, hashlib and phe, without the engine.
"""

import hashlib
from typing import Any

from gmpy2 import mpz

from paillier import nadic
from paillier.columns import BinnedColumn, Column, NumericColumn
from paillier.encryption import Encryptor
from paillier.packing import SlotLayout
from paillier.portfolio import PortfolioScorecard, score_portfolio
from paillier.score_range import score_range
from paillier.wire import join
from tests.support.paillier_keys import key_2048
from tests.vectors.paillier.generate import exponent, write

COLUMNS: list[Column] = [NumericColumn("tax.margin", 1, -500, 1_500), BinnedColumn("court.cases", 0, (1,))]
WEIGHTS = [-31, 4_000, 7, -32_768, 32_767]
BIAS = -12
COMPANIES = 116
"""Three more than fill a plaintext, whose layout has 113 slots."""

EXPONENTS = {
    "zero": 0,
    "one": 1,
    "two": 2,
    "top_bit": 1 << 1023,
    "all_bits": (1 << 1024) - 1,
    "alternating": (1 << 1024) // 3,
    "derived": exponent(7),
}


def raw_values(number: int) -> list[int | str | None]:
    """Company `number`: first the extremes (lowest, highest and missing beside each other), then a pattern."""
    extremes: list[list[int | str | None]] = [["-1e9", 0], ["1e9", 5], [None, None], ["150", 1], ["-50", None]]
    return extremes[number] if number < len(extremes) else [number * 37 % 211 - 50, number % 3]


def packed_vectors() -> dict[str, Any]:
    """Everything in packed.json; big numbers as lower-case hex, scores and encoded values as JSON integers."""
    public = key_2048().public
    encryptor = Encryptor(public, window=2)
    low, high = score_range(COLUMNS, WEIGHTS, BIAS)
    card = PortfolioScorecard(WEIGHTS, BIAS, low, high)
    layout = card.layout(public)
    rows = [
        [x for column, value in zip(COLUMNS, raw_values(number), strict=True) for x in column.encode(value)]
        for number in range(COMPANIES)
    ]
    plaintexts = [layout.pack_column([row[position] for row in rows]) for position in range(len(WEIGHTS))]
    columns = [
        _encrypted(encryptor, packed, len(plaintexts[0]) * position) for position, packed in enumerate(plaintexts)
    ]
    (scores,) = score_portfolio(public, layout, columns, [card], COMPANIES)
    return {
        "origin": "tests/vectors/paillier/generate_packed.py, TEST key of 2048 bits; never use this key",
        "columns": [column.to_json() for column in COLUMNS],
        "weights": WEIGHTS,
        "bias": BIAS,
        "score_range": [low, high],
        "layout": {"slot_bits": layout.slot_bits, "slots": layout.slots, "sizes": layout.sizes(COMPANIES)},
        "rows": rows,
        "plaintexts": [[f"{packed:x}" for packed in column] for column in plaintexts],
        "columns_sha256": [hashlib.sha256(column).hexdigest() for column in columns],
        "packed_bias": [f"{layout.packed_bias(BIAS, low, count):x}" for count in layout.sizes(COMPANIES)],
        "score_column": scores.hex(),
        "scores": [BIAS + sum(w * x for w, x in zip(WEIGHTS, row, strict=True)) for row in rows],
        "powers": {
            name: f"{nadic.to_integer(encryptor.power(value), public.n):x}" for name, value in EXPONENTS.items()
        },
        "layouts": [
            {"key_bits": 2048, "slot_bits": bits, "slots": SlotLayout.for_key(public, bits).slots}
            for bits in (1, 30, 43, 63, 1023, 1024, 2046)
        ],
    }


def _encrypted(encryptor: Encryptor, packed: list[mpz], first: int) -> bytes:
    n = encryptor.public_key.n
    pairs = [encryptor.power(exponent(first + chunk)) for chunk in range(len(packed))]
    ciphertexts = [nadic.to_integer(nadic.add_plaintext(pair, m, n), n) for pair, m in zip(pairs, packed, strict=True)]
    return join(ciphertexts, encryptor.public_key)


if __name__ == "__main__":
    write("packed.json", packed_vectors())
