"""Help texts in the pages are the commands' own."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.docs.help_texts import help_text
from tests.docs.pages import ROOT, help_blocks, pages

BLOCKS = [(page, command, text) for page in pages() for command, text in help_blocks(page)]


@pytest.mark.parametrize(
    ("page", "command", "text"), BLOCKS, ids=[f"{page.name}:{command}" for page, command, _ in BLOCKS]
)
def test_help_is_current(page: Path, command: str, text: str) -> None:
    assert text == help_text(command), "say: python -m tests.docs.regenerate"


def test_every_command_of_the_project_is_shown() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    shown = {command for page, command, _ in BLOCKS if page.name == "commands.md"}
    assert set(scripts) <= shown
