"""Counts rows into the figures of a summary. The same code counts what was written and what is verified: figures are
a function of the rows.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from ledger_service.report.columns import POSITION, Row
from ledger_service.report.summary import Decided, Figures
from ledger_service.report.tokens import DistinctTokens

DECISION = "query.decision"
DENY = "deny"
DAY, MONTH = 10, 7
"""Characters of an ISO 8601 time that name the day, and the month."""
_COUNTED = {"by_kind": "kind", "by_institution": "institution", "by_purpose": "purpose"}
_COUNTED |= {"by_verdict": "verdict", "by_reason": "reason"}
_COUNTS = (*_COUNTED, "by_month", "by_category", "denials_by_reason")
_SPLIT = {"decisions_by_institution": "institution", "decisions_by_purpose": "purpose"}


class Tally:
    """Grows with the number of institutions, purposes, reasons, categories and days, not with that of rows."""

    def __init__(self, tokens: DistinctTokens) -> None:
        self._tokens = tokens
        self._entries = 0
        self._counts: dict[str, Counter[str]] = defaultdict(Counter)
        self._decided: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))

    def add(self, rows: Iterable[Row]) -> None:
        """Counts rows."""
        for row in rows:
            self._entries += 1
            for figure, column in _COUNTED.items():
                self._count(figure, row[POSITION[column]])
            time, subject, categories = (row[POSITION[name]] for name in ("time", "subject", "categories"))
            self._count("by_month", str(time)[:MONTH])
            if isinstance(subject, str):
                self._tokens.add(subject)
            if isinstance(categories, tuple):
                self._counts["by_category"].update(set(categories))
            if row[POSITION["kind"]] == DECISION:
                self._decision(row, str(time)[:DAY])

    def figures(self) -> Figures:
        """What was counted so far."""
        counted = {name: dict(sorted(self._counts[name].items())) for name in _COUNTS}
        decided = {name: _decided(self._decided[name]) for name in ("decisions_by_day", *_SPLIT)}
        members: dict[str, object] = {"entries": self._entries, "tokens": self._tokens.count(), **counted, **decided}
        return Figures.model_validate(members)

    def _count(self, figure: str, cell: object) -> None:
        if isinstance(cell, str):
            self._counts[figure][cell] += 1

    def _decision(self, row: Row, day: str) -> None:
        verdict = str(row[POSITION["verdict"]])
        self._decided["decisions_by_day"][day][verdict] += 1
        for figure, column in _SPLIT.items():
            self._decided[figure][str(row[POSITION[column]])][verdict] += 1
        if verdict == DENY:
            self._count("denials_by_reason", row[POSITION["reason"]])


def _decided(counts: Mapping[str, Counter[str]]) -> dict[str, Decided]:
    return {key: Decided(allow=found["allow"], deny=found["deny"]) for key, found in sorted(counts.items())}
