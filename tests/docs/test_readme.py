"""Both READMEs show the same commands, outputs, tables and links."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.docs.pages import ROOT, code_blocks, links

ENGLISH, CHINESE = ROOT / "README.md", ROOT / "README.zh.md"
EACH_OTHER = {"README.md", "README.zh.md"}
FIRST_SCREEN_LINES = 60


def _tables(text: str) -> Iterator[tuple[int, int]]:
    """(rows, columns) of every table."""
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        lines = table.splitlines()
        yield len(lines), lines[1].count("|") - 1


def _shown(language: str) -> tuple[list[str], list[str]]:
    english, chinese = (
        [block.content for block in code_blocks(page) if block.language == language] for page in (ENGLISH, CHINESE)
    )
    return english, chinese


def test_tables_have_the_same_shape() -> None:
    assert list(_tables(ENGLISH.read_text("utf-8"))) == list(_tables(CHINESE.read_text("utf-8")))


@pytest.mark.parametrize("language", ["bash", "text"])
def test_commands_and_outputs_are_the_same(language: str) -> None:
    english, chinese = _shown(language)
    assert english
    assert english == chinese


def test_links_are_the_same() -> None:
    assert set(links(ENGLISH)) - EACH_OTHER == set(links(CHINESE)) - EACH_OTHER


def test_the_first_screen_says_what_it_is_and_shows_two_commands() -> None:
    lines = ENGLISH.read_text("utf-8").splitlines()
    assert lines[0] == "# Consentgate"
    assert re.fullmatch(r"[^.]+\.", lines[2]), "one sentence"
    assert "\n".join(lines[:FIRST_SCREEN_LINES]).count("```bash") == 2
