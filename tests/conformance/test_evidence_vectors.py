"""The committed evidence vectors: ours and the independent verifier agree on every case, and nobody edited a byte."""

from __future__ import annotations

import ast
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from consentgate import canonical, evidence
from consentgate.anchors import Anchors
from consentgate.errors import ConsentgateError, ErrorCode
from tests.conformance import independent_verifier
from tests.support import wire_document
from tests.support.forgeries import FORGERIES
from tests.vectors.evidence import generate as vectors

FOLDER = vectors.FOLDER
GOOD = FOLDER / vectors.GOOD
MANIFEST: dict[str, Any] = json.loads((FOLDER / "manifest.json").read_text())
CASES: list[dict[str, Any]] = MANIFEST["defects"]
CODES = {int(row[0]): set(wire_document.names(row[-1])) for row in wire_document.rows("9.3")}
CODES[0] = {ErrorCode.INVALID_ARGUMENT_FIELD}
"""Row of the wire document → the codes with which it refuses."""


@pytest.fixture(scope="module")
def anchors() -> Anchors:
    return Anchors.load(GOOD / "anchors.toml")


@pytest.fixture(scope="module")
def their_anchors() -> dict[str, Any]:
    return independent_verifier.read_anchors(GOOD)


def test_good_bundle_yields_the_order(anchors: Anchors):
    order = evidence.verify(vectors.read_bundle(GOOD, GOOD), anchors, _time(MANIFEST["good"]["now"]))
    assert vectors.describe(order) == json.loads((GOOD / "order.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_defect_is_refused(anchors: Anchors, case: dict[str, Any]):
    with pytest.raises(ConsentgateError) as caught:
        evidence.verify(vectors.read_bundle(FOLDER / case["folder"], GOOD), anchors, _time(case["now"]))
    assert caught.value.code == case["code"]
    assert "field" not in case or caught.value.field == case["field"]


def test_good_bundle_independently(their_anchors: dict[str, Any]):
    found = independent_verifier.verify(_parts(GOOD), their_anchors, MANIFEST["good"]["now"])
    order = json.loads((GOOD / "order.json").read_text())
    assert found["request"]["request_id"] == order["request_id"]
    assert found["consent"]["subject"] == order["subject"]
    assert found["attestation"]["entity"] == order["entity"]
    assert [entry["id"] for entry in found["header"]["departments"]] == [entry["id"] for entry in order["departments"]]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_defect_is_refused_independently(their_anchors: dict[str, Any], case: dict[str, Any]):
    """In the same row of the table, as far as rows have codes of their own."""
    with pytest.raises(independent_verifier.Refused) as caught:
        independent_verifier.verify(_parts(FOLDER / case["folder"]), their_anchors, case["now"])
    assert case["code"] in CODES[caught.value.row]


def test_independent_verifier_is_independent():
    tree = ast.parse(Path(independent_verifier.__file__).read_text("utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} - sys.stdlib_module_names == {"cryptography"}


def test_every_forgery_is_a_vector():
    assert [case["name"] for case in CASES] == [forgery.name for forgery in FORGERIES]
    folders = {path.name for path in (FOLDER / vectors.DEFECTS).iterdir()}
    # A defect of time alone differs in no file, and git keeps no empty folder.
    assert folders <= {Path(case["folder"]).name for case in CASES}


def test_vectors_equal_a_fresh_generation(tmp_path: Path):
    vectors.generate(tmp_path)
    assert _digests(tmp_path) == _digests(FOLDER)


def _parts(folder: Path) -> dict[str, bytes]:
    return independent_verifier.read_parts(folder, GOOD)


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _digests(folder: Path) -> dict[str, str]:
    """Every file of the vectors, without the generator."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")]
    return {path.relative_to(folder).as_posix(): canonical.digest(path.read_bytes()) for path in files}
