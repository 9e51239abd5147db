"""What the commands' `--help` prints, at a fixed width and without colours."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import click
import typer
from typer import rich_utils
from typer.testing import CliRunner

from tests.docs.pages import ROOT

SCRIPTS = Path(sys.executable).parent
COLUMNS = 100
"""characters; fits a page without scrolling."""


def programs() -> dict[str, str]:
    """Console scripts of the project and the modules they start."""
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    return {name: target.partition(":")[0] for name, target in scripts.items()}


def commands() -> list[str]:
    """Every command and sub-command, parents first."""
    return [
        command for name in sorted(programs()) for command in _with_children(name, typer.main.get_command(_app(name)))
    ]


def help_text(command: str) -> str:
    """`command --help`, lines without trailing blanks; in this process, since there are many of them."""
    program, *words = command.split()
    with mock.patch.object(rich_utils, "MAX_WIDTH", COLUMNS):
        result = CliRunner().invoke(_app(program), [*words, "--help"], prog_name=program)
    if result.exit_code:
        raise RuntimeError(f"{command} --help: {result.output}")
    return _tidy(result.output)


def printed_help(program: str) -> str:
    """The same from the installed script, as a reader would start it."""
    plain = {"COLUMNS": str(COLUMNS), "TERMINAL_WIDTH": str(COLUMNS), "NO_COLOR": "1", "TERM": "dumb"}
    finished = subprocess.run(
        [str(SCRIPTS / program), "--help"],
        env={**os.environ, **plain},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return _tidy(finished.stdout)


def _app(program: str) -> typer.Typer:
    app: typer.Typer = importlib.import_module(programs()[program]).app
    return app


def _with_children(name: str, command: click.Command) -> Iterator[str]:
    yield name
    for child, inner in getattr(command, "commands", {}).items():
        if not inner.hidden:
            yield from _with_children(f"{name} {child}", inner)


def _tidy(output: str) -> str:
    return "\n".join(line.rstrip() for line in output.strip().splitlines()) + "\n"
