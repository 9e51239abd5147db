"""The linear rule on sets small enough to solve by hand, and against the rule as the design writes it."""

from __future__ import annotations

import random

import pytest
from flint import fmpz_mat

from consentgate import canonical
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.scorecard import Scorecard
from gateway import disclosure
from gateway.disclosure import DisclosureReport, Group
from paillier.columns import BinnedColumn
from tests.unit.gateway.scorecards import binned, numeric, scorecard

GROUP = Group("group-a", ["spiffe://consentgate.test/bank/bank-a"], [])


def judged(*scorecards: Scorecard, minimum: int = 2) -> DisclosureReport:
    return disclosure.judge(GROUP, scorecards, minimum)


def solved(*scorecards: Scorecard) -> list[str]:
    """What the linear rule refuses, without its prefix."""
    return [name.removeprefix("linear.") for name in judged(*scorecards).content["linear"]["solved"]]  # type: ignore[index]


A, B, C = binned("a"), binned("b"), binned("c")
BOTH = scorecard("both", ("tax", A, [0, 10, 20]), ("customs", B, [0, 5, 7]))


def test_one_score_over_two_departments_solves_nothing() -> None:
    report = judged(BOTH)
    assert (report.findings, report.content["verdict"]) == ((), "accept")
    report.check()


def test_a_score_that_reads_one_department_only_is_its_figure() -> None:
    """The second department's points are all alike: whatever it says, it adds the same."""
    flat = scorecard("flat", ("tax", A, [0, 10, 20]), ("customs", B, [4, 4, 4]))
    assert solved(flat) == ["tax", "tax.a"]
    with pytest.raises(ConsentgateError) as caught:
        judged(flat).check()
    assert (caught.value.code, caught.value.field) == (ErrorCode.DISCLOSURE_REFUSED, "linear.tax")


def test_the_difference_of_two_scores_is_a_department() -> None:
    """S1 - S2 = 10·a: each alone is accepted, together they are not."""
    twice = scorecard("twice", ("tax", A, [0, 20, 40]), ("customs", B, [0, 5, 7]))
    assert solved(twice) == []
    assert solved(BOTH, twice) == ["customs", "customs.b", "tax", "tax.a"]


def test_a_multiple_of_a_score_adds_nothing() -> None:
    double = scorecard("double", ("tax", A, [0, 20, 40]), ("customs", B, [0, 10, 14]), bias=100)
    assert solved(BOTH, double) == []
    assert judged(BOTH, double).content["linear"] == {"unknowns": 4, "equations": 2, "rank": 1, "solved": []}


def test_the_same_points_shifted_by_a_constant_add_nothing() -> None:
    """One-hot positions sum to one, so +3 everywhere in a column is a constant."""
    shifted = scorecard("shifted", ("tax", A, [3, 13, 23]), ("customs", B, [0, 5, 7]))
    assert solved(BOTH, shifted) == []


def test_a_column_within_a_department_can_be_solved_while_the_department_is_not() -> None:
    """S1 - S2 leaves a and b of tax apart: customs drops out and so does c."""
    first = scorecard("first", ("tax", A, [0, 1, 2]), ("tax", B, [0, 3, 5]), ("customs", C, [0, 7, 9]))
    second = scorecard("second", ("tax", A, [0, 2, 4]), ("tax", B, [0, 3, 5]), ("customs", C, [0, 7, 9]))
    assert "tax.a" in solved(first, second)
    assert "tax" in solved(first, second)
    assert solved(first) == solved(second) == []


def test_three_scores_that_only_together_solve() -> None:
    """x+y, y+z, z+x: the sum and the differences give each of the three."""
    x, y, z = ("tax", A, [0, 1, 2]), ("customs", B, [0, 1, 2]), ("courts", C, [0, 1, 2])
    pairs = [scorecard("xy", x, y), scorecard("yz", y, z), scorecard("zx", z, x)]
    assert solved(*pairs[:2]) == []
    assert solved(*pairs) == ["courts", "courts.c", "customs", "customs.b", "tax", "tax.a"]


def test_numeric_columns_have_an_unknown_for_missing() -> None:
    one = scorecard("one", ("tax", numeric("n"), [2, -50]), ("customs", B, [0, 5, 7]))
    assert judged(one).content["linear"]["unknowns"] == 4  # type: ignore[index]
    assert solved(one) == []
    ignores_missing = scorecard("two", ("tax", numeric("n"), [3, 0]), ("customs", B, [1, 1, 1]))
    assert solved(ignores_missing) == ["tax", "tax.n"]


