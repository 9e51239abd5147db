"""The READMEs' figures, between `<!-- bench:paillier -->` and `<!-- /bench:paillier -->`, and the same for `ledger`.

They are what `benchmarks.paillier.report` and `benchmarks.ledger.report` make of benchmarks/results/*.json. As long as
nothing was measured the block says so; a README with figures and no results behind them is refused by the test.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.ledger import report as ledger_report
from benchmarks.paillier import report as paillier_report
from tests.docs.pages import ROOT

PAGES = ("README.md", "README.zh.md")
NOT_MEASURED = {"README.md": "Not measured yet: `make bench`.", "README.zh.md": "尚未测量：`make bench`。"}


@dataclass(frozen=True)
class Subject:
    """What is measured together: its name, its picture's, and its words by page."""

    name: str
    title: str
    texts: Mapping[str, Callable[[dict[str, Any]], str]]

    @property
    def results(self) -> Path:
        """The committed results."""
        return ROOT / "benchmarks" / "results" / f"{self.name}.json"

    @property
    def picture(self) -> str:
        """Path of the picture in the repository."""
        return f"benchmarks/results/{self.name}.svg"


def _paillier(words: paillier_report.Words) -> Callable[[dict[str, Any]], str]:
    return lambda result: f"{paillier_report.table(result, words)}\n\n{paillier_report.facts(result, words)}"


def _ledger(words: ledger_report.Words) -> Callable[[dict[str, Any]], str]:
    return lambda result: f"{ledger_report.table(result, words)}\n\n{ledger_report.facts(result, words)}"


PAILLIER = Subject(
    "paillier",
    "Paillier",
    {"README.md": _paillier(paillier_report.ENGLISH), "README.zh.md": _paillier(paillier_report.CHINESE)},
)
LEDGER = Subject(
    "ledger",
    "Ledger",
    {"README.md": _ledger(ledger_report.ENGLISH), "README.zh.md": _ledger(ledger_report.CHINESE)},
)
SUBJECTS = (PAILLIER, LEDGER)


def measured(subject: Subject) -> dict[str, Any] | None:
    """The committed results, or None before the first measurement."""
    return json.loads(subject.results.read_text("utf-8")) if subject.results.exists() else None


def render(subject: Subject, page: str, result: dict[str, Any] | None) -> str:
    """What stands between the markers of README.md or README.zh.md."""
    if result is None:
        return NOT_MEASURED[page]
    return f"{subject.texts[page](result)}\n\n![{subject.title}]({subject.picture})"


def blocks(subject: Subject, page: Path) -> list[str]:
    """What stands between the markers now."""
    found = _block(subject).finditer(page.read_text("utf-8"))
    return [match[0].split("\n", 1)[1].rsplit("\n", 1)[0] for match in found]


def with_figures(text: str, page: str) -> str:
    """The page with its blocks rendered anew; other pages have none."""
    if page not in PAGES:
        return text
    for subject in SUBJECTS:
        text = _block(subject).sub(_replacement(render(subject, page, measured(subject))), text)
    return text


def _replacement(content: str) -> Callable[[re.Match[str]], str]:
    return lambda match: match[1] + content + match[2]


def _block(subject: Subject) -> re.Pattern[str]:
    return re.compile(rf"(<!-- bench:{subject.name} -->\n).*?(\n<!-- /bench:{subject.name} -->)", re.DOTALL)
