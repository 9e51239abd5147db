"""`ledger evidence make` and `explain`: from whatever somebody holds, for whoever trusts nobody."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from consentgate.terminal import ExitCode
from ledger.errors import ConsistencyInvalid
from ledger.note import Note
from ledger.policy import LogPolicy
from ledger.second_place import SecondPlace
from ledger.witness import Witness
from ledger_service.cli import app
from ledger_service.receipt_files import write_receipt
from tests.support.command_line import Ended, run_command
from tests.support.forked_log import EARLIER, LATER, forked
from tests.support.ledger_files import write_anchors, write_officer_config
from tests.support.ledger_server import ServedLedger
from tests.support.running_log import KIND, transition
from tests.support.sample_log import COSIGNED_AT, export_log, store_log
from tests.support.witnessed_log import WitnessedLog, policy_text, witness_signer

FORK = forked(3, 9, 13)
POLICY = LogPolicy.parse(policy_text())


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "ledger-policy.txt"
    path.write_text(policy_text())
    return path


def make(directory: Path, *arguments: object) -> Ended:
    return run_command(app, ["evidence", "make", directory, *arguments, "--json"])


def explain(directory: Path, *arguments: object) -> Ended:
    return run_command(app, ["evidence", "explain", directory, *arguments])


def note_file(path: Path, note: bytes) -> Path:
    path.write_bytes(note)
    return path


@pytest.fixture(params=["export", "database"])
def lying(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """All of the other story, as whoever was told it has it."""
    if request.param == "export":
        return export_log(FORK.other, tmp_path / "export")
    return store_log(FORK.other, tmp_path / "ledger.db")


def held_up(directory: Path, policy: Path, verdict: str, made: Ended) -> None:
    assert (made.code, made.members["verdict"]) == (ExitCode.OK, verdict)
    explained = explain(directory, "--policy", policy, "--json")
    assert explained.code is ExitCode.OK
    assert explained.members == {name: value for name, value in made.members.items() if name != "directory"}
    verified = run_command(app, ["verify", "--evidence", directory, "--policy", policy])
    assert verified.code is ExitCode.OK
    assert explained.members["proves"].split(".")[0] in " ".join(verified.out.split())


def test_two_notes_of_one_size(tmp_path: Path, policy: Path) -> None:
    notes = [
        note_file(tmp_path / name, log.note(EARLIER, size=9))
        for name, log in zip("ab", (FORK.honest, FORK.other), strict=True)
    ]
    made = make(tmp_path / "bundle", *notes, "--policy", policy)
    held_up(tmp_path / "bundle", policy, "same-size", made)
    assert made.members["conclusive"] is True


@pytest.mark.parametrize("size", [4, 7, 8])
def test_a_kept_checkpoint_and_the_log_of_today(tmp_path: Path, policy: Path, lying: Path, size: int) -> None:
    kept = note_file(tmp_path / "kept", FORK.honest.note(EARLIER, size=size))
    made = make(tmp_path / "bundle", kept, lying, "--policy", policy)
    held_up(tmp_path / "bundle", policy, "other-prefix", made)
    assert made.members["prefix"]["size"] == size
    # Two notes, and the log that holds the larger tree beside them.
    other = note_file(tmp_path / "other", FORK.other.note(LATER, size=11))
    assert (
        make(tmp_path / "second", other, kept, "--log", lying, "--policy", policy).members["verdict"] == "other-prefix"
    )


def test_a_receipt_whose_entry_the_log_hides(tmp_path: Path, policy: Path, lying: Path) -> None:
    write_receipt(tmp_path / "kept", FORK.honest.receipt(5, EARLIER))
    made = make(tmp_path / "bundle", tmp_path / "kept.proof", lying, "--policy", policy)
    held_up(tmp_path / "bundle", policy, "other-entry", made)
    assert [entry["index"] for entry in made.members["entries"]] == [5, 5]
    assert make(tmp_path / "swapped", lying, tmp_path / "kept.leaf", "--policy", policy).code is ExitCode.OK


def test_an_entry_that_is_there_and_another_that_is_not(tmp_path: Path, policy: Path, lying: Path) -> None:
    """The receipt's own entry is in both stories; its checkpoint still is of another one."""
    write_receipt(tmp_path / "kept", FORK.honest.receipt(2, EARLIER))
    made = make(tmp_path / "bundle", tmp_path / "kept.proof", lying, "--policy", policy)
    held_up(tmp_path / "bundle", policy, "other-prefix", made)


