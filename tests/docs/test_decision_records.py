"""Decision records: numbered without gaps, of one form, all in the index."""

from __future__ import annotations

import re

from tests.docs.pages import ROOT, links

FOLDER = ROOT / "docs" / "adr"
STATUS = re.compile(r"^\*Status\*: (accepted|superseded by \d{4}) · \*Date\*: \d{4}-\d\d-\d\d$", re.M)
RECORDS = sorted(path for path in FOLDER.glob("[0-9]*.md") if not path.name.startswith("0000"))


def test_numbers_have_no_gap() -> None:
    assert [int(path.name[:4]) for path in RECORDS] == list(range(1, len(RECORDS) + 1))
    assert RECORDS


def test_every_record_has_the_form_of_the_template() -> None:
    for path in RECORDS:
        text = path.read_text("utf-8")
        assert re.match(rf"# {path.name[:4]} · \S", text), path.name
        assert STATUS.search(text), path.name
        assert re.findall(r"^## (.+)$", text, re.M) == ["Context", "Decision", "Consequences"], path.name


def test_the_index_names_each_record_with_its_title() -> None:
    index = (FOLDER / "README.md").read_text("utf-8")
    titles = {path.name: path.read_text("utf-8").splitlines()[0].partition(" · ")[2] for path in RECORDS}
    listed = dict(re.findall(r"^\| \[\d{4}\]\((\S+)\) \| (.+) \|$", index, re.M))
    assert listed == titles
    assert set(titles) <= set(links(FOLDER / "README.md"))
