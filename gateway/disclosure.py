"""What a grantee group's whole judged set of scorecards discloses (design 4, "Disclosure control").

Judged once, as a set, when a scorecard is approved. In this release, both exact:
 1. range, slot, departments, categories and columns of each scorecard; at least `MINIMUM_DEPARTMENTS` departments;
 2. the linear rule. Unknowns: one per ciphertext position of every distinct (department, column specification).
    W = the weight rows of the set, C = one sum-to-one row per one-hot column. For every column, and for every
    department, with E = the unit rows of its positions: refuse unless
        rank([W;C;E]) − rank([W;C]) = rank([C;E]) − rank(C),
    that is, unless the answers say nothing linear about it that was not known before. It catches any combination of
    answers that solves for a column or for a department's subtotal.

A numeric column has no sum-to-one row: its missing indicator is an unknown of its own.
Left out until the issue that owns disclosure: pre-images and posteriors (points 3 and 4), what a group is declared to
know already, and what a department's silence adds: where a header says `missing: encode`, two answers of one period,
one with the department and one without, differ by that department's part of the score. The report shows which
departments those are. `report` is an object with one member per rule, so that further ones add members.
Pure: no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from flint import fmpz_mat

from consentgate import canonical
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.scorecard import Scorecard
from paillier.columns import BinnedColumn, Column

MINIMUM_DEPARTMENTS = 2
"""Fewest departments of one scorecard: with one, its answer would be a figure of that department alone."""
MAX_UNKNOWNS = 4096
"""Most unknowns of a judged set whose ranks are computed; a larger set is refused, never waved through."""


@dataclass(frozen=True)
class DisclosureReport:
    """The canonical report and what it refuses."""

    content: Mapping[str, object]
    findings: tuple[str, ...]

    def encode(self) -> bytes:
        """Canonical JSON; the approval statement names its SHA-256."""
        return canonical.encode(self.content)

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical report."""
        return canonical.digest(self.encode())

    def check(self) -> None:
        """Raises DISCLOSURE_REFUSED naming the first finding unless there is none."""
        if self.findings:
            raise ConsentgateError(ErrorCode.DISCLOSURE_REFUSED, field=self.findings[0])


@dataclass(frozen=True)
class Group:
    """For whom a set is judged: members and judged set as the approval chain names them so far (empty at its start)."""

    name: str
    members: Sequence[str]
    judged: Sequence[Mapping[str, object]]


def judge(
    group: Group, scorecards: Sequence[Scorecard], minimum_departments: int = MINIMUM_DEPARTMENTS
) -> DisclosureReport:
    """The report on `scorecards` as one set; the order given does not matter."""
    ordered = sorted(scorecards, key=lambda scorecard: scorecard.header.id)
    too_few = [
        f"departments.{scorecard.header.id}"
        for scorecard in ordered
        if len(scorecard.header.departments) < minimum_departments
    ]
    linear, solved = _linear_rule(ordered)
    content = {
        "v": 1,
        "group": group.name,
        "members": list(group.members),
        "judged": [dict(entry) for entry in group.judged],
        "scorecards": [_describe(scorecard) for scorecard in ordered],
        "minimum_departments": minimum_departments,
        "too_few_departments": [finding.removeprefix("departments.") for finding in too_few],
        "linear": linear,
        "verdict": "refuse" if too_few or solved else "accept",
    }
    return DisclosureReport(content, tuple(too_few + solved))


def _describe(scorecard: Scorecard) -> dict[str, object]:
    header = scorecard.header
    return {
        "id": header.id,
        "name": header.name,
        "score_low": header.score_low,
        "score_high": header.score_high,
        "slot_bits": header.slot_bits,
        "departments": [
            {"id": entry.id, "columns": entry.names(), "missing": entry.missing} for entry in header.departments
        ],
        "categories": sorted(header.categories()),
    }


def _linear_rule(scorecards: Sequence[Scorecard]) -> tuple[dict[str, object], list[str]]:
    """The rule of the module's point 2, without ever writing down C and E.

    Subtracting each one-hot column's last weight from its others turns W into W' and takes C out:
    rank([W;C]) = rank(C) + rank(W'). Unit rows of whole columns take those columns out:
    rank([W;C;E]) = rank([C;E]) + rank(W' without them). So the rule is rank(W') = rank(W' without the columns).
    """
    unknowns = _Unknowns(scorecards)
    rows = [_reduced_weights(scorecard, unknowns) for scorecard in scorecards]
    everything = range(unknowns.count)
    rank = _rank(rows, everything)
    solved = [
        name
        for name, protected in unknowns.targets().items()
        if _rank(rows, [position for position in everything if position not in protected]) != rank
    ]
    content: dict[str, object] = {
        "unknowns": unknowns.count,
        "equations": len(rows),
        "rank": rank,
        "solved": solved,
    }
    return content, solved


class _Unknowns:
    """Numbers the positions of every distinct column of the set; one-hot columns without their last one.

    Two scorecards share unknowns only where department and full column specification agree.
    """

    def __init__(self, scorecards: Sequence[Scorecard]) -> None:
        self._positions: dict[tuple[str, bytes], range] = {}
        self._names: dict[str, list[range]] = {}
        self.count = 0
        for scorecard in scorecards:
            for department, column in scorecard.header.columns():
                self._add(department, column)
        if self.count > MAX_UNKNOWNS:
            raise ConsentgateError(ErrorCode.DISCLOSURE_REFUSED, field="linear.unknowns")

    def _add(self, department: str, column: Column) -> None:
        key = (department, canonical.encode(column.to_json()))
        if key in self._positions:
            return
        width = column.width - 1 if isinstance(column, BinnedColumn) else column.width
        positions = range(self.count, self.count + width)
        self._positions[key] = positions
        self.count += width
        for name in (f"linear.{department}", f"linear.{department}.{column.name}"):
            self._names.setdefault(name, []).append(positions)

    def positions(self, department: str, column: Column) -> range:
        """Where the column's unknowns stand."""
        return self._positions[department, canonical.encode(column.to_json())]

    def targets(self) -> dict[str, frozenset[int]]:
        """Positions of each column, and of each department as a whole, by the name that a finding gets."""
        return {
            name: frozenset(position for part in parts for position in part)
            for name, parts in sorted(self._names.items())
        }


def _reduced_weights(scorecard: Scorecard, unknowns: _Unknowns) -> list[int]:
    row = [0] * unknowns.count
    for (department, column), weights in zip(scorecard.header.columns(), scorecard.weights.weights, strict=True):
        last = weights.points[-1] if isinstance(column, BinnedColumn) else 0
        for position, point in zip(unknowns.positions(department, column), weights.points, strict=False):
            row[position] = point - last
    return row


def _rank(rows: Sequence[Sequence[int]], positions: Iterable[int]) -> int:
    kept = list(positions)
    if not rows or not kept:
        return 0
    return int(fmpz_mat([[row[position] for position in kept] for row in rows]).rank())
