"""Where the tools of other people are, and what happens where one is absent.

`make e2e` installs them all and sets CONSENTGATE_ORACLES=required: then an absent tool is an error. In any other run
the tests that need it are skipped and say why.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import pytest

HERE = Path(__file__).parent
NODE_MODULES = HERE.parents[1] / "build" / "oracles" / "node_modules"
"""Made by `make build/oracles/node_modules`, as pinned in oracles/package-lock.json."""


def absent(what: str) -> NoReturn:
    """Skips, or fails where everything has to be there; a whole module when it is called at its head."""
    if os.environ.get("CONSENTGATE_ORACLES") == "required":
        pytest.fail(f"{what} is absent")
    pytest.skip(f"{what} is absent: `make e2e` installs it", allow_module_level=True)


def module(name: str) -> Any:
    """A Python module of theirs (extra `oracles`)."""
    try:
        return import_module(name)
    except ModuleNotFoundError:
        absent(name)


def program(name: str) -> str:
    """Path of a program."""
    found = shutil.which(name)
    if found is None:
        absent(name)
    return str(found)


def node(script: Path, *arguments: object, input: str | None = None) -> subprocess.CompletedProcess[str]:
    """Runs a script of this folder with Node."""
    command = [program("node"), str(script), *map(str, arguments)]
    return subprocess.run(command, input=input, capture_output=True, text=True, check=False, timeout=120)


def npm_packages() -> Path:
    """Folder that holds the npm packages."""
    if not NODE_MODULES.is_dir():
        absent("the npm packages of tests/conformance/oracles")
    return NODE_MODULES


def run(*command: object, input: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """Runs a program and returns what it did, whatever its exit code."""
    return subprocess.run([*map(str, command)], input=input, capture_output=True, check=False, timeout=60)
