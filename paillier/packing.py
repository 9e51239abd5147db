"""Packing: one plaintext carries one value of each of many companies, in slots of equal size.

Spec: design 2 "Packing (portfolio)": k = ⌊(|n| - 2)/slot⌋ slots, slot = bitlen(max S - min S); the i-th company of a
chunk stands at bits [i·slot, (i+1)·slot). A weighted sum of packed columns is then the weighted sum of every company
at once. It is exact as long as each slot's *result* lies in [0, 2^slot): the lowest score is subtracted from every
slot (`packed_bias`), so that a slot holds S - min S, and negative weights lend nothing from a neighbour. On the way
the sum may pass through other numbers, which is harmless: only the total is reduced modulo n, and it lies below
2^(|n| - 2) < n/2.

Packing and unpacking are one pass over the data each (`gmpy2.pack`, `unpack`), where repeated shifting is quadratic.
Left out: slots of different size in one plaintext. Thread-safety: pure values.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import gmpy2
from gmpy2 import mpz

from paillier.errors import PackedOverflow, ParameterOutOfRange, SlotsOverflow
from paillier.public_key import PublicKey


@dataclass(frozen=True)
class SlotLayout:
    """`slots` slots of `slot_bits` bits each, the first company in the lowest bits."""

    slot_bits: int
    slots: int

    def __post_init__(self) -> None:
        if self.slot_bits < 1 or self.slots < 1:
            raise ParameterOutOfRange("a layout needs at least one slot of at least one bit")

    @classmethod
    def for_key(cls, public_key: PublicKey, slot_bits: int) -> "SlotLayout":
        """As many slots as a plaintext of this key holds, with room for a sign; `ParameterOutOfRange` for none."""
        if slot_bits < 1:
            raise ParameterOutOfRange("a slot has at least one bit")
        return cls(slot_bits, (public_key.bits - 2) // slot_bits)

    def chunks(self, count: int) -> int:
        """Plaintexts that `count` companies need."""
        return -(-count // self.slots)

    def sizes(self, count: int) -> list[int]:
        """Companies in each plaintext: all slots but for the last."""
        return [min(self.slots, count - start) for start in range(0, count, self.slots)]

    def pack(self, values: Sequence[int]) -> mpz:
        """One plaintext from at most `slots` integers in [0, 2^slot_bits); a slot without value holds 0.

        Raises `PackedOverflow` with the position, never the value, of what does not fit.
        """
        if len(values) > self.slots:
            raise PackedOverflow(f"{len(values)} values for {self.slots} slots")
        try:
            return gmpy2.pack(list(values), self.slot_bits) if values else mpz(0)
        except (ValueError, TypeError) as error:
            raise PackedOverflow(f"value {self._misfit(values)} does not fit {self.slot_bits} bits") from error

    def _misfit(self, values: Sequence[int]) -> int:
        limit = 1 << self.slot_bits
        fits = (isinstance(value, int | mpz) and 0 <= value < limit for value in values)
        return next((index for index, good in enumerate(fits) if not good), 0)

    def pack_column(self, values: Sequence[int]) -> list[mpz]:
        """One column of any number of companies as `chunks(len(values))` plaintexts; `PackedOverflow` as for `pack`."""
        return [self.pack(values[start : start + self.slots]) for start in range(0, len(values), self.slots)]

    def unpack(self, plaintext: int | mpz, count: int) -> list[int]:
        """The first `count` slots; raises `SlotsOverflow` when any bit is set above them: something lied.

        Raises `ParameterOutOfRange` for a count outside 0 to `slots`.
        """
        if not 0 <= count <= self.slots:
            raise ParameterOutOfRange(f"{count} values from {self.slots} slots")
        if plaintext < 0 or int(plaintext).bit_length() > count * self.slot_bits:
            raise SlotsOverflow(f"bits above the last of {count} slots are set")
        values = [int(value) for value in gmpy2.unpack(mpz(plaintext), self.slot_bits)] if plaintext else []
        return values + [0] * (count - len(values))

    def packed_bias(self, bias: int, low: int, count: int) -> int:
        """The constant that makes `count` slots hold S - low: (bias - low) in each of them. May be negative."""
        ones = ((1 << (self.slot_bits * count)) - 1) // ((1 << self.slot_bits) - 1) if count else 0
        return (bias - low) * ones
