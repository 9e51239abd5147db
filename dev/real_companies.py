"""A file of real companies becomes a scorecard, a sample of companies, and a plan: which department holds which ratio.

One half of the companies trains, the other half is scored: nobody is scored by what was learned from them.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from dev.arff import ArffError, CompanyRow
from dev.companies import SampleCompany, sample_companies
from dev.departments import REAL_COLUMNS
from dev.points import PointsScorecard
from dev.training import train

SAMPLE_SEED = 2016
DEALT = 3
"""Ratios per department of a file that is not the Polish one: enough for a scorecard, few enough for two cores."""


@dataclass(frozen=True)
class Prepared:
    """A scorecard trained on one half, companies sampled from the other, and which department holds what."""

    departments: dict[str, list[str]]
    points: PointsScorecard
    companies: list[SampleCompany]


def prepare(rows: Sequence[CompanyRow], count: int) -> Prepared:
    """Trains on the odd rows, samples `count` of the even ones; raises ArffError when the file has too little."""
    plan, rows = deal(rows)
    training, others = rows[1::2], rows[::2]
    if any(len({row.bankrupt for row in half}) < 2 for half in (training, others)):
        raise ArffError("both halves of the file need companies of both classes")
    points = train(training, [column for columns in plan.values() for column in columns])
    present = points.edges()
    departments = {name: [column for column in columns if column in present] for name, columns in plan.items()}
    if not all(departments.values()):
        raise ArffError("a department would be left without any column that has values")
    return Prepared(departments, points, sample_companies(sample(others, count)))


def deal(rows: Sequence[CompanyRow]) -> tuple[dict[str, list[str]], list[CompanyRow]]:
    """Which department holds which ratio: as `departments.py` says, or the file's own ratios, dealt out like cards.

    Ratios of another file get names of their own (ratio1, ratio2 …): what stands in a stranger's file reaches no table.
    """
    names = list(rows[0].ratios)
    if {column for columns in REAL_COLUMNS.values() for column in columns} <= set(names):
        return REAL_COLUMNS, list(rows)
    if len(names) < len(REAL_COLUMNS):
        raise ArffError(f"{len(names)} ratios are too few for {len(REAL_COLUMNS)} departments")
    names = names[: len(REAL_COLUMNS) * DEALT]
    own = {name: f"ratio{number}" for number, name in enumerate(names, start=1)}
    dealt = list(own.values())
    plan = {name: dealt[index :: len(REAL_COLUMNS)] for index, name in enumerate(REAL_COLUMNS)}
    return plan, [CompanyRow({own[name]: row.ratios[name] for name in names}, row.bankrupt) for row in rows]


def sample(rows: Sequence[CompanyRow], count: int) -> list[CompanyRow]:
    """`count` rows with the file's own share of bankrupt companies, at least one of each sort where there is one."""
    source = random.Random(SAMPLE_SEED)
    failed, sound = [row for row in rows if row.bankrupt], [row for row in rows if not row.bankrupt]
    count = min(count, len(rows))
    few = min(len(failed), max(1, round(count * len(failed) / len(rows))))
    chosen = source.sample(failed, few) + source.sample(sound, min(len(sound), count - few))
    source.shuffle(chosen)
    return chosen
