"""House rules that no linter knows."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from consentgate.error_codes import ErrorCode
from tests.architecture.sources import PACKAGES, ROOT, modules, nodes, tracked_files

GATEKEEPER = "consentgate/interceptors.py"
CATALOGUE = {"consentgate/error_codes.py", "consentgate/error_catalogue.py"}
ERROR_NAMES = {"ErrorCode", "Code", "_Code", "_C"}
"""Names under which modules speak of the enumeration."""
STATUS_CALLS = {"abort", "abort_with_status", "set_code", "set_details", "set_trailing_metadata"}
"""Methods of gRPC's context that end a call with a status."""
ENVIRONMENT = {"environ", "environb", "getenv", "putenv", "expanduser", "expandvars"}
SHAPELESS = {"utils", "helpers", "common", "misc", "shared"}
"""Names that say nothing: what is in such a module belongs elsewhere."""
REGISTRIES = re.compile(
    r"""(pypi|pythonhosted|npmjs|yarnpkg|crates|rubygems|goproxy|maven|docker|quay|ghcr) # who
        [\w.-]*\.(org|com|io|cn)\b                                                       # where
        | --(extra-)?index-url | ^\s*index-url\s*= """,
    re.VERBOSE | re.MULTILINE | re.IGNORECASE,
)
REASON = re.compile(r"#.*\w{3,}.*\w{3,}")


def test_there_is_something_to_look_at():
    assert len(modules()) > 100
    assert {name.split("/")[0] for name in modules()} == set(PACKAGES)


def test_a_status_is_set_in_one_place_only():
    found = {
        f"{name}:{node.lineno}"
        for name, node in nodes()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in STATUS_CALLS
        if _mentions_context(node.func.value)
    }
    assert {place.split(":")[0] for place in found} == {GATEKEEPER}
    assert len(found) == 1


def test_no_module_reads_the_environment():
    found = [
        f"{name}:{node.lineno}"
        for name, node in nodes()
        if (isinstance(node, ast.Attribute) and node.attr in ENVIRONMENT)
        or (isinstance(node, ast.ImportFrom) and {alias.name for alias in node.names} & ENVIRONMENT)
    ]
    assert not found


def test_no_settings_class_reads_the_environment_either():
    """pydantic-settings would: configuration objects are plain models, read from one file."""
    found = [
        f"{name}:{node.lineno}"
        for name, node in nodes()
        if (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pydantic_settings"))
        or (isinstance(node, ast.Import) and any(alias.name.startswith("pydantic_settings") for alias in node.names))
    ]
    assert not found


def test_an_import_inside_a_function_says_why():
    found = []
    for name, tree in modules(*PACKAGES, "dev").items():
        lines = (ROOT / name).read_text("utf-8").splitlines()
        for function in ast.walk(tree):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            imports = [node for node in ast.walk(function) if isinstance(node, ast.Import | ast.ImportFrom)]
            found += [f"{name}:{node.lineno}" for node in imports if not _explained(lines, node.lineno)]
    assert not found


def test_module_names_say_something():
    assert not [name for name in modules(*PACKAGES, "dev") if name.rpartition("/")[2].removesuffix(".py") in SHAPELESS]


@pytest.mark.parametrize("code", ErrorCode)
def test_every_code_is_used(code: ErrorCode):
    """A code that nothing raises or translates to is a promise that nobody keeps."""
    assert code in _codes_in_use()


def test_codes_in_use_exist():
    assert set(_codes_in_use()) <= set(ErrorCode)


def test_no_file_names_a_package_registry():
    found = []
    for path in tracked_files():
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in REGISTRIES.finditer(text)]
    assert not found


def test_registries_would_be_found():
    """The pattern above, on addresses spelled in two halves so that this file stays clean itself."""
    for left, right in (("https://py", "pi.org/simple"), ("files.python", "hosted.org"), ("registry.npm", "js.org")):
        assert REGISTRIES.search(left + right)
    assert REGISTRIES.search("pip install --index" + "-url x")


@cache
def _codes_in_use() -> dict[str, str]:
    """Code → a module that names it, outside of the catalogue."""
    return {
        node.attr: name
        for name, node in nodes()
        if name not in CATALOGUE
        and isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in ERROR_NAMES
    }


def _mentions_context(value: ast.expr) -> bool:
    return "context" in ast.unparse(value)


def _explained(lines: list[str], number: int) -> bool:
    """A comment with words on the import's own line or the one before."""
    own = lines[number - 1].replace("# noqa: PLC0415", "#")
    return any(REASON.search(line) for line in (own, lines[number - 2]))
