"""A witness cosigns one history: c2sp.org/tlog-witness semantics, over restarts, races and failing disks."""

from __future__ import annotations

import fcntl
import os
import stat
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ledger.errors import (
    CheckpointInvalid,
    ConsistencyInvalid,
    KeyInvalid,
    LedgerCorrupt,
    LogMismatch,
    SignatureInvalid,
    StorageFailed,
    WitnessConflict,
)
from ledger.evidence import Told, Verdict, judge
from ledger.evidence_material import read_material
from ledger.note import Note, SignatureType, Signer
from ledger.policy import LogPolicy
from ledger.witness import Witness
from tests.support.running_log import POLICY
from tests.support.witnessed_log import ORIGIN, WitnessedLog, log_signer, with_signatures, witness_signer

NOW = datetime(2026, 11, 24, 12, 0, 30, 999999, tzinfo=UTC)


def history(length: int, label: str = "the log") -> WitnessedLog:
    log = WitnessedLog(NOW, label)
    for _ in range(length - 1):
        log.append("log.opened", {}, NOW)
    return log


def head(log: WitnessedLog, size: int) -> bytes:
    return log.note(NOW, witnesses=(), size=size)


def proof(log: WitnessedLog, old_size: int, size: int) -> list[bytes]:
    shorter = history(1)
    shorter.leaves, shorter._hashes = log.leaves[:size], log._hashes[:size]
    return shorter.consistency(old_size)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def witness(path: Path) -> Witness:
    return Witness(witness_signer("tax"), POLICY.logs, path, lambda: NOW)


def test_a_cosignature_verifies_and_bears_the_time(witness: Witness) -> None:
    note = head(history(3), 3)
    line = witness.add_checkpoint(0, [], note)
    times = POLICY.cosignatures(with_signatures(Note.parse(note), line))
    assert times == {"tax": NOW.replace(microsecond=0)}
    assert witness.known_size() == 3


def test_every_extension_is_followed(witness: Witness) -> None:
    log = history(40)
    known = 0
    for size in (1, 2, 5, 8, 9, 33, 40):
        witness.add_checkpoint(known, proof(log, known, size), head(log, size))
        known = size
    assert witness.known_size() == 40


