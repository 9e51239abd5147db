"""`report.html`: the figures for people. One file, no scripts, nothing fetched, and it says so to the browser (CSP).

Everything on it follows from the summary and the note; nothing is asked for again.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from html import escape

from ledger_service.report.charts import Chart, lying, standing
from ledger_service.report.figures import charts
from ledger_service.report.summary import Bounds, Figures, Tree
from ledger_service.report.tally import DAY

PAGE_FILE = "report.html"

STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #1b1f24; background: #fff; }
body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .25rem; }
figure { margin: 0; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .5rem; }
p.log, .note { color: #57606a; margin: 0; }
dl.totals { display: grid; grid-template-columns: repeat(4, 1fr); gap: .75rem; margin: 1.5rem 0; }
dl.totals div { border: 1px solid #d0d7de; border-radius: 6px; padding: .6rem .8rem; }
dl.totals dt { color: #57606a; font-size: .85rem; }
dl.totals dd { margin: 0; font-size: 1.4rem; font-variant-numeric: tabular-nums; }
svg { width: 100%; height: auto; display: block; }
table { border-collapse: collapse; width: 100%; font-size: .88rem; margin-top: .5rem; }
th, td { text-align: left; padding: .2rem .6rem .2rem 0; border-bottom: 1px solid #eaeef2; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
summary { color: #57606a; cursor: pointer; }
pre, code { font: 12px/1.5 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
pre { background: #f6f8fa; border: 1px solid #d0d7de; border-radius: 6px; padding: .7rem; }
@media print {
  @page { margin: 18mm; }
  body { margin: 0; max-width: none; font-size: 11pt; }
  figure, tr, pre { break-inside: avoid; }
  h2 { break-after: avoid; }
  details { display: none; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""


def render(log: str, period: Bounds | None, tree: Tree, figures: Figures, note: bytes, files: Mapping[str, str]) -> str:
    """The whole page; `files` are the digests of those that are written already."""
    title = f"Ledger report, {_period(period)}"
    drawn = [
        _section(chart, standing(chart) if stands else lying(chart), is_long=stands)
        for chart, stands in charts(figures, period)
    ]
    body = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="log">{escape(log)}, verified over {tree.size:,} entries</p>',
        _totals(figures),
        *(drawn or ["<p>There is no decision and no consent in this period.</p>"]),
        _kinds(figures),
        _verification(tree, note, files),
    ]
    return "\n".join([*_head(title), "<body>", "<main>", *body, "</main>", "</body>", "</html>", ""])


def _head(title: str) -> list[str]:
    allowed = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{allowed}'; base-uri 'none'; form-action 'none'"
    return [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        "</head>",
    ]


def _period(period: Bounds | None) -> str:
    """First and last day: periods are whole days."""
    if period is None:
        return "all entries"
    first, last = date.fromisoformat(period.not_before[:DAY]), date.fromisoformat(period.before[:DAY])
    last -= timedelta(days=1)
    return f"{first}" if first == last else f"{first} to {last}"


def _totals(figures: Figures) -> str:
    allowed = sum(found.allow for found in figures.decisions_by_day.values())
    denied = sum(found.deny for found in figures.decisions_by_day.values())
    numbers = {"entries": figures.entries, "subject tokens": figures.tokens, "allowed": allowed, "denied": denied}
    told = "".join(f"<div><dt>{name}</dt><dd>{number:,}</dd></div>" for name, number in numbers.items())
    return f'<dl class="totals">{told}</dl>'


def _section(chart: Chart, svg: str, *, is_long: bool) -> str:
    """A table with a row for every day can be opened on the screen, and is left out in print."""
    numbers = _table(["", *chart.series], ((bar.label, bar.values) for bar in chart.bars))
    shown = f"<details><summary>The numbers</summary>{numbers}</details>" if is_long else numbers
    return (
        f'<section><figure><h2>{escape(chart.title)}</h2><p class="note">{escape(chart.description)}</p>\n{svg}\n'
        f"</figure>{shown}</section>"
    )


def _kinds(figures: Figures) -> str:
    kinds = _table(["kind", "entries"], ((kind, [number]) for kind, number in figures.by_kind.items()))
    months = _table(["month", "entries"], ((month, [number]) for month, number in figures.by_month.items()))
    return f"<section><h2>Entries by kind</h2>{kinds}</section><section><h2>Entries by month</h2>{months}</section>"


def _table(head: Iterable[str], rows: Iterable[tuple[str, Sequence[int]]]) -> str:
    first, *others = head
    names = f'<th scope="col">{escape(first)}</th>'
    names += "".join(f'<th scope="col" class="number">{escape(name)}</th>' for name in others)
    lines = "".join(_line(label, values) for label, values in rows)
    return f"<table><thead><tr>{names}</tr></thead><tbody>\n{lines}</tbody></table>"


def _line(label: str, values: Sequence[int]) -> str:
    cells = "".join(f'<td class="number">{value:,}</td>' for value in values)
    return f'<tr><th scope="row">{escape(label)}</th>{cells}</tr>\n'


def _verification(tree: Tree, note: bytes, files: Mapping[str, str]) -> str:
    digests = "\n".join(f"{digest}  {name}" for name, digest in sorted(files.items()))
    when = "" if tree.cosigned_at is None else f", witnessed by the quorum at {tree.cosigned_at}"
    return (
        "<section><h2>How to verify</h2>"
        f"<p>Every entry was verified against the tree of {tree.size:,} entries with root <code>{tree.root}</code>"
        f"{escape(when)}. <code>summary.json</code> names the digest of every file here and is signed "
        "(<code>summary.jws</code>). Whoever holds the anchors and an export of the ledger checks all of it:</p>"
        "<pre>ledger report --verify THIS-FOLDER --anchors anchors.toml --from EXPORT</pre>"
        f"<p>The checkpoint:</p><pre>{escape(note.decode())}</pre><p>SHA-256:</p><pre>{escape(digests)}</pre></section>"
    )
