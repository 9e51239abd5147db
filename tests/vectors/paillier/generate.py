"""Writes the Paillier vectors next to this file: `python -m tests.vectors.paillier.generate`.

Origin: computed by the engine under the published TEST key of 2048 bits. Everything in vectors.json is
deterministic: exponents of encryption are derived from their index instead of drawn at random, **which no
real encryption may do**. blum_proof.json is an honest proof; its w is random, so generating it again gives
another valid file. Independent check: tests/unit/paillier/test_vectors.py recomputes every field with plain
Python integers, hashlib and phe, without the engine.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from paillier import nadic
from paillier.blum import challenge
from paillier.columns import BinnedColumn, Column, NumericColumn
from paillier.encryption import Encryptor
from paillier.linear import weighted_sum
from paillier.private import prove
from paillier.score_range import score_range, shifted_bias
from paillier.short_exponent import short_exponent_base
from paillier.wire import join, split
from tests.support.paillier_keys import key_2048

FOLDER = Path(__file__).parent
PROOF_CONTEXT = b"consentgate test vector"
CHALLENGE_W = 5

COLUMNS: list[Column] = [
    NumericColumn("tax.turnover", 2, -1000, 5_000_000),
    NumericColumn("tax.growth", 4, -20_000, 20_000, log=True),
    BinnedColumn("court.cases", 0, (1, 3, 10)),
]
COMPANIES: list[list[str | None]] = [
    ["12345.675", "1.25", "0"],
    ["-99999", "0", "3"],
    ["1e99", "-4", "250"],
    [None, "n/a", None],
]
WEIGHTS = [-3, 500, 7, -32768, 10, 5, -5, -40, 32767]
BIAS = 123


def exponent(index: int) -> int:
    """The encryption exponent of ciphertext `index`: SHAKE256 of its number, 1024 bits."""
    return int.from_bytes(hashlib.shake_256(f"vector exponent {index}".encode()).digest(128), "big")


def deterministic_vectors() -> dict[str, Any]:
    """Everything in vectors.json; numbers as lower-case hex, plaintext scores as JSON integers."""
    public = key_2048().public
    encryptor = Encryptor(public, window=2)
    companies = []
    for number, values in enumerate(COMPANIES):
        encoded = [x for column, v in zip(COLUMNS, values, strict=True) for x in column.encode(v)]
        pairs = [encryptor.power(exponent(100 * number + i)) for i in range(len(encoded))]
        ciphertexts = [
            nadic.to_integer(nadic.add_plaintext(pair, x, public.n), public.n)
            for pair, x in zip(pairs, encoded, strict=True)
        ]
        wire = join(ciphertexts, public)
        bias = shifted_bias(COLUMNS, WEIGHTS, BIAS)
        total = weighted_sum(public, split(wire, public, len(encoded)), WEIGHTS, bias)
        companies.append(
            {
                "values": values,
                "encoded": encoded,
                "column_sha256": hashlib.sha256(wire).hexdigest(),
                "first_ciphertext": f"{ciphertexts[0]:x}",
                "weighted_sum": f"{total:x}",
                "score": bias + sum(w * x for w, x in zip(WEIGHTS, encoded, strict=True)),
            }
        )
    shifted = shifted_bias(COLUMNS, WEIGHTS, BIAS)
    lo, hi = score_range(COLUMNS, WEIGHTS, shifted)
    return {
        "origin": "tests/vectors/paillier/generate.py, TEST key of 2048 bits; never use this key",
        "p": f"{key_2048().p:x}",
        "q": f"{key_2048().q:x}",
        "public_key": json.loads(public.to_phe_json()),
        "key_id": public.key_id,
        "short_exponent_base": f"{short_exponent_base(public):x}",
        "columns": [column.to_json() for column in COLUMNS],
        "weights": WEIGHTS,
        "bias": BIAS,
        "shifted_bias": shifted,
        "score_range": [lo, hi],
        "companies": companies,
        "blum_challenge": {
            "context": PROOF_CONTEXT.hex(),
            "w": f"{CHALLENGE_W:x}",
            "y": [f"{challenge(public, PROOF_CONTEXT, CHALLENGE_W, index):x}" for index in (0, 1, 127)],
            "indexes": [0, 1, 127],
        },
    }


def write(name: str, content: dict[str, Any]) -> None:
    (FOLDER / name).write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    write("vectors.json", deterministic_vectors())
    proof = prove(key_2048(), PROOF_CONTEXT).to_json()
    write(
        "blum_proof.json",
        {"context": PROOF_CONTEXT.hex(), "key_id": key_2048().public.key_id, "proof": proof},
    )
