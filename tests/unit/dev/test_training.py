"""Training a points scorecard, and choosing whom `make real-data` scores."""

from __future__ import annotations

import random

import pytest

from consentgate.errors import ConsentgateError, ErrorCode
from dev import real_data
from dev.arff import ArffError, CompanyRow
from dev.departments import REAL_COLUMNS
from dev.points import area_under_curve
from dev.real_companies import prepare, sample
from dev.real_data import submit, summarise
from dev.training import train

NAMES = [column for columns in REAL_COLUMNS.values() for column in columns]


def companies(count: int, seed: int = 1, **fixed: str | None) -> list[CompanyRow]:
    """Figures in which bankrupt companies are lower on average; `fixed` columns are the same for all."""
    source = random.Random(seed)  # noqa: S311 - figures, not secrets
    rows = []
    for index in range(count):
        bankrupt = index % 7 < 2
        ratios: dict[str, str | None] = {name: f"{source.gauss(-1 if bankrupt else 1, 2):.4f}" for name in NAMES}
        rows.append(CompanyRow(ratios | fixed, bankrupt))
    return rows


def test_a_trained_scorecard_separates_companies_it_never_saw() -> None:
    card = train(companies(400), NAMES[:5])
    unseen = companies(300, seed=2)
    assert area_under_curve([card.score(row) for row in unseen], [row.bankrupt for row in unseen]) > 0.8


def test_columns_without_any_value_are_left_out_and_constant_ones_kept() -> None:
    card = train(companies(100, Attr9=None, Attr23="0.5"), NAMES[:4])
    assert "Attr9" not in card.edges()
    assert card.edges()["Attr23"] == (5000,)


def test_every_column_has_points_for_each_bin_and_for_missing() -> None:
    for column in train(companies(100), NAMES).columns:
        assert len(column.points) == len(column.edges) + 2


def test_preparation_trains_on_one_half_and_samples_the_other() -> None:
    rows = companies(120)
    prepared = prepare(rows, 20)
    assert len(prepared.companies) == 20
    assert all(company.row in rows[::2] for company in prepared.companies)
    assert len(prepared.departments) >= 8
    assert all(prepared.departments.values())


def test_ratios_of_another_file_are_dealt_out_under_names_of_our_own() -> None:
    def renamed(row: CompanyRow) -> CompanyRow:
        ratios = {f"x{number}; DROP TABLE": value for number, value in enumerate(row.ratios.values())}
        return CompanyRow(ratios, row.bankrupt)

    prepared = prepare([renamed(row) for row in companies(120)], 10)
    columns = [column for department in prepared.departments.values() for column in department]
    assert len(prepared.departments) == 8
    assert sorted(columns) == sorted(f"ratio{number}" for number in range(1, len(columns) + 1))
    assert len(columns) <= 24


def test_too_few_ratios_or_one_class_only_are_refused() -> None:
    few = [CompanyRow({f"x{number}": "1" for number in range(7)}, bool(index % 3)) for index in range(20)]
    with pytest.raises(ArffError, match="7 ratios"):
        prepare(few, 1)
    sound = [CompanyRow(row.ratios, bankrupt=False) for row in companies(50)]
    with pytest.raises(ArffError, match="both classes"):
        prepare(sound, 5)


def test_a_department_without_any_figures_is_refused() -> None:
    with pytest.raises(ArffError, match="department"):
        prepare(companies(60, Attr21=None, Attr61=None), 10)


@pytest.mark.parametrize("count", [2, 10, 50, 1000])
def test_a_sample_has_companies_of_both_sorts(count: int) -> None:
    rows = companies(100)
    chosen = sample(rows, count)
    assert len(chosen) == min(count, len(rows))
    assert {row.bankrupt for row in chosen} == {True, False}
    assert chosen == sample(rows, count)


def test_the_summary_counts_every_mismatch() -> None:
    prepared = prepare(companies(80), 10)
    scores = {company.code: prepared.points.score(company.row) for company in prepared.companies}
    answers = {"scores": scores, "seconds_each": [0.1 * n for n in range(1, 11)], "seconds": 1.5}
    right = summarise(prepared, answers)
    assert right["mismatches"] == 0
    assert right["auc_encrypted"] == right["auc_plain"]
    assert right["companies"] == 10
    assert 500 <= right["p50_ms"] <= right["p99_ms"] <= 1000
    scores[prepared.companies[3].code] += 1
    assert summarise(prepared, answers)["mismatches"] == 1


class Unsteady:
    """A company's client whose ledger is away for some calls."""

    def __init__(self, *codes: ErrorCode) -> None:
        self.codes = list(codes)
        self.submitted: list[object] = []

    def submit(self, draft: object) -> None:
        self.submitted.append(draft)
        if self.codes:
            raise ConsentgateError(self.codes.pop(0))


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(real_data.time, "sleep", lambda _seconds: None)


@pytest.mark.usefixtures("no_pause")
def test_a_grant_sends_the_same_statement_again_while_nobody_knows_whether_it_counts() -> None:
    client, draft = Unsteady(ErrorCode.LEDGER_QUORUM, ErrorCode.LEDGER_UNAVAILABLE), object()
    submit(client, draft)  # type: ignore[arg-type]
    assert client.submitted == [draft] * 3


@pytest.mark.usefixtures("no_pause")
@pytest.mark.parametrize(
    ("codes", "tries"),
    [([ErrorCode.CONSENT_SIGNATURE], 1), ([ErrorCode.LEDGER_QUORUM] * 9, real_data.GRANT_ATTEMPTS)],
)
def test_a_refused_grant_is_final_and_patience_ends(codes: list[ErrorCode], tries: int) -> None:
    client = Unsteady(*codes)
    with pytest.raises(ConsentgateError):
        submit(client, object())  # type: ignore[arg-type]
    assert len(client.submitted) == tries
