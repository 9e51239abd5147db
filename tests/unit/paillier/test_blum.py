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
from paillier.public_key import PublicKey
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
