"""The companies of the demo: real ratios from the extract, with generated names and checksum-valid codes.

Codes follow GB 32100-2015 (18 characters, check digit modulo 31 over the whole, and modulo 11 over the organisation
part, GB 11714); they are drawn from a fixed seed and belong to nobody.
"""

from __future__ import annotations

import csv
import json
import random
from dataclasses import dataclass
from pathlib import Path

from stdnum.cn import uscc

from dev.arff import CompanyRow
from dev.points import PointsScorecard

DATA = Path(__file__).parent / "data"
REGION = "440100"
"""Administrative division in the code (Guangzhou, GB/T 2260)."""
ORGANISATION_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
ALLOWED = "0123456789ABCDEFGHJKLMNPQRTUWXY"
NAMES = (
    (
        "Lingnan",
        "Pearl River",
        "Nansha",
        "Baiyun",
        "Xijiang",
        "Dongjiang",
        "Huangpu",
        "Panyu",
        "Foshan",
        "Zengcheng",
    ),
    (
        "Precision Tools",
        "Textiles",
        "Ceramics",
        "Electronics",
        "Logistics",
        "Food",
        "Plastics",
        "Furniture",
        "Optics",
    ),
)


@dataclass(frozen=True)
class SampleCompany:
    """A made-up company with a real company's ratios."""

    code: str
    name: str
    row: CompanyRow


def generate_codes(count: int, seed: int = 20201) -> list[str]:
    """`count` distinct valid unified social credit codes."""
    source = random.Random(seed)
    codes: dict[str, None] = {}
    while len(codes) < count:
        body = "".join(source.choices(ALLOWED, k=8))
        stem = f"91{REGION}{body}{_organisation_check_digit(body)}"
        codes[stem + uscc.calc_check_digit(stem)] = None
    return list(codes)


def sample_companies(rows: list[CompanyRow]) -> list[SampleCompany]:
    """Each row with a generated code and name."""
    first, second = NAMES
    named = [f"{first[i % len(first)]} {second[(i // len(first)) % len(second)]} No. {i} Ltd" for i in range(len(rows))]
    return [
        SampleCompany(code, name, row) for code, name, row in zip(generate_codes(len(rows)), named, rows, strict=True)
    ]


def extract() -> list[CompanyRow]:
    """The extract that comes with the project (dev/data/README.md)."""
    with (DATA / "companies.csv").open(newline="") as file:
        records = list(csv.DictReader(file))
    return [
        CompanyRow(
            {name: value or None for name, value in record.items() if name != "bankrupt"},
            record["bankrupt"] == "1",
        )
        for record in records
    ]


def trained_scorecard() -> PointsScorecard:
    """The demo's scorecard, trained on the other half of the same data."""
    return PointsScorecard.from_json(json.loads((DATA / "scorecard.json").read_text()))


def _organisation_check_digit(body: str) -> str:
    total = sum(ORGANISATION_ALPHABET.index(c) * w for c, w in zip(body, ORGANISATION_WEIGHTS, strict=True))
    return "0123456789X"[-total % 11]
