"""Help texts in the pages are the commands' own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.help_texts import commands, help_text, printed_help, programs
from tests.docs.pages import ROOT, help_blocks, pages

BLOCKS = [(page, command, text) for page in pages() for command, text in help_blocks(page)]


@pytest.mark.parametrize(
    ("page", "command", "text"), BLOCKS, ids=[f"{page.name}:{command}" for page, command, _ in BLOCKS]
)
def test_help_is_current(page: Path, command: str, text: str) -> None:
    assert text == help_text(command), "say: python -m tests.docs.regenerate"


def test_every_command_has_its_block() -> None:
    assert [command for page, command, _ in BLOCKS if page == ROOT / "docs" / "commands.md"] == commands()


@pytest.mark.parametrize("program", programs())
def test_the_installed_script_prints_the_same(program: str) -> None:
    assert printed_help(program) == help_text(program)
