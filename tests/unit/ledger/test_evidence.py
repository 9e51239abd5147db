"""Evidence convinces strangers of what happened and of nothing else; no altered bundle convinces anybody."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.checkpoint import Checkpoint
from ledger.errors import (
    ConsistencyInvalid,
    EvidenceInvalid,
    LedgerError,
    LogMismatch,
    NotEvidence,
    ProofInvalid,
    SignatureInvalid,
)
from ledger.evidence import (
    Finding,
    Material,
    PrefixProof,
    Told,
    Verdict,
    judge,
    prefix_of_answer,
    prefix_of_receipt,
)
from ledger.evidence_folder import make_bundle, members, read_bundle
from ledger.evidence_words import lines
from ledger.merkle import verify_consistency
from ledger.note import Note, SignatureType, Signer
from ledger.policy import LogPolicy
from ledger.proof import TlogProof
from tests.support.forked_log import EARLIER, LATER, ForkedLog, forked
from tests.support.witnessed_log import QUORUM, WitnessedLog, log_signer, policy_text, signer_from_seed, with_signatures

POLICY = LogPolicy.parse(policy_text())


def tree(log: WitnessedLog, size: int) -> Checkpoint:
    return Checkpoint.parse(Note.parse(log.note(EARLIER, size=size)).text)


def shorter(log: WitnessedLog, size: int) -> WitnessedLog:
    found = WitnessedLog(EARLIER)
    found.leaves, found._hashes = log.leaves[:size], log._hashes[:size]
    return found


def other_prefix(fork: ForkedLog, small: int) -> Material:
    """The honest tree of `small` entries, and all of the other's."""
    receipt = fork.other.receipt(small - 1, LATER)
    second = TlogProof.parse(receipt.proof).note
    return Material(fork.honest.note(EARLIER, size=small), second, prefix=prefix_of_receipt(small, receipt))


def other_entry(fork: ForkedLog, index: int) -> Material:
    receipts = fork.honest.receipt(index, EARLIER), fork.other.receipt(index, LATER)
    first, second = (TlogProof.parse(receipt.proof).note for receipt in receipts)
    return Material(first, second, receipts=receipts)


def same_size() -> Material:
    fork = forked(3, 9, 9)
    return Material(fork.honest.note(EARLIER), fork.other.note(LATER))


def rolled_back() -> Material:
    log = forked(9, 9, 9).honest
    return Material(log.note(EARLIER), log.note(LATER, size=5))


def told() -> Material:
    log = forked(9, 9, 9).honest
    return Material(log.note(EARLIER, witnesses=()), log.note(EARLIER, size=5, witnesses=()), told=Told("tax", LATER))


def unanswered() -> Material:
    fork = forked(3, 8, 13)
    return Material(fork.honest.note(EARLIER), fork.other.note(LATER), answer=(bytes(32), b"\x01" * 32))


CASES: dict[str, tuple[Callable[[], Material], Verdict, bool]] = {
    "same size": (same_size, Verdict.SAME_SIZE, True),
    "other prefix": (lambda: other_prefix(forked(3, 9, 13), 7), Verdict.OTHER_PREFIX, True),
    "other prefix of a power of two": (lambda: other_prefix(forked(3, 9, 13), 8), Verdict.OTHER_PREFIX, True),
    "hidden entry": (lambda: other_entry(forked(3, 9, 13), 5), Verdict.OTHER_ENTRY, True),
    "hidden entry in trees of one size": (lambda: other_entry(forked(3, 9, 9), 8), Verdict.OTHER_ENTRY, True),
    "rollback that cosignatures date": (rolled_back, Verdict.ROLLBACK, False),
    "rollback that somebody tells of": (told, Verdict.ROLLBACK, False),
    "no proof between two": (unanswered, Verdict.UNANSWERED, False),
}


