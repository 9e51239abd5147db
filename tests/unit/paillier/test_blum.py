"""Paillier-Blum proof: honest proofs hold; forgeries in each part and bad moduli are caught."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import gmpy2
import pytest

from paillier import blum, errors
from paillier.blum import ITERATIONS, BlumProof
from paillier.private import PrivateKey, prove
from paillier.public_key import SMALL_FACTOR_LIMIT, PublicKey
from tests.support.paillier_keys import key_3072, other_key_2048

CONTEXT = b"bank:example"


@pytest.fixture(scope="module")
def proof(key: PrivateKey) -> BlumProof:
    return prove(key, CONTEXT)


def refused_part(public: PublicKey, proof: BlumProof, context: bytes = CONTEXT) -> str:
    with pytest.raises(errors.ProofInvalid) as caught:
        blum.verify(public, proof, context)
    return caught.value.part


def changed(proof: BlumProof, name: str, index: int, value: int) -> BlumProof:
    items = list(getattr(proof, name))
    items[index] = value
    return dataclasses.replace(proof, **{name: tuple(items)})


def test_an_honest_proof_holds_also_after_json(public: PublicKey, proof: BlumProof) -> None:
    assert blum.verify(public, proof, CONTEXT) is None
    assert BlumProof.from_json(proof.to_json()) == proof


def test_an_honest_proof_holds_at_the_default_size() -> None:
    assert blum.verify(key_3072().public, prove(key_3072(), b""), b"") is None


def test_at_least_eighty_iterations() -> None:
    assert ITERATIONS >= 80


def test_w_is_fresh_per_proof(key: PrivateKey, proof: BlumProof) -> None:
    assert prove(key, CONTEXT).w != proof.w


def test_another_context_is_refused(public: PublicKey, proof: BlumProof) -> None:
    assert refused_part(public, proof, b"bank:other") in {"x[0]", "z[0]"}


def test_another_key_is_refused(proof: BlumProof) -> None:
    assert refused_part(other_key_2048().public, proof) in {"w", "x[0]", "z[0]"}


@pytest.mark.parametrize(
    "forge",
    [lambda _w, _n: 0, lambda _w, _n: 1, lambda w, n: w + n, lambda w, n: w * w % n, lambda w, _n: -w],
    ids=["zero", "one", "above_n", "a_square", "negative"],
)
def test_a_forged_w_is_refused(public: PublicKey, proof: BlumProof, forge: Callable[[int, int], int]) -> None:
    forged = dataclasses.replace(proof, w=int(forge(proof.w, int(public.n))))
    assert refused_part(public, forged) == "w"


def test_another_valid_w_changes_every_challenge(public: PublicKey, proof: BlumProof) -> None:
    w = next(w for w in range(proof.w + 1, proof.w + 1000) if gmpy2.jacobi(w, public.n) == -1)
    assert refused_part(public, dataclasses.replace(proof, w=w)) == "x[0]"


@pytest.mark.parametrize("index", [0, 77, ITERATIONS - 1])
@pytest.mark.parametrize("name", ["x", "z"])
def test_a_forged_root_is_refused(public: PublicKey, proof: BlumProof, name: str, index: int) -> None:
    value = getattr(proof, name)[index]
    assert refused_part(public, changed(proof, name, index, value + 1)) == f"{name}[{index}]"
    for outside in (0, -value, value + int(public.n)):
        assert refused_part(public, changed(proof, name, index, outside)) == f"{name}[{index}]"


@pytest.mark.parametrize("name", ["a", "b"])
def test_a_flipped_bit_breaks_its_root_and_another_number_is_no_bit(
    public: PublicKey, proof: BlumProof, name: str
) -> None:
    assert refused_part(public, changed(proof, name, 3, 1 - getattr(proof, name)[3])) == "x[3]"
    assert refused_part(public, changed(proof, name, 3, 2)) == f"{name}[3]"


@pytest.mark.parametrize("name", ["x", "z", "a", "b"])
def test_roots_must_be_complete_and_in_order(public: PublicKey, proof: BlumProof, name: str) -> None:
    items = getattr(proof, name)
    assert refused_part(public, dataclasses.replace(proof, **{name: items[:-1]})) == "iterations"
    assert refused_part(public, dataclasses.replace(proof, **{name: (*items, items[0])})) == "iterations"
    if name in "xz":
        swapped = (items[1], items[0], *items[2:])
        assert refused_part(public, dataclasses.replace(proof, **{name: swapped})) == f"{name}[0]"


def test_a_challenge_that_shares_a_factor_with_n_is_refused(
    key: PrivateKey, proof: BlumProof, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No hash hits one in practice; who finds one has factored n, and its roots 0 modulo p prove nothing."""
    monkeypatch.setattr(blum, "challenge", lambda *_: key.p)
    assert refused_part(key.public, proof) == "y[0]"


