"""Parameters that design 2 and docs/wire.md publish: a weaker one is a change of contract, not of a constant.

Mutation tools leave constants alone, and most tests use the constant itself; here the numbers stand on their own.
"""

from typing import Any

import pytest

from paillier import blum, columns, encryption, fixed_point, linear, public_key, score_range, short_exponent
from paillier.private import keyfile, keys

PUBLISHED: list[tuple[Any, str, object]] = [
    (public_key, "MIN_KEY_BITS", 2048),
    (public_key, "DEFAULT_KEY_BITS", 3072),
    (public_key, "ALLOWED_KEY_BITS", (2048, 3072, 4096)),
    (public_key, "SMALL_FACTOR_LIMIT", 65536),
    (keys, "CLOSE_PRIMES_BITS", 100),
    (keys, "PRIMALITY_ROUNDS", 64),
    (short_exponent, "STATISTICAL_BITS", 128),
    (blum, "ITERATIONS", 128),
    (blum, "BATCHES", 8),
    (blum, "EXPONENT_BYTES", 2),
    (blum, "MAX_CONTEXT_BYTES", 4096),
    (columns, "MAX_FIXED", 2**53 - 1),
    (columns, "MAX_SCALE", 12),
    (columns, "MAX_EDGES", 254),
    (fixed_point, "SATURATION", 10**40),
    (score_range, "DEFAULT_WEIGHT_BITS", 16),
    (score_range, "MAX_WEIGHT_BITS", 32),
    (score_range, "DEFAULT_SLOT_BITS", 63),
    (linear, "MAX_COLUMNS", 1 << 20),
    (encryption, "MAX_WINDOW", 12),
    (keyfile, "DEFAULT_SCRYPT_LOG2_N", 17),
    (keyfile, "MIN_SCRYPT_LOG2_N", 14),
    (keyfile, "MAX_SCRYPT_LOG2_N", 20),
    (keyfile, "MIN_PASSPHRASE_BYTES", 8),
]


@pytest.mark.parametrize(("module", "name", "value"), PUBLISHED, ids=[name for _, name, _ in PUBLISHED])
def test_a_published_parameter_is_what_was_published(module: Any, name: str, value: object) -> None:
    assert getattr(module, name) == value


def test_a_score_of_the_greatest_allowed_slot_is_unambiguous_under_the_smallest_key() -> None:
    assert 2 * (1 << score_range.MAX_SLOT_BITS) < 1 << (public_key.MIN_KEY_BITS - 1)
