"""The READMEs' figures are those of benchmarks/results/paillier.json, and the block follows every result."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.paillier import picture
from tests.docs.benchmark_tables import LANGUAGES, NOT_MEASURED, PICTURE, RESULTS, blocks, measured, render
from tests.docs.pages import ROOT

SAMPLE: dict[str, Any] = {
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


@pytest.mark.parametrize("page", LANGUAGES)
def test_the_figures_are_the_measured_ones(page: str) -> None:
    assert blocks(ROOT / page) == [render(page, measured())], "say: python -m tests.docs.regenerate"


def test_results_and_picture_are_committed_together() -> None:
    assert RESULTS.exists() == (ROOT / PICTURE).exists()


@pytest.mark.parametrize("page", LANGUAGES)
def test_every_figure_of_a_result_reaches_the_page(page: str) -> None:
    shown = render(page, SAMPLE)
    assert "| 40 | 1.93 | 1.72 | **1.25** | phe × 32, heu × 1.54, pypaillier × 1.38 |" in shown
    assert "| 1,370 | 97 | 80 | **0.8** | phe × 1,712, heu × 121, pypaillier × 100" in shown
    for figure in ("3072", "**0.021**", "1.07", "0.93", "130.5", "131.0", "A 9000", "3.11.7", "2.3.2", PICTURE):
        assert figure in shown


@pytest.mark.parametrize("page", LANGUAGES)
def test_without_results_no_figure_is_shown(page: str) -> None:
    assert render(page, None) == NOT_MEASURED[page]
    assert "|" not in NOT_MEASURED[page]


def test_the_picture_shows_every_row_of_the_table() -> None:
    drawn = picture.draw(SAMPLE["by_key_size"]["3072"]["milliseconds"], "here")
    assert set(picture.TITLES) == set(SAMPLE["by_key_size"]["3072"]["milliseconds"])
    assert drawn.count("Consentgate") == len(picture.TITLES)
