"""Paillier public keys: received-key checks, identity, and phe's JSON form.

Spec: design 2 "Keys"; Paillier 1999 with g = n + 1. phe's form is the JWK that its command line writes
(`pheutil extract`): kty "DAJ", alg "PAI-GN1", n in unpadded base64url.

Key id = lower-case hex of SHA-256 over the canonical bytes of the key, which are, in this order:
    the ASCII text "consentgate/paillier/public-key/v1" and one zero byte,
    the modulus length in bits as 4 bytes big-endian,
    the modulus as exactly bits/8 bytes big-endian.

What the checks of a received n show: length, oddness, n = 1 mod 4, no prime factor below 2^16, neither a
perfect power nor a prime. That n has exactly two prime factors, both 3 mod 4, and that gcd(n, phi(n)) = 1 is
shown by the Paillier-Blum proof (`paillier.blum`), not here. Left out: generators other than n + 1; key
revocation.

Thread-safety: instances are immutable; all methods may be called from any thread.
"""

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from functools import cached_property, lru_cache

import gmpy2
from gmpy2 import mpz

from paillier.errors import (
    KeyCarriesPrivateParts,
    KeyEven,
    KeyFormat,
    KeyNotBlum,
    KeyPerfectPower,
    KeyPrime,
    KeySizeNotAllowed,
    KeySmallFactor,
    KeyTooSmall,
)

MIN_KEY_BITS = 2048
"""bits; below it factoring is within reach of an organisation (NIST SP 800-57: 112-bit security)."""

DEFAULT_KEY_BITS = 3072
"""bits; 128-bit security by NIST SP 800-57."""

ALLOWED_KEY_BITS = (MIN_KEY_BITS, DEFAULT_KEY_BITS, 4096)

SMALL_FACTOR_LIMIT = 1 << 16
"""Primes below this may not divide n. One gcd with their product costs about 50 µs."""

MAX_PUBLIC_KEY_TEXT = 8192
"""bytes; phe's form of a 4096-bit key has about 900."""

_ID_DOMAIN = b"consentgate/paillier/public-key/v1\x00"
_SMALL_PRIMES = gmpy2.primorial(SMALL_FACTOR_LIMIT - 1)
_PRIVATE_MEMBERS = frozenset({"p", "q", "d", "lambda", "mu", "pub"})
_CHECKED_KEYS_REMEMBERED = 256