def test_roots_of_minus_one_and_of_trivial_challenges_do_not_help(public: PublicKey, proof: BlumProof) -> None:
    """1 and n - 1 are roots of ±1: good for no challenge but those."""
    for name in ("x", "z"):
        for root in (1, int(public.n) - 1):
            assert refused_part(public, changed(proof, name, 0, root)) == f"{name}[0]"


def test_a_proof_of_one_key_is_none_of_another_also_with_its_parts_mixed(key: PrivateKey, proof: BlumProof) -> None:
    other = prove(key, b"bank:other")
    for name in ("w", "x", "z"):
        mixed = dataclasses.replace(proof, **{name: getattr(other, name)})
        assert refused_part(key.public, mixed) in {"x[0]", "z[0]"}


def test_a_context_of_the_greatest_length_is_allowed(key: PrivateKey) -> None:
    assert 0 < blum.challenge(key.public, b"x" * blum.MAX_CONTEXT_BYTES, 5, 0) < key.public.n


def test_an_overlong_context_is_refused(public: PublicKey, proof: BlumProof) -> None:
    with pytest.raises(errors.ParameterOutOfRange):
        blum.verify(public, proof, b"x" * (blum.MAX_CONTEXT_BYTES + 1))


def test_challenges_depend_on_every_input(key: PrivateKey) -> None:
    base = (key.public, b"ab", 5, 0)
    variants = [(other_key_2048().public, b"ab", 5, 0), (key.public, b"a", 5, 0), (key.public, b"ab", 6, 0)]
    variants.append((key.public, b"ab", 5, 1))
    assert len({int(blum.challenge(*inputs)) for inputs in [base, *variants]}) == 5


BAD_FORMS: dict[str, tuple[dict[str, Any], str]] = {
    "other_type": ({"type": "other"}, "format"),
    "extra_member": ({"y": []}, "format"),
    "w_number": ({"w": 5}, "format"),
    "w_upper_case": ({"w": "AB"}, "format"),
    "w_empty": ({"w": ""}, "format"),
    "w_leading_zero": ({"w": "0a"}, "format"),
    "w_prefixed": ({"w": "0x1"}, "format"),
    "w_too_long": ({"w": "1" * 1025}, "format"),
    "x_short": ({"x": ["1"]}, "iterations"),
    "x_text": ({"x": "1" * ITERATIONS}, "iterations"),
    "z_negative": ({"z": ["-1"] * ITERATIONS}, "format"),
    "a_bool": ({"a": [True] * ITERATIONS}, "format"),
    "b_two": ({"b": [2] * ITERATIONS}, "format"),
    "b_float": ({"b": [1.0] * ITERATIONS}, "format"),
}


@pytest.mark.parametrize("defect", BAD_FORMS)
def test_a_bad_form_is_refused(proof: BlumProof, defect: str) -> None:
    changes, part = BAD_FORMS[defect]
    with pytest.raises(errors.ProofInvalid) as caught:
        BlumProof.from_json(proof.to_json() | changes)
    assert caught.value.part == part


def test_a_missing_member_is_refused(proof: BlumProof) -> None:
    form = proof.to_json()
    del form["z"]
    with pytest.raises(errors.ProofInvalid):
        BlumProof.from_json(form)


# --- the batch: nine powers of n stand for 128 ----------------------------------------------------------------


def multiplied(public: PublicKey, proof: BlumProof, factors: dict[int, int]) -> BlumProof:
    """z_i times a factor, for some i."""
    n = int(public.n)
    for index, factor in factors.items():
        proof = changed(proof, "z", index, proof.z[index] * factor % n)
    return proof


