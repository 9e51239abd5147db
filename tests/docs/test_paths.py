"""Files, tests and targets that the pages name in code exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, pages

FOLDERS = [
    "bank_client",
    "benchmarks",
    "consentgate",
    "company_client",
    "department_adapter",
    "dev",
    "docs",
    "gateway",
    "ledger",
    "ledger_service",
    "paillier",
    "protos",
    "tests",
]
_PATH = re.compile(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]*)(?:::(\w+))?`")
_LINKED_TEST = re.compile(r"\[`(test_\w+)`\]\(([^)]+\.py)\)")
_MAKE = re.compile(r"`make ([a-z0-9-]+)")
_TARGET = re.compile(r"^([a-z0-9-]+):.*## ", re.MULTILINE)


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_named_files_and_tests_exist(page: Path) -> None:
    missing = [name for name, function in _named(page) if not _exists(name, function)]
    assert not missing


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_linked_tests_exist(page: Path) -> None:
    linked = _LINKED_TEST.findall(page.read_text("utf-8"))
    assert not [function for function, target in linked if not _defines((page.parent / target).resolve(), function)]


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_named_targets_exist(page: Path) -> None:
    assert set(_MAKE.findall(page.read_text("utf-8"))) <= _targets()


def test_every_target_has_help() -> None:
    text = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.+)$", text, re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == _targets()


def _named(page: Path) -> Iterator[tuple[str, str]]:
    yield from _PATH.findall(page.read_text("utf-8"))


def _exists(name: str, function: str) -> bool:
    path = ROOT / name
    return path.exists() and (not function or _defines(path, function))


def _defines(path: Path, function: str) -> bool:
    return re.search(rf"^(async )?def {function}\(", path.read_text("utf-8"), re.MULTILINE) is not None


def _targets() -> set[str]:
    return set(_TARGET.findall((ROOT / "Makefile").read_text()))
