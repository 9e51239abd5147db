"""Outputs of commands as the README shows them: what changes from run to run is left out of the comparison.

A block shows an output from the first line to the last, with `…` lines where something was left out. Numbers, random
ids and the distances between columns change; the words do not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.docs.pages import ROOT

OMISSION = "…"
_OUTPUT = re.compile(r"```bash\n([^\n]+)\n```\n\n```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CHANGING = re.compile(r"\b[0-9a-f]{8,}\b|[-+]?[0-9]+(?:[.,:][0-9]+)*")


def shown_outputs() -> dict[str, list[str]]:
    """Command → lines of the output that the README shows under it."""
    return {command: text.splitlines() for command, text in _OUTPUT.findall((ROOT / "README.md").read_text("utf-8"))}


def stable(line: str) -> str:
    """A line without what changes."""
    return " ".join(_CHANGING.sub("#", line).split())


def not_found(shown: list[str], printed: list[str]) -> str | None:
    """First line of the first shown part that was not printed in this order; None when all were.

    Lines that no omission mark parts must have been printed without a gap.
    """
    actual = [stable(line) for line in printed if line.strip()]
    position = 0
    for run in _runs(shown):
        found = next((at for at in range(position, len(actual) + 1) if actual[at : at + len(run)] == run), None)
        if found is None:
            return run[0]
        position = found + len(run)
    return None


def _runs(shown: list[str]) -> Iterator[list[str]]:
    run: list[str] = []
    for line in shown:
        if line.strip() == OMISSION:
            yield run
            run = []
        elif line.strip():
            run.append(stable(line))
    yield run
