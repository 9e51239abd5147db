"""Shared fixtures: one encryptor for the whole session, because tables cost more than any single test."""

import pytest

from paillier.encryption import Encryptor
from paillier.private import PrivateKey
from paillier.public_key import PublicKey
from tests.support.paillier_keys import key_2048


@pytest.fixture(scope="session")
def key() -> PrivateKey:
    return key_2048()


@pytest.fixture(scope="session")
def public(key: PrivateKey) -> PublicKey:
    return key.public


@pytest.fixture(scope="session")
def encryptor(public: PublicKey) -> Encryptor:
    return Encryptor(public)
