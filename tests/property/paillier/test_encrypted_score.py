"""The encrypted score equals the integer computed in plaintext: any columns, weights, missing values."""

from fractions import Fraction
from functools import cache

import phe
from hypothesis import given, settings

from paillier.columns import BinnedColumn, Column, NumericColumn, column_from_json
from paillier.encryption import Encryptor
from paillier.fixed_point import SATURATION, to_fixed
from paillier.linear import rerandomise, weighted_sum
from paillier.score_range import MAX_SLOT_BITS, check_score, decode_signed, score_range, shifted_bias
from paillier.wire import join, split
from tests.property.paillier.strategies import Case, cases, columns, raw_values, weights_16_bit
from tests.support.paillier_keys import key_2048

PUBLIC = key_2048().public


@cache
def encryptor() -> Encryptor:
    return Encryptor(PUBLIC, window=6)


@settings(max_examples=120, deadline=None)
@given(cases())
def test_the_whole_path_gives_the_plaintext_integer(case: Case) -> None:
    encoded = case.encoded
    ciphertexts = split(encryptor().encrypt(encoded), PUBLIC, len(encoded))
    total = weighted_sum(PUBLIC, ciphertexts, case.weights, case.bias)
    sent = join([rerandomise(PUBLIC, total, weight_bits=32, columns=len(encoded))], PUBLIC)
    score = decode_signed(key_2048().decrypt(split(sent, PUBLIC, 1)[0]), PUBLIC)
    assert score == case.plaintext_score
    lo, hi = score_range(case.columns, case.weights, case.bias, weight_bits=32, slot_bits=MAX_SLOT_BITS)
    assert check_score(score, lo, hi) is None


@settings(max_examples=25, deadline=None)
@given(cases(weights_16_bit))
def test_phe_computes_the_same_sum_on_our_ciphertexts(case: Case) -> None:
    encoded = case.encoded
    ciphertexts = split(encryptor().encrypt(encoded), PUBLIC, len(encoded))
    oracle = phe.PaillierPublicKey(int(PUBLIC.n))
    total = phe.EncryptedNumber(oracle, oracle.raw_encrypt(case.bias % oracle.n))
    for c, weight in zip(ciphertexts, case.weights, strict=True):
        total += phe.EncryptedNumber(oracle, int(c)) * weight
    ours = weighted_sum(PUBLIC, ciphertexts, case.weights, case.bias)
    assert key_2048().decrypt(total.ciphertext(be_secure=False)) == key_2048().decrypt(ours)


@settings(max_examples=300, deadline=None)
@given(columns, raw_values)
def test_encoding_never_fails_and_always_has_the_columns_shape(column: Column, value: object) -> None:
    row = column.encode(value)  # type: ignore[arg-type] # databases return anything
    assert len(row) == column.width
    assert all(type(number) is int and number >= 0 for number in row)
    if isinstance(column, BinnedColumn):
        assert sorted(row) == [0] * (column.width - 1) + [1]
    else:
        assert row[0] <= column.hi - column.lo
        assert row[1] in (0, 1)


@settings(max_examples=100, deadline=None)
@given(columns)
def test_a_description_survives_json(column: Column) -> None:
    assert column_from_json(column.to_json()) == column


@settings(max_examples=200, deadline=None)
@given(columns, raw_values)
def test_plain_numbers_round_to_the_nearest_unit(column: Column, value: object) -> None:
    fixed = to_fixed(value, column.scale, log=False)
    if fixed is None or abs(fixed) == SATURATION or isinstance(value, bytes):
        return
    text = repr(value) if isinstance(value, float) else str(value)
    if "99999" in text:  # Fraction would expand the exponent
        return
    assert abs(Fraction(text.strip()) * 10**column.scale - fixed) <= Fraction(1, 2)


@settings(max_examples=100, deadline=None)
@given(cases())
def test_the_shifted_bias_scores_real_values(case: Case) -> None:
    real = 0
    start = 0
    for column, value in zip(case.columns, case.values, strict=True):
        row, weights = column.encode(value), case.weights[start:]
        if isinstance(column, NumericColumn):
            row = [row[0] + column.lo, row[1]]
        real += sum(w * x for w, x in zip(weights, row, strict=False))
        start += column.width
    shifted = shifted_bias(case.columns, case.weights, case.bias)
    assert case.plaintext_score - case.bias + shifted == case.bias + real
