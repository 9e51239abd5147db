"""What a reviewer reads on a terminal: the statement, the scorecard with its points, the disclosure report.

Everything shown is taken from what the signature will cover or from what was recomputed here, never from a text of the
gateway. Pure: returns lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from typing import Any

from consentgate.scorecard import Scorecard
from gateway.disclosure import DisclosureReport
from gateway.review import ReviewPackage
from paillier.columns import BinnedColumn, Column


def package_lines(package: ReviewPackage, report: DisclosureReport) -> list[str]:
    """All of it, in the order in which a decision is made."""
    claims = package.claims
    return [
        f"{claims.action} of scorecard {claims.scorecard}",
        f"for group {claims.group}, link {claims.sequence} of its chain, after {claims.previous}",
        f"members: {', '.join(claims.members)}",
        "",
        *_scorecard_lines(package.subject),
        "",
        *_report_lines(report.content),
    ]


def _scorecard_lines(scorecard: Scorecard) -> Iterator[str]:
    header = scorecard.header
    yield f"scorecard {header.name} of {header.owner}: {header.use}, custody {header.custody}"
    yield f"score from {header.score_low} to {header.score_high}; base points {scorecard.weights.bias}"
    weights = iter(scorecard.weights.weights)
    for department in header.departments:
        silence = "fails the request" if department.missing == "fail" else "counts as missing"
        yield f"  {department.id} (silence {silence})"
        for entry in department.columns:
            yield f"    {entry.column.name} [{entry.category}]"
            yield from (f"      {line}" for line in _points(entry.column, next(weights).points))


def _points(column: Column, points: list[int]) -> Iterator[str]:
    """One line per position, in the units of the department's figures."""
    if not isinstance(column, BinnedColumn):
        low, high = (_decimal(bound, column.scale) for bound in (column.lo, column.hi))
        of = "the logarithm of the value" if column.log else "the value"
        yield f"{points[0]:+d} per {_decimal(1, column.scale)} of {of} above {low}, up to {high}"
        yield f"{points[1]:+d} missing"
        return
    edges = [_decimal(edge, column.scale) for edge in column.edges]
    ranges = [f"below {edges[0]}"]
    ranges += [f"{low} to below {high}" for low, high in pairwise(edges)]
    ranges += [f"{edges[-1]} and above", "missing"]
    for text, point in zip(ranges, points, strict=True):
        yield f"{point:+d} {text}"


def _decimal(fixed: int, scale: int) -> str:
    return format(Decimal(fixed).scaleb(-scale), "f")


def _report_lines(content: Any) -> Iterator[str]:
    linear = content["linear"]
    yield f"disclosure report, recomputed on this machine: {content['verdict']}"
    minimum = content["minimum_departments"]
    yield f"  {len(content['scorecards'])} scorecards judged together, at least {minimum} departments each"
    yield f"  linear rule: {linear['equations']} equations of rank {linear['rank']} in {linear['unknowns']} unknowns"
    for finding in content["too_few_departments"]:
        yield f"  REFUSED: too few departments in {finding}"
    for finding in linear["solved"]:
        yield f"  REFUSED: the answers would solve {finding.removeprefix('linear.')}"
    yield "  not judged here: pre-images, posteriors, and what a silent department's part discloses (limitations)"
