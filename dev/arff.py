"""Reads the ARFF layout of the Polish companies data: numeric attributes, `?` = missing, last one `class` {0,1}.

Left out: quoted names, sparse rows, other types.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


class ArffError(ValueError):
    """The file is not ARFF of this layout; the message names the line."""


@dataclass(frozen=True)
class CompanyRow:
    """One company's year: ratios as decimal text (None = missing) and whether it went bankrupt."""

    ratios: dict[str, str | None]
    bankrupt: bool


def read_arff(path: Path) -> list[CompanyRow]:
    """All rows of the file; raises ArffError naming the first line that does not fit."""
    text = path.read_text(encoding="utf-8", errors="replace")
    lines = ((number, line.strip()) for number, line in enumerate(text.splitlines(), start=1))
    lines = ((number, line) for number, line in lines if line and not line.startswith("%"))
    names = list(_attributes(lines, path))
    if not names or names[-1] != "class":
        raise ArffError(f"{path}: the last attribute must be `class`")
    rows = [_row(names, line, f"{path}:{number}") for number, line in lines]
    if not rows:
        raise ArffError(f"{path}: no rows")
    return rows


def _attributes(lines: Iterator[tuple[int, str]], path: Path) -> Iterator[str]:
    for _, text in lines:
        words = text.split()
        if words and words[0].lower() == "@attribute":
            yield words[1]
        elif words and words[0].lower() == "@data":
            return
    raise ArffError(f"{path}: no @data line")


def _row(names: list[str], text: str, where: str) -> CompanyRow:
    values = [value.strip() for value in text.split(",")]
    if len(values) != len(names) or values[-1] not in ("0", "1"):
        raise ArffError(f"{where}: expected {len(names)} values, the last of them 0 or 1")
    ratios = {name: None if value == "?" else value for name, value in zip(names[:-1], values[:-1], strict=True)}
    try:
        finite = all(math.isfinite(float(value)) for value in ratios.values() if value is not None)
    except ValueError:
        finite = False
    if not finite:
        raise ArffError(f"{where}: a value is not a number")
    return CompanyRow(ratios, values[-1] == "1")