def test_the_same_tree_is_cosigned_again_without_writing(
    witness: Witness, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = head(history(3), 3)
    witness.add_checkpoint(0, [], note)
    before = path.read_bytes()
    monkeypatch.setattr(os, "pwrite", None)
    assert witness.add_checkpoint(3, [], note)
    assert path.read_bytes() == before


@pytest.mark.parametrize("old_size", [0, 2, 4, 9])
def test_a_wrong_old_size_is_a_conflict_that_says_the_right_one(witness: Witness, old_size: int) -> None:
    log = history(9)
    witness.add_checkpoint(0, [], head(log, 3))
    with pytest.raises(WitnessConflict) as caught:
        witness.add_checkpoint(old_size, proof(log, old_size, 9), head(log, 9))
    assert caught.value.known_size == 3
    assert witness.known_size() == 3


def test_a_smaller_tree_is_refused(witness: Witness) -> None:
    log = history(9)
    witness.add_checkpoint(0, [], head(log, 9))
    with pytest.raises(ConsistencyInvalid):
        witness.add_checkpoint(9, [], head(log, 5))
    assert witness.known_size() == 9


@pytest.mark.parametrize("size", [5, 9])
def test_a_fork_is_refused_and_the_history_kept(witness: Witness, path: Path, size: int) -> None:
    """Another log of the same key, of the same size or larger: nonces differ with the number of the entry only, so
    the fork begins with another kind of entry.
    """
    honest, fork = history(9), history(1)
    for _ in range(8):
        fork.append("log.closed", {}, NOW)
    witness.add_checkpoint(0, [], head(honest, 5))
    with pytest.raises(ConsistencyInvalid):
        witness.add_checkpoint(5, proof(fork, 5, size), head(fork, size))
    # Both sides of the fork stay, each signed by the log.
    verdict = Verdict.SAME_SIZE if size == 5 else Verdict.OTHER_PREFIX
    assert witness.refusals.kept() == [verdict]
    kept = read_material(path.with_name("state.refused") / verdict.value)
    assert kept.second == head(fork, size)
    finding = judge(kept, POLICY)
    assert (finding.verdict, finding.conclusive) == (verdict, True)
    # The witness says when it still knew the other one.
    assert finding.first.checkpoint.size == 5
    assert finding.first.cosignatures == {"tax": NOW.replace(microsecond=0)}
    witness.add_checkpoint(5, proof(honest, 5, 9), head(honest, 9))
    assert witness.known_size() == 9
    assert Witness(witness_signer("tax"), POLICY.logs, path).refusals.forks() == [verdict]


def test_another_tree_of_the_known_size_is_kept_whatever_the_log_says_it_believed(witness: Witness) -> None:
    """A log that names another old size gets a conflict for an answer, and does not get away with it."""
    honest, fork = history(5), history(1)
    for _ in range(4):
        fork.append("log.closed", {}, NOW)
    witness.add_checkpoint(0, [], head(honest, 5))
    for note in (head(honest, 5), head(history(9), 9)):
        with pytest.raises(WitnessConflict):
            witness.add_checkpoint(0, [], note)
    assert witness.refusals.kept() == []
    with pytest.raises(WitnessConflict):
        witness.add_checkpoint(0, [], head(fork, 5))
    assert witness.refusals.kept() == [Verdict.SAME_SIZE]


def test_the_first_fork_is_kept(witness: Witness, path: Path) -> None:
    honest, fork, other = history(9), history(1), history(1)
    fork.append("log.closed", {}, NOW)
    other.append("log.closed", {}, NOW + timedelta(seconds=1))
    witness.add_checkpoint(0, [], head(honest, 2))
    for log in (fork, other, fork):
        with pytest.raises(ConsistencyInvalid):
            witness.add_checkpoint(2, [], head(log, 2))
    kept = read_material(path.with_name("state.refused") / "same-size")
    assert kept.second == head(fork, 2)
    assert [found.name for found in path.with_name("state.refused").iterdir()] == ["same-size"]


def test_a_smaller_tree_is_kept_with_the_witnesss_word_and_is_no_fork(witness: Witness, path: Path) -> None:
    log = history(9)
    witness.add_checkpoint(0, [], head(log, 9))
    with pytest.raises(ConsistencyInvalid):
        witness.add_checkpoint(9, [], head(log, 5))
    assert (witness.refusals.kept(), witness.refusals.forks()) == ([Verdict.ROLLBACK], [])
    kept = read_material(path.with_name("state.refused") / "rollback")
    assert kept.told == Told(witness_signer("tax").name, NOW)
    assert not judge(kept, POLICY).conclusive


def test_a_proof_that_does_not_hold_is_kept_as_what_it_is(witness: Witness, path: Path) -> None:
    """Anybody can put a false proof beside a true checkpoint: that says nothing against the log."""
    log = history(9)
    witness.add_checkpoint(0, [], head(log, 5))
    with pytest.raises(ConsistencyInvalid):
        witness.add_checkpoint(5, [bytes(32)], head(log, 9))
    assert witness.refusals.kept() == [Verdict.UNANSWERED]
    assert not judge(read_material(path.with_name("state.refused") / "unanswered"), POLICY).conclusive


@pytest.mark.parametrize("refuses", [stat.S_ISREG, stat.S_ISDIR])
def test_a_full_disk_changes_nothing_about_a_refusal(
    witness: Witness, path: Path, monkeypatch: pytest.MonkeyPatch, refuses: Callable[[int], bool]
) -> None:
    fork = history(1)
    fork.append("log.closed", {}, NOW)
    witness.add_checkpoint(0, [], head(history(2), 2))

    true_fsync = os.fsync

    def full(file: int) -> None:
        if refuses(os.fstat(file).st_mode):
            raise OSError(28, "No space left on device")
        true_fsync(file)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConsistencyInvalid):
        witness.add_checkpoint(2, [], head(fork, 2))
    assert list(path.parent.glob("state.refused/*")) == []  # nothing half-written
    monkeypatch.undo()
    with pytest.raises(ConsistencyInvalid):
        witness.add_checkpoint(2, [], head(fork, 2))
    assert witness.refusals.kept() == [Verdict.SAME_SIZE]


