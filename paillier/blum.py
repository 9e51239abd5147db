"""Paillier-Blum proof, verifier's side: n = p·q for primes that are 3 modulo 4, and gcd(n, phi(n)) = 1.

Spec: CGGMP 2020 (eprint 2021/060), protocol Π_mod, made non-interactive by Fiat-Shamir. The prover publishes
w with Jacobi symbol -1, and for challenges y_i = H(domain, n, context, w, i):
    z_i with z_i^n = y_i modulo n, and x_i, a_i, b_i with x_i^4 = (-1)^(a_i)·w^(b_i)·y_i modulo n.

Why it is sound, for an n that passed `PublicKey.check` (odd, composite, no perfect power, no factor below
2^16):
  - gcd(n, phi(n)) > 1: then some prime r >= 2^16 divides both, n-th powers are at most 1/r of all units, and
    each z_i exists with probability at most 2^-16;
  - three or more different primes: squares are at most 1/8 of the units and ±1, ±w cover at most four classes
    of them, so each x_i exists with probability at most 1/2;
  - two different primes, both 1 modulo 4: fourth powers are 1/16 of the units, four classes cover 1/4;
  - a power of one prime has gcd(n, phi(n)) > 1, and a prime is refused by `PublicKey.check`.
So every iteration catches a bad modulus with probability at least 1/2, and a prover who tries 2^k hashes
succeeds with probability 2^(k - ITERATIONS). CGGMP use 80; here the proof is made without a live verifier, so
128 are demanded: the strength of a 3072-bit key. gcd(n, phi(n)) = 1 makes decryption unique and encryption a
bijection.

The x_i are checked one by one: two squarings each. The z_i, each a power of n, are checked together (small exponents
test of Bellare, Garay, Rabin 1998): Π z_i^n = Π y_i, and (Π z_i^(e_ij))^n = Π y_i^(e_ij) for j < BATCHES, with e_ij
of 16 bits from a hash of the whole proof. Why that is as good, also in a group of unknown order with
elements of small order (which break the test elsewhere: Boyd, Pavlovski 2000):
  - let r be a prime that divides n and phi(n), V the units modulo their r-th powers, v_i the class of y_i in V, a
    vector space over the field of r elements. Every left side is an n-th power, hence 1 in V, so that test j holds
    only if Σ e_ij·v_i = 0. Where some v_i is not 0, that is one value of e_ij modulo r >= 2^16, so at most one of its
    2^16 values: a y_i that is no n-th power is overlooked by one test with probability at most 2^-16, by all with
    2^-128. By the hash the prover learns the exponents only after it fixed all numbers: 2^k tries, 2^(k - 128);
  - one single altered z_i never passes, by the first product;
  - several that are wrong by factors of prime order l pass with about l^-BATCHES, at worst 2^-8 (two signs). Such a
    proof shows as much as the honest one: where gcd(n, phi(n)) = 1 every unit is an n-th power, so all z_i exist.
Nine powers instead of 128, the same verdict by everybody who verifies. A batch that fails is checked one by one, to
name the part.

Left out: a lower bound on the size of the factors (CGGMP Π_fac). An owner with badly unbalanced primes
opens to outsiders what was released to it, as it could by publishing its private key.

Thread-safety: pure functions; gmpy2 arithmetic. Verification costs about 0.1 s at 3072 bits: cache by key id.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import gmpy2
from gmpy2 import mpz

from paillier.errors import ParameterOutOfRange, ProofInvalid
from paillier.public_key import PublicKey
from paillier.simultaneous_power import simultaneous_power

ITERATIONS = 128
"""Challenges per proof; soundness 2^-128 per hash query of the prover, see above."""

BATCHES = 8
EXPONENT_BYTES = 2
"""Random combinations of the z_i, and bytes of their exponents: every prime factor that the checks of a modulus leave
possible is longer than 16 bits, so that each combination weighs 16 bits and all together 128, see above."""

MAX_CONTEXT_BYTES = 4096
"""bytes of caller context bound into the challenges."""

CHALLENGE_DOMAIN = b"consentgate/paillier/blum-proof/v1\x00"
BATCH_DOMAIN = b"consentgate/paillier/blum-proof/batch/v1\x00"
PROOF_TYPE = "consentgate/paillier-blum/v1"

_EXTRA_CHALLENGE_BITS = 128  # so that a challenge is uniform modulo n up to 2^-128
_MEMBERS = frozenset({"type", "w", "x", "z", "a", "b"})


@dataclass(frozen=True)
class BlumProof:
    """w, and per iteration the roots x_i and z_i and the two bits that turn y_i into a square."""

    w: int
    x: tuple[int, ...]
    z: tuple[int, ...]
    a: tuple[int, ...]
    b: tuple[int, ...]

    def to_json(self) -> dict[str, object]:
        """Numbers as lower-case hex without leading zeros, bits as integers; canonical under JCS."""
        return {
            "type": PROOF_TYPE,
            "w": f"{self.w:x}",
            "x": [f"{value:x}" for value in self.x],
            "z": [f"{value:x}" for value in self.z],
            "a": list(self.a),
            "b": list(self.b),
        }

    @classmethod
    def from_json(cls, form: Mapping[str, object]) -> "BlumProof":
        """Parse strictly; raises `ProofInvalid` with part "format". Numbers are judged by `verify`."""
        if not isinstance(form, Mapping) or set(form) != _MEMBERS or form["type"] != PROOF_TYPE:
            raise ProofInvalid("format", "not an object of this proof type")
        return cls(
            w=_parse_hex(form["w"]),
            x=tuple(_parse_hex(value) for value in _parse_list(form["x"])),
            z=tuple(_parse_hex(value) for value in _parse_list(form["z"])),
            a=tuple(_parse_bit(value) for value in _parse_list(form["a"])),
            b=tuple(_parse_bit(value) for value in _parse_list(form["b"])),
        )


def verify(public_key: PublicKey, proof: BlumProof, context: bytes) -> None:
    """Raise `ProofInvalid` naming the part that fails, else return; `ParameterOutOfRange` for an overlong context.

    `context` (bytes) binds a proof to its purpose (who registers the key, where); prover and verifier must use the
    same. The statement is that of CGGMP 2020 Π_mod, `ITERATIONS` times.
    """
    n = public_key.n
    for name, items in (("x", proof.x), ("z", proof.z), ("a", proof.a), ("b", proof.b)):
        if len(items) != ITERATIONS:
            raise ProofInvalid("iterations", f"{name} has {len(items)} entries instead of {ITERATIONS}")
    # w = 0 or a w with Jacobi symbol +1 would let a cheating prover answer everything.
    if not 0 < proof.w < n or gmpy2.jacobi(proof.w, n) != -1:
        raise ProofInvalid("w", "not a residue modulo n with Jacobi symbol -1")
    challenges = [challenge(public_key, context, proof.w, index) for index in range(ITERATIONS)]
    for index, y in enumerate(challenges):
        _verify_fourth_root(n, proof, index, y)
    _verify_roots(public_key, proof, challenges)


def challenge(public_key: PublicKey, context: bytes, w: int, index: int) -> mpz:
    """y_index: SHAKE256 over length-prefixed domain, n, context and w, and the index as 4 bytes; modulo n.

    `context` has at most `MAX_CONTEXT_BYTES` bytes, else `ParameterOutOfRange`. The result is in [0, n).
    """
    if len(context) > MAX_CONTEXT_BYTES:
        raise ParameterOutOfRange(f"the context is longer than {MAX_CONTEXT_BYTES} bytes")
    width = public_key.bits // 8
    state = hashlib.shake_256(CHALLENGE_DOMAIN)
    for part in (int(public_key.n).to_bytes(width, "big"), context, int(w).to_bytes(width, "big")):
        state.update(len(part).to_bytes(4, "big") + part)
    state.update(index.to_bytes(4, "big"))
    digest = state.digest((public_key.bits + _EXTRA_CHALLENGE_BITS) // 8)
    return mpz(int.from_bytes(digest, "big")) % public_key.n


def _verify_fourth_root(n: mpz, proof: BlumProof, index: int, y: mpz) -> None:
    """All of iteration `index` but z's power: that its numbers are numbers of a proof, and x."""
    x, z, a, b = proof.x[index], proof.z[index], proof.a[index], proof.b[index]
    for name, bit in (("a", a), ("b", b)):
        if bit not in (0, 1):
            raise ProofInvalid(f"{name}[{index}]", "not a bit")
    for name, root in (("x", x), ("z", z)):
        if not 0 < root < n:
            raise ProofInvalid(f"{name}[{index}]", "not in (0, n)")
    if gmpy2.gcd(y, n) != 1:
        # Then the hash found a factor of n; no honest key gets here.
        raise ProofInvalid(f"y[{index}]", "the challenge is not a unit")
    square = (-y if a else y) * (proof.w if b else 1) % n
    if gmpy2.powmod(x, 4, n) != square:
        raise ProofInvalid(f"x[{index}]", "its fourth power is not the adjusted challenge")


