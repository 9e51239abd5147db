"""The ARFF layout: what is read, and that every other file is refused naming the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from dev.arff import ArffError, read_arff

HEAD = (
    "% a comment\n@relation 'x'\n\n@attribute Attr1 numeric\n@attribute Attr2 numeric\n@attribute class {0,1}\n@data\n"
)


def written(folder: Path, text: str) -> Path:
    path = folder / "companies.arff"
    path.write_text(text)
    return path


def test_rows_with_missing_values(tmp_path: Path) -> None:
    rows = read_arff(written(tmp_path, HEAD + "1.5,?,0\n\n-2e-3,7,1\n"))
    assert [row.ratios for row in rows] == [{"Attr1": "1.5", "Attr2": None}, {"Attr1": "-2e-3", "Attr2": "7"}]
    assert [row.bankrupt for row in rows] == [False, True]


def test_upper_case_keywords_comments_blanks_and_windows_line_ends(tmp_path: Path) -> None:
    text = HEAD.replace("@attribute", "@ATTRIBUTE").replace("@data", "@DATA") + "% half way\n1, ?, 0\n"
    rows = read_arff(written(tmp_path, text.replace("\n", "\r\n")))
    assert [row.ratios for row in rows] == [{"Attr1": "1", "Attr2": None}]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (HEAD + "1,2,3,0\n", ":8"),
        (HEAD + "1,2,0\n1,2,maybe\n", ":9"),
        (HEAD + "1,two,0\n", ":8"),
        (HEAD + "1,nan,0\n", ":8"),
        (HEAD + "1,inf,0\n", ":8"),
        (HEAD.replace("@attribute class {0,1}\n", "") + "1,2\n", "class"),
        (HEAD.replace("@data\n", ""), "@data"),
        (HEAD, "no rows"),
    ],
    ids=["too many", "class", "text", "nan", "infinite", "no class", "no data", "empty"],
)
def test_other_files_are_refused_by_place(tmp_path: Path, text: str, where: str) -> None:
    with pytest.raises(ArffError, match=where):
        read_arff(written(tmp_path, text))
