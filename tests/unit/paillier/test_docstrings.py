"""Every public function says what it does, and names each error that it raises itself."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import paillier

PACKAGE = Path(paillier.__file__).parent
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.stem != "__init__")


def public_functions(path: Path) -> Iterator[ast.FunctionDef]:
    """Functions and methods whose name and class have no underscore; constructors too."""
    for node in ast.parse(path.read_text()).body:
        members = node.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_") else [node]
        for member in members:
            if isinstance(member, ast.FunctionDef) and (member.name == "__init__" or not member.name.startswith("_")):
                yield member


def raised(function: ast.FunctionDef) -> set[str]:
    calls = [node.exc for node in ast.walk(function) if isinstance(node, ast.Raise)]
    return {call.func.id for call in calls if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_public_function_is_described_with_its_errors(path: Path) -> None:
    gaps = [
        f"{function.name} (line {function.lineno}): {sorted(unnamed) or 'no docstring'}"
        for function in public_functions(path)
        for text in [ast.get_docstring(function) or ""]
        for unnamed in [{error for error in raised(function) if error not in text}]
        if unnamed or not text
    ]
    assert not gaps


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_module_names_its_source_and_what_is_safe_between_threads(path: Path) -> None:
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    assert path.name == "errors.py" or ("Spec: " in text and "hread-safety:" in text)
