"""The repository's files, as the tests here look at them."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "paillier",
    "ledger",
    "ledger_service",
    "consentgate",
    "gateway",
    "department_adapter",
    "bank_client",
    "company_client",
)
"""What is shipped. `dev` and `tests` are not."""
GENERATED = "consentgate/v1/"


@cache
def modules(*packages: str) -> dict[str, ast.Module]:
    """Path below the repository → syntax tree, of every written module of `packages` (all that are shipped)."""
    found = {}
    for package in packages or PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if not name.startswith(GENERATED):
                found[name] = ast.parse(path.read_text("utf-8"))
    return found


def nodes(*packages: str) -> Iterator[tuple[str, ast.AST]]:
    """(path, node) of every node of every module."""
    for name, tree in modules(*packages).items():
        for node in ast.walk(tree):
            yield name, node


def tracked_files() -> list[Path]:
    """Every file that is, or with the next commit may be, in the repository."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    paths = [ROOT / name for name in listed.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]