@dataclass(frozen=True)
class PublicKey:
    """An accepted modulus: constructing one runs `check`, so holding one means that the checks passed."""

    n: mpz

    def __post_init__(self) -> None:
        if isinstance(self.n, bool) or not isinstance(self.n, int | mpz):
            raise KeyFormat("the modulus is not an integer")
        object.__setattr__(self, "n", mpz(self.n))
        self.check()

    @property
    def bits(self) -> int:
        """Length of n in bits: 2048, 3072 or 4096."""
        return int(self.n.bit_length())

    @cached_property
    def n_squared(self) -> mpz:
        """n², the modulus of ciphertexts."""
        return self.n * self.n

    @property
    def ciphertext_bytes(self) -> int:
        """Bytes of one ciphertext on the wire: the length of n squared, always."""
        return 2 * self.bits // 8

    @cached_property
    def key_id(self) -> str:
        """64 hex characters; see the module text for the exact bytes that are hashed."""
        return hashlib.sha256(self.canonical_bytes()).hexdigest()

    def canonical_bytes(self) -> bytes:
        """The bytes behind `key_id`."""
        return _ID_DOMAIN + self.bits.to_bytes(4, "big") + int(self.n).to_bytes(self.bits // 8, "big")

    def check(self) -> None:
        """Run every check of a received modulus; raises the error that names the defect (module text, design 2)."""
        _check_modulus(self.n)

    def to_phe_json(self) -> str:
        """phe's JWK form, canonical: sorted members, no white space, `kid` = key id."""
        jwk = {
            "alg": "PAI-GN1",
            "key_ops": ["encrypt"],
            "kid": self.key_id,
            "kty": "DAJ",
            "n": encode_base64url_integer(self.n),
        }
        return json.dumps(jwk, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_phe_json(cls, text: str | bytes) -> "PublicKey":
        """Parse and check phe's form. `kid` is free text in phe, so it is ignored; the id is recomputed.

        Raises `KeyFormat`, `KeyCarriesPrivateParts` and the errors of `check`.
        """
        jwk = parse_jwk_object(text, MAX_PUBLIC_KEY_TEXT)
        if not _PRIVATE_MEMBERS.isdisjoint(jwk):
            raise KeyCarriesPrivateParts("members of a private key are present")
        return cls.from_phe_dict(jwk)

    @classmethod
    def from_phe_dict(cls, jwk: dict[str, object]) -> "PublicKey":
        """The same for an already parsed object (phe nests it inside its private form); `KeyFormat` and `check`."""
        if jwk.get("kty") != "DAJ":
            raise KeyFormat('member "kty" is not "DAJ"')
        if jwk.get("alg") != "PAI-GN1":
            raise KeyFormat('member "alg" is not "PAI-GN1"')
        return cls(decode_base64url_integer(jwk.get("n"), "n"))

    def __repr__(self) -> str:
        return f"PublicKey(bits={self.bits}, key_id={self.key_id})"


@lru_cache(maxsize=_CHECKED_KEYS_REMEMBERED)
def _check_modulus(n: mpz) -> None:
    """Cheap checks first, so that a hostile peer cannot make us compute on a number of unlimited length."""
    if n <= 0 or n.bit_length() < MIN_KEY_BITS:
        raise KeyTooSmall(f"the modulus has {max(0, n.bit_length())} bits, at least {MIN_KEY_BITS} are required")
    if n.bit_length() not in ALLOWED_KEY_BITS:
        raise KeySizeNotAllowed(f"the modulus has {n.bit_length()} bits")
    if n.is_even():
        raise KeyEven("the modulus is even")
    if n % 4 != 1:
        raise KeyNotBlum("the modulus is not 1 modulo 4")
    # Before the search for small factors: a square of a small prime power is better named as a power.
    if n.is_power():
        raise KeyPerfectPower("the modulus is a perfect power")
    if gmpy2.gcd(_SMALL_PRIMES % n, n) != 1:
        raise KeySmallFactor(f"the modulus has a prime factor below {SMALL_FACTOR_LIMIT}")
    if n.is_prime():
        raise KeyPrime("the modulus is a prime")


def parse_jwk_object(text: str | bytes, limit: int) -> dict[str, object]:
    """Parse one JSON object of at most `limit` bytes without duplicate members, at any depth; else `KeyFormat`."""
    if len(text) > limit:
        raise KeyFormat(f"the text is longer than {limit} bytes")
    try:
        parsed = json.loads(text, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        if isinstance(error, KeyFormat):
            raise
        # The parser's own text may quote key material, so it is not chained.
        raise KeyFormat("the text is not JSON") from None
    if not isinstance(parsed, dict):
        raise KeyFormat("the JSON is not an object")
    return parsed


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise KeyFormat("a member appears twice")
    return members


def encode_base64url_integer(value: mpz) -> str:
    """Minimal big-endian bytes in base64url without padding, as phe and RFC 7518 write integers."""
    data = int(value).to_bytes((int(value).bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode_base64url_integer(text: object, member: str) -> mpz:
    """Inverse of `encode_base64url_integer`; any other spelling of the same integer is a `KeyFormat` error."""
    if not isinstance(text, str) or not text.isascii() or not text:
        raise KeyFormat(f'member "{member}" is not base64url text')
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise KeyFormat(f'member "{member}" is not base64url text') from None
    value = mpz(int.from_bytes(data, "big"))
    if value == 0 or encode_base64url_integer(value) != text:
        raise KeyFormat(f'member "{member}" is not in canonical base64url')
    return value