def test_what_a_witness_refused(tmp_path: Path, policy: Path) -> None:
    witness = Witness(witness_signer("tax"), POLICY.logs, tmp_path / "state", lambda: LATER)
    witness.add_checkpoint(0, [], FORK.honest.note(EARLIER, size=7, witnesses=()))
    with pytest.raises(ConsistencyInvalid):
        witness.add_checkpoint(7, FORK.other.consistency(7), FORK.other.note(EARLIER, witnesses=()))
    made = make(tmp_path / "bundle", tmp_path / "state.refused", "--policy", policy)
    held_up(tmp_path / "bundle", policy, "other-prefix", made)
    assert [sign["witness"] for sign in made.members["checkpoints"][0]["cosigned"]] == ["tax"]
    # Its state is the one side of many.
    other = note_file(tmp_path / "other", FORK.other.note(LATER, size=7))
    assert make(tmp_path / "second", tmp_path / "state", other, "--policy", policy).members["verdict"] == "same-size"


def test_a_rollback_says_what_dates_it(tmp_path: Path, policy: Path) -> None:
    large = note_file(tmp_path / "large", FORK.honest.note(EARLIER))
    small = note_file(tmp_path / "small", FORK.honest.note(LATER, size=5))
    made = make(tmp_path / "bundle", large, small, "--policy", policy)
    held_up(tmp_path / "bundle", policy, "rollback", made)
    assert made.members["returned"] == ["courts", "customs", "tax"]
    assert made.members["dated_by"].endswith("from 2026-11-24T10:00:00Z to 2026-11-24T11:00:00Z")
    undated = note_file(tmp_path / "undated", FORK.honest.note(EARLIER - timedelta(hours=1), size=5))
    assert make(tmp_path / "none", large, undated, "--policy", policy).code is ExitCode.REFUSED


def test_a_log_that_gives_no_proof_is_asked_in_public(tmp_path: Path, policy: Path) -> None:
    notes = [
        note_file(tmp_path / "small", FORK.honest.note(EARLIER, size=8)),
        note_file(tmp_path / "large", FORK.other.note(LATER)),
    ]
    refused = make(tmp_path / "bundle", *notes, "--policy", policy)
    assert (refused.code, refused.members["error"]) == (ExitCode.REFUSED, "NotEvidence")
    assert "NOT_EVIDENCE" in refused.err
    assert "may be of one history" in refused.err
    made = make(tmp_path / "bundle", *notes, "--unanswered", "--policy", policy)
    held_up(tmp_path / "bundle", policy, "unanswered", made)
    assert made.members["conclusive"] is False
    assert "refutes this by one consistency proof" in made.members["does_not_prove"][0]


def test_one_history_is_no_evidence(tmp_path: Path, policy: Path, lying: Path) -> None:
    before = COSIGNED_AT - timedelta(hours=1)
    kept = note_file(tmp_path / "kept", FORK.other.note(before, size=7))
    refused = make(tmp_path / "bundle", kept, lying, "--policy", policy)
    assert refused.code is ExitCode.REFUSED
    assert "the tree of 13 entries continues the one of 7: they are of one history" in refused.members["problem"]
    assert not (tmp_path / "bundle").exists()
    write_receipt(tmp_path / "receipt", FORK.other.receipt(4, before))
    assert make(tmp_path / "bundle", tmp_path / "receipt.proof", lying, "--policy", policy).code is ExitCode.REFUSED


def test_a_forged_bundle_is_refused(tmp_path: Path, policy: Path, lying: Path) -> None:
    kept = note_file(tmp_path / "kept", FORK.honest.note(EARLIER, size=7))
    make(tmp_path / "bundle", kept, lying, "--policy", policy)
    explanation = tmp_path / "bundle" / "explanation.txt"
    explanation.write_text(explanation.read_text().replace("  entries      7", "  entries      6"))
    ended = explain(tmp_path / "bundle", "--policy", policy)
    assert ended.code is ExitCode.INVALID
    assert "EVIDENCE_INVALID" in ended.err
    assert "explanation.txt is not what the notes and proofs lead to" in ended.err


