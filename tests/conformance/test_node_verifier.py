"""A verifier in another language, written from docs/ledger-format.md, judges exports and receipts as ours does."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import LedgerError
from ledger.export import write_export
from ledger.policy import LogPolicy
from tests.conformance.strangers import HERE, node
from tests.support.sample_log import COSIGNED_AT, OPENED_AT, SUBJECT, export_log, sample_log
from tests.support.witnessed_log import WITNESSES, WitnessedLog, log_signer, policy_text, witness_signer
from tests.vectors.ledger import generate
from tests.vectors.ledger.log import with_sums

pytestmark = pytest.mark.oracles

VERIFIER = HERE / "verify_log.mjs"
FOLDER = Path(generate.__file__).parent
GOOD = FOLDER / "good"
POLICY = GOOD / "ledger-policy.txt"


def load(name: str) -> list[dict[str, Any]]:
    return json.loads((FOLDER / f"{name}.json").read_bytes())


def verdicts(what: str, policy: Path, paths: list[Path]) -> list[str]:
    """One word per path: `holds`, or the class of the error."""
    done = node(VERIFIER, what, policy, *paths)
    assert done.stderr == ""
    words = [
        line.removeprefix(f"{path}: ").split(":")[0] for line, path in zip(done.stdout.splitlines(), paths, strict=True)
    ]
    assert done.returncode == (0 if set(words) == {"holds"} else 5)
    return words


def verdicts_by_name(what: str, cases: list[dict[str, Any]], paths: list[Path], folder: Path) -> dict[str, str]:
    """Of each case by its own policy, where it has one."""
    found = {}
    policies = [case.get("policy", POLICY.read_text()) for case in cases]
    for number, text in enumerate(dict.fromkeys(policies)):
        policy = folder / f"policy-{number}"
        policy.write_text(text)
        mine = [place for place, other in enumerate(policies) if other == text]
        words = verdicts(what, policy, [paths[place] for place in mine])
        found |= {cases[place]["name"]: word for place, word in zip(mine, words, strict=True)}
    return found


def good_files() -> dict[str, bytes]:
    folder = GOOD / "export"
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def write(directory: Path, files: Mapping[str, bytes | None]) -> Path:
    """An export of the good files but those that `files` changes or, with None, leaves out."""
    for name, data in {**good_files(), **files}.items():
        if data is not None:
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    return directory


def test_needs_nothing_of_ours_and_is_short() -> None:
    text = VERIFIER.read_text()
    assert set(re.findall(r"from '([^']+)'", text)) == {"node:crypto", "node:fs"}
    assert "import(" not in text
    assert "require(" not in text
    code = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("//")]
    assert len(code) <= 150


def test_accepts_what_is_good() -> None:
    assert verdicts("export", POLICY, [GOOD / "export"]) == ["holds"]
    receipts = [GOOD / f"receipt-{index}" for index in generate.RECEIPTS]
    assert set(verdicts("receipt", POLICY, receipts)) == {"holds"}


def test_same_verdict_on_every_export(tmp_path: Path) -> None:
    cases = load("bad-exports") + load("good-exports")
    paths = [
        write(
            tmp_path / case["name"],
            {name: None if content is None else generate.decoded(content) for name, content in case["files"].items()},
        )
        for case in cases
    ]
    assert verdicts_by_name("export", cases, paths, tmp_path) == {
        case["name"]: case.get("error", "holds") for case in cases
    }


def test_same_verdict_on_every_receipt(tmp_path: Path) -> None:
    cases = load("bad-receipts") + load("good-receipts")
    for case in cases:
        (tmp_path / f"{case['name']}.leaf").write_bytes(generate.decoded(case["leaf"]))
        (tmp_path / f"{case['name']}.proof").write_bytes(generate.decoded(case["proof"]))
    found = verdicts_by_name("receipt", cases, [tmp_path / case["name"] for case in cases], tmp_path)
    assert found == {case["name"]: case.get("error", "holds") for case in cases}


def test_same_verdict_on_every_bad_note(tmp_path: Path) -> None:
    cases = load("bad-notes")
    paths = [write(tmp_path / case["name"], {"checkpoint": generate.decoded(case["note"])}) for case in cases]
    assert verdicts_by_name("export", cases, paths, tmp_path) == {case["name"]: case["error"] for case in cases}


@pytest.mark.parametrize("case", load("good-notes"), ids=lambda case: case["name"])
def test_accepts_every_note_at_the_edge(case: dict[str, Any], tmp_path: Path) -> None:
    """And knows the same moment of witnessing; a note about another tree is accepted before the leaves are found not to
    be its own.
    """
    policy = tmp_path / "policy"
    policy.write_text(case.get("policy", POLICY.read_text()))
    files = with_sums({**good_files(), "checkpoint": generate.decoded(case["note"])})
    said = node(VERIFIER, "export", policy, write(tmp_path / "export", files)).stdout
    if "size" in case["name"]:
        assert ": ConsistencyInvalid: size or root" in said
    else:
        assert ": holds: " in said
        assert said.endswith(f"witnessed {case['witnessed']}\n")


def test_same_verdict_on_damaged_notes(tmp_path: Path) -> None:
    """Characters of which libraries think differently, at every place of a witness's line: so two readers that split
    names alike, and wrongly, were found.
    """
    good, policy = (GOOD / "export" / "checkpoint").read_text(), LogPolicy.parse(POLICY.read_text())
    start = good.index("— tax")
    places = range(start, start + len("— tax.witness.test owbE") + 1)
    notes = [
        good[:at] + mark + good[at:]
        for at in places
        for mark in "\0\t\r \x1c\x7f\x85\xa0\u180e\u2028\u3000\ufeff\ufffd+—"
    ]
    paths = [
        write(tmp_path / str(at), with_sums({**good_files(), "checkpoint": note.encode()}))
        for at, note in enumerate(notes)
    ]
    ours = []
    for note in notes:
        try:
            policy.check(note.encode())
            ours.append("holds")
        except LedgerError as error:
            ours.append(type(error).__name__)
    assert verdicts("export", POLICY, paths) == ours
    assert set(ours) == {"CheckpointInvalid", "QuorumNotMet"}


def test_refuses_every_bad_leaf(tmp_path: Path) -> None:
    """As the first leaf of an export: before chain or root are looked at. (There, a newline ends a leaf.)"""
    cases = [case for case in load("bad-leaves") if not generate.decoded(case["leaf"]).endswith(b"\n")]
    entries = "entries/000000000000.jsonl"
    paths = [write(tmp_path / case["name"], {entries: generate.decoded(case["leaf"]) + b"\n"}) for case in cases]
    found = dict(zip([case["name"] for case in cases], verdicts("export", POLICY, paths), strict=True))
    assert found == {case["name"]: "EntryInvalid" for case in cases}


def test_reads_every_leaf_at_the_edge(tmp_path: Path) -> None:
    """Then the leaf is found not to belong there."""
    paths = [
        write(tmp_path / case["name"], {"entries/000000000000.jsonl": generate.decoded(case["leaf"]) + b"\n"})
        for case in load("good-leaves")
    ]
    assert set(verdicts("export", POLICY, paths)) == {"LogMismatch", "ConsistencyInvalid"}


@pytest.mark.parametrize("case", load("bad-policies"), ids=lambda case: case["name"])
def test_refuses_every_bad_policy(case: dict[str, Any], tmp_path: Path) -> None:
    policy = tmp_path / "policy"
    policy.write_bytes(case["policy"].encode())
    assert verdicts("export", policy, [GOOD / "export"]) == ["PolicyInvalid"]


@pytest.mark.parametrize("case", load("good-policies"), ids=lambda case: case["name"])
def test_reads_every_good_policy(case: dict[str, Any], tmp_path: Path) -> None:
    policy = tmp_path / "policy"
    policy.write_text(case["policy"])
    assert verdicts("export", policy, [GOOD / "export"]) in (["holds"], ["SignatureInvalid"], ["QuorumNotMet"])


def test_a_log_of_several_tiles(tmp_path: Path) -> None:
    """More than 256 leaves: full and partial tiles on two levels."""
    policy = tmp_path / "policy"
    policy.write_text(policy_text())
    whole = export_log(sample_log(repeat=60), tmp_path / "whole")
    altered = export_log(sample_log(repeat=60), tmp_path / "altered")
    assert (whole / "tile" / "1" / "000.p" / "2").is_file()
    tile = altered / "tile" / "1" / "000.p" / "2"
    tile.write_bytes(tile.read_bytes()[:-1] + b"\x00")
    assert verdicts("export", policy, [whole, altered]) == ["holds", "ExportInvalid"]


def test_every_bit_counts(tmp_path: Path) -> None:
    """Of an export of two entries and of a receipt from it; one witness, so that no signature is to spare."""
    log, witness = WitnessedLog(OPENED_AT), WITNESSES[0]
    log.append("erasure.performed", {"subject": SUBJECT}, OPENED_AT)
    policy = tmp_path / "policy"
    policy.write_text(
        f"log {log_signer('the log').verifier_key}\n"
        f"witness {witness} {witness_signer(witness).verifier_key}\nquorum {witness}\n"
    )
    write_export(tmp_path / "export", log.note(COSIGNED_AT, witnesses=[witness]), log.leaves)
    receipt = log.receipt(1, COSIGNED_AT, witnesses=[witness])
    (tmp_path / "one.leaf").write_bytes(receipt.leaf)
    (tmp_path / "one.proof").write_bytes(receipt.proof)
    done = node(HERE / "flip_bits.mjs", policy, tmp_path / "export", tmp_path / "one")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["unnoticed"] == []
    assert result["tried"] > 10_000
