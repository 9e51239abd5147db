"""constraints.txt pins everything that `make setup` installs, and nothing names a registry."""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any

from packaging.requirements import Requirement

from tests.docs.pages import ROOT

THIS_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
OWN = "consentgate"
BUILD_BACK_END = {"setuptools"}
"""Installed before everything else, by name."""


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return {_normal(name): version for name, _, version in (line.partition("==") for line in lines)}


def _needed(*pythons: str) -> set[str]:
    """The project's requirements, theirs and so on, as they apply to one of these versions of Python."""
    found: set[tuple[str, str]] = set()
    waiting = [(OWN, "dev")]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) not in found:
            found.add((name, extra))
            waiting += [wanted for python in pythons for wanted in _requirements(name, extra, python)]
    return {name for name, _ in found} - {OWN}


def _project() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return project


def _own_requirements(extra: str) -> list[str]:
    """From pyproject.toml: what was installed last may be older."""
    project = _project()
    return [*project["dependencies"], *(project["optional-dependencies"][extra] if extra else [])]


def _left_out_by_setup() -> set[str]:
    """What further extras name (a driver, peers to compare with): pinned, so that it is the same everywhere."""
    extras = _project()["optional-dependencies"]
    named = [Requirement(text) for texts in extras.values() for text in texts]
    parts = {f"{found.name}-{part}" for found in named for part in found.extras}
    return {_normal(name) for name in parts | {found.name for found in named}} & set(_pins())


def _requirements(name: str, extra: str, python: str) -> list[tuple[str, str]]:
    """What a package asks for; nothing when it is not installed, because this Python does not need it."""
    try:
        texts = _own_requirements(extra) if name == OWN else distribution(name).requires or []
    except PackageNotFoundError:
        return []
    context = {"extra": extra, "python_version": python, "python_full_version": f"{python}.0"}
    applying = [found for found in map(Requirement, texts) if found.marker is None or found.marker.evaluate(context)]
    return [(_normal(found.name), wanted) for found in applying for wanted in ("", *found.extras)]


def test_what_setup_installs_is_pinned() -> None:
    installed = {name: distribution(name).version for name in _needed(THIS_PYTHON) | BUILD_BACK_END}
    assert len(installed) > 50
    assert installed.items() <= _pins().items()


def test_nothing_else_is_pinned() -> None:
    assert set(_pins()) == _needed(*PYTHONS) | BUILD_BACK_END | _left_out_by_setup()


def test_every_line_is_a_pin_and_they_are_sorted() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line) for line in lines)
    assert lines == sorted(lines, key=str.casefold)


def test_no_registry_is_named() -> None:
    for name in ("constraints.txt", "pyproject.toml", "Makefile", ".ci/run"):
        text = (ROOT / name).read_text()
        assert not re.search(r"https?://|--(extra-)?index-url|--find-links", text), name
