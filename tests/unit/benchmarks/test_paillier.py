"""The comparison with peers: what every side computes, the plan without peers, table and picture."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks.paillier import measure, ours, peers, picture, report, scaling, workload
from benchmarks.paillier.measure import FULL, QUICK, Plan
from paillier.encryption import Encryptor
from paillier.workers import EncryptionWorkers

MILLISECONDS = {
    "encrypt": {"ours": 1.25, "phe": 40.0, "heu": 1.9, "pypaillier": 1.7},
    "decrypt": {"ours": 8.0, "phe": 12.2, "heu": 8.8, "pypaillier": 8.6},
    "dot": {"ours": 1.5, "phe": 20.0, "heu": 2.0, "pypaillier": 9.0},
    "portfolio": {"ours": 0.8, "phe": 1370.0, "heu": 97.0, "pypaillier": 80.0},
}
SVG = "{http://www.w3.org/2000/svg}"
ALONE = Plan((2048,), 1, 1, (3, 30), 2, 1, peers=())


# --- workload -----------------------------------------------------------------------------------------------


def test_the_workload_is_the_same_every_time() -> None:
    assert workload.make(70) == workload.make(70)
    assert workload.make(70).rows[:9] == workload.make(9).rows
    assert workload.make(5, seed=1).weights != workload.make(5, seed=2).weights


@pytest.mark.parametrize("real", [True, False])
def test_the_workload_has_the_issues_shape(real: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """40 columns, 20-bit values, signed 16-bit weights: from real companies or, without the file, generated."""
    data = tmp_path / "companies.arff"
    if real:
        rows = [",".join("?" if (i + j) % 9 == 0 else f"{i * j / 7:.3f}" for j in range(65)) for i in range(12)]
        data.write_text("@relation x\n@data\n" + "\n".join(rows) + "\n")
    monkeypatch.setattr(workload, "REAL_DATA", data)
    made = workload.make(30)
    assert made.source.startswith("real" if real else "generated")
    assert [len(row) for row in made.rows] == [40] * 30
    assert all(0 <= value <= workload.TOP for row in made.rows for value in row)
    assert len(made.weights) == 40
    assert all(-32768 <= weight <= 32767 for weight in made.weights)
    assert all(made.low <= score <= made.high for score in made.expected)
    assert len(set(made.expected)) > 5


def test_the_workloads_range_is_exact_and_its_scores_are_plain_sums() -> None:
    made = workload.Workload("here", [[0, 5], [workload.TOP, 0]], [-3, 2])
    assert made.expected == [610, 600 - 3 * workload.TOP]
    assert (made.low, made.high) == (600 - 3 * workload.TOP, 600 + 2 * workload.TOP)


# --- plan ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    """Our own side alone, with small tables: what is measured is checked against plain arithmetic on the way."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ours, "PORTFOLIO_BUDGET", 3 << 20)
        patch.setattr(ours, "Encryptor", _small_encryptor)
        patch.setattr(ours, "POOL", 3)
        patch.setattr(scaling, "EncryptionWorkers", partial(EncryptionWorkers, window=1))
        patch.setattr(measure.machine, "load", lambda: 0.5)
        said: list[str] = []
        made = measure.run(ALONE, said.append)
    assert any("round 1 of 1" in text for text in said)
    return json.loads(json.dumps(made))  # type: ignore[no-any-return]


def _small_encryptor(*arguments: Any, **options: Any) -> Encryptor:
    return Encryptor(*arguments, **(options | {"window": 2}))


def test_a_plan_without_peers_measures_our_side(result: dict[str, Any]) -> None:
    assert not [name for name in result if "_vs_" in name]
    assert result["peer_versions"] == {}
    assert result["bits"] == 2048
    for name in ("encrypt_online_us", "portfolio_us_per_company", "floor_ratio", "wire_share", "scaling"):
        assert result[name] > 0, name
    for name in ("rss_mb_10k", "rss_mb_100k"):
        assert 20 < result[name] < 1000
    assert {what: set(sides) for what, sides in result["by_key_size"]["2048"]["milliseconds"].items()} == {
        what: {"ours"} for what in MILLISECONDS
    }
    assert result["machine"]["versions"]["gmpy2"]


