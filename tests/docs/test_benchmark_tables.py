"""The READMEs' figures are those of benchmarks/results/*.json, and the blocks follow every result."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.ledger import picture as ledger_picture
from benchmarks.ledger.report import ROWS
from benchmarks.paillier import picture
from tests.docs.benchmark_tables import (
    LEDGER,
    NOT_MEASURED,
    PAGES,
    PAILLIER,
    SUBJECTS,
    Subject,
    blocks,
    measured,
    render,
)
from tests.docs.pages import ROOT

PAILLIER_SAMPLE: dict[str, Any] = {
    "bits": 3072,
    "encrypt_online_us": 21.4,
    "floor_ratio": 1.07,
    "scaling": 0.93,
    "rss_mb_10k": 130.5,
    "rss_mb_100k": 131.0,
    "machine": {"processor": "A 9000", "cores": 2, "python": "3.11.7", "versions": {"gmpy2": "2.3.2"}},
    "by_key_size": {
        "3072": {
            "milliseconds": {
                "encrypt": {"ours": 1.25, "phe": 40.0, "heu": 1.93, "pypaillier": 1.72},
                "decrypt": {"ours": 8.0, "phe": 12.2, "heu": 8.8, "pypaillier": 8.6},
                "dot": {"ours": 1.5, "phe": 20.0, "heu": 2.0, "pypaillier": 9.0},
                "portfolio": {"ours": 0.8, "phe": 1370.0, "heu": 97.0, "pypaillier": 80.0},
            }
        }
    },
}
LEDGER_SAMPLE: dict[str, Any] = {
    **{name: number + 0.25 for number, (name, _) in enumerate(ROWS, 11)},
    "entries": 1_000_000,
    "leaf_bytes": 901,
    "append_per_s_sqlite": 8123,
    "receipts_per_s_postgres": 4001,
    "naive_per_s_sqlite": 1987,
    "naive_per_s_postgres": None,
    "pymerkle_per_s": 333,
    "fsync_ms": 0.187,
    "machine": {"processor": "A 9000", "cores": 2, "python": "3.11.7"},
    "versions": {"postgresql": "15.18"},
}


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_the_figures_are_the_measured_ones(page: str, subject: Subject) -> None:
    shown = blocks(subject, ROOT / page)
    assert shown == [render(subject, page, measured(subject))], "say: python -m tests.docs.regenerate"


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_results_and_picture_are_committed_together(subject: Subject) -> None:
    assert subject.results.exists() == (ROOT / subject.picture).exists()


@pytest.mark.parametrize("page", PAGES)
def test_every_figure_of_the_engine_reaches_the_page(page: str) -> None:
    shown = render(PAILLIER, page, PAILLIER_SAMPLE)
    assert "| 40 | 1.93 | 1.72 | **1.25** | phe × 32, heu × 1.54, pypaillier × 1.38 |" in shown
    assert "| 1,370 | 97 | 80 | **0.8** | phe × 1,712, heu × 121, pypaillier × 100" in shown
    figures = ("3072", "**0.021**", "1.07", "0.93", "130.5", "131.0", "A 9000", "3.11.7", "2.3.2", PAILLIER.picture)
    for figure in figures:
        assert figure in shown


@pytest.mark.parametrize("page", PAGES)
def test_every_figure_of_the_ledger_reaches_the_page(page: str) -> None:
    shown = render(LEDGER, page, LEDGER_SAMPLE)
    for figure in ("1,000,000", "901", "8,123", "1,987", "333", "0.187", "A 9000", "3.11.7", "15.18", LEDGER.picture):
        assert figure in shown
    for name, target in ROWS[1:]:
        assert f"| {LEDGER_SAMPLE[name]:.3g} | {target} |" in shown


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_without_results_no_figure_is_shown(page: str, subject: Subject) -> None:
    assert render(subject, page, None) == NOT_MEASURED[page]
    assert "|" not in NOT_MEASURED[page]


def test_the_picture_shows_every_row_of_the_table() -> None:
    drawn = picture.draw(PAILLIER_SAMPLE["by_key_size"]["3072"]["milliseconds"], "here")
    assert set(picture.TITLES) == set(PAILLIER_SAMPLE["by_key_size"]["3072"]["milliseconds"])
    assert drawn.count("Consentgate") == len(picture.TITLES)


def test_the_ledgers_picture_leaves_out_what_was_not_measured() -> None:
    drawn = ledger_picture.draw(LEDGER_SAMPLE, "here")
    assert drawn.count("<rect") == 1 + 6  # the background, and all bars but the naive log's on PostgreSQL
    assert "Consentgate 8,123" in drawn
    assert "pymerkle 333" in drawn
