"""sf-heu (ZPaillier, C++) as an independent oracle, in both directions and at both usual sizes.

heu makes its own keys; their primes are read from its textual form, ciphertexts from and into its serialization (a
MessagePack array holding the number, little-endian, and a trailer that names the scheme). heu keeps ciphertexts in
Montgomery form, c·2^k modulo n², for a k that follows from any encryption of zero: log(2^k) = k·log(2) under the map
that decryption is. Skipped where heu is not
installed: it is of the extra `bench` (`make bench`, `make e2e`).
"""

import re
from functools import cache
from typing import Any

import pytest
from gmpy2 import mpz
from hypothesis import given, settings
from hypothesis import strategies as st

from paillier.encryption import Encryptor
from paillier.linear import rerandomise, weighted_sum
from paillier.private import PrivateKey
from paillier.wire import split

heu = pytest.importorskip("heu", reason="sf-heu is of the extra `bench`").phe

sizes = pytest.mark.parametrize("bits", [2048, 3072])


@cache
def kit(bits: int) -> Any:
    """A heu key pair whose primes satisfy our conditions (about every second does), and n² leaves room for a sign.

    heu writes numbers with one: where n² has every bit of its width, some ciphertexts need a byte more than others.
    """
    while True:
        made = heu.setup(heu.SchemaType.ZPaillier, bits)
        try:
            modulus = key_of(made).public.n_squared
        except ValueError:
            continue
        if modulus.bit_length() < 2 * bits:
            return made


def key_of(made: Any) -> PrivateKey:
    found = re.findall(r"\b[pq]=([0-9A-F]+)", str(made.secret_key()))
    p, q = (int(number, 16) for number in found)
    return PrivateKey(mpz(p), mpz(q))


@cache
def key(bits: int) -> PrivateKey:
    return key_of(kit(bits))


@cache
def encryptor(bits: int) -> Encryptor:
    return Encryptor(key(bits).public, window=5)


@cache
def montgomery(bits: int) -> int:
    """heu's 2^k modulo n²."""
    zero = int(str(kit(bits).encryptor().encrypt_raw(0)))
    n = int(key(bits).public.n)
    exponent = key(bits).decrypt(zero) * pow(key(bits).decrypt(2), -1, n) % n
    assert exponent < 8 * bits
    return int(pow(2, exponent, n * n))


def from_heu(ciphertext: Any, bits: int) -> mpz:
    modulus = int(key(bits).public.n_squared)
    return mpz(int(str(ciphertext)) * pow(montgomery(bits), -1, modulus) % modulus)


def to_heu(ciphertext: int, bits: int) -> Any:
    """The number in heu's serialization, whose frame is taken from a ciphertext of its own."""
    ciphertext = ciphertext * montgomery(bits) % int(key(bits).public.n_squared)
    width = bits // 4
    start = 4  # array of one, bin16 and its length
    frame = frame_of(bits)
    return heu.Ciphertext.load_from(frame[:start] + ciphertext.to_bytes(width, "little") + frame[start + width :])


@cache
def frame_of(bits: int) -> bytes:
    """A serialized ciphertext of full width: heu drops leading zeros, about every 256th time."""
    while True:
        frame: bytes = kit(bits).encryptor().encrypt_raw(1).serialize()
        if int.from_bytes(frame[2:4], "big") == bits // 4:
            return frame


def opened_by_heu(ciphertext: int, bits: int) -> int:
    return int(str(kit(bits).decryptor().decrypt_raw(to_heu(ciphertext, bits))))


messages = st.one_of(st.sampled_from([0, 1, -1, 2**62, -(2**62)]), st.integers(-(2**62), 2**62))


@sizes
@settings(max_examples=10, deadline=None)
@given(message=messages)
def test_heu_opens_what_we_encrypt(bits: int, message: int) -> None:
    n = int(key(bits).public.n)
    (c,) = split(encryptor(bits).encrypt([message % n]), key(bits).public, 1)
    assert opened_by_heu(int(c), bits) == message


@sizes
@settings(max_examples=10, deadline=None)
@given(message=messages)
def test_we_open_what_heu_encrypts(bits: int, message: int) -> None:
    n = int(key(bits).public.n)
    c = from_heu(kit(bits).encryptor().encrypt_raw(message), bits)
    assert key(bits).decrypt(c) == message % n


@sizes
@settings(max_examples=5, deadline=None)
@given(
    values=st.lists(st.integers(0, 2**20), min_size=1, max_size=6),
    seed=st.integers(-32768, 32767),
)
def test_heu_opens_our_score_of_its_ciphertexts(bits: int, values: list[int], seed: int) -> None:
    """Their encryption, our weighted sum and re-randomisation, their decryption."""
    weights = [seed, *(w * 7919 % 65536 - 32768 for w in range(1, len(values)))]
    made = [from_heu(kit(bits).encryptor().encrypt_raw(value), bits) for value in values]
    total = weighted_sum(key(bits).public, made, weights, 5)
    sent = rerandomise(key(bits).public, total, weight_bits=16, columns=len(values))
    assert opened_by_heu(int(sent), bits) == 5 + sum(w * x for w, x in zip(weights, values, strict=True))
