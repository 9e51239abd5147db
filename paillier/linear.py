"""The gateway's linear algebra: E(bias + Σ w_j·x_j) from ciphertexts of x_j, and re-randomisation.

Spec: design 2 "Linear algebra at the gateway": score = E(b)·Π c_j^(w_j) modulo n², along an addition
sequence of the weights (`paillier.multi_exponentiation`). Negative weights are gathered into one product that is
inverted once. Packed portfolios are in `paillier.portfolio`.

`weighted_sum` is deterministic, and its result shows the weights to whoever knows the randomness: in
recipient custody always re-randomise before handing it out. Thread-safety: pure functions.
"""

import secrets
from collections.abc import Sequence

import gmpy2
from gmpy2 import mpz

from paillier import nadic
from paillier.errors import ParameterOutOfRange, WeightCount
from paillier.multi_exponentiation import product_of_signed_powers
from paillier.public_key import PublicKey
from paillier.score_range import MAX_WEIGHT_BITS, check_weights
from paillier.short_exponent import rerandomising_exponent_bits, short_exponent_base
from paillier.wire import check_range

MAX_COLUMNS = 1 << 20
"""ciphertexts per score; bounds the exponent of a re-randomisation."""


def weighted_sum(public_key: PublicKey, ciphertexts: Sequence[mpz], weights: Sequence[int], bias: int) -> mpz:
    """A ciphertext of bias + Σ weights[j]·plaintext[j] modulo n.

    `ciphertexts` must come from `wire.split` (units modulo n²). Weights are signed integers of at most 32
    bits, the bias is any integer with |bias| < n/2; whether the sum can wrap around n is `score_range`'s
    business. Raises `WeightCount`, `WeightOutOfRange`, `CiphertextOutOfRange` and, for the bias, `ParameterOutOfRange`.
    """
    if len(ciphertexts) != len(weights):
        raise WeightCount(f"{len(weights)} weights for {len(ciphertexts)} ciphertexts")
    check_weights(weights, MAX_WEIGHT_BITS)
    check_range(ciphertexts, public_key)
    n = public_key.n
    if 2 * abs(bias) >= n:
        raise ParameterOutOfRange("the bias does not fit the modulus")
    terms = [(nadic.from_integer(mpz(c), n), int(w)) for c, w in zip(ciphertexts, weights, strict=True) if w]
    total = product_of_signed_powers(terms, n)
    return nadic.to_integer(nadic.add_plaintext(total, mpz(bias), n), n)


def rerandomise(public_key: PublicKey, c: mpz, *, weight_bits: int, columns: int) -> mpz:
    """The same plaintext under fresh randomness that hides the weights behind `c`.

    The exponent has |n|/2 + weight_bits + log2(columns) + 128 bits, so that it statistically hides the
    combined exponent Σ w_j·r_j which `c` carries. `columns` counts ciphertexts, not catalogue columns.
    Raises `ParameterOutOfRange` (1 to 32 weight bits, 0 to `MAX_COLUMNS` columns) and `CiphertextOutOfRange`.
    """
    if not 1 <= weight_bits <= MAX_WEIGHT_BITS or not 0 <= columns <= MAX_COLUMNS:
        raise ParameterOutOfRange("weight bits or columns out of range")
    check_range([c], public_key)
    exponent = secrets.randbits(rerandomising_exponent_bits(public_key, weight_bits, columns))
    modulus = public_key.n_squared
    return c * gmpy2.powmod(short_exponent_base(public_key), exponent, modulus) % modulus
