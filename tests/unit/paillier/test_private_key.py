"""Private keys: every condition by name, generation, decryption, and that they do not leak by accident."""

import pickle
import secrets
from concurrent.futures import ThreadPoolExecutor

import gmpy2
import phe
import pytest
from gmpy2 import mpz

from paillier import errors
from paillier.private import PrivateKey, generate
from paillier.wire import split
from tests.support.paillier_keys import TEST_2048_P, TEST_2048_Q, key_3072

PRIME_1_MOD_4 = (3 << 1022) + 1037
COMPOSITE = ((3 << 510) + 761) * ((7 << 509) + 15)
SHARE_3_A, SHARE_3_B = (3 << 1022) + 3031, (7 << 1021) + 1487

BAD_PRIMES = {
    "equal": (TEST_2048_P, TEST_2048_P, errors.PrimesEqual),
    "unequal_length": (TEST_2048_P, (3 << 1023) + 203, errors.PrimesUnequalLength),
    "1_mod_4": (TEST_2048_P, PRIME_1_MOD_4, errors.PrimeNotBlum),
    "two": (2, 3, errors.PrimeNotBlum),
    "composite": (TEST_2048_P, COMPOSITE, errors.PrimeNotPrime),
    "close": (TEST_2048_P, TEST_2048_P + 6772, errors.PrimesTooClose),
    "share_a_factor": (SHARE_3_A, SHARE_3_B, errors.PrimesShareFactor),
    "too_long": ((1 << 5000) + 3, (1 << 5000) + 7, errors.KeySizeNotAllowed),
    "zero": (0, 0, errors.PrimesEqual),
}


@pytest.mark.parametrize("defect", BAD_PRIMES)
def test_bad_primes_are_refused_by_their_defect(defect: str) -> None:
    p, q, error = BAD_PRIMES[defect]
    with pytest.raises(error):
        PrivateKey(p, q)


def test_a_modulus_below_2048_bits_is_refused() -> None:
    p = gmpy2.next_prime(1 << 511)
    while p % 4 != 3:
        p = gmpy2.next_prime(p)
    q = gmpy2.next_prime(3 << 510)
    while q % 4 != 3 or gmpy2.gcd(p - 1, q - 1) != 2:
        q = gmpy2.next_prime(q)
    with pytest.raises(errors.KeyTooSmall):
        PrivateKey(p, q)


def test_the_order_of_the_primes_does_not_matter(key: PrivateKey) -> None:
    assert PrivateKey(TEST_2048_Q, TEST_2048_P) == PrivateKey(TEST_2048_P, TEST_2048_Q) == key
    assert key.p < key.q


def test_generated_keys_meet_every_condition() -> None:
    key = generate(2048)
    assert key.public.bits == 2048
    assert key.p % 4 == key.q % 4 == 3
    assert gmpy2.gcd(key.p - 1, key.q - 1) == 2
    assert gmpy2.gcd(key.public.n, (key.p - 1) * (key.q - 1)) == 1
    assert generate(2048).public.n != key.public.n


@pytest.mark.parametrize(
    ("bits", "error"),
    [(1024, errors.KeyTooSmall), (2047, errors.KeyTooSmall), (2050, errors.KeySizeNotAllowed)],
)
def test_generation_refuses_other_sizes(bits: int, error: type[errors.PaillierError]) -> None:
    with pytest.raises(error):
        generate(bits)


@pytest.mark.parametrize("bits", [2048, 3072])
def test_decryption_of_edges_agrees_with_phe(bits: int, key: PrivateKey) -> None:
    key = key if bits == 2048 else key_3072()
    n = int(key.public.n)
    oracle = phe.PaillierPublicKey(n)
    for message in (0, 1, n // 2, n // 2 + 1, n - 1):
        assert key.decrypt(oracle.raw_encrypt(message)) == message


def test_trivial_ciphertexts_decrypt(key: PrivateKey) -> None:
    assert key.decrypt(1) == 0
    assert key.decrypt(1 + 5 * key.public.n) == 5


def test_blinding_differs_per_decryption_and_never_changes_the_result(key: PrivateKey) -> None:
    seen = {int(key._blinding.next(key)) for _ in range(8)}
    assert len(seen) == 8
    assert all(key.decrypt(c) == 0 for c in seen)


def test_threads_share_a_key(key: PrivateKey) -> None:
    oracle = phe.PaillierPublicKey(int(key.public.n))
    ciphertexts = [oracle.raw_encrypt(m) for m in range(12)]
    with ThreadPoolExecutor(4) as executor:
        assert list(executor.map(key.decrypt, ciphertexts)) == list(range(12))


def test_bad_ciphertexts_are_refused_by_their_defect(key: PrivateKey) -> None:
    nn = key.public.n_squared
    for c in (0, -1, nn, nn + 1):
        with pytest.raises(errors.CiphertextOutOfRange):
            key.decrypt(c)
    for c in (key.p, key.q * key.q, key.public.n, nn - key.public.n):
        with pytest.raises(errors.CiphertextNotUnit):
            key.decrypt(c)


def test_a_key_is_not_printed_and_not_pickled(key: PrivateKey) -> None:
    shown = f"{key!r} {key} {[key]}"
    assert str(key.p)[:20] not in shown
    assert f"{int(key.p):x}"[:20] not in shown
    assert key.public.key_id in shown
    with pytest.raises(TypeError):
        pickle.dumps(key)


def test_decrypts_what_the_wire_carries(key: PrivateKey) -> None:
    oracle = phe.PaillierPublicKey(int(key.public.n))
    message = secrets.randbelow(int(key.public.n))
    data = int(oracle.raw_encrypt(message)).to_bytes(key.public.ciphertext_bytes, "big")
    assert key.decrypt(mpz(split(data, key.public, 1)[0])) == message
