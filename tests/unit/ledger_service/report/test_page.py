"""The page: whole in itself, well-formed, for every reader."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from ledger_service.report.charts import Bar, Chart, lying, nice_ticks, standing
from ledger_service.report.figures import MAX_NAMES, by_institution, charts, decisions_over_time, denials
from ledger_service.report.page import STYLE, render
from ledger_service.report.summary import Bounds, Decided, Figures, Tree
from tests.support.report_files import ReportHouse

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = '<script>alert("1")</script>&'
TREE = Tree(size=10, root="ab" * 32, cosigned_at="2026-11-24T05:00:00.000000Z")
MONTH = Bounds(not_before="2026-11-01T00:00:00.000000Z", before="2026-12-01T00:00:00.000000Z")


def empty(**given: object) -> Figures:
    names = [name for name in Figures.model_fields if name not in ("entries", "tokens")]
    return Figures.model_validate({"entries": 0, "tokens": 0, **{name: {} for name in names}, **given})


def page(figures: Figures, period: Bounds | None = MONTH, log: str = "log.test") -> str:
    return render(log, period, TREE, figures, b"log.test\n10\nroot\n\nsignature\n", {"entries.csv": "00" * 32})


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)  # noqa: S314 - our own


def told(svg: str) -> list[ElementTree.Element]:
    """Segments of bars: rectangles that tell a number."""
    return [rect for rect in parsed(svg).iter(f"{SVG}rect") if rect.find(f"{SVG}title") is not None]


class Elements(HTMLParser):
    """Every element and attribute of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += attrs


def test_nothing_is_run_and_nothing_is_fetched(house: ReportHouse) -> None:
    text = (house.report / "report.html").read_text("utf-8")
    found = Elements(text)
    assert not {"script", "link", "img", "iframe", "object", "embed", "base", "form"} & set(found.names)
    assert not [name for name, _ in found.attributes if name.startswith("on") or name in ("src", "href", "style")]
    assert set(re.findall(r"https?://[^\"<\s]+", text)) == {"http://www.w3.org/2000/svg"}
    assert "default-src 'none'" in text
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in text
    assert text.split("<style>")[1].split("</style>")[0] == STYLE
    assert not re.search(r"url\((?!#)|@import", STYLE)


def test_every_chart_has_a_title_a_description_and_its_numbers(house: ReportHouse) -> None:
    text = (house.report / "report.html").read_text("utf-8")
    drawings = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(drawings) == 5
    for drawing in drawings:
        svg = parsed(drawing)
        ids = str(svg.get("aria-labelledby")).split()
        labelled = {child.get("id"): child.text for child in svg if child.tag in (f"{SVG}title", f"{SVG}desc")}
        assert svg.get("role") == "img"
        assert list(labelled) == ids
        assert all(labelled.values())
    assert text.count("<table>") == 7


def test_names_are_escaped() -> None:
    figures = empty(
        by_kind={HOSTILE: 1},
        denials_by_reason={HOSTILE: 2},
        decisions_by_institution={HOSTILE: {"allow": 1, "deny": 1}},
    )
    text = page(figures, log=HOSTILE)
    assert "<script" not in text
    for drawing in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        parsed(drawing)


def test_a_period_without_decisions() -> None:
    text = page(empty())
    assert "There is no decision and no consent in this period." in text
    assert "<svg" not in text
    assert "Ledger report, 2026-11-01 to 2026-11-30" in text
    assert "Ledger report, all entries" in page(empty(), None)


def test_bars_are_as_long_as_their_numbers() -> None:
    chart = Chart("key", "title", "description", ("allowed", "denied"), (Bar("a", (30, 10)), Bar("b", (20, 0))))
    rects = told(lying(chart))
    widths = [float(str(rect.get("width"))) for rect in rects]
    assert widths == pytest.approx([widths[0], widths[0] / 3, widths[0] * 2 / 3], abs=0.1)
    assert [rect.findtext(f"{SVG}title") for rect in rects] == ["a: 30 allowed", "a: 10 denied", "b: 20 allowed"]
    columns = told(standing(chart))
    heights = [float(str(rect.get("height"))) for rect in columns]
    assert heights == pytest.approx([heights[0], heights[0] / 3, heights[0] * 2 / 3], abs=0.1)
    assert [rect.get("fill") for rect in columns] == ["#1f6f8b", "url(#key-hatched)", "#1f6f8b"]


@pytest.mark.parametrize("top", [0, 1, 2, 3, 4, 5, 7, 19, 20, 21, 99, 100, 101, 12345, 10**9])
def test_ticks(top: int) -> None:
    ticks = nice_ticks(top)
    steps = {right - left for left, right in pairwise(ticks)}
    assert ticks[0] == 0
    assert ticks[-1] >= max(top, 1) > ticks[-2]
    assert len(ticks) <= 5
    assert len(steps) == 1
    assert str(steps.pop()).rstrip("0") in ("1", "2", "5")


def test_days_without_a_decision_are_drawn_too() -> None:
    days = {"2026-11-03": Decided(allow=2, deny=1), "2026-11-05": Decided(allow=0, deny=4)}
    month = decisions_over_time(days, MONTH)
    assert len(month.bars) == 30
    assert [(bar.label, bar.values) for bar in month.bars if bar.total] == [
        ("2026-11-03", (2, 1)),
        ("2026-11-05", (0, 4)),
    ]
    assert [bar.label for bar in decisions_over_time(days, None).bars] == ["2026-11-03", "2026-11-04", "2026-11-05"]


@pytest.mark.parametrize(
    ("first", "last", "title", "bars"),
    [
        ("2026-01-01", "2026-04-02", "Decisions by day", 92),
        ("2026-01-01", "2026-04-03", "Decisions by month", 4),
        ("2022-01-31", "2026-12-01", "Decisions by month", 60),
        ("2022-01-31", "2027-01-01", "Decisions by year", 6),
        ("1927-12-31", "2026-01-01", "Decisions by year", 100),
        ("1926-12-31", "2026-01-01", "Decisions by hundred years", 2),
        ("0001-01-01", "9999-12-31", "Decisions by hundred years", 100),
    ],
)
def test_long_periods_are_drawn_in_larger_steps(first: str, last: str, title: str, bars: int) -> None:
    chart = decisions_over_time({first: Decided(allow=1), last: Decided(deny=1)}, None)
    assert (chart.title, len(chart.bars)) == (title, bars)
    assert sum(bar.total for bar in chart.bars) == 2


def test_the_largest_are_named_and_the_others_are_summed() -> None:
    chart = by_institution({f"bank-{number:02}": Decided(allow=number, deny=1) for number in range(30)})
    assert len(chart.bars) == MAX_NAMES
    assert (chart.bars[0].label, chart.bars[0].values) == ("bank-29", (29, 1))
    assert (chart.bars[-1].label, chart.bars[-1].values) == ("others (11)", (55, 11))
    assert denials({}).bars == ()
    assert charts(empty(), None) == []
