"""The project's documentation as the tests here see it: files, headings, links, blocks of code, generated blocks.

A generated block begins with a comment and ends with the fence or table that follows it:

    <!-- help: bank score -->          then ```text … ```: what `bank score --help` prints
    <!-- config: gateway.toml -->      then a table whose first three columns follow from the configuration's model
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

_FENCE = re.compile(r"^```([a-z]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_HELP = re.compile(r"<!-- help: ([a-z -]+) -->\n```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CONFIG = re.compile(r"<!-- config: ([a-z.]+(?: [a-z.]+)?) -->\n((?:\|.*\n)+)")


def pages() -> list[Path]:
    """Every Markdown file that belongs to the documentation."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "dev" / "data" / "README.md"])


@dataclass(frozen=True)
class CodeBlock:
    """A fenced block: its page, language and content."""

    page: Path
    language: str
    content: str


def code_blocks(page: Path) -> list[CodeBlock]:
    """All fenced blocks of a page."""
    return [CodeBlock(page, language, content) for language, content in _FENCE.findall(page.read_text("utf-8"))]


def links(page: Path) -> list[str]:
    """Targets of all links outside of code."""
    return _LINK.findall(_without_code(page.read_text("utf-8")))


def anchors(page: Path) -> set[str]:
    """Fragments that a link may name: headings as GitHub turns them into ids."""
    return {_slug(heading) for heading in _HEADING.findall(_without_code(page.read_text("utf-8")))}


def help_blocks(page: Path) -> list[tuple[str, str]]:
    """(command, text) of every help block."""
    return _HELP.findall(page.read_text("utf-8"))


def config_tables(page: Path) -> list[tuple[str, list[list[str]]]]:
    """(name, rows of cells without head) of every configuration table."""
    return [(name, table_rows(table)) for name, table in _CONFIG.findall(page.read_text("utf-8"))]


def table_rows(table: str) -> list[list[str]]:
    """Cells of a Markdown table's body."""
    return [_cells(line) for line in table.strip().splitlines()[2:]]


def with_help(text: str, outputs: dict[str, str]) -> str:
    """The page with every help block replaced."""
    return _HELP.sub(
        lambda match: f"<!-- help: {match[1]} -->\n```text\n{outputs[match[1]]}```",
        text,
    )


def with_tables(text: str, tables: dict[str, str]) -> str:
    """The page with every configuration table replaced."""
    return _CONFIG.sub(lambda match: f"<!-- config: {match[1]} -->\n{tables[match[1]]}", text)


def numbered_lines(page: Path) -> Iterator[tuple[int, str]]:
    """(line number, line) of a page."""
    yield from enumerate(page.read_text("utf-8").splitlines(), start=1)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def _without_code(text: str) -> str:
    return re.sub(r"`[^`\n]*`", lambda match: match[0].strip("`"), _FENCE.sub("", text))


def _slug(heading: str) -> str:
    """As GitHub does: lower case, punctuation away, blanks to hyphens."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
