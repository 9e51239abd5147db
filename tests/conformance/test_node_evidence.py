"""A reader of evidence in another language, written from docs/ledger-format.md, judges bundles as ours does."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ledger.checkpoint import Checkpoint
from ledger.entry import leaf_hash
from ledger.errors import LedgerError
from ledger.evidence import Finding, Material, PrefixProof, Told, prefix_of_receipt
from ledger.evidence_folder import make_bundle, read_bundle
from ledger.evidence_words import lines
from ledger.merkle import EMPTY_ROOT
from ledger.note import Note
from ledger.policy import LogPolicy
from ledger.proof import TlogProof
from tests.conformance.strangers import HERE, node
from tests.support.forked_log import EARLIER, LATER, forked
from tests.support.witnessed_log import ORIGIN, log_signer, policy_text, with_signatures
from tests.vectors.ledger import generate

pytestmark = pytest.mark.oracles

READER = HERE / "explain_evidence.mjs"
FOLDER = Path(generate.__file__).parent
GOOD = FOLDER / "good" / "evidence"
POLICY_FILE = FOLDER / "good" / "ledger-policy.txt"
POLICY = LogPolicy.parse(POLICY_FILE.read_text())
BUNDLES = sorted(GOOD.iterdir())
CASES: list[dict[str, Any]] = json.loads((FOLDER / "bad-evidence.json").read_bytes())


def answers(folders: list[Path], policy: Path = POLICY_FILE) -> list[str]:
    """What it says of each, without the folder's name."""
    done = node(READER, policy, *folders)
    assert done.stderr == ""
    said = [line.removeprefix(f"{path}: ") for line, path in zip(done.stdout.splitlines(), folders, strict=True)]
    assert done.returncode == (0 if all(line.startswith("holds: ") for line in said) else 5)
    return said


def proven(finding: Finding) -> str:
    """The line that it has to print, from our own words."""
    told = "\n".join(lines(finding))
    paragraph = told.split("What this proves\n")[1].split("\n\n")[0]
    conclusive = "conclusive" if finding.conclusive else "not conclusive"
    return f"holds: {finding.verdict}, {conclusive}: {' '.join(paragraph.split())}"


def write(folder: Path, files: Mapping[str, bytes]) -> Path:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def bad_bundle(case: dict[str, Any], folder: Path) -> Path:
    files = {path.name: path.read_bytes() for path in (GOOD / case["of"]).iterdir()}
    changed = {name: generate.decoded(content) for name, content in case["files"].items() if content is not None}
    gone = [name for name, content in case["files"].items() if content is None]
    return write(folder, {name: content for name, content in {**files, **changed}.items() if name not in gone})


def undated_prefix(size: int) -> Material:
    """A larger tree that begins otherwise, which no witness cosigned: the shortest bundle that proves something."""
    fork = forked(1, 3, 4)
    receipt = fork.other.receipt(size - 1, LATER, witnesses=())
    first = fork.honest.note(EARLIER, size=size, witnesses=())
    return Material(first, TlogProof.parse(receipt.proof).note, prefix=prefix_of_receipt(size, receipt))


def of_bytes_that_are_no_entry() -> Material:
    """The log signed a leaf that its format does not know."""
    fork = forked(3, 9, 9)
    log = fork.other
    log.leaves[8] = b'{"of":"another format"}'
    log._hashes[8] = leaf_hash(log.leaves[8])
    receipts = fork.honest.receipt(8, EARLIER), log.receipt(8, LATER)
    first, second = (TlogProof.parse(receipt.proof).note for receipt in receipts)
    return Material(first, second, receipts=receipts)


def signed_by_two_keys() -> Material:
    fork, former = forked(3, 9, 9), log_signer("former")
    notes = [Note.parse(note) for note in (fork.honest.note(EARLIER), fork.other.note(LATER))]
    first, second = (with_signatures(note, former.sign(note.text).line()).encode() for note in notes)
    return Material(first, second)


def of_an_empty_tree() -> Material:
    """The log signed a root for no entries that is not the empty tree's."""
    empty = Checkpoint(ORIGIN, 0, bytes(32)).sign(log_signer("the log")).encode()
    return Material(empty, forked(3, 4, 4).honest.note(LATER), prefix=PrefixProof(0, EMPTY_ROOT, ()))


def told_by(name: str) -> Material:
    log = forked(9, 9, 9).honest
    notes = log.note(EARLIER, witnesses=()), log.note(EARLIER, size=5, witnesses=())
    return Material(*notes, told=Told(name, LATER + timedelta(microseconds=987654)))