def _verify_roots(public_key: PublicKey, proof: BlumProof, challenges: Sequence[mpz]) -> None:
    """All z_i at once; one by one only where that fails."""
    n = public_key.n
    roots = [mpz(z) for z in proof.z]
    for exponents in [[1] * ITERATIONS, *_batch_exponents(public_key, proof, challenges)]:
        if gmpy2.powmod(simultaneous_power(roots, exponents, n), n, n) != simultaneous_power(challenges, exponents, n):
            raise _name_wrong_root(n, roots, challenges)


def _name_wrong_root(n: mpz, roots: Sequence[mpz], challenges: Sequence[mpz]) -> ProofInvalid:
    """The refusal of a batch that failed: if every z_i were right, every product of them would be."""
    for index, (z, y) in enumerate(zip(roots, challenges, strict=True)):
        if gmpy2.powmod(z, n, n) != y:
            return ProofInvalid(f"z[{index}]", "its n-th power is not the challenge")
    return ProofInvalid("z", "a product of n-th powers is not that of the challenges")


def _batch_exponents(public_key: PublicKey, proof: BlumProof, challenges: Sequence[mpz]) -> list[list[int]]:
    """BATCHES lists of ITERATIONS exponents: SHAKE256 over domain, n, and every number and challenge of the proof.

    The challenges stand for n, context and w. Every number has the length of n, so nothing can be moved between them.
    """
    width = public_key.bits // 8
    state = hashlib.shake_256(BATCH_DOMAIN)
    for number in (public_key.n, proof.w, *proof.x, *proof.z, *challenges):
        state.update(int(number).to_bytes(width, "big"))
    state.update(bytes([*proof.a, *proof.b]))
    size = ITERATIONS * EXPONENT_BYTES
    digest = state.digest(BATCHES * size)
    return [_to_exponents(digest[start : start + size]) for start in range(0, len(digest), size)]


def _to_exponents(data: bytes) -> list[int]:
    width = EXPONENT_BYTES
    return [int.from_bytes(data[start : start + width], "big") for start in range(0, len(data), width)]


def _parse_hex(value: object) -> int:
    limit = 4096 // 4
    if not isinstance(value, str) or not 1 <= len(value) <= limit or not set(value) <= set("0123456789abcdef"):
        raise ProofInvalid("format", "a number is not lower-case hex of allowed length")
    if value[0] == "0" and value != "0":
        raise ProofInvalid("format", "a number has leading zeros")
    return int(value, 16)


def _parse_list(value: object) -> list[object]:
    if not isinstance(value, list) or len(value) != ITERATIONS:
        raise ProofInvalid("iterations", f"a list does not have {ITERATIONS} entries")
    return value


def _parse_bit(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value not in (0, 1):
        raise ProofInvalid("format", "a bit is not the integer 0 or 1")
    return value
