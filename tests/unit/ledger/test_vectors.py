"""The vectors in tests/vectors/ledger: `ledger` and an independent implementation agree about every one of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ledger import errors, merkle
from ledger.entry import parse
from ledger.errors import ConsistencyInvalid, EntryInvalid, LedgerError, PolicyInvalid, ProofInvalid
from ledger.kinds import KINDS
from ledger.policy import LogPolicy
from ledger.receipt import Receipt
from ledger.verify import verify_export, verify_receipt
from tests.vectors.ledger import generate, independent, rfc6962
from tests.vectors.ledger.independent import Refused

FOLDER = Path(generate.__file__).parent
POLICY = (FOLDER / "good" / "ledger-policy.txt").read_text()


def load(name: str) -> list[dict[str, Any]]:
    return json.loads((FOLDER / f"{name}.json").read_bytes())


def named(cases: list[dict[str, Any]]) -> Any:
    return pytest.mark.parametrize("case", cases, ids=[case["name"] for case in cases])


def good_export() -> dict[str, bytes]:
    folder = FOLDER / "good" / "export"
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def error_named(name: str) -> type[LedgerError]:
    return getattr(errors, name)


def test_generator_and_files_agree() -> None:
    for name, content in generate.vectors().items():
        assert (FOLDER / name).read_bytes() == content, name


def test_names_are_unique() -> None:
    for name in (path.stem for path in FOLDER.glob("*-*.json")):
        names = [case["name"] for case in load(name)]
        assert len(names) == len(set(names)), name


def test_good_export_holds() -> None:
    report = verify_export(FOLDER / "good" / "export", LogPolicy.parse(POLICY))
    assert set(report.kinds) == set(KINDS)
    assert independent.verify_export(good_export(), POLICY) == report.checkpoint.size == 20


@pytest.mark.parametrize("index", generate.RECEIPTS)
def test_good_receipt_holds(index: int) -> None:
    leaf, proof = ((FOLDER / "good" / f"receipt-{index}.{part}").read_bytes() for part in ("leaf", "proof"))
    verified = verify_receipt(Receipt(leaf, proof), LogPolicy.parse(POLICY))
    assert verified.index == index
    assert independent.verify_receipt(leaf, proof, POLICY) == verified.cosigned_at.timestamp()


def written(case: dict[str, Any], folder: Path) -> dict[str, bytes]:
    """Writes the export that the case describes."""
    files = good_export()
    for name, content in case["files"].items():
        if content is None:
            del files[name]
        else:
            files[name] = generate.decoded(content)
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return files


@named(load("bad-exports"))
def test_bad_export_is_refused(case: dict[str, Any], tmp_path: Path) -> None:
    files = written(case, tmp_path)
    with pytest.raises(LedgerError) as raised:
        verify_export(tmp_path, LogPolicy.parse(POLICY))
    assert type(raised.value) is error_named(case["error"])
    with pytest.raises(Refused):
        independent.verify_export(files, POLICY)


@named(load("good-exports"))
def test_export_at_the_edge_holds(case: dict[str, Any], tmp_path: Path) -> None:
    files, policy = written(case, tmp_path), case.get("policy", POLICY)
    report = verify_export(tmp_path, LogPolicy.parse(policy))
    assert independent.verify_export(files, policy) == report.checkpoint.size


@named(load("bad-receipts"))
def test_bad_receipt_is_refused(case: dict[str, Any]) -> None:
    leaf, proof, policy = generate.decoded(case["leaf"]), generate.decoded(case["proof"]), case.get("policy", POLICY)
    with pytest.raises(LedgerError) as raised:
        verify_receipt(Receipt(leaf, proof), LogPolicy.parse(policy))
    assert type(raised.value) is error_named(case["error"])
    with pytest.raises(Refused):
        independent.verify_receipt(leaf, proof, policy)


@named(load("good-receipts"))
def test_receipt_at_the_edge_holds(case: dict[str, Any]) -> None:
    leaf, proof = generate.decoded(case["leaf"]), generate.decoded(case["proof"])
    verified = verify_receipt(Receipt(leaf, proof), LogPolicy.parse(POLICY))
    assert independent.verify_receipt(leaf, proof, POLICY) == verified.cosigned_at.timestamp()


@named(load("bad-leaves"))
def test_bad_leaf_is_refused(case: dict[str, Any]) -> None:
    leaf = generate.decoded(case["leaf"])
    with pytest.raises(EntryInvalid) as raised:
        parse(leaf)
    assert raised.value.field == case["field"]
    with pytest.raises(Refused):
        independent.parse_leaf(leaf)


@named(load("good-leaves"))
def test_leaf_at_the_edge_is_read(case: dict[str, Any]) -> None:
    leaf = generate.decoded(case["leaf"])
    assert vars(parse(leaf)) == independent.parse_leaf(leaf)


@named(load("bad-notes"))
def test_bad_note_is_refused(case: dict[str, Any]) -> None:
    note, policy = generate.decoded(case["note"]), case.get("policy", POLICY)
    with pytest.raises(LedgerError) as raised:
        LogPolicy.parse(policy).check(note)
    assert type(raised.value) is error_named(case["error"])
    with pytest.raises(Refused):
        independent.Policy(policy).open(note)


@named(load("good-notes"))
def test_note_at_the_edge_is_accepted(case: dict[str, Any]) -> None:
    note, policy = generate.decoded(case["note"]), case.get("policy", POLICY)
    witnessed = LogPolicy.parse(policy).check(note)
    assert witnessed.cosigned_at is not None
    assert witnessed.cosigned_at.timestamp() == case["witnessed"]
    head = witnessed.checkpoint
    assert independent.Policy(policy).open(note) == (head.origin, head.size, head.root, case["witnessed"])


@named(load("bad-policies"))
def test_bad_policy_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(PolicyInvalid) as raised:
        LogPolicy.parse(case["policy"])
    assert str(raised.value).startswith(f"line {case['line']}: ") == (case["line"] > 0)
    with pytest.raises(Refused):
        independent.Policy(case["policy"])


@named(load("good-policies"))
def test_good_policy_is_read_alike(case: dict[str, Any]) -> None:
    policy, other = LogPolicy.parse(case["policy"]), independent.Policy(case["policy"])
    assert [key.public for key in policy.logs] == [key.public for key in other.logs]
    assert {name: key.public for name, key in policy.witnesses.items()} == {
        name: key.public for name, key in other.witnesses.items()
    }
    assert {name: (group.threshold, list(group.members)) for name, group in policy.groups.items()} == other.groups
    assert policy.quorum == other.quorum


MERKLE = json.loads((FOLDER / "rfc6962.json").read_bytes())


def raw(values: list[str]) -> list[bytes]:
    return [bytes.fromhex(value) for value in values]


@pytest.mark.parametrize("size", range(9))
def test_known_roots(size: int) -> None:
    hashes = rfc6962.hashes()[:size]
    assert merkle.root(hashes).hex() == rfc6962.ROOTS[size] == MERKLE["roots"][size]
    assert independent.tree(hashes).hex() == rfc6962.ROOTS[size]


@pytest.mark.parametrize(("place", "path"), rfc6962.KNOWN_INCLUSION.items())
def test_known_inclusion_proofs(place: tuple[int, int], path: list[str]) -> None:
    index, size = place
    assert merkle.inclusion_proof(index, rfc6962.hashes()[:size]) == raw(path)


@pytest.mark.parametrize(("sizes", "proof"), rfc6962.KNOWN_CONSISTENCY.items())
def test_known_consistency_proofs(sizes: tuple[int, int], proof: list[str]) -> None:
    old, new = sizes
    assert merkle.consistency_proof(old, rfc6962.hashes()[:new]) == raw(proof)


@pytest.mark.parametrize("case", MERKLE["inclusion"], ids=lambda case: f"{case['index']}-of-{case['size']}")
def test_inclusion_holds(case: dict[str, Any]) -> None:
    leaf, root = raw([case["leaf"], case["root"]])
    merkle.verify_inclusion(case["index"], case["size"], leaf, raw(case["path"]), root)
    independent.check_inclusion(case["index"], case["size"], leaf, raw(case["path"]), root)


@pytest.mark.parametrize("case", MERKLE["consistency"], ids=lambda case: f"{case['old']}-to-{case['new']}")
def test_consistency_holds(case: dict[str, Any]) -> None:
    roots = raw([case["old_root"], case["new_root"]])
    merkle.verify_consistency(case["old"], case["new"], *roots, raw(case["proof"]))
    independent.check_consistency(case["old"], case["new"], *roots, raw(case["proof"]))


@named(MERKLE["bad_inclusion"])
def test_bad_inclusion_is_refused(case: dict[str, Any]) -> None:
    leaf, root = raw([case["leaf"], case["root"]])
    with pytest.raises(ProofInvalid):
        merkle.verify_inclusion(case["index"], case["size"], leaf, raw(case["path"]), root)
    with pytest.raises(Refused):
        independent.check_inclusion(case["index"], case["size"], leaf, raw(case["path"]), root)


@named(MERKLE["bad_consistency"])
def test_bad_consistency_is_refused(case: dict[str, Any]) -> None:
    roots = raw([case["old_root"], case["new_root"]])
    with pytest.raises(ConsistencyInvalid):
        merkle.verify_consistency(case["old"], case["new"], *roots, raw(case["proof"]))
    with pytest.raises(Refused):
        independent.check_consistency(case["old"], case["new"], *roots, raw(case["proof"]))
