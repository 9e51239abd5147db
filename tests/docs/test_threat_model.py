"""The threat model names only forgeries that are really tried, and every kind of them that there is."""

from __future__ import annotations

import re

from tests.docs.pages import ROOT, numbered_lines
from tests.support.forgeries import FORGERIES

PAGE = ROOT / "docs" / "threat-model.md"
NAMES = [forgery.name for forgery in FORGERIES]


def _cited() -> list[str]:
    """Names in quotes on lines that speak of forgeries; `…` stands for any beginning or end."""
    lines = [line for _, line in numbered_lines(PAGE) if re.search(r"\bforger(y|ies) \"", line)]
    return [name for line in lines for name in re.findall(r"\"([^\"]+)\"", line)]


def _matches(cited: str) -> list[str]:
    if cited.endswith(" …"):
        return [name for name in NAMES if name.startswith(cited.removesuffix("…"))]
    if cited.startswith("… "):
        return [name for name in NAMES if name.endswith(cited.removeprefix("…"))]
    return [name for name in NAMES if name == cited]


def test_every_cited_forgery_is_tried() -> None:
    assert len(_cited()) > 20
    assert not [cited for cited in _cited() if not _matches(cited)]


def test_every_part_of_the_bundle_is_cited() -> None:
    covered = {name for cited in _cited() for name in _matches(cited)}
    parts = (
        "request",
        "consent",
        "attestation",
        "header",
        "approval",
        "key",
        "decision",
        "leaf",
        "proof",
        "cosignatures",
    )
    assert {part for part in parts if any(name.startswith(part) for name in covered)} == set(parts)