def test_the_verifiers_own_keys_are_needed(tmp_path: Path, policy: Path) -> None:
    notes = [
        note_file(tmp_path / name, log.note(EARLIER, size=9))
        for name, log in zip("ab", (FORK.honest, FORK.other), strict=True)
    ]
    assert make(tmp_path / "bundle", *notes).code is ExitCode.USAGE
    make(tmp_path / "bundle", *notes, "--anchors", write_anchors(tmp_path))
    assert explain(tmp_path / "bundle").code is ExitCode.USAGE
    assert explain(tmp_path / "bundle", "--anchors", tmp_path / "anchors.toml").code is ExitCode.OK
    policy.write_text(policy_text("another log"))
    assert explain(tmp_path / "bundle", "--policy", policy).code is ExitCode.INVALID
    assert make(tmp_path / "bundle", *notes, "--policy", policy).code is ExitCode.USAGE  # never overwritten


def test_files_that_are_no_checkpoint(tmp_path: Path, policy: Path) -> None:
    good = note_file(tmp_path / "good", FORK.honest.note(EARLIER))
    bad = note_file(tmp_path / "bad", b"hello")
    assert make(tmp_path / "bundle", good, bad, "--policy", policy).code is ExitCode.INVALID
    assert make(tmp_path / "bundle", good, "--policy", policy).code is ExitCode.REFUSED
    assert make(tmp_path / "bundle", good, good, good, "--policy", policy).code is ExitCode.REFUSED


# Against the running ledger.


async def test_the_running_ledger_is_asked(served: ServedLedger, tmp_path: Path) -> None:
    """A checkpoint that its key signed in another life; and one that it is true to."""
    config = write_officer_config(tmp_path / "officer", served.address)
    policy = tmp_path / "officer" / "ledger-policy.txt"
    for number in range(8):
        await served.log.append(KIND, transition(number), f"key {number}")
    kept = note_file(tmp_path / "kept", FORK.honest.note(EARLIER, size=4))
    arguments = [kept, "--running", config, "--policy", policy]
    made = await asyncio.to_thread(make, tmp_path / "bundle", *arguments)
    held_up(tmp_path / "bundle", policy, "other-prefix", made)
    write_receipt(tmp_path / "receipt", FORK.honest.receipt(3, EARLIER))
    arguments = [tmp_path / "receipt.proof", "--running", config, "--policy", policy]
    made = await asyncio.to_thread(make, tmp_path / "entry", *arguments)
    held_up(tmp_path / "entry", policy, "other-entry", made)
    own = (await served.log.published.receipts([2]))[0]
    write_receipt(tmp_path / "own", own)
    arguments = [tmp_path / "own.leaf", "--running", config, "--policy", policy]
    assert (await asyncio.to_thread(make, tmp_path / "none", *arguments)).code is ExitCode.REFUSED


async def test_the_running_ledger_is_behind_what_it_signed(served: ServedLedger, tmp_path: Path) -> None:
    """It cannot be said by whom: the kept checkpoint bears no time of a witness that also cosigned the smaller one."""
    config = write_officer_config(tmp_path / "officer", served.address)
    policy = tmp_path / "officer" / "ledger-policy.txt"
    kept = note_file(tmp_path / "kept", FORK.honest.note(EARLIER))
    made = await asyncio.to_thread(make, tmp_path / "bundle", kept, "--running", config, "--policy", policy)
    held_up(tmp_path / "bundle", policy, "rollback", made)
    unsigned = WitnessedLog(EARLIER).note(EARLIER, log_signs=False)
    ended = await asyncio.to_thread(
        make, tmp_path / "none", note_file(tmp_path / "unsigned", unsigned), "--running", config, "--policy", policy
    )
    assert ended.code is ExitCode.INVALID


def test_a_second_place_is_a_checkpoint(tmp_path: Path, policy: Path) -> None:
    SecondPlace(tmp_path / "place", POLICY.logs).write(Note.parse(FORK.honest.note(EARLIER, size=9, witnesses=())))
    other = note_file(tmp_path / "other", FORK.other.note(EARLIER, size=9))
    assert make(tmp_path / "bundle", tmp_path / "place", other, "--policy", policy).members["verdict"] == "same-size"
