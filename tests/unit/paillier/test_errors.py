"""Every error tells cause and cure, and none tells a value."""

import inspect

import pytest

from paillier import errors

CLASSES = [
    cls
    for _, cls in inspect.getmembers(errors, inspect.isclass)
    if issubclass(cls, errors.PaillierError) and cls is not errors.PaillierError
]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_error_has_its_own_hint(cls: type[errors.PaillierError]) -> None:
    assert "hint" in vars(cls)
    assert cls.hint.endswith(".")
    assert len(cls.hint) > 30


def test_hints_are_distinct() -> None:
    assert len({cls.hint for cls in CLASSES}) == len(CLASSES)


def test_a_refused_proof_says_where_and_why() -> None:
    refusal = errors.ProofInvalid("x[3]", "its fourth power is not the adjusted challenge")
    assert refusal.part == "x[3]"
    assert str(refusal) == "Paillier-Blum proof invalid at x[3]: its fourth power is not the adjusted challenge"