@pytest.mark.parametrize("change", ["missing", "extra", "altered", "short"])
def test_a_wrong_proof_is_refused(witness: Witness, change: str) -> None:
    log = history(9)
    witness.add_checkpoint(0, [], head(log, 5))
    hashes = proof(log, 5, 9)
    wrong = {
        "missing": hashes[:-1],
        "extra": [*hashes, hashes[0]],
        "altered": [bytes(32), *hashes[1:]],
        "short": [hashes[0][:31], *hashes[1:]],
    }[change]
    with pytest.raises(ConsistencyInvalid):
        witness.add_checkpoint(5, wrong, head(log, 9))
    assert witness.known_size() == 5


def test_only_the_log_itself_is_cosigned(witness: Witness, path: Path) -> None:
    stranger = history(2, "a stranger")
    unsigned = history(2).note(NOW, witnesses=("customs",), log_signs=False)
    with pytest.raises(SignatureInvalid):
        witness.add_checkpoint(0, [], stranger.note(NOW, witnesses=()))
    with pytest.raises(SignatureInvalid):
        witness.add_checkpoint(0, [], unsigned)
    altered = head(history(2), 2).replace(b"\n2\n", b"\n3\n")
    with pytest.raises(SignatureInvalid):
        witness.add_checkpoint(0, [], altered)
    with pytest.raises(CheckpointInvalid):
        witness.add_checkpoint(0, [], b"no note")
    assert not path.exists()


def test_a_log_key_that_signs_another_origin_is_refused(witness: Witness) -> None:
    text = b"another.log\n1\n" + b"A" * 43 + b"=\n"
    note = Note(text, (log_signer("the log").sign(text),)).encode()
    with pytest.raises(LogMismatch):
        witness.add_checkpoint(0, [], note)


def test_cosignatures_of_others_are_not_kept(witness: Witness, path: Path) -> None:
    witness.add_checkpoint(0, [], history(2).note(NOW))
    assert b"customs.witness.test" not in path.read_bytes()


def test_a_restarted_witness_and_a_twin_on_the_same_file_know_the_same(witness: Witness, path: Path) -> None:
    log = history(4)
    witness.add_checkpoint(0, [], head(log, 2))
    twin = Witness(witness_signer("tax"), POLICY.logs, path)
    with pytest.raises(WitnessConflict):
        twin.add_checkpoint(0, [], head(log, 4))
    twin.add_checkpoint(2, proof(log, 2, 4), head(log, 4))
    assert witness.known_size() == 4


def test_of_two_extensions_that_race_only_one_is_cosigned(witness: Witness, path: Path) -> None:
    honest, fork = history(3), history(2)
    fork.append("log.closed", {}, NOW)
    witness.add_checkpoint(0, [], head(honest, 2))
    twin = Witness(witness_signer("tax"), POLICY.logs, path)
    outcomes: list[object] = []

    def ask(asked: Witness, log: WitnessedLog) -> None:
        try:
            outcomes.append(asked.add_checkpoint(2, proof(log, 2, 3), head(log, 3)))
        except WitnessConflict as error:
            outcomes.append(error)

    threads = [threading.Thread(target=ask, args=pair) for pair in ((witness, honest), (twin, fork)) * 5]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(outcome, bytes) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, WitnessConflict) for outcome in outcomes) == 9