@pytest.fixture(params=CASES, ids=lambda name: name.replace(" ", "-"))
def case(request: pytest.FixtureRequest) -> tuple[Callable[[], Material], Verdict, bool]:
    return CASES[request.param]


def test_what_it_shows(case: tuple[Callable[[], Material], Verdict, bool]) -> None:
    make, verdict, conclusive = case
    finding = judge(make(), POLICY)
    assert (finding.verdict, finding.conclusive) == (verdict, conclusive)
    assert finding.first.checkpoint.size <= finding.second.checkpoint.size


def test_a_bundle_needs_nothing_but_the_verifiers_keys(
    case: tuple[Callable[[], Material], Verdict, bool], tmp_path: Path
) -> None:
    make, verdict, _ = case
    material = make()
    made = make_bundle(tmp_path / "bundle", material, POLICY)
    read = read_bundle(tmp_path / "bundle", POLICY)
    assert read == made
    assert read.verdict is verdict
    # What it says of itself is what the verifier finds, but for the names that he gives to witnesses.
    manifest = json.loads((tmp_path / "bundle" / "manifest.json").read_bytes())
    assert manifest["format"] == "consentgate/evidence/v1"
    assert (manifest["verdict"], manifest["log"]) == (verdict.value, "consentgate.test/ledger")
    sums = (tmp_path / "bundle" / "SHA256SUMS").read_text().splitlines()
    files = {path.name for path in (tmp_path / "bundle").iterdir()} - {"SHA256SUMS"}
    assert {line[66:] for line in sums} == files
    for line in sums:
        assert hashlib.sha256((tmp_path / "bundle" / line[66:]).read_bytes()).hexdigest() == line[:64]


def test_the_explanation_names_who_signed_what_and_when(tmp_path: Path) -> None:
    make_bundle(tmp_path / "bundle", other_entry(forked(3, 9, 13), 5), POLICY)
    text = (tmp_path / "bundle" / "explanation.txt").read_text()
    assert "Log: consentgate.test/ledger" in text
    assert "  entries      9\n" in text
    assert "  entries      13\n" in text
    assert "cosigned by  tax.witness.test at 2026-11-24T10:00:00Z" in text
    assert "cosigned by  tax.witness.test at 2026-11-24T11:00:00Z" in text
    assert "What this does not prove" in text
    assert "At index 5" in text
    assert all(len(line) <= 130 for line in text.splitlines())


def test_witnesses_that_cosigned_both_sides_are_named(tmp_path: Path) -> None:
    """And nobody else is: most witnesses of a fork saw one side."""
    fork = forked(3, 9, 9)
    first, second = fork.honest.note(EARLIER), fork.other.note(LATER, witnesses=("customs", "courts", "regulator"))
    finding = make_bundle(tmp_path / "bundle", Material(first, second), POLICY)
    assert finding.cosigned_both == ("courts", "customs")
    text = " ".join((tmp_path / "bundle" / "explanation.txt").read_text().split())
    assert "Both sides were cosigned by courts.witness.test, customs.witness.test: who did so" in text
    apart = Material(fork.honest.note(EARLIER, witnesses=("tax",)), second)
    assert judge(apart, POLICY).cosigned_both == ()
    assert judge(rolled_back(), POLICY).cosigned_both == ()  # of one history a witness may cosign every tree


def test_a_verifier_sees_his_own_names(tmp_path: Path) -> None:
    make_bundle(tmp_path / "bundle", same_size(), POLICY)
    finding = read_bundle(tmp_path / "bundle", POLICY)
    assert set(finding.first.cosignatures) == set(QUORUM)
    assert "cosigned by  tax at 2026-11-24T10:00:00Z" in "\n".join(lines(finding))


def test_a_verifier_who_knows_other_witnesses_still_sees_the_fork(tmp_path: Path) -> None:
    make_bundle(tmp_path / "bundle", same_size(), POLICY)
    only_log = LogPolicy(POLICY.logs, {}, {}, "none", {})
    finding = read_bundle(tmp_path / "bundle", only_log)
    assert (finding.verdict, finding.conclusive, finding.first.cosignatures) == (Verdict.SAME_SIZE, True, {})


