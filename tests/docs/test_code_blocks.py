"""Blocks of Python in the pages run; blocks of TOML and JSON parse."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, CodeBlock, code_blocks, pages

BLOCKS = [block for page in pages() for block in code_blocks(page)]
LANGUAGES = {"", "bash", "json", "mermaid", "python", "sql", "text", "toml"}


def _of(language: str) -> list[CodeBlock]:
    return [block for block in BLOCKS if block.language == language]


def _name(block: CodeBlock) -> str:
    return f"{block.page.relative_to(ROOT)}:{block.content[:24].split()[0]}"


def _files(page: Path) -> list[tuple[str, str]]:
    """Blocks of TOML that begin with a file's name: the page's other blocks may read that file."""
    named = [(re.match(r"# (\w+\.toml)\n", block.content), block.content) for block in code_blocks(page)]
    return [(found[1], content) for found, content in named if found is not None]


@pytest.mark.parametrize("block", _of("python"), ids=_name)
def test_python_runs(block: CodeBlock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content in _files(block.page):
        (tmp_path / name).write_text(content)
    exec(compile(block.content, str(block.page), "exec"), {"__name__": "example"})  # noqa: S102 - that is the test


@pytest.mark.parametrize("block", _of("toml"), ids=_name)
def test_toml_parses(block: CodeBlock) -> None:
    assert tomllib.loads(block.content)


def test_no_block_escapes_by_an_unknown_language() -> None:
    assert {block.language for block in BLOCKS} <= LANGUAGES


def test_there_are_blocks_of_python_to_run() -> None:
    assert {block.page.name for block in _of("python")} >= {"scoring.md", "bank-integration.md"}


def test_json_examples_of_the_wire_page_parse_unless_they_leave_something_out() -> None:
    complete = [block for block in _of("json") if "…" not in block.content]
    assert all(json.loads(line) for block in complete for line in _documents(block.content))


def _documents(content: str) -> list[str]:
    """A block holds one document over several lines, or one per line."""
    try:
        json.loads(content)
    except ValueError:
        return content.splitlines()
    return [content]
