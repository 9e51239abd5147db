"""The bundles of tests/vectors/ledger: `ledger` and an independent reader find the same, and no bad one is believed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ledger import errors
from ledger.errors import LedgerError
from ledger.evidence_folder import MANIFEST, read_bundle
from ledger.policy import LogPolicy
from tests.vectors.ledger import generate, independent_evidence
from tests.vectors.ledger.independent_evidence import Refused, Verdict

FOLDER = Path(generate.__file__).parent
GOOD = FOLDER / "good" / "evidence"
POLICY = (FOLDER / "good" / "ledger-policy.txt").read_text()
CASES: list[dict[str, Any]] = json.loads((FOLDER / "bad-evidence.json").read_bytes())
BUNDLES = sorted(path.name for path in GOOD.iterdir())
UNSEEN = {
    "a size in the explanation",
    "conclusive where it is not",
    "a manifest of another bundle",
    "no keys",
    "keys that are no policy",
    "no key of the log",
    "a key that signed nothing",
    "a word by somebody else",
    "a file too many",
    "a file too few",
    "a proof that nothing needs",
    "receipts and a proof that nothing needs",
    "a word that nothing needs",
    "witnesses of one note said to be of both",
    "a signature of a stranger",
    "keys in another order",
    "witnesses under the maker's names",
    "keys alone under the maker's names",
    "a digit in the sums",
    "sums in another order",
    "a file that the sums do not name",
    "no sums",
}
"""Defects of files that an independent reader has no need of: it finds the true verdict all the same."""


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def bad_files(case: dict[str, Any]) -> dict[str, bytes]:
    files: dict[str, Any] = {**files_of(GOOD / case["of"]), **case["files"]}
    return {
        name: content if isinstance(content, bytes) else generate.decoded(content)
        for name, content in files.items()
        if content is not None
    }


@pytest.mark.parametrize("name", BUNDLES)
def test_both_readers_find_what_the_manifest_says(name: str) -> None:
    finding = read_bundle(GOOD / name, LogPolicy.parse(POLICY))
    assert name.startswith(finding.verdict.value)
    expected = Verdict(finding.verdict.value, finding.conclusive)
    assert independent_evidence.judge(files_of(GOOD / name), POLICY) == expected
    manifest = json.loads((GOOD / name / MANIFEST).read_bytes())
    assert (manifest["verdict"], manifest["conclusive"]) == tuple(expected)


def test_there_is_one_of_each_sort() -> None:
    assert len(BUNDLES) == 9
    assert {case["of"] for case in CASES} >= {"same-size", "other-prefix", "other-entry", "rollback", "unanswered"}
    assert {case["name"] for case in CASES} > UNSEEN


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_bad_bundle_is_refused(case: dict[str, Any], tmp_path: Path) -> None:
    files = bad_files(case)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    error: type[LedgerError] = getattr(errors, case["error"])
    policy = case.get("policy", POLICY)
    with pytest.raises(LedgerError) as raised:
        read_bundle(tmp_path, LogPolicy.parse(policy))
    assert type(raised.value) is error
    if case["name"] in UNSEEN:
        true = independent_evidence.judge(files_of(GOOD / case["of"]), policy)
        assert independent_evidence.judge(files, policy) == true
    else:
        with pytest.raises(Refused):
            independent_evidence.judge(files, policy)