def test_a_result_without_peers_renders_with_dashes(result: dict[str, Any]) -> None:
    rows = report.table(result).splitlines()
    assert all(row.count("|") == 7 for row in rows)
    assert all(row.count(" – |") == 3 for row in rows[2:])
    assert "2.3" in report.facts(result)


def test_full_and_quick_plan_measure_what_the_issue_asks() -> None:
    assert tuple(FULL.bits) == (2048, 3072)
    assert tuple(QUICK.bits) == (3072,)
    for plan in (FULL, QUICK):
        assert plan.streamed == (10_000, 100_000)
        assert tuple(plan.peers) == ("phe", "heu", "pypaillier")
    asked = {f"{what}_vs_{name}" for what, names in measure.RATIOS.items() for name in names}
    assert asked == {
        *(f"encrypt_vs_{name}" for name in ("phe", "heu", "pypaillier")),
        *(f"portfolio_vs_{name}" for name in ("phe", "heu", "pypaillier")),
        *(f"{what}_vs_{name}" for what in ("decrypt", "dot") for name in ("phe", "heu")),
    }


def test_ratios_are_peer_time_by_ours() -> None:
    samples = measure._Samples()
    for what, sides in MILLISECONDS.items():
        for side, value in sides.items():
            for factor in (0.9, 1.0, 5.0):  # the median is the middle one
                samples.add(what, side, value * factor / 1000)
    for what, value in (("floor", 2.0), ("encrypt_again", 2.2), ("online", 21e-6), ("wire", 0.01)):
        samples.add(what, "ours", value)
    figures = measure._figures(samples, peers.NAMES)
    assert figures["encrypt_vs_phe"] == 32
    assert figures["portfolio_vs_heu"] == 121.25
    assert figures["portfolio_us_per_company"] == 800
    assert figures["encrypt_online_us"] == 21
    assert figures["floor_ratio"] == 1.1
    assert figures["milliseconds"] == MILLISECONDS


# --- table and picture --------------------------------------------------------------------------------------


def test_the_picture_is_valid_xml_with_a_longer_bar_for_more_time() -> None:
    root = ElementTree.fromstring(picture.draw(MILLISECONDS, "3072 bits <& one core>"))  # noqa: S314
    texts = [element.text or "" for element in root.iter(f"{SVG}text")]
    assert "3072 bits <& one core>" in texts
    assert [text for text in texts if text in picture.TITLES.values()] == list(picture.TITLES.values())
    for name in ("Consentgate 0.8", "phe 1,370", "heu 97", "pypaillier 80"):
        assert name in texts
    colours = {colour: side for side, colour in picture.COLOURS.items()}
    bars = [element for element in root.iter(f"{SVG}rect") if element.get("fill") in colours]
    assert len(bars) == 16
    widths = {colours[bar.attrib["fill"]]: float(bar.attrib["width"]) for bar in bars[-4:]}
    assert sorted(widths, key=lambda side: widths[side]) == ["ours", "pypaillier", "heu", "phe"]
    assert min(widths.values()) >= 0


def test_a_table_is_markdown_with_every_side() -> None:
    rows = report.table(
        {"bits": 3072, "encrypt_online_us": 21.4, "by_key_size": {"3072": {"milliseconds": MILLISECONDS}}}
    ).splitlines()
    assert len(rows) == 7
    assert len({row.count("|") for row in rows}) == 1
    assert rows[-2].split("|")[2:7] == [
        " 1,370 ",
        " 97 ",
        " 80 ",
        " **0.8** ",
        " phe × 1,712, heu × 121, pypaillier × 100 ",
    ]


def test_a_peer_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    silent = tmp_path / "python"
    silent.write_text("#!/bin/sh\nexit 0\n")
    silent.chmod(0o755)
    monkeypatch.setattr(peers, "PEERS_PYTHON", silent)
    with peers.Peer("heu", 0) as peer, pytest.raises(peers.PeerFailed, match="heu: its process ended"):
        peer._receive()