def test_one_lying_witness_and_two_checkpoints_of_an_honest_log_convince_nobody() -> None:
    log = forked(9, 9, 9).honest
    old = Material(log.note(EARLIER), log.note({**dict.fromkeys(QUORUM, EARLIER), "tax": LATER}, size=5))
    finding = judge(old, POLICY)
    assert (finding.verdict, finding.conclusive, finding.returned) == (Verdict.ROLLBACK, False, ("tax",))
    explained = " ".join(" ".join(lines(finding)).split())
    assert "Conclusive: no." in explained
    assert "whoever cosigned so lied" in explained


def test_a_rollback_is_dated_by_witnesses_whom_the_verifier_knows(tmp_path: Path) -> None:
    make_bundle(tmp_path / "bundle", rolled_back(), POLICY)
    with pytest.raises(EvidenceInvalid):
        read_bundle(tmp_path / "bundle", LogPolicy(POLICY.logs, {}, {}, "none", {}))


def test_a_bundle_about_another_log_is_refused(tmp_path: Path) -> None:
    make_bundle(tmp_path / "bundle", same_size(), POLICY)
    other = Signer.generate(POLICY.logs[0].name, SignatureType.ED25519).verifier_key
    with pytest.raises(SignatureInvalid):
        read_bundle(tmp_path / "bundle", LogPolicy((other,), {}, {}, "none", {}))


# What is no evidence.


def continued() -> Material:
    log = forked(9, 13, 13).honest
    receipt = log.receipt(6, LATER)
    second = TlogProof.parse(receipt.proof).note
    return Material(log.note(EARLIER, size=7), second, prefix=prefix_of_receipt(7, receipt))


NONE: dict[str, Callable[[], Material]] = {
    "the same checkpoint twice": lambda: Material(same_size().first, same_size().first),
    "the same tree cosigned again": lambda: Material(
        forked(9, 9, 9).honest.note(EARLIER), forked(9, 9, 9).honest.note(LATER)
    ),
    "a larger tree that continues the smaller": continued,
    "a proof that the log gave and that holds": lambda: Material(
        shorter(forked(9, 9, 9).honest, 7).note(EARLIER),
        forked(9, 9, 9).honest.note(LATER),
        answer=tuple(forked(9, 9, 9).honest.consistency(7)),
    ),
    "two sizes and nothing else": lambda: Material(
        forked(3, 7, 13).honest.note(EARLIER), forked(3, 7, 13).other.note(LATER)
    ),
    "the smaller was seen first": lambda: Material(
        forked(9, 9, 9).honest.note(EARLIER, size=5), forked(9, 9, 9).honest.note(LATER)
    ),
    "a slow witness and a quick one": lambda: Material(
        forked(9, 9, 9).honest.note(EARLIER, witnesses=("tax",)),
        forked(9, 9, 9).honest.note(LATER, size=5, witnesses=("customs",)),
    ),
    "one entry twice": lambda: other_entry(forked(6, 9, 13), 5),
}


@pytest.mark.parametrize("name", NONE)
def test_what_an_honest_log_can_have_signed_is_no_evidence(name: str, tmp_path: Path) -> None:
    material = NONE[name]()
    for pair in (material, swapped(material)):
        with pytest.raises(NotEvidence):
            judge(pair, POLICY)
        with pytest.raises(NotEvidence):
            make_bundle(tmp_path / "bundle", pair, POLICY)
        assert not (tmp_path / "bundle").exists()


def swapped(material: Material) -> Material:
    receipts = None if material.receipts is None else (material.receipts[1], material.receipts[0])
    return replace(material, first=material.second, second=material.first, receipts=receipts)


def test_the_order_in_which_two_are_given_does_not_matter(case: tuple[Callable[[], Material], Verdict, bool]) -> None:
    make, verdict, _ = case
    assert judge(swapped(make()), POLICY).verdict is verdict