@pytest.mark.parametrize("call", ["pwrite", "fsync", "open"])
def test_what_could_not_be_stored_is_not_cosigned(
    witness: Witness, path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def fail(*_: object) -> int:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, call, fail)
        with pytest.raises(StorageFailed):
            witness.add_checkpoint(0, [], head(history(2), 2))
    path.unlink(missing_ok=True)
    assert witness.add_checkpoint(0, [], head(history(2), 2))


def test_a_state_file_that_cannot_be_read_stops_the_witness(witness: Witness, path: Path) -> None:
    witness.add_checkpoint(0, [], head(history(2), 2))
    path.write_bytes(b"\x00" * 8192)
    with pytest.raises(LedgerCorrupt):
        witness.add_checkpoint(0, [], head(history(2), 2))
    with pytest.raises(LedgerCorrupt):
        witness.known_size()


def test_the_log_may_change_its_key(path: Path) -> None:
    old, new = log_signer("the log"), Signer.generate(ORIGIN, SignatureType.ED25519)
    log = history(3)
    Witness(witness_signer("tax"), [old.verifier_key], path).add_checkpoint(0, [], head(log, 2))
    both = Witness(witness_signer("tax"), [new.verifier_key, old.verifier_key], path)
    text = Note.parse(head(log, 3)).text
    both.add_checkpoint(2, proof(log, 2, 3), Note(text, (new.sign(text),)).encode())
    assert both.known_size() == 3


def test_keys_of_the_wrong_kind_and_several_logs_are_refused(path: Path) -> None:
    with pytest.raises(KeyInvalid, match="cannot cosign"):
        Witness(log_signer("the log"), POLICY.logs, path)
    other = Signer.generate("another.log", SignatureType.ED25519)
    with pytest.raises(KeyInvalid, match="exactly one"):
        Witness(witness_signer("tax"), [*POLICY.logs, other.verifier_key], path)
    with pytest.raises(KeyInvalid, match="exactly one"):
        Witness(witness_signer("tax"), [], path)


def test_the_policy_knows_the_witness_by_its_key(witness: Witness) -> None:
    assert LogPolicy.witness_of(POLICY, witness.verifier_key) == "tax"
    assert witness.origin == ORIGIN


def test_the_clock_is_the_witnesss_own(path: Path) -> None:
    moments = iter([NOW, NOW + timedelta(seconds=5)])
    witness = Witness(witness_signer("tax"), POLICY.logs, path, lambda: next(moments))
    note = head(history(1), 1)
    first, second = witness.add_checkpoint(0, [], note), witness.add_checkpoint(1, [], note)
    times = [POLICY.cosignatures(with_signatures(Note.parse(note), line))["tax"] for line in (first, second)]
    assert times[1] - times[0] == timedelta(seconds=5)


def test_a_witness_that_cannot_lock_its_state_says_so_and_cosigns_nothing(
    witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(37, "No locks available")

    with monkeypatch.context() as patched:
        patched.setattr(fcntl, "flock", fail)
        with pytest.raises(StorageFailed, match="No locks"):
            witness.add_checkpoint(0, [], head(history(1), 1))
    assert witness.known_size() == 0


def test_a_witness_whose_clock_was_set_back_still_cosigns_one_history(path: Path) -> None:
    """Only its own times are then wrong, for those who judge freshness by them: the order of heads is not by time."""
    moments = iter([NOW, NOW - timedelta(hours=1), NOW])
    witness = Witness(witness_signer("tax"), POLICY.logs, path, lambda: next(moments))
    log = history(3)
    witness.add_checkpoint(0, [], head(log, 2))
    line = witness.add_checkpoint(2, proof(log, 2, 3), head(log, 3))
    note = with_signatures(Note.parse(head(log, 3)), line)
    assert POLICY.cosignatures(note)["tax"] == (NOW - timedelta(hours=1)).replace(microsecond=0)
    with pytest.raises(WitnessConflict):
        witness.add_checkpoint(2, proof(log, 2, 3), head(log, 3))