def powers_of_n(public: PublicKey, proof: BlumProof, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many powers with exponent n a verification makes."""
    powmod, exponents = gmpy2.powmod, []

    def counting(base: int, exponent: int, modulus: int) -> gmpy2.mpz:
        exponents.append(exponent)
        return powmod(base, exponent, modulus)

    monkeypatch.setattr(gmpy2, "powmod", counting)
    blum.verify(public, proof, CONTEXT)
    return exponents.count(public.n)


def test_a_proof_costs_nine_powers_of_n(public: PublicKey, proof: BlumProof, monkeypatch: pytest.MonkeyPatch) -> None:
    assert powers_of_n(public, proof, monkeypatch) == blum.BATCHES + 1 == 9


def test_the_combinations_weigh_as_much_as_the_iterations() -> None:
    """2^-128 needs 8 · 16 bits, and exponents below every prime that the checks of a modulus leave possible."""
    assert blum.BATCHES * blum.EXPONENT_BYTES * 8 >= ITERATIONS
    assert 1 << (8 * blum.EXPONENT_BYTES) <= SMALL_FACTOR_LIMIT


@pytest.mark.parametrize("index", [0, 64, ITERATIONS - 1])
@pytest.mark.parametrize("order", ["minus_one", "one_and_minus_one", "three"])
def test_one_root_that_is_wrong_by_a_factor_of_small_order_is_always_named(
    key: PrivateKey, proof: BlumProof, order: str, index: int
) -> None:
    """The factors that break batch verification elsewhere; all but n - 1 need the primes to be found."""
    factors = {
        "minus_one": int(key.public.n) - 1,
        "one_and_minus_one": by_residues(key, 1, -1),
        "three": by_residues(key, 1, element_of_order(key.q, smallest_odd_factor(key.q - 1))),
    }
    assert refused_part(key.public, multiplied(key.public, proof, {index: factors[order]})) == f"z[{index}]"


def test_roots_whose_product_is_right_are_refused(public: PublicKey, proof: BlumProof) -> None:
    """The plain product does not see them, the combinations do."""
    n = int(public.n)
    factor = 65537
    shifted = multiplied(public, proof, {5: factor, 9: int(gmpy2.invert(factor, n))})
    assert math.prod(shifted.z) % n == math.prod(proof.z) % n
    assert refused_part(public, shifted) == "z[5]"
    rotated = dataclasses.replace(proof, z=(*proof.z[1:], proof.z[0]))
    assert refused_part(public, rotated) == "z[0]"


def test_two_flipped_signs_are_refused_unless_every_combination_weighs_them_evenly(key: PrivateKey) -> None:
    """Once in 2^8, by the hash of the proof and for everybody alike; n is well formed all the same (module text)."""
    proof = prove(key, CONTEXT)
    minus_one = int(key.public.n) - 1
    flipped = multiplied(key.public, proof, {3: minus_one, 4: minus_one})
    challenges = [blum.challenge(key.public, CONTEXT, proof.w, index) for index in range(ITERATIONS)]
    weights = blum._batch_exponents(key.public, flipped, challenges)
    if all((row[3] + row[4]) % 2 == 0 for row in weights):
        assert blum.verify(key.public, flipped, CONTEXT) is None
    else:
        assert refused_part(key.public, flipped) == "z[3]"


def test_a_root_that_is_no_unit_is_named(key: PrivateKey, proof: BlumProof) -> None:
    assert refused_part(key.public, changed(proof, "z", 8, int(key.p))) == "z[8]"
    assert refused_part(key.public, changed(proof, "x", 8, int(key.q))) == "x[8]"


def test_all_roots_wrong_alike_are_refused(public: PublicKey, proof: BlumProof) -> None:
    """A factor whose n-th power is 1 only for one in 2^128 choices of exponents."""
    assert refused_part(public, multiplied(public, proof, dict.fromkeys(range(ITERATIONS), 2))) == "z[0]"


@pytest.mark.parametrize("name", ["w", "x", "z", "a", "b"])
def test_the_combinations_depend_on_every_number_of_the_proof(public: PublicKey, proof: BlumProof, name: str) -> None:
    challenges = [blum.challenge(public, CONTEXT, proof.w, index) for index in range(ITERATIONS)]
    before = blum._batch_exponents(public, proof, challenges)
    if name == "w":
        other = dataclasses.replace(proof, w=proof.w - 1)
    else:
        other = changed(proof, name, ITERATIONS - 1, getattr(proof, name)[-1] ^ 1)
    assert blum._batch_exponents(public, other, challenges) != before
    assert blum._batch_exponents(public, proof, [challenges[0] + 1, *challenges[1:]]) != before
    assert len({tuple(row) for row in before}) == blum.BATCHES
    assert {len(row) for row in before} == {ITERATIONS}


def test_a_prover_who_knows_everything_gains_nothing_where_nth_roots_are_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """n = r·q with r dividing q - 1 passes the checks of a modulus, and only one unit in r has an n-th root.

    The prover gets the best challenges that it can hope for, two without roots whose product has one: the plain product
    holds, each combination weighs the two differently.
    """
    r, q, public = modulus_without_roots()
    generator = non_residue(r, q)
    root_one = by_chinese_remainders(r, q, 1, generator)
    challenges = [root_one, gmpy2.invert(root_one, public.n), *[gmpy2.mpz(1)] * (ITERATIONS - 2)]
    proof = BlumProof(w=2, x=(1,) * ITERATIONS, z=(1,) * ITERATIONS, a=(0,) * ITERATIONS, b=(0,) * ITERATIONS)
    monkeypatch.setattr(blum, "_batch_exponents", lambda *_: [])
    assert blum._verify_roots(public, proof, challenges) is None
    monkeypatch.undo()
    with pytest.raises(errors.ProofInvalid) as caught:
        blum._verify_roots(public, proof, challenges)
    assert caught.value.part == "z[0]"


def test_exponents_below_the_smallest_possible_factor_weigh_a_defect_to_zero_at_most_once() -> None:
    """The count behind 2^-16: for a class v != 0 modulo r, e·v takes each value for at most one exponent e < 2^16."""
    for r in (65537, 65539):
        for v in (1, 2, 12345, r - 1):
            assert len({e * v % r for e in range(1 << 16)}) == 1 << 16


def modulus_without_roots() -> tuple[int, int, PublicKey]:
    """r, q and n = r·q of 2048 bits, both 3 modulo 4, r above 2^16 and dividing q - 1."""
    r = 65539
    # The first k from three quarters of the range on that gives a prime; searching it takes seconds.
    q = 2 * ((3 * (1 << 2045) // (r * r) | 1) + 2 * 1226) * r + 1
    assert gmpy2.is_prime(r)
    assert gmpy2.is_prime(q)
    assert r % 4 == q % 4 == 3
    return r, q, PublicKey(gmpy2.mpz(r * q))


def non_residue(r: int, q: int) -> int:
    """A number that is no r-th power modulo q."""
    return next(g for g in range(2, 100) if gmpy2.powmod(g, (q - 1) // r, q) != 1)


def by_chinese_remainders(p: int, q: int, modulo_p: int, modulo_q: int) -> gmpy2.mpz:
    return gmpy2.mpz((modulo_p + p * ((modulo_q - modulo_p) * gmpy2.invert(p, q) % q)) % (p * q))


def by_residues(key: PrivateKey, modulo_p: int, modulo_q: int) -> int:
    return int(by_chinese_remainders(int(key.p), int(key.q), modulo_p, modulo_q))


def smallest_odd_factor(number: int) -> int:
    return next(factor for factor in range(3, 10**6, 2) if number % factor == 0)


def element_of_order(prime: int, order: int) -> int:
    candidates = (int(gmpy2.powmod(base, (prime - 1) // order, prime)) for base in range(2, 1000))
    return next(element for element in candidates if element != 1)


# --- the soundness argument of the module text, counted out on toy moduli -----------------------------------


def answerable_fraction(n: int) -> float:
    """The best share of challenges y that any w lets a prover with unlimited power answer."""
    units = [u for u in range(1, n) if math.gcd(u, n) == 1]
    fourth_powers = {pow(u, 4, n) for u in units}
    nth_powers = {pow(u, n, n) for u in units}
    best = 0.0
    for w in units:
        if gmpy2.jacobi(w, n) != -1:
            continue
        good = sum(y in nth_powers and any(s * y % n in fourth_powers for s in (1, -1, w, -w)) for y in units)
        best = max(best, good / len(units))
    return best


@pytest.mark.parametrize("n", [7 * 11, 7 * 19, 11 * 19])
def test_a_prover_can_answer_everything_for_a_blum_modulus(n: int) -> None:
    assert answerable_fraction(n) == 1.0


BAD_TOYS = {
    "three_primes": 7 * 11 * 13,
    "three_primes_one_of_them_5_mod_8": 5 * 7 * 11,
    "four_blum_primes": 3 * 7 * 11 * 19,
    "both_1_mod_4": 5 * 13,
    "both_1_mod_8": 17 * 41,
    "shares_a_factor_with_its_order": 3 * 7,
    "a_prime_squared_times_a_prime": 3 * 3 * 5,
}


@pytest.mark.parametrize("defect", BAD_TOYS)
def test_a_prover_can_answer_at_most_half_for_a_bad_modulus(defect: str) -> None:
    assert answerable_fraction(BAD_TOYS[defect]) <= 0.5


# --- bad moduli of real size: what the checks of a modulus cannot see, the proof does -----------------------


def primes_of(residue: int, *bits: int) -> list[int]:
    """Different primes of these lengths, the three top bits set, all `residue` modulo 4."""
    found = []
    for count in bits:
        prime = (7 << (count - 3)) + 4 * 1000 * len(found) + residue
        while not gmpy2.is_prime(prime):
            prime += 4
        found.append(int(prime))
    return found


def bad_modulus(defect: str) -> list[int]:
    """The prime factors of a number of 2048 bits that `PublicKey` accepts and no honest owner would make."""
    if defect == "both_1_mod_4":
        return primes_of(1, 1024, 1024)
    if defect == "three_primes":
        return [*primes_of(3, 700, 700), *primes_of(1, 648)]
    if defect == "four_blum_primes":
        return primes_of(3, 512, 512, 512, 512)
    return list(modulus_without_roots()[:2])


def answerable(factors: list[int], w: gmpy2.mpz, y: gmpy2.mpz) -> bool:
    """Whether x and z exist, for one who knows the factors (which are 3 modulo 4, or fourth powers are fewer)."""
    n = math.prod(factors)
    if any((p - 1) % r == 0 and gmpy2.powmod(y, (p - 1) // r, p) != 1 for p in factors for r in factors):
        return False
    adjusted = [(-1) ** a * w**b * y % n for a in (0, 1) for b in (0, 1)]
    return any(all(gmpy2.powmod(s, (p - 1) // math.gcd(4, p - 1), p) == 1 for p in factors) for s in adjusted)


@pytest.mark.parametrize("defect", ["both_1_mod_4", "three_primes", "four_blum_primes", "r_divides_q_minus_1"])
def test_a_bad_modulus_of_real_size_leaves_challenges_unanswered_that_its_owner_cannot_choose(defect: str) -> None:
    """It passes as a modulus; of its first 40 challenges an owner who knows the factors can answer only some."""
    factors = bad_modulus(defect)
    public = PublicKey(gmpy2.mpz(math.prod(factors)))
    w = next(gmpy2.mpz(w) for w in range(2, 1000) if gmpy2.jacobi(w, public.n) == -1)
    challenges = [blum.challenge(public, CONTEXT, int(w), index) for index in range(40)]
    answers = [answerable(factors, w, y) for y in challenges]
    # At most one in two exists: 40 of 40 with probability 2^-40, and 33 of 40 with less than 2^-15.
    assert sum(answers) <= 33


def test_a_good_modulus_leaves_none(key: PrivateKey, proof: BlumProof) -> None:
    challenges = [blum.challenge(key.public, CONTEXT, proof.w, index) for index in range(40)]
    assert all(answerable([int(key.p), int(key.q)], gmpy2.mpz(proof.w), y) for y in challenges)