# What is forged.


def test_a_checkpoint_that_the_log_did_not_sign_accuses_nobody() -> None:
    honest = same_size().first
    stranger = WitnessedLog(EARLIER, key_label="a stranger")
    unsigned = forked(3, 9, 9).other.note(LATER, log_signs=False)
    for forged in (stranger.note(LATER), unsigned, honest.replace(b"\n9\n", b"\n8\n")):
        for material in (Material(honest, forged), Material(forged, honest)):
            with pytest.raises(SignatureInvalid):
                judge(material, POLICY)


def test_a_bad_cosignature_is_not_passed_over() -> None:
    material = same_size()
    *rest, last = Note.parse(material.second).signatures
    broken = replace(last, signature=last.signature[:-1] + bytes([last.signature[-1] ^ 1]))
    second = Note(Note.parse(material.second).text, (*rest, broken)).encode()
    with pytest.raises(SignatureInvalid):
        judge(replace(material, second=second), POLICY)


def test_two_logs_are_not_one_that_forked() -> None:
    key = Signer.generate("another.log", SignatureType.ED25519)
    note = Checkpoint("another.log", 9, bytes(32)).sign(key).encode()
    policy = replace(POLICY, logs=(*POLICY.logs, key.verifier_key))
    with pytest.raises(LogMismatch):
        judge(Material(same_size().first, note), policy)


def test_a_made_up_beginning_is_refused() -> None:
    """Anybody can claim that the larger tree begins otherwise; only a proof to its signed root counts."""
    honest = continued()
    assert honest.prefix is not None
    for prefix in (
        replace(honest.prefix, root=bytes(32)),
        replace(honest.prefix, hashes=honest.prefix.hashes[:-1]),
        replace(honest.prefix, hashes=(bytes(32), *honest.prefix.hashes[1:])),
        PrefixProof(6, honest.prefix.root, honest.prefix.hashes),
    ):
        with pytest.raises(ConsistencyInvalid):
            judge(replace(honest, prefix=prefix), POLICY)


def test_made_up_receipts_are_refused() -> None:
    honest = other_entry(forked(3, 9, 13), 5)
    assert honest.receipts is not None
    one, other = honest.receipts
    elsewhere = forked(3, 9, 13).other.receipt(6, LATER)
    for receipts in (
        (one, replace(other, leaf=other.leaf + b" ")),
        (one, elsewhere),
        (one, one),
        (replace(one, leaf=other.leaf), other),
    ):
        with pytest.raises(ProofInvalid):
            judge(replace(honest, receipts=receipts), POLICY)


def resummed(folder: Path) -> None:
    """A forger corrects the sums too."""
    names = sorted(path.name for path in folder.iterdir() if path.name != "SHA256SUMS")
    sums = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (folder / "SHA256SUMS").write_text("".join(sums))


