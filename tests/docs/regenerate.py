"""Writes the generated blocks of the documentation anew: python -m tests.docs.regenerate

Help texts come from the installed commands, the first three columns of configuration tables from the models; meanings
are kept, and an entry without one is named.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.docs import pages
from tests.docs.config_tables import MODELS, entry_name, render
from tests.docs.help_texts import help_text


def regenerate(page: Path) -> list[str]:
    """Rewrites one page; returns entries whose meaning is missing."""
    text = page.read_text("utf-8")
    outputs = {command: help_text(command) for command, _ in pages.help_blocks(page)}
    tables = {}
    nameless = []
    for name, rows in pages.config_tables(page):
        meanings = {entry_name(row[0]): row[-1] for row in rows}
        tables[name] = render(MODELS[name], meanings)
        nameless += [f"{name}: {row[0]}" for row in pages.table_rows(tables[name]) if not row[-1]]
    page.write_text(pages.with_tables(pages.with_help(text, outputs), tables), "utf-8")
    return nameless


def main() -> None:
    nameless = [entry for page in pages.pages() for entry in regenerate(page)]
    if nameless:
        sys.exit("Entries without a meaning:\n" + "\n".join(nameless))


if __name__ == "__main__":
    main()
