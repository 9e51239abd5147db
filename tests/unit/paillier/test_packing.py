"""Slots: exact layout, adversarial values at every border, refusals."""

import random

import pytest
from gmpy2 import mpz

from paillier import errors
from paillier.packing import SlotLayout
from paillier.public_key import PublicKey
from tests.support.paillier_keys import key_3072

RANDOM = random.Random(7)  # noqa: S311 (repeatable test data)


def naive_pack(values: list[int], bits: int) -> int:
    total = 0
    for index, value in enumerate(values):
        total += value << (index * bits)
    return total


def test_the_designs_example_has_71_slots() -> None:
    layout = SlotLayout.for_key(key_3072().public, 43)
    assert (layout.slot_bits, layout.slots) == (43, 71)


@pytest.mark.parametrize("bits", [1, 8, 31, 43, 64, 1000])
def test_pack_and_unpack_are_inverse_at_the_borders(public: PublicKey, bits: int) -> None:
    layout = SlotLayout.for_key(public, bits)
    top = (1 << bits) - 1
    patterns = [
        [0] * layout.slots,
        [top] * layout.slots,
        [top, 0] * (layout.slots // 2),
        [0] * (layout.slots - 1) + [1],
        [1 << (bits - 1)] * layout.slots,
        [RANDOM.randrange(1 << bits) for _ in range(layout.slots)],
        [],
    ]
    for values in patterns:
        packed = layout.pack(values)
        assert packed == naive_pack(values, bits)
        assert packed < public.n // 2
        assert layout.unpack(packed, len(values)) == values


def test_a_column_is_cut_into_chunks_with_a_short_last_one() -> None:
    layout = SlotLayout(4, 3)
    assert layout.pack_column([1, 2, 3, 4]) == [0x321, 0x4]
    assert (layout.chunks(4), layout.sizes(4)) == (2, [3, 1])
    assert (layout.chunks(0), layout.sizes(0), layout.pack_column([])) == (0, [], [])


@pytest.mark.parametrize("value", [16, -1, 1 << 100, "1", 1.0, None])
def test_what_does_not_fit_is_refused_by_position_and_never_shown(value: object) -> None:
    with pytest.raises(errors.PackedOverflow, match="value 1 does not fit 4 bits") as refusal:
        SlotLayout(4, 3).pack([3, value])  # type: ignore[list-item]
    assert str(value) not in str(refusal.value).replace("value 1", "").replace("4 bits", "")


def test_more_values_than_slots_are_refused() -> None:
    with pytest.raises(errors.PackedOverflow, match="4 values for 3 slots"):
        SlotLayout(4, 3).pack([1, 2, 3, 4])


@pytest.mark.parametrize(("plaintext", "count"), [(0x1000, 3), (0x100, 2), (1, 0), (-1, 3), (mpz(1) << 2000, 3)])
def test_bits_above_the_last_slot_are_refused(plaintext: int, count: int) -> None:
    with pytest.raises(errors.SlotsOverflow):
        SlotLayout(4, 3).unpack(plaintext, count)


@pytest.mark.parametrize("count", [-1, 4])
def test_a_count_that_the_layout_cannot_hold_is_refused(count: int) -> None:
    with pytest.raises(errors.ParameterOutOfRange):
        SlotLayout(4, 3).unpack(0, count)


@pytest.mark.parametrize(("bits", "slots"), [(0, 1), (1, 0), (-3, 2)])
def test_impossible_layouts_are_refused(bits: int, slots: int) -> None:
    with pytest.raises(errors.ParameterOutOfRange):
        SlotLayout(bits, slots)


def test_a_slot_larger_than_the_key_or_of_no_bits_is_refused(public: PublicKey) -> None:
    for bits in (0, public.bits - 1):
        with pytest.raises(errors.ParameterOutOfRange):
            SlotLayout.for_key(public, bits)


@pytest.mark.parametrize("bias", [-100, 0, 9])
def test_the_packed_bias_stands_in_every_slot(bias: int) -> None:
    layout = SlotLayout(8, 4)
    low = -100
    assert layout.packed_bias(bias, low, 3) == sum((bias - low) << (8 * i) for i in range(3))
    assert layout.packed_bias(bias, low, 0) == 0


def test_packing_is_linear_in_the_data() -> None:
    """Values are visited once: the same bytes come out whether a long column is packed whole or in pieces."""
    values = [RANDOM.randrange(1 << 20) for _ in range(2000)]
    whole = SlotLayout(20, 2000)
    pieces = SlotLayout(20, 100).pack_column(values)
    assert whole.pack(values) == sum(piece << (2000 * index) for index, piece in enumerate(pieces))
