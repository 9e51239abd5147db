"""Links between the pages lead somewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import ROOT, anchors, links, pages


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_local_links_resolve(page: Path) -> None:
    broken = [target for target in links(page) if not target.startswith("https://") and not _resolves(page, target)]
    assert not broken


def test_every_page_is_reachable_from_the_readme() -> None:
    found: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in found or page.suffix != ".md" or not page.exists():
            continue
        found.add(page)
        targets = [target.partition("#")[0] for target in links(page) if not target.startswith("https://")]
        waiting += [(page.parent / target).resolve() for target in targets if target]
    assert {page for page in pages() if page.name != "0000-template.md"} <= found


def _resolves(page: Path, target: str) -> bool:
    name, _, fragment = target.partition("#")
    path = (page.parent / name).resolve() if name else page
    if not path.exists():
        return False
    return not fragment or fragment in anchors(path)
