"""docs/wire.md as the tests see it; and the writer of its table of errors: python -m tests.support.wire_document

The table of section 11 follows from the catalogue, so it is generated between its markers; everything else on the page
is written by hand and compared by tests.
"""

from __future__ import annotations

import re
from pathlib import Path

from consentgate.errors import CATALOGUE

PAGE = Path(__file__).resolve().parents[2] / "docs" / "wire.md"
ERRORS = re.compile(r"(<!-- errors:begin [^\n]* -->\n)(.*?)(<!-- errors:end -->)", re.DOTALL)
_SECTION = re.compile(r"^#{2,3} ([0-9.]+) ", re.MULTILINE)
_BARS = re.compile(r"(?<!\\)\|(?=(?:[^`]*`[^`]*`)*[^`]*$)")
"""Bars between cells: neither escaped nor inside of code."""


def error_table() -> str:
    """The table of section 11, from the catalogue."""
    lines = ["| code | gRPC status | meaning | cause and cure |", "|---|---|---|---|"]
    lines += [
        f"| `{code}` | {entry.status.name} | {entry.message} | {entry.hint} |" for code, entry in CATALOGUE.items()
    ]
    return "\n".join(lines) + "\n"


def section(number: str) -> str:
    """Text of a section, without its subsections when it is one itself."""
    text = PAGE.read_text("utf-8")
    starts = [(match[1], match.start()) for match in _SECTION.finditer(text)]
    index = next(index for index, (found, _) in enumerate(starts) if found == number)
    end = starts[index + 1][1] if index + 1 < len(starts) else len(text)
    return text[starts[index][1] : end]


def rows(number: str) -> list[list[str]]:
    """Cells of the first table of a section, without its head."""
    lines = [line for line in section(number).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in _BARS.split(line)[1:-1]] for line in lines[2:]]


def names(cell: str) -> list[str]:
    """Everything that stands in code in a cell."""
    return re.findall(r"`([^`]+)`", cell)


def main() -> None:
    text = PAGE.read_text("utf-8")
    PAGE.write_text(ERRORS.sub(lambda found: found[1] + "\n" + error_table() + "\n" + found[3], text), "utf-8")


if __name__ == "__main__":
    main()
