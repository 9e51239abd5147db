"""Columns: how a department's value becomes the small integers that are encrypted.

Spec: design 2 "Encoding". A column description is part of signed scorecard headers, therefore its JSON form
holds integers and strings only, within the range that every JSON reader keeps exact, and is parsed strictly.

    numeric  {"kind": "numeric", "name", "scale", "lo", "hi", "transform": "identity" | "ln"}
             two ciphertexts: clamp(x, lo, hi) - lo, and 1 if missing else 0. A missing value counts as lo.
    binned   {"kind": "binned", "name", "scale", "edges": [...]}
             len(edges) + 2 ciphertexts, exactly one of them 1: bin j for j edges <= x, the missing bin last.

lo, hi and edges are in fixed-point units of 10^-scale (after the logarithm, where there is one). `encode`
never raises and always returns `width` integers: neither gateway nor bank learns who is unknown to a
department.

Left out: categorical text (a department maps it to integers in its own mapping). Thread-safety: immutable
values.
"""

import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeGuard

from paillier.errors import ColumnInvalid
from paillier.fixed_point import to_fixed

MAX_FIXED = (1 << 53) - 1
"""Magnitude of lo, hi and edges: the largest integer that RFC 8785 (JCS) and JavaScript keep exact."""

MAX_SCALE = 12
"""decimal places; beyond it no department's figure carries information."""

MAX_EDGES = 254
"""edges of a binned column; with the missing bin at most 256 ciphertexts per company."""

NAME_PATTERN = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")

Value = Decimal | int | float | str | None

_TRANSFORMS = {"identity": False, "ln": True}


@dataclass(frozen=True)
class NumericColumn:
    """A bounded fixed-point number with a missing indicator."""

    name: str
    scale: int
    lo: int
    hi: int
    log: bool = False

    def __post_init__(self) -> None:
        _check_name_and_scale(self.name, self.scale)
        _check_fixed("lo", self.lo)
        _check_fixed("hi", self.hi)
        if not self.lo < self.hi:
            raise ColumnInvalid(f'column "{self.name}": lo must be below hi')
        if not isinstance(self.log, bool):
            raise ColumnInvalid(f'column "{self.name}": log must be true or false')

    @property
    def width(self) -> int:
        """Ciphertexts per company."""
        return 2

    def encode(self, value: Value) -> list[int]:
        """[clamp(x) - lo, missing]; never raises."""
        return self.encode_fixed(to_fixed(value, self.scale, log=self.log))

    def encode_fixed(self, fixed: int | None) -> list[int]:
        """The same for a value that is already in fixed-point units (after the logarithm)."""
        if fixed is None:
            return [0, 1]
        return [max(self.lo, min(self.hi, fixed)) - self.lo, 0]

    def to_json(self) -> dict[str, str | int | list[int]]:
        """The description that is signed (module text); lo and hi in units of 10^-scale."""
        transform = "ln" if self.log else "identity"
        return {
            "kind": "numeric",
            "name": self.name,
            "scale": self.scale,
            "lo": self.lo,
            "hi": self.hi,
            "transform": transform,
        }


@dataclass(frozen=True)
class BinnedColumn:
    """A number by bins, one-hot, with a bin for missing. Edges strictly increase."""

    name: str
    scale: int
    edges: tuple[int, ...]

    def __post_init__(self) -> None:
        _check_name_and_scale(self.name, self.scale)
        if not isinstance(self.edges, list | tuple) or not 1 <= len(self.edges) <= MAX_EDGES:
            raise ColumnInvalid(f'column "{self.name}": edges must be a list of 1 to {MAX_EDGES} integers')
        for index, edge in enumerate(self.edges):
            _check_fixed(f"edges[{index}]", edge)
        if any(left >= right for left, right in zip(self.edges, self.edges[1:], strict=False)):
            raise ColumnInvalid(f'column "{self.name}": edges must strictly increase')
        object.__setattr__(self, "edges", tuple(self.edges))

    @property
    def width(self) -> int:
        """Ciphertexts per company: the bins and the missing bin."""
        return len(self.edges) + 2

    def encode(self, value: Value) -> list[int]:
        """One-hot row; never raises."""
        return self.encode_fixed(to_fixed(value, self.scale, log=False))

    def encode_fixed(self, fixed: int | None) -> list[int]:
        """The same for a value that is already in fixed-point units."""
        row = [0] * self.width
        row[-1 if fixed is None else bisect_right(self.edges, fixed)] = 1
        return row

    def to_json(self) -> dict[str, str | int | list[int]]:
        """The description that is signed (module text); edges in units of 10^-scale."""
        return {"kind": "binned", "name": self.name, "scale": self.scale, "edges": list(self.edges)}


Column = NumericColumn | BinnedColumn

_MEMBERS = {
    "numeric": frozenset({"kind", "name", "scale", "lo", "hi", "transform"}),
    "binned": frozenset({"kind", "name", "scale", "edges"}),
}


def column_from_json(description: Mapping[str, object]) -> Column:
    """Parse a column description; every member is required, none may be added, else `ColumnInvalid`."""
    if not isinstance(description, Mapping):
        raise ColumnInvalid("a column description must be an object")
    kind = description.get("kind")
    if not isinstance(kind, str) or kind not in _MEMBERS:
        raise ColumnInvalid('member "kind" must be "numeric" or "binned"')
    if set(description) != _MEMBERS[kind]:
        raise ColumnInvalid(f"a {kind} column has exactly the members {', '.join(sorted(_MEMBERS[kind]))}")
    name, scale = description["name"], description["scale"]
    # The constructors check every type at run time, so that built and parsed columns obey the same rules.
    if kind == "binned":
        return BinnedColumn(name, scale, description["edges"])  # type: ignore[arg-type] # checked there
    transform = description["transform"]
    if not isinstance(transform, str) or transform not in _TRANSFORMS:
        raise ColumnInvalid('member "transform" must be "identity" or "ln"')
    lo, hi = description["lo"], description["hi"]
    return NumericColumn(name, scale, lo, hi, _TRANSFORMS[transform])  # type: ignore[arg-type] # checked there


def _check_name_and_scale(name: object, scale: object) -> None:
    if not isinstance(name, str) or not NAME_PATTERN.fullmatch(name):
        raise ColumnInvalid(f"a column name must match {NAME_PATTERN.pattern}")
    if not _is_integer(scale) or not 0 <= scale <= MAX_SCALE:
        raise ColumnInvalid(f'column "{name}": scale must be an integer from 0 to {MAX_SCALE}')


def _check_fixed(member: str, value: object) -> None:
    if not _is_integer(value) or not -MAX_FIXED <= value <= MAX_FIXED:
        raise ColumnInvalid(f'member "{member}" must be an integer of magnitude below 2^53')


def _is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
