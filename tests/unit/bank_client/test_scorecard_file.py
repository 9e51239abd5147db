"""A points table becomes exactly the scorecard that its author means, or is refused by name."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from bank_client.scorecard_file import MAX_FILE_BYTES, PointsTable, load_scorecard, save_scorecard
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.scorecard import Scorecard
from tests.support.sample_scorecard import SCORECARD, small_scorecard

TABLE = """
name = "small"
bias = 600

[[departments]]
id = "tax"
missing = "fail"

[[departments.columns]]
category = "tax.declarations"
name = "margin"
kind = "binned"
scale = 4
edges = [-500, 0, 2500]
points = [-40, -10, 5, 30, -25]

[[departments.columns]]
category = "tax.declarations"
name = "turnover"
kind = "numeric"
scale = 2
lo = 0
hi = 10000000
transform = "identity"
points = [2, -70]

[[departments]]
id = "customs"

[[departments.columns]]
category = "customs.trade"
name = "exports"
kind = "binned"
scale = 0
edges = [0, 1000]
points = [0, 15, 45, -5]
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "points.toml"
    path.write_text(text)
    return path


def made(tmp_path: Path, text: str = TABLE) -> Scorecard:
    return PointsTable.load(written(tmp_path, text)).scorecard("bank-a")


def test_the_table_gives_the_scorecard_that_was_written_by_hand(tmp_path: Path) -> None:
    scorecard = made(tmp_path)
    by_hand = {**SCORECARD.header.model_dump(), "weights_commitment": scorecard.header.weights_commitment}
    assert scorecard.header.model_dump() == by_hand
    assert scorecard.points() == SCORECARD.points()
    assert scorecard.weights.bias == SCORECARD.weights.bias


def test_the_intercept_is_for_real_values(tmp_path: Path) -> None:
    """A numeric column is encoded as x - lo, so the intercept over encoded values grows by w · lo."""
    shifted = made(tmp_path, TABLE.replace("lo = 0", "lo = 100"))
    assert shifted.weights.bias == 600 + 2 * 100


def test_the_same_table_twice_gives_two_commitments(tmp_path: Path) -> None:
    """Else whoever guesses the weights could check the guess against the header."""
    assert made(tmp_path).header.id != made(tmp_path).header.id


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('name = "small"', 'name = "Small Card"', "INVALID_ARGUMENT_FIELD"),
        ("bias = 600", "bias = 600.5", "INVALID_ARGUMENT_FIELD"),
        ("points = [2, -70]", "points = [2, 0.5]", "INVALID_ARGUMENT_FIELD"),
        ('missing = "fail"', 'missing = "ignore"', "INVALID_ARGUMENT_FIELD"),
        ('id = "customs"', 'id = "customs"\nweight = 3', "INVALID_ARGUMENT_FIELD"),
        ("[[departments]]", "[[departments", "INVALID_ARGUMENT_FIELD"),
        ("edges = [0, 1000]", "edges = [1000, 0]", "SCORECARD_INVALID"),
        ('transform = "identity"', 'transform = "square"', "SCORECARD_INVALID"),
        ("scale = 0", "scale = 0\nunit = 1", "SCORECARD_INVALID"),
        ('id = "customs"', 'id = "tax"', "SCORECARD_INVALID"),
        ('name = "turnover"', 'name = "margin"', "SCORECARD_INVALID"),
        ("points = [0, 15, 45, -5]", "points = [0, 15, 45]", "SCORECARD_INVALID"),
        ("points = [2, -70]", "points = [40000, -70]", "SCORECARD_RANGE"),
    ],
    ids=[
        "name",
        "bias with a fraction",
        "points with a fraction",
        "missing",
        "unknown entry",
        "no TOML",
        "edges fall",
        "transform unknown",
        "column with an unknown entry",
        "department twice",
        "column twice",
        "a point too few",
        "points too wide",
    ],
)
def test_a_wrong_table_is_refused(tmp_path: Path, old: str, new: str, code: str) -> None:
    with pytest.raises(ConsentgateError) as refusal:
        made(tmp_path, TABLE.replace(old, new, 1))
    assert refusal.value.code == code
    assert refusal.value.field


def test_a_scorecard_file_is_private_never_overwritten_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "scorecard.json"
    save_scorecard(path, SCORECARD)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_scorecard(path) == SCORECARD
    with pytest.raises(ConsentgateError):
        save_scorecard(path, small_scorecard(name="other"))
    assert load_scorecard(path) == SCORECARD


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"header":{}}',
        b" " * (MAX_FILE_BYTES + 1),
        json.dumps(
            {
                "header": small_scorecard(name="other").header.model_dump(mode="json"),
                "weights": SCORECARD.weights.model_dump(mode="json"),
            }
        ).encode(),
    ],
    ids=["empty", "list", "no weights", "too long", "weights of another header"],
)
def test_a_file_that_is_no_scorecard_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "scorecard.json"
    path.write_bytes(content)
    with pytest.raises(ConsentgateError) as refusal:
        load_scorecard(path)
    assert refusal.value.code in {ErrorCode.INVALID_ARGUMENT_FIELD, ErrorCode.SCORECARD_INVALID}
