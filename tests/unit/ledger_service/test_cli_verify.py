"""`ledger verify` and `ledger export`: what holds, and what is said when something does not."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from consentgate.terminal import ExitCode
from ledger_service.cli import app
from ledger_service.officer import OfficerLedger
from tests.support.command_line import Ended, run_command
from tests.support.ledger_files import write_ledger_config, write_officer_config
from tests.support.ledger_server import ServedLedger
from tests.support.running_log import KIND, transition
from tests.support.sample_log import COSIGNED_AT, OPENED_AT, alter, export_log, sample_log, store_log
from tests.support.witnessed_log import WitnessedLog, policy_text

LOG = sample_log()
VECTORS = Path(__file__).parents[2] / "vectors" / "ledger" / "good"
EVIDENCE = Path(__file__).parents[2] / "vectors" / "evidence"


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "ledger-policy.txt"
    path.write_text(policy_text())
    return path


def verify(*arguments: object) -> Ended:
    return run_command(app, ["verify", *arguments])


def test_export_directory(tmp_path: Path, policy: Path) -> None:
    directory = export_log(LOG, tmp_path / "export")
    ended = verify(directory, "--policy", policy, "--json")
    assert ended.code is ExitCode.OK
    assert ended.members["valid"] is True
    assert ended.members["entries"] == 10
    assert ended.members["cosigned_at"] == COSIGNED_AT.isoformat()
    assert ended.members["kinds"]["consent.granted"] == 2
    told = verify(directory, "--policy", policy)
    assert "consentgate.test/ledger: 10 entries hold" in told.out
    assert told.err == ""


def test_tampered_export_is_located(tmp_path: Path, policy: Path) -> None:
    directory = export_log(LOG, tmp_path / "export")
    path = directory / "entries" / "000000000000.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"bank-b"', b'"bank-c"', 1))
    ended = verify(directory, "--policy", policy, "--json")
    assert ended.code is ExitCode.INVALID
    assert "LEDGER_INVALID" in ended.err
    assert "leaf 5 does not name the hash of the leaf before it" in ended.err
    assert "Leaf 4 is not the leaf that was recorded." in ended.err
    assert ended.members == {
        "valid": False,
        "error": "ConsistencyInvalid",
        "problem": "leaf 5 does not name the hash of the leaf before it",
        "notes": ["Leaf 4 is not the leaf that was recorded."],
    }


def test_policy_of_another_log(tmp_path: Path, policy: Path) -> None:
    directory = export_log(LOG, tmp_path / "export")
    policy.write_text(policy_text("somebody else"))
    ended = verify(directory, "--policy", policy)
    assert ended.code is ExitCode.INVALID
    assert "SignatureInvalid: no log of the policy signed the note" in ended.err


def test_quorum_not_met_is_a_matter_of_evidence_here(tmp_path: Path, policy: Path) -> None:
    directory = export_log(LOG, tmp_path / "export")
    policy.write_text(policy_text().replace("departments 3 ", "departments 4 "))
    ended = verify(directory, "--policy", policy)
    assert ended.code is ExitCode.INVALID
    assert "QuorumNotMet" in ended.err


def test_malformed_policy_is_a_mistake_of_the_user(tmp_path: Path, policy: Path) -> None:
    directory = export_log(LOG, tmp_path / "export")
    policy.write_text(policy_text() + "quorum none\n")
    ended = verify(directory, "--policy", policy)
    assert ended.code is ExitCode.CONFIGURATION
    assert "line 8: expected exactly one: quorum <name>" in ended.err
    policy.write_bytes(b"\xff")
    assert verify(directory, "--policy", policy).code is ExitCode.CONFIGURATION


def test_database(tmp_path: Path, policy: Path) -> None:
    database = store_log(LOG, tmp_path / "ledger.db", witnessed=8)
    ended = verify(database, "--policy", policy, "--json")
    assert ended.code is ExitCode.OK
    assert (ended.members["entries"], ended.members["not_witnessed"]) == (8, 2)
    assert "2 further entries are not witnessed yet" in verify(database, "--policy", policy).out


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (
            "UPDATE entry SET leaf = CAST(replace(CAST(leaf AS TEXT), 'bank-b', 'bank-a') AS BLOB) WHERE seq = 4",
            ["leaf 5 does not name the hash", "entry 4: leaf bytes do not have the stored leaf hash"],
        ),
        (
            "UPDATE searchable SET verdict = 'deny' WHERE seq = 5",
            ["searchable 5: column verdict is not what the leaf says"],
        ),
        (
            "UPDATE node SET hash = zeroblob(32) WHERE level = 2",
            ["node 2/0: is not the hash", "node 2/1: is not the hash"],
        ),
        (
            "DELETE FROM entry WHERE seq = 9",
            ["there are 9 leaves, but the checkpoint counts 10", "head: size is not that"],
        ),
        (
            "UPDATE checkpoint SET note = CAST('x' AS BLOB)",
            ["CheckpointInvalid", "checkpoint: the stored note is malformed"],
        ),
    ],
)
def test_altered_row_is_explained(tmp_path: Path, policy: Path, statement: str, told: list[str]) -> None:
    database = store_log(LOG, tmp_path / "ledger.db")
    alter(database, statement)
    ended = verify(database, "--policy", policy)
    assert ended.code is ExitCode.INVALID
    for text in told:
        assert text in ended.err


@pytest.mark.parametrize("kind", ["export", "database"])
def test_log_must_continue_an_earlier_export(tmp_path: Path, policy: Path, kind: str) -> None:
    longer = sample_log(repeat=2)
    path = export_log(longer, tmp_path / "new") if kind == "export" else store_log(longer, tmp_path / "ledger.db")
    earlier = tmp_path / "checkpoint"
    earlier.write_bytes(LOG.note(COSIGNED_AT))
    assert verify(path, "--policy", policy, "--earlier", earlier).code is ExitCode.OK
    fork = WitnessedLog(OPENED_AT)
    fork.append("erasure.performed", {"subject": "00" * 16}, OPENED_AT)
    earlier.write_bytes(fork.note(COSIGNED_AT))
    ended = verify(path, "--policy", policy, "--earlier", earlier)
    assert ended.code is ExitCode.INVALID
    assert "the log forked: its first 2 entries are not those it signed earlier" in ended.err
    assert "Keep both checkpoints" in ended.err


def test_a_file_that_is_no_database(tmp_path: Path, policy: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"no database" * 1000)
    ended = verify(path, "--policy", policy)
    assert ended.code is ExitCode.INVALID
    assert "file is not a database" in ended.err


@pytest.mark.parametrize("suffix", ["leaf", "proof"])
def test_receipt(suffix: str) -> None:
    policy = VECTORS / "ledger-policy.txt"
    ended = verify("--receipt", VECTORS / f"receipt-8.{suffix}", "--policy", policy, "--json")
    assert ended.code is ExitCode.OK
    assert (ended.members["valid"], ended.members["seq"], ended.members["kind"]) == (True, 8, "query.decision")
    assert (
        "recorded: the quorum had seen it at" in verify("--receipt", VECTORS / "receipt-8.leaf", "--policy", policy).out
    )


def test_bad_receipt(tmp_path: Path) -> None:
    shutil.copy(VECTORS / "receipt-8.leaf", tmp_path / "x.leaf")
    shutil.copy(VECTORS / "receipt-0.proof", tmp_path / "x.proof")
    ended = verify("--receipt", tmp_path / "x.leaf", "--policy", VECTORS / "ledger-policy.txt")
    assert ended.code is ExitCode.INVALID
    assert "RECEIPT_INVALID" in ended.err
    assert "ProofInvalid: proof does not lead to the root" in ended.err


def test_receipt_that_is_not_two_files(tmp_path: Path) -> None:
    for name in ("missing.leaf", "other.txt"):
        ended = verify("--receipt", tmp_path / name, "--policy", VECTORS / "ledger-policy.txt")
        assert ended.code is ExitCode.USAGE
        assert name in ended.err


MANIFEST = json.loads((EVIDENCE / "manifest.json").read_bytes())
OF_THE_MOMENT = ("LEDGER_STALE", "RECEIPT_EXPIRED")
DEFECTS = [case for case in MANIFEST["defects"] if case["code"] not in OF_THE_MOMENT]
"""An auditor comes later and looks as of the moment of the decision: whether it was stale or over is not a question."""


def test_evidence_bundle() -> None:
    order = json.loads((EVIDENCE / "good" / "order.json").read_bytes())
    arguments = ["--evidence", EVIDENCE / "good", "--anchors", EVIDENCE / "good" / "anchors.toml"]
    members = verify(*arguments, "--json").members
    assert members["valid"] is True
    for name in ("bank", "request_id", "purpose", "subject", "consent_id", "scorecard", "leaf_hash"):
        assert members[name] == order[name]
    assert "the evidence holds" in verify(*arguments).out


@pytest.mark.parametrize("case", DEFECTS, ids=[case["name"] for case in DEFECTS])
def test_defective_evidence(tmp_path: Path, case: dict[str, str]) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(EVIDENCE / "good", folder)
    shutil.copytree(EVIDENCE / case["folder"], folder, dirs_exist_ok=True)
    ended = verify("--evidence", folder, "--anchors", EVIDENCE / "good" / "anchors.toml")
    assert ended.code is ExitCode.INVALID
    assert case["code"] in ended.err


def test_incomplete_evidence(tmp_path: Path) -> None:
    arguments = ["--evidence", tmp_path, "--anchors", EVIDENCE / "good" / "anchors.toml"]
    assert verify(*arguments).code is ExitCode.USAGE
    assert verify("--evidence", EVIDENCE / "good").code is ExitCode.USAGE


def test_exactly_one_thing_is_verified(tmp_path: Path, policy: Path) -> None:
    assert verify("--policy", policy).code is ExitCode.USAGE
    both = verify(tmp_path, "--receipt", VECTORS / "receipt-8.leaf", "--policy", policy)
    assert both.code is ExitCode.USAGE
    assert verify(tmp_path / "missing", "--policy", policy).code is ExitCode.USAGE


def test_export_by_configuration(tmp_path: Path) -> None:
    config = write_ledger_config(tmp_path)
    store_log(LOG, tmp_path / "ledger.db")
    ended = run_command(app, ["export", tmp_path / "export", "--config", config, "--json"])
    assert ended.code is ExitCode.OK
    assert (ended.members["entries"], ended.members["valid"]) == (10, True)
    assert verify(tmp_path / "export", "--policy", tmp_path / "ledger-policy.txt").code is ExitCode.OK
    again = run_command(app, ["export", tmp_path / "export", "--config", config])
    assert again.code is ExitCode.USAGE
    assert "exists already" in again.err


def test_export_of_a_database_file_stops_at_the_witnessed_checkpoint(tmp_path: Path, policy: Path) -> None:
    database = store_log(LOG, tmp_path / "ledger.db", witnessed=8)
    ended = run_command(app, ["export", tmp_path / "export", "--database", database, "--policy", policy, "--json"])
    assert (ended.code, ended.members["entries"]) == (ExitCode.OK, 8)


def test_an_altered_database_is_not_exported(tmp_path: Path, policy: Path) -> None:
    database = store_log(LOG, tmp_path / "ledger.db")
    alter(database, "UPDATE entry SET leaf = CAST(replace(CAST(leaf AS TEXT), 'bank-b', 'bank-a') AS BLOB)")
    ended = run_command(app, ["export", tmp_path / "export", "--database", database, "--policy", policy])
    assert ended.code is ExitCode.INVALID
    assert "the stored leaves are not those of the stored checkpoint" in ended.err
    assert not (tmp_path / "export").exists()


def test_export_needs_one_source(tmp_path: Path, policy: Path) -> None:
    database = store_log(LOG, tmp_path / "ledger.db")
    for options in ([], ["--database", database], ["--policy", policy]):
        assert run_command(app, ["export", tmp_path / "export", *options]).code is ExitCode.USAGE


def test_a_log_that_was_never_witnessed(tmp_path: Path, policy: Path) -> None:
    database = store_log(LOG, tmp_path / "ledger.db")
    alter(database, "DELETE FROM checkpoint")
    ended = run_command(app, ["export", tmp_path / "export", "--database", database, "--policy", policy])
    assert ended.code is ExitCode.INVALID
    assert "no witnessed checkpoint yet" in ended.err


async def test_the_running_ledger_is_verified_on_the_record(served: ServedLedger, tmp_path: Path) -> None:
    await asyncio.gather(*(served.log.append(KIND, transition(n), f"key {n}") for n in range(3)))
    config = write_officer_config(tmp_path / "officer", served.address)
    ended = await asyncio.to_thread(verify, "--running", config, "--json")
    assert ended.code is ExitCode.OK, ended.err
    assert (ended.members["valid"], ended.members["entries"], ended.members["kinds"][KIND]) == (True, 4, 3)
    assert "records it (access.read)" in ended.err
    kept = tmp_path / "checkpoint"
    kept.write_bytes(served.log.published.current().note)
    again = await asyncio.to_thread(verify, "--running", config, "--earlier", kept, "--json")
    assert (again.code, again.members["entries"]) == (ExitCode.OK, 5)
    assert again.members["kinds"]["access.read"] == 1


async def test_a_running_ledger_that_hides_an_entry(
    served: ServedLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asyncio.gather(*(served.log.append(KIND, transition(n), f"key {n}") for n in range(3)))
    config = write_officer_config(tmp_path / "officer", served.address)
    honest = OfficerLedger.history

    def hiding(self: OfficerLedger) -> Iterator[tuple[list[bytes], bytes]]:
        for leaves, note in honest(self):
            yield leaves[:2] + leaves[3:], note

    monkeypatch.setattr(OfficerLedger, "history", hiding)
    ended = await asyncio.to_thread(verify, "--running", config, "--json")
    assert (ended.code, ended.members["valid"]) == (ExitCode.INVALID, False)
    monkeypatch.setattr(OfficerLedger, "history", lambda _: (piece for piece in ()))
    silent = await asyncio.to_thread(verify, "--running", config)
    assert (silent.code, "there are 0 leaves, but the checkpoint counts" in silent.err) == (ExitCode.INVALID, True)


def test_the_running_ledger_is_asked_with_the_officers_anchors(tmp_path: Path, policy: Path) -> None:
    config = write_officer_config(tmp_path / "officer", "127.0.0.1:1")
    assert verify("--running", config).code is ExitCode.UNAVAILABLE
    assert verify("--running", config, "--policy", policy).code is ExitCode.USAGE
    assert verify(tmp_path, "--running", config).code is ExitCode.USAGE