@pytest.mark.parametrize("corrected", [False, True], ids=["sums-left", "sums-corrected"])
@pytest.mark.parametrize("name", [name for name, (make, _, _) in CASES.items() if make not in (told, unanswered)])
def test_every_altered_bit_is_found(name: str, corrected: bool, tmp_path: Path) -> None:
    """In sixty places of every file, with the sums left or corrected."""
    folder = tmp_path / "bundle"
    make_bundle(folder, CASES[name][0](), POLICY)
    if corrected:
        resummed(folder)
        read_bundle(folder, POLICY)
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        for position in range(0, len(content), 1 + len(content) // 60):
            for bit in range(8) if position == 0 else [position % 8]:
                altered = bytearray(content)
                altered[position] ^= 1 << bit
                path.write_bytes(altered)
                if corrected and path.name != "SHA256SUMS":
                    resummed(folder)
                with pytest.raises(LedgerError):
                    read_bundle(folder, POLICY)
        path.write_bytes(content)
        resummed(folder)
    read_bundle(folder, POLICY)


def test_a_file_more_or_less_is_found(tmp_path: Path) -> None:
    make_bundle(tmp_path / "bundle", same_size(), POLICY)
    for path in sorted((tmp_path / "bundle").iterdir()):
        content = path.read_bytes()
        path.unlink()
        with pytest.raises(EvidenceInvalid, match=r"has no file|malformed|does not belong"):
            read_bundle(tmp_path / "bundle", POLICY)
        path.write_bytes(content)
    (tmp_path / "bundle" / "note").write_text("believe me")
    with pytest.raises(EvidenceInvalid, match="does not belong"):
        read_bundle(tmp_path / "bundle", POLICY)


def test_words_that_say_more_than_was_signed_are_found(tmp_path: Path) -> None:
    """A forger makes an undated rollback look proven."""
    make_bundle(tmp_path / "bundle", told(), POLICY)
    for name in ("manifest.json", "explanation.txt"):
        path = tmp_path / "bundle" / name
        content = path.read_bytes()
        path.write_bytes(content.replace(b"false", b"true").replace(b"Conclusive: no", b"Conclusive: yes"))
        resummed(tmp_path / "bundle")
        with pytest.raises(EvidenceInvalid, match=name):
            read_bundle(tmp_path / "bundle", POLICY)
        path.write_bytes(content)


def test_files_that_changed_places_are_found(tmp_path: Path) -> None:
    """The words would say of one checkpoint what is true of the other."""
    make_bundle(tmp_path / "bundle", rolled_back(), POLICY)
    first, second = tmp_path / "bundle" / "first.note", tmp_path / "bundle" / "second.note"
    smaller, larger = first.read_bytes(), second.read_bytes()
    first.write_bytes(larger)
    second.write_bytes(smaller)
    resummed(tmp_path / "bundle")
    with pytest.raises(EvidenceInvalid, match=r"first\.note"):
        read_bundle(tmp_path / "bundle", POLICY)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "2026-11-25", "now"])
def test_a_time_that_is_none_is_refused(moment: str, tmp_path: Path) -> None:
    make_bundle(tmp_path / "bundle", told(), POLICY)
    (tmp_path / "bundle" / "told.json").write_text(json.dumps({"by": "tax", "seen_at": moment}))
    resummed(tmp_path / "bundle")
    with pytest.raises(EvidenceInvalid, match=r"told\.json"):
        read_bundle(tmp_path / "bundle", POLICY)


def test_a_log_that_signed_with_two_keys_is_read_as_it_was_made(tmp_path: Path) -> None:
    """Whatever the order in which the maker's policy lists them: keys.txt has its own."""
    material, former = same_size(), log_signer("former")
    notes = [Note.parse(note) for note in (material.first, material.second)]
    both = [with_signatures(note, former.sign(note.text).line()).encode() for note in notes]
    added = f"log {former.verifier_key}\n"
    for number, text in enumerate((added + policy_text(), policy_text() + added)):
        policy = LogPolicy.parse(text)
        make_bundle(tmp_path / f"{number}", replace(material, first=both[0], second=both[1]), policy)
        assert read_bundle(tmp_path / f"{number}", policy).verdict is Verdict.SAME_SIZE
        assert (tmp_path / f"{number}" / "keys.txt").read_text().count("log ") == 2


def test_two_keys_of_one_witness_are_read_as_they_were_made(tmp_path: Path) -> None:
    """`keys.txt` names a witness as its key does: of two keys of one name, the first in the maker's policy goes in."""
    former = signer_from_seed("tax.witness.test", SignatureType.COSIGNATURE, bytes(32))
    policy = LogPolicy.parse(f"{policy_text()}witness tax-2025 {former.verifier_key}\n")
    material = same_size()
    note = Note.parse(material.first)
    both = with_signatures(note, former.cosign(note.text, LATER).line()).encode()
    make_bundle(tmp_path / "bundle", replace(material, first=both), policy)
    assert read_bundle(tmp_path / "bundle", POLICY).first.cosignatures["tax"] == EARLIER


