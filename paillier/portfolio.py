"""Portfolios: columns of many companies, packed, encrypted, and scored k companies to a ciphertext.

Spec: design 2 "Packing (portfolio)". Shapes: a *column* is one encoded position (paillier.columns) of every company,
in one order that all departments share; on the wire it is `layout.chunks(companies)` ciphertexts, fixed width, joined.
A score column has the same shape and holds S - low of every company; `paillier.private.portfolio` opens it.

Several scorecards over the same columns share the tables of `paillier.multi_exponentiation.SharedBases`.
Left out: storage and transport. Everything works on one block of companies; a caller streams a large portfolio block
by block (`paillier.workers`), so memory does not grow with it. Thread-safety: pure functions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gmpy2 import mpz

from paillier import nadic, wire
from paillier.encryption import Encryptor
from paillier.errors import ParameterOutOfRange, WeightCount
from paillier.multi_exponentiation import SharedBases
from paillier.packing import SlotLayout
from paillier.public_key import PublicKey
from paillier.score_range import MAX_WEIGHT_BITS, check_weights


@dataclass(frozen=True)
class PortfolioScorecard:
    """Weights, one per column, with the bias over encoded positions and the exact range (`score_range`)."""

    weights: Sequence[int]
    bias: int
    low: int
    high: int

    def layout(self, public_key: PublicKey) -> SlotLayout:
        """Slots just large enough for S - low."""
        return SlotLayout.for_key(public_key, max(1, (self.high - self.low).bit_length()))


def encrypt_column(encryptor: Encryptor, layout: SlotLayout, values: Sequence[int]) -> bytes:
    """One column: values in [0, 2^slot_bits) of all companies, in order, as joined ciphertexts.

    Raises `PackedOverflow` for a value that does not fit its slot.
    """
    return encryptor.encrypt(layout.pack_column(values))


def score_portfolio(
    public_key: PublicKey,
    layout: SlotLayout,
    columns: Sequence[bytes],
    scorecards: Sequence[PortfolioScorecard],
    companies: int,
) -> list[bytes]:
    """For each scorecard one score column over `companies` companies, as joined ciphertexts.

    Every ciphertext is checked (0 < c < n², gcd(c, n) = 1). Raises `WeightCount`, `WeightOutOfRange`, the wire's
    errors, and `ParameterOutOfRange` for a scorecard whose range exceeds the slot. The result is deterministic:
    re-randomise before handing it out (`paillier.linear.rerandomise`).
    """
    _check_scorecards(layout, scorecards, len(columns))
    weight_bits = _weight_bits(scorecards)
    split = [wire.split(column, public_key, layout.chunks(companies)) for column in columns]
    results: list[list[mpz]] = [[] for _ in scorecards]
    for chunk, count in enumerate(layout.sizes(companies)):
        pairs = [nadic.from_integer(column[chunk], public_key.n) for column in split]
        bases = SharedBases(pairs, public_key.n, len(scorecards), weight_bits)
        for result, scorecard in zip(results, scorecards, strict=True):
            total = bases.product_of_signed_powers(scorecard.weights)
            bias = mpz(layout.packed_bias(scorecard.bias, scorecard.low, count))
            result.append(nadic.to_integer(nadic.add_plaintext(total, bias, public_key.n), public_key.n))
    return [wire.join(result, public_key) for result in results]


def _check_scorecards(layout: SlotLayout, scorecards: Sequence[PortfolioScorecard], columns: int) -> None:
    for scorecard in scorecards:
        if len(scorecard.weights) != columns:
            raise WeightCount(f"{len(scorecard.weights)} weights for {columns} columns")
        check_weights(scorecard.weights, MAX_WEIGHT_BITS)
        if not 0 <= scorecard.high - scorecard.low < 1 << layout.slot_bits:
            raise ParameterOutOfRange(f"the score's range does not fit a slot of {layout.slot_bits} bits")


def _weight_bits(scorecards: Sequence[PortfolioScorecard]) -> int:
    """Bits of the widest weight in two's complement."""
    weights = (weight for scorecard in scorecards for weight in scorecard.weights)
    return max((weight if weight >= 0 else ~weight).bit_length() + 1 for weight in weights)