def test_other_edges_are_other_unknowns_of_the_same_column() -> None:
    """The difference is fine minus coarse: both speak of column a of tax, and of nothing else."""
    finer = scorecard("finer", ("tax", binned("a", 2), [0, 10, 20, 30]), ("customs", B, [0, 5, 7]))
    assert judged(BOTH, finer).content["linear"]["unknowns"] == 7  # type: ignore[index]
    assert solved(BOTH, finer) == ["tax", "tax.a"]


def test_zero_weights_solve_nothing() -> None:
    nothing = scorecard("nothing", ("tax", A, [0, 0, 0]), ("customs", B, [0, 0, 0]))
    assert judged(nothing).content["linear"]["rank"] == 0  # type: ignore[index]
    assert solved(nothing) == []


def test_too_few_departments() -> None:
    single = scorecard("single", ("tax", A, [0, 10, 20]), ("tax", B, [0, 5, 7]))
    report = judged(single)
    assert report.findings[0] == f"departments.{single.header.id}"
    assert report.content["too_few_departments"] == [single.header.id]
    assert report.content["verdict"] == "refuse"
    assert judged(BOTH, minimum=3).content["verdict"] == "refuse"


def test_the_report_says_what_it_judged() -> None:
    report = judged(BOTH)
    (described,) = report.content["scorecards"]  # type: ignore[misc]
    assert described["categories"] == ["customs.trade", "tax.declarations"]  # type: ignore[index]
    assert described["departments"] == [  # type: ignore[index]
        {"id": "tax", "columns": ["a"], "missing": "fail"},
        {"id": "customs", "columns": ["b"], "missing": "fail"},
    ]
    assert (described["score_low"], described["score_high"], described["slot_bits"]) == (0, 27, 5)  # type: ignore[index]
    assert canonical.parse(report.encode(), "report")["v"] == 1
    assert report.digest == canonical.digest(report.encode())


def test_the_order_of_scorecards_does_not_matter() -> None:
    twice = scorecard("twice", ("tax", A, [0, 20, 40]), ("customs", B, [0, 5, 7]))
    assert judged(BOTH, twice).encode() == judged(twice, BOTH).encode()


def test_a_set_too_large_to_judge_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disclosure, "MAX_UNKNOWNS", 3)
    with pytest.raises(ConsentgateError) as caught:
        judged(BOTH)
    assert (caught.value.code, caught.value.field) == (ErrorCode.DISCLOSURE_REFUSED, "linear.unknowns")


# The shortcut of the module against the rule of design 4, with C and E written down.


def as_the_design_writes_it(scorecards: list[Scorecard]) -> list[str]:
    """rank([W;C;E]) - rank([W;C]) against rank([C;E]) - rank(C), over all positions of all columns."""
    columns: dict[tuple[str, bytes], range] = {}
    known: list[BinnedColumn | None] = []
    size = 0
    for card in scorecards:
        for department, column in card.header.columns():
            key = (department, canonical.encode(column.to_json()))
            if key not in columns:
                columns[key] = range(size, size + column.width)
                size += column.width
                known.append(column if isinstance(column, BinnedColumn) else None)
    w = []
    for card in scorecards:
        row = [0] * size
        for (department, column), entry in zip(card.header.columns(), card.weights.weights, strict=True):
            for position, point in zip(
                columns[department, canonical.encode(column.to_json())], entry.points, strict=True
            ):
                row[position] = point
        w.append(row)
    c = [
        [int(index in positions) for index in range(size)]
        for positions, column in zip(columns.values(), known, strict=True)
        if column is not None
    ]
    targets: dict[str, list[int]] = {}
    for (department, spec), positions in columns.items():
        name = str(canonical.parse(spec, "column")["name"])
        for target in (f"linear.{department}", f"linear.{department}.{name}"):
            targets.setdefault(target, []).extend(positions)
    found = []
    for target, protected in sorted(targets.items()):
        e = [[int(index == position) for index in range(size)] for position in protected]
        if rank(w + c + e) - rank(w + c) != rank(c + e) - rank(c):
            found.append(target)
    return found


def rank(rows: list[list[int]]) -> int:
    return int(fmpz_mat(rows).rank()) if rows else 0


@pytest.mark.parametrize("seed", range(40))
def test_the_shortcut_is_the_rule(seed: int) -> None:
    source = random.Random(seed)  # noqa: S311 - the same cases in every run
    choices = [("tax", binned("a")), ("tax", numeric("n")), ("customs", binned("b", 2)), ("courts", binned("c"))]
    cards = []
    for number in range(source.randint(1, 4)):
        parts = [
            (department, column, [source.choice([0, 0, 1, 2, -3]) for _ in range(column.width)])
            for department, column in source.sample(choices, source.randint(2, 4))
        ]
        cards.append(scorecard(f"card {number}".replace(" ", "-"), *parts))
    assert judged(*cards, minimum=1).content["linear"]["solved"] == as_the_design_writes_it(cards)  # type: ignore[index]