def test_the_form_of_parts_comes_first(tmp_path: Path) -> None:
    """Also of what was said in another spelling, before any signature is looked at."""
    make_bundle(tmp_path / "bundle", told(), POLICY)
    said, note = tmp_path / "bundle" / "told.json", tmp_path / "bundle" / "first.note"
    said.write_bytes(said.read_bytes().replace(b'","', b'", "'))
    note.write_bytes(note.read_bytes().replace(b"\n5\n", b"\n6\n"))
    with pytest.raises(EvidenceInvalid, match=r"told\.json"):
        read_bundle(tmp_path / "bundle", POLICY)


def test_signatures_of_strangers_do_not_travel(tmp_path: Path) -> None:
    material = same_size()
    stranger = forked(3, 9, 9).honest.note(EARLIER, witnesses=("stranger",))
    lines_of_stranger = Note.parse(stranger).signatures[1:]
    note = Note.parse(material.first)
    mixed = replace(material, first=Note(note.text, (*note.signatures, *lines_of_stranger)).encode())
    make_bundle(tmp_path / "bundle", mixed, POLICY)
    assert b"stranger" not in (tmp_path / "bundle" / "first.note").read_bytes()
    # And put back, they are found: nobody could verify what is in them.
    (tmp_path / "bundle" / "first.note").write_bytes(mixed.first)
    resummed(tmp_path / "bundle")
    with pytest.raises(EvidenceInvalid, match=r"first\.note"):
        read_bundle(tmp_path / "bundle", POLICY)


def test_nothing_half_made_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_path: Path, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(LedgerError, match="cannot write"):
        make_bundle(tmp_path / "bundle", same_size(), POLICY)
    assert list(tmp_path.iterdir()) == []


# What a larger tree says of its beginning.


@given(small=st.integers(1, 40), more=st.integers(1, 40), common=st.integers(1, 80))
def test_a_receipt_of_the_last_entry_proves_how_a_tree_begins(small: int, more: int, common: int) -> None:
    """For all sizes: root and proof are those of RFC 6962, and an answered proof tells the same where it can."""
    log = forked(common, 1, small + more).other
    larger, smaller = tree(log, small + more), tree(log, small)
    found = prefix_of_receipt(small, log.receipt(small - 1, LATER))
    assert found == PrefixProof(small, smaller.root, tuple(log.consistency(small)))
    verify_consistency(small, larger.size, found.root, larger.root, found.hashes)
    answered = prefix_of_answer(small, larger, log.consistency(small))
    assert answered == (None if small & (small - 1) == 0 else found)


def test_a_false_answer_says_nothing() -> None:
    log = forked(3, 1, 13).other
    hashes = log.consistency(7)
    for answer in ([], hashes[:-1], [*hashes, bytes(32)], [bytes(32), *hashes[1:]], [b"", *hashes[1:]]):
        assert prefix_of_answer(7, tree(log, 13), answer) is None
    assert prefix_of_answer(13, tree(log, 13), hashes) is None


def test_members_are_canonical_json(case: tuple[Callable[[], Material], Verdict, bool]) -> None:
    finding: Finding = judge(case[0](), POLICY)
    assert json.loads(json.dumps(members(finding))) == members(finding)


def test_times_are_the_witnesses_own() -> None:
    log = forked(9, 9, 9).honest
    later = {name: LATER + timedelta(seconds=number) for number, name in enumerate(QUORUM)}
    finding = judge(Material(log.note(EARLIER), log.note(later, size=5)), POLICY)
    assert finding.returned == tuple(sorted(QUORUM))
    one = judge(Material(log.note({**later, "tax": EARLIER}), log.note(dict.fromkeys(QUORUM, LATER), size=5)), POLICY)
    assert one.returned == ("tax",)
