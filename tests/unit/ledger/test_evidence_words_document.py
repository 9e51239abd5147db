"""docs/ledger-format.md, section 15, has exactly the words of ledger/evidence_words.py: they are part of the format."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ledger.evidence import Verdict
from ledger.evidence_folder import read_bundle
from ledger.evidence_words import WIDTH, limits, lines, title
from ledger.merkle import MAX_PROOF
from ledger.policy import LogPolicy
from tests.vectors.ledger import generate
from tests.vectors.ledger.independent import DOCUMENT

GOOD = Path(generate.__file__).parent / "good"
POLICY = LogPolicy.parse((GOOD / "ledger-policy.txt").read_text())
PAGE = DOCUMENT.read_text("utf-8")
ROWS = [
    (name, re.findall(r"`(.+?)`", of), text)
    for name, of, text in re.findall(
        r"^\| `(.+?)` \| (.+?) \| `(.+)` \|$",
        PAGE.split("<!-- words:begin")[1].split("<!-- words:end")[0],
        re.MULTILINE,
    )
]
BY_WORD = "rollback by word"
PLACE = re.compile(r"\\\{\w+\\\}")
bundles = pytest.mark.parametrize("folder", sorted((GOOD / "evidence").iterdir()), ids=lambda path: path.name)


def texts(name: str, of: str) -> list[str]:
    return [text for word, kinds, text in ROWS if word == name and of in kinds]


@bundles
def test_each_word_of_a_bundle_is_on_the_page(folder: Path) -> None:
    """What stands in braces on the page is anything; the words around it are these."""
    finding = read_bundle(folder, POLICY)
    kind = BY_WORD if finding.told is not None else finding.verdict.value
    flat = " ".join(" ".join(lines(finding)).split())
    assert [title(finding)] == texts("title", kind)
    assert list(limits(finding)) == texts("limit", kind)
    dated = "dated" if finding.first.cosignatures or finding.second.cosignatures else "undated"
    needed = {dated: True, "proves": True, "check": True, "returned": finding.returned, "both": finding.cosigned_both}
    for name in (name for name, there in needed.items() if there):
        (text,) = texts(name, kind)
        assert re.search(PLACE.sub(".+", re.escape(text)), flat), name


def test_every_row_is_of_a_verdict() -> None:
    kinds = {verdict.value for verdict in Verdict} | {BY_WORD}
    assert {kind for _, of, _ in ROWS for kind in of} == kinds
    assert {name for name, _, _ in ROWS} == {
        *("title", "dated", "undated", "entry", "no entry", "proves", "returned", "both", "limit", "check")
    }


def test_page_names_the_limits_of_files() -> None:
    section = PAGE.split("## 15 ")[1]
    assert f"at most {MAX_PROOF + 1} of 32 bytes" in section
    assert f"fit into {WIDTH} characters" in section
