"""The demo's companies: valid codes that carry no real one, and no more than the licence note promises."""

from __future__ import annotations

from stdnum.cn import uscc

from dev.companies import DATA, extract, generate_codes, sample_companies
from dev.departments import CATEGORIES, DEMO_COLUMNS, REAL_COLUMNS, REGISTRY


def test_codes_are_valid_and_distinct() -> None:
    codes = generate_codes(500)
    assert len(set(codes)) == 500
    assert all(uscc.is_valid(code) and uscc.compact(code) == code for code in codes)


def test_codes_are_the_same_in_every_run() -> None:
    assert generate_codes(3) == generate_codes(5)[:3]
    assert generate_codes(3) != generate_codes(3, seed=1)


def test_organisation_part_has_its_own_check_digit() -> None:
    weights = (3, 7, 9, 10, 5, 8, 4, 2)
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    for code in generate_codes(50):
        body, digit = code[8:16], code[16]
        total = sum(alphabet.index(character) * weight for character, weight in zip(body, weights, strict=True))
        value = 10 if digit == "X" else int(digit)
        assert (total + value) % 11 == 0


def test_names_are_distinct() -> None:
    companies = sample_companies(extract())
    assert len({company.name for company in companies}) == len(companies)


def test_extract_is_small_attributed_and_complete() -> None:
    rows = extract()
    assert 100 <= len(rows) <= 500
    assert {row.bankrupt for row in rows} == {True, False}
    wanted = {column for columns in DEMO_COLUMNS.values() for column in columns}
    assert all(set(row.ratios) == wanted for row in rows)
    note = (DATA / "README.md").read_text()
    assert "Tomczak" in note
    assert "UCI" in note
    assert "CC BY 4.0" in note


def test_departments_share_no_column_and_have_categories() -> None:
    for plan, fewest in ((DEMO_COLUMNS, 5), (REAL_COLUMNS, 8)):
        columns = [column for department in plan.values() for column in department]
        assert len(plan) >= fewest
        assert len(set(columns)) == len(columns)
        assert plan.keys() <= CATEGORIES.keys()
        assert REGISTRY in plan