def test_needs_nothing_of_ours_and_is_short() -> None:
    text = READER.read_text("utf-8")
    assert set(re.findall(r"from '([^']+)'", text)) == {"node:fs", "./verify_log.mjs"}
    assert "import(" not in text
    assert "require(" not in text
    code = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("//")]
    assert len(code) <= 160


def test_says_of_good_bundles_what_we_say() -> None:
    assert answers(BUNDLES) == [proven(read_bundle(path, POLICY)) for path in BUNDLES]


def test_same_verdict_on_every_bad_bundle(tmp_path: Path) -> None:
    found = {}
    for own in dict.fromkeys(case.get("policy") for case in CASES):
        policy, cases = tmp_path / "policy", [case for case in CASES if case.get("policy") == own]
        policy.write_text(own or POLICY_FILE.read_text())
        folders = [bad_bundle(case, tmp_path / case["name"]) for case in cases]
        said = answers(folders, policy)
        found |= {case["name"]: line.split(":")[0] for case, line in zip(cases, said, strict=True)}
    assert found == {case["name"]: case["error"] for case in CASES}


def test_same_verdict_with_each_file_absent_empty_or_longer(tmp_path: Path) -> None:
    folders = []
    for bundle in BUNDLES:
        files = {path.name: path.read_bytes() for path in bundle.iterdir()}
        for name, content in files.items():
            rest = {other: kept for other, kept in files.items() if other != name}
            for number, changed in enumerate(({}, {name: b""}, {name: content + b"\n"}, {name: content * 400})):
                folders.append(write(tmp_path / f"{bundle.name}-{name}-{number}", {**rest, **changed}))
    ours = []
    for folder in folders:
        with pytest.raises(LedgerError) as caught:
            read_bundle(folder, POLICY)
        ours.append(type(caught.value).__name__)
    assert [said.split(":")[0] for said in answers(folders)] == ours


def test_writes_the_same_words_for_whatever_we_make(tmp_path: Path) -> None:
    """It refuses a bundle of which one byte is not as it would write it: so it knows the page, not just vectors."""
    names = ("tax", "department tax", 'who says "so"', "\\" * 90, "x " * 127 + "x", "y" * 255, "{first}")
    materials = [told_by(name) for name in names]
    materials += [undated_prefix(size) for size in (2, 3)]
    materials += [of_bytes_that_are_no_entry(), signed_by_two_keys(), of_an_empty_tree()]
    for small in range(4, 12):
        fork = forked(3, small, 13)
        receipt = fork.other.receipt(small - 1, LATER)
        note = TlogProof.parse(receipt.proof).note
        materials.append(Material(fork.honest.note(EARLIER), note, prefix=prefix_of_receipt(small, receipt)))
    text = f"{policy_text()}log {log_signer('former').verifier_key}\n"
    policy_file = tmp_path / "policy.txt"
    policy_file.write_text(text)
    policy = LogPolicy.parse(text)
    folders = [tmp_path / str(number) for number in range(len(materials))]
    for folder, material in zip(folders, materials, strict=True):
        make_bundle(folder, material, policy)
    said = [" ".join(line.split()) for line in answers(folders, policy_file)]
    assert said == [proven(read_bundle(folder, policy)) for folder in folders]


def test_a_reader_without_the_witnesses_keys(tmp_path: Path) -> None:
    """The last step is by his own policy: a rollback is dated by witnesses whom he knows, a fork needs none."""
    policy = tmp_path / "policy.txt"
    policy.write_text(f"log {log_signer('the log').verifier_key}\nquorum none\n")
    said = dict(zip([path.name for path in BUNDLES], answers(BUNDLES, policy), strict=True))
    assert said.pop("rollback").startswith("EvidenceInvalid: ")
    known = LogPolicy.parse(policy.read_text())
    assert said == {name: proven(read_bundle(GOOD / name, known)) for name in said}
    policy.write_text(f"log {log_signer('another').verifier_key}\nquorum none\n")
    assert {said.split(":")[0] for said in answers(BUNDLES, policy)} == {"SignatureInvalid"}


@pytest.mark.parametrize("name", ["undated-prefix", "rollback-told"])
def test_every_bit_counts(name: str, tmp_path: Path) -> None:
    """With the sums corrected each time."""
    make_bundle(tmp_path / "undated-prefix", undated_prefix(3), POLICY)
    folder = GOOD / name if (GOOD / name).exists() else tmp_path / name
    done = node(HERE / "flip_bits.mjs", POLICY_FILE, folder)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["unnoticed"] == []
    assert result["tried"] == sum(path.stat().st_size for path in folder.iterdir()) * 8
