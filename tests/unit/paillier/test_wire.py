"""Ciphertext columns as bytes: layout, and every received ciphertext checked."""

import pytest
from gmpy2 import mpz

from paillier import errors
from paillier.encryption import Encryptor
from paillier.private import PrivateKey
from paillier.public_key import PublicKey
from paillier.wire import join, split


def test_layout_is_fixed_width_big_endian(public: PublicKey) -> None:
    data = join([1, 256, public.n_squared - 1], public)
    assert len(data) == 3 * 512
    assert data[:512] == bytes(511) + b"\x01"
    assert data[512:1024] == bytes(510) + b"\x01\x00"
    assert split(data, public, 3) == [1, 256, public.n_squared - 1]


def test_round_trip(public: PublicKey, encryptor: Encryptor) -> None:
    data = encryptor.encrypt(list(range(30)))
    ciphertexts = split(data, public, 30)
    assert join(ciphertexts, public) == data
    assert all(isinstance(c, mpz) for c in ciphertexts)


def test_an_empty_column(public: PublicKey) -> None:
    assert split(b"", public, 0) == []
    assert join([], public) == b""


def test_a_wrong_length_is_refused(public: PublicKey, encryptor: Encryptor) -> None:
    data = encryptor.encrypt([1, 2])
    for wrong, count in ((data, 1), (data, 3), (data, -2), (data[:-1], 2), (data + b"\0", 2), (b"", 1)):
        with pytest.raises(errors.CiphertextWidth):
            split(wrong, public, count)
    with pytest.raises(errors.CiphertextWidth):
        split(b"", public, -1)


def test_out_of_range_is_refused_with_its_index(public: PublicKey) -> None:
    nn = int(public.n_squared)
    for bad in (0, nn, nn + 1, (1 << 4096) - 1):
        data = (1).to_bytes(512, "big") + bad.to_bytes(512, "big")
        with pytest.raises(errors.CiphertextOutOfRange, match="ciphertext 1 "):
            split(data, public, 2)
    for bad in (0, nn, -1):
        with pytest.raises(errors.CiphertextOutOfRange, match="ciphertext 2 "):
            join([1, 2, bad], public)


def test_a_non_unit_is_refused_with_its_index(key: PrivateKey) -> None:
    public = key.public
    for bad in (key.p, 3 * key.q, public.n, public.n_squared - key.p):
        with pytest.raises(errors.CiphertextNotUnit, match="ciphertext 3 "):
            split(join([1, 2, 3, bad, 5], public), public, 5)


def test_two_non_units_do_not_cancel(key: PrivateKey) -> None:
    data = join([key.p, key.q], key.public)
    with pytest.raises(errors.CiphertextNotUnit, match="ciphertext 0 "):
        split(data, key.public, 2)
