"""The READMEs' figures of the Paillier engine, between `<!-- bench:paillier -->` and `<!-- /bench:paillier -->`.

They are what `benchmarks.paillier.report` makes of benchmarks/results/paillier.json. As long as nothing was measured
the block says so; a README with figures and no results behind them is refused by the test.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from benchmarks.paillier.report import CHINESE, ENGLISH, Words, facts, table
from tests.docs.pages import ROOT

RESULTS = ROOT / "benchmarks" / "results" / "paillier.json"
PICTURE = "benchmarks/results/paillier.svg"
LANGUAGES: dict[str, Words] = {"README.md": ENGLISH, "README.zh.md": CHINESE}
NOT_MEASURED = {"README.md": "Not measured yet: `make bench`.", "README.zh.md": "尚未测量：`make bench`。"}

_BLOCK = re.compile(r"(<!-- bench:paillier -->\n).*?(\n<!-- /bench:paillier -->)", re.DOTALL)


def measured() -> dict[str, Any] | None:
    """The committed results, or None before the first measurement."""
    return json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else None


def render(page: str, result: dict[str, Any] | None) -> str:
    """What stands between the markers of README.md or README.zh.md."""
    if result is None:
        return NOT_MEASURED[page]
    words = LANGUAGES[page]
    return f"{table(result, words)}\n\n{facts(result, words)}\n\n![Paillier]({PICTURE})"


def blocks(page: Path) -> list[str]:
    """What stands between the markers now."""
    return [match[0].split("\n", 1)[1].rsplit("\n", 1)[0] for match in _BLOCK.finditer(page.read_text("utf-8"))]


def with_figures(text: str, page: str) -> str:
    """The page with its block rendered anew; other pages have none."""
    if page not in LANGUAGES:
        return text
    content = render(page, measured())
    return _BLOCK.sub(lambda match: match[1] + content + match[2], text)
