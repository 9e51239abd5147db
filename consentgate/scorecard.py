"""Scorecards as they travel: a header that departments see, and weights that only bank, gateway and reviewers
see.

The header's SHA-256 is the scorecard id; it holds a salted commitment to the weights, so the id fixes both.
Score: S = bias + Σ points·column positions, over integers (design 2). Column specifications are repeated in
the header in full: a department compares them with its own catalogue, and nothing about a column can change
under an approved scorecard.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from consentgate import canonical
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.statements import Custody, Hex32, Identifier, One, Use
from paillier.columns import Column, column_from_json
from paillier.errors import PaillierError
from paillier.score_range import score_range

MAX_COLUMNS = 1024
"""Most columns of one scorecard."""
MAX_SCORE = canonical.MAX_INTEGER
"""Largest magnitude of a score: the header that states it is JSON, and every bank must read it exactly."""
IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
"""Column names stand in ledger leaves, which admit nothing else."""
COMMITMENT_LABEL = b"consentgate/v1/weights\x00"

ScoreInteger = Annotated[int, Field(ge=-MAX_SCORE, le=MAX_SCORE)]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @classmethod
    def parse(cls, data: bytes, name: str) -> Self:
        """Parses canonical JSON; raises INVALID_ARGUMENT_FIELD naming the first offending member."""
        canonical.parse_canonical(data, name)
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            where = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
            raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=f"{name}.{where}".rstrip(".")) from None

    def encode(self) -> bytes:
        """Canonical bytes."""
        return canonical.encode(self.model_dump(mode="json"))


class HeaderColumn(_Closed):
    """One column that a scorecard reads: its category and its full specification."""

    category: Identifier
    spec: dict[str, Any]

    @cached_property
    def column(self) -> Column:
        """The specification as a typed column; raises SCORECARD_INVALID when it is none."""
        try:
            return column_from_json(self.spec)
        except PaillierError as error:
            raise ConsentgateError(ErrorCode.SCORECARD_INVALID, field="departments.columns.spec") from error


class HeaderDepartment(_Closed):
    """The columns one department is asked for, and what its silence means."""

    id: Identifier
    missing: Literal["fail", "encode"]
    columns: Annotated[list[HeaderColumn], Field(min_length=1, max_length=MAX_COLUMNS)]

    def names(self) -> list[str]:
        """Column names in the order of the answer."""
        return [entry.column.name for entry in self.columns]

    def widths(self) -> list[int]:
        """Ciphertexts per column, in the same order."""
        return [entry.column.width for entry in self.columns]


class ScorecardHeader(_Closed):
    """What departments, adapters and the ledger know of a scorecard."""

    v: One
    name: Identifier
    owner: Identifier
    use: Use
    custody: Custody
    departments: Annotated[list[HeaderDepartment], Field(min_length=1, max_length=64)]
    score_low: ScoreInteger
    score_high: ScoreInteger
    slot_bits: Annotated[int, Field(ge=1, le=MAX_SCORE.bit_length() + 1)]
    weight_bits: Annotated[int, Field(ge=2, le=32)]
    weights_commitment: Hex32

    @property
    def id(self) -> str:
        """SHA-256 of the canonical header, 64 hex digits."""
        return canonical.digest(self.encode())

    @classmethod
    def parse(cls, data: bytes, name: str) -> Self:
        """As in the base class; also refuses a department or column named twice and unusable
        specifications.
        """
        header = super().parse(data, name)
        ids = [department.id for department in header.departments]
        if len(set(ids)) != len(ids):
            raise ConsentgateError(ErrorCode.SCORECARD_INVALID, field=f"{name}.departments")
        for department in header.departments:
            names = department.names()
            if len(set(names)) != len(names) or not all(map(IDENTIFIER.fullmatch, names)):
                raise ConsentgateError(ErrorCode.SCORECARD_INVALID, field=f"{name}.departments.columns")
        return header

    def department(self, department_id: str) -> HeaderDepartment:
        """The entry of one department; raises COLUMN_NOT_RELEASABLE when the header does not name it."""
        for entry in self.departments:
            if entry.id == department_id:
                return entry
        raise ConsentgateError(ErrorCode.COLUMN_NOT_RELEASABLE, field="scorecard_header.departments")

    def categories(self) -> frozenset[str]:
        """All categories of data the scorecard reads: a consent must cover every one."""
        return frozenset(entry.category for department in self.departments for entry in department.columns)

    def columns(self) -> Iterator[tuple[str, Column]]:
        """(department, column) in the order of the ciphertexts."""
        for department in self.departments:
            for entry in department.columns:
                yield department.id, entry.column


class ColumnWeights(_Closed):
    """Points for each position of one column (binned: bins then missing; numeric: per unit, then missing)."""

    department: Identifier
    column: Identifier
    points: Annotated[list[int], Field(min_length=1, max_length=4096)]


class ScorecardWeights(_Closed):
    """What departments never see. `bias` is the intercept over *encoded* positions
    (`paillier.score_range.shifted_bias`).
    """

    v: One
    salt: Hex32
    bias: Annotated[int, Field(ge=-(2**48), le=2**48)]
    weights: Annotated[list[ColumnWeights], Field(min_length=1, max_length=MAX_COLUMNS)]

    def commitment(self) -> str:
        """Salted commitment: SHA-256 over a label and the canonical bytes, which contain the 32-byte salt."""
        return hashlib.sha256(COMMITMENT_LABEL + self.encode()).hexdigest()


@dataclass(frozen=True)
class Scorecard:
    """Header and weights that belong together; construction checks that they do."""

    header: ScorecardHeader
    weights: ScorecardWeights

    def __post_init__(self) -> None:
        if self.weights.commitment() != self.header.weights_commitment:
            raise ConsentgateError(ErrorCode.SCORECARD_INVALID, field="header.weights_commitment")
        expected = [(department, column.name, column.width) for department, column in self.header.columns()]
        given = [(entry.department, entry.column, len(entry.points)) for entry in self.weights.weights]
        if expected != given:
            raise ConsentgateError(ErrorCode.SCORECARD_INVALID, field="weights.weights")
        low, high = self._exact_range()
        if (low, high) != (self.header.score_low, self.header.score_high):
            raise ConsentgateError(ErrorCode.SCORECARD_RANGE, field="header.score_low")
        if max(1, (high - low).bit_length()) != self.header.slot_bits:
            raise ConsentgateError(ErrorCode.SCORECARD_RANGE, field="header.slot_bits")

    def _exact_range(self) -> tuple[int, int]:
        return exact_range(
            [column for _, column in self.header.columns()],
            self.weights,
            self.header.weight_bits,
            "weights.weights",
        )

    def points(self) -> list[int]:
        """All weights, flat, in the order of the ciphertexts."""
        return [point for entry in self.weights.weights for point in entry.points]


def exact_range(columns: list[Column], weights: ScorecardWeights, weight_bits: int, field: str) -> tuple[int, int]:
    """Exact least and greatest score; raises SCORECARD_RANGE when weights or range do not fit."""
    try:
        points = [point for entry in weights.weights for point in entry.points]
        return score_range(columns, points, weights.bias, weight_bits=weight_bits)
    except PaillierError as error:
        raise ConsentgateError(ErrorCode.SCORECARD_RANGE, field=field) from error
