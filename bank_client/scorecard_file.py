"""Scorecards in files: header and weights as JSON, and a points table in TOML from which both are made.

A *scorecard file* is one JSON object `{"header": {...}, "weights": {...}}` in the forms of docs/wire.md, section 7. It
need not be canonical; it is made so when it is read.

A *points table* is what a modeller has: bins and points, with the intercept for real values.

    name = "sme-points"
    bias = 600

    [[departments]]
    id = "tax"
    missing = "fail"                 # or "encode": its columns count as missing when it is silent

    [[departments.columns]]
    category = "tax.declarations"
    name = "margin"
    kind = "binned"                  # or "numeric" with lo, hi, transform
    scale = 4
    edges = [-500, 0, 2500]
    points = [-40, -10, 5, 30, -25]  # per bin, the last for missing; numeric: per unit, for missing

The columns must be the departments' own, to the letter: they compare them with their catalogues. Left out: PMML,
optbinning tables, ONNX (docs/limitations.md).
"""

from __future__ import annotations

import json
import secrets
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from consentgate import canonical
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.scorecard import MAX_COLUMNS, Scorecard, ScorecardHeader, ScorecardWeights, exact_range
from consentgate.statements import Custody, Identifier, Use
from paillier.columns import Column, column_from_json
from paillier.errors import PaillierError
from paillier.score_range import DEFAULT_WEIGHT_BITS, MAX_WEIGHT_BITS, shifted_bias

MAX_FILE_BYTES = 1048576
"""bytes; header and weights together, each bounded by 256 KiB on the wire, with white space."""
SALT_BYTES = 32
"""bytes of randomness that keep the commitment from telling weights to whoever guesses them."""


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PointsColumn(BaseModel):
    """One column: its specification (`column_from_json` checks it) with category and points."""

    model_config = ConfigDict(extra="allow", frozen=True)

    category: Identifier
    points: Annotated[list[Annotated[int, Field(strict=True)]], Field(min_length=1, max_length=4096)]

    def column(self) -> Column:
        """The specification as a typed column; raises a PaillierError."""
        return column_from_json(self.model_extra or {})


class PointsDepartment(_Closed):
    """Columns of one department."""

    id: Identifier
    missing: Literal["fail", "encode"] = "fail"
    columns: Annotated[list[PointsColumn], Field(min_length=1, max_length=MAX_COLUMNS)]


class PointsTable(_Closed):
    """A points scorecard as a modeller writes it; `bias` is the intercept over real values."""

    name: Identifier
    bias: Annotated[int, Field(strict=True, ge=-(2**48), le=2**48)]
    weight_bits: Annotated[int, Field(ge=2, le=MAX_WEIGHT_BITS)] = DEFAULT_WEIGHT_BITS
    departments: Annotated[list[PointsDepartment], Field(min_length=1, max_length=64)]

    @classmethod
    def load(cls, path: Path) -> PointsTable:
        """Reads a points table; raises INVALID_ARGUMENT_FIELD naming file and entry."""
        try:
            return cls.model_validate(tomllib.loads(_read(path).decode()))
        except ValidationError as error:
            where = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
            raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=f"{path}: {where}") from None
        except ValueError as error:
            raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=str(path)) from error

    def scorecard(self, owner: str) -> Scorecard:
        """Header and weights, with a fresh salt; raises SCORECARD_INVALID or SCORECARD_RANGE."""
        placed = [(entry.id, column, _column(column)) for entry in self.departments for column in entry.columns]
        columns = [column for _, _, column in placed]
        try:
            bias = shifted_bias(columns, [point for _, entry, _ in placed for point in entry.points], self.bias)
        except PaillierError as error:
            raise ConsentgateError(ErrorCode.SCORECARD_INVALID, field="columns.points", hint=error.hint) from error
        weights = _weights(bias, [(department, column.name, entry.points) for department, entry, column in placed])
        low, high = exact_range(columns, weights, self.weight_bits, "columns.points")
        return Scorecard(self._header(owner, weights, low, high), weights)

    def _header(self, owner: str, weights: ScorecardWeights, low: int, high: int) -> ScorecardHeader:
        content = {
            "v": 1,
            "name": self.name,
            "owner": owner,
            "use": Use.SCORE.value,
            "custody": Custody.RECIPIENT.value,
            "departments": [
                {"id": entry.id, "missing": entry.missing, "columns": _header_columns(entry)}
                for entry in self.departments
            ],
            "score_low": low,
            "score_high": high,
            "slot_bits": max(1, (high - low).bit_length()),
            "weight_bits": self.weight_bits,
            "weights_commitment": weights.commitment(),
        }
        return ScorecardHeader.parse(canonical.encode(content), "header")


def load_scorecard(path: Path) -> Scorecard:
    """Header and weights from a scorecard file, checked to belong together."""
    content = canonical.parse(_read(path), str(path))
    if set(content) != {"header", "weights"}:
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=f"{path}: header, weights")
    return Scorecard(
        ScorecardHeader.parse(canonical.encode(content["header"]), "header"),
        ScorecardWeights.parse(canonical.encode(content["weights"]), "weights"),
    )


def save_scorecard(path: Path, scorecard: Scorecard) -> None:
    """Writes a scorecard file, readable by its owner only: it holds the weights. Never overwrites."""
    parts = {"header": scorecard.header.model_dump(mode="json"), "weights": scorecard.weights.model_dump(mode="json")}
    try:
        path.touch(mode=0o600, exist_ok=False)
        path.write_text(json.dumps(parts, indent=1) + "\n")
    except OSError as error:
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=str(path)) from error


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=str(path)) from error
    if len(data) > MAX_FILE_BYTES:
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=f"{path}: longer than {MAX_FILE_BYTES} bytes")
    return data


def _column(entry: PointsColumn) -> Column:
    try:
        return entry.column()
    except PaillierError as error:
        # The engine's text names the column and the rule, and no value.
        raise ConsentgateError(ErrorCode.SCORECARD_INVALID, field=f"columns: {error}") from error


def _header_columns(entry: PointsDepartment) -> list[dict[str, Any]]:
    return [{"category": column.category, "spec": _column(column).to_json()} for column in entry.columns]


def _weights(bias: int, placed: list[tuple[str, str, list[int]]]) -> ScorecardWeights:
    content = {
        "v": 1,
        "salt": secrets.token_hex(SALT_BYTES),
        "bias": bias,
        "weights": [
            {"department": department, "column": name, "points": points} for department, name, points in placed
        ],
    }
    return ScorecardWeights.parse(canonical.encode(content), "weights")
