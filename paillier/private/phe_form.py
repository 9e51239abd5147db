"""Private keys to and from phe (python-paillier), for interoperability.

Spec: the JWK that phe's command line writes (`pheutil genpkey`): kty "DAJ", key_ops ["decrypt"], p and q in
base64url, and the public key under "pub". **This form is not encrypted**; at rest a key belongs in
`paillier.private.keyfile`. Hence the loud names. An imported key that breaks a condition of design 2 is
refused by the name of that condition (keys that phe itself generates usually do, because it does not choose
primes that are 3 modulo 4).

Left out: phe's floating-point encoding of numbers. Thread-safety: pure functions.
"""

import json

import phe

from paillier.errors import KeyFormat, ModulusMismatch
from paillier.private.keys import PrivateKey
from paillier.public_key import (
    PublicKey,
    decode_base64url_integer,
    encode_base64url_integer,
    parse_jwk_object,
)

MAX_PRIVATE_KEY_TEXT = 16384
"""bytes; phe's form of a 4096-bit key has about 1,700."""


def export_unencrypted_phe_json(key: PrivateKey) -> str:
    """phe's private JWK, **in clear**: whoever reads the result can decrypt everything under this key."""
    jwk = {
        "key_ops": ["decrypt"],
        "kid": key.public.key_id,
        "kty": "DAJ",
        "p": encode_base64url_integer(key.p),
        "pub": json.loads(key.public.to_phe_json()),
        "q": encode_base64url_integer(key.q),
    }
    return json.dumps(jwk, sort_keys=True, separators=(",", ":"))


def import_unencrypted_phe_json(text: str | bytes) -> PrivateKey:
    """Parse and check phe's private JWK.

    Raises `KeyFormat` for its form, `check_primes`' errors for its primes, `ModulusMismatch` for its public part.
    """
    jwk = parse_jwk_object(text, MAX_PRIVATE_KEY_TEXT)
    operations = jwk.get("key_ops")
    if jwk.get("kty") != "DAJ" or not isinstance(operations, list) or "decrypt" not in operations:
        raise KeyFormat("not a phe private key")
    key = PrivateKey(decode_base64url_integer(jwk.get("p"), "p"), decode_base64url_integer(jwk.get("q"), "q"))
    public = jwk.get("pub")
    if not isinstance(public, dict):
        raise KeyFormat('member "pub" is not an object')
    if PublicKey.from_phe_dict(public) != key.public:
        raise ModulusMismatch('member "pub" is not the product of p and q')
    return key


def to_phe(key: PrivateKey) -> phe.PaillierPrivateKey:
    """The same key as a phe object; its `public_key` is phe's public key."""
    return phe.PaillierPrivateKey(phe.PaillierPublicKey(int(key.public.n)), int(key.p), int(key.q))


def from_phe(key: phe.PaillierPrivateKey) -> PrivateKey:
    """A checked key from a phe object; raises the errors of `check_primes`."""
    return PrivateKey(key.p, key.q)
