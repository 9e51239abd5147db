"""Folders that a stranger made: what is in them, and how it is called, never draws on the reader's terminal, keeps him
waiting without end, or fills his memory.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.terminal import ExitCode, print_error
from ledger.__main__ import main as verify_alone
from ledger.evidence import Material
from ledger.evidence_folder import make_bundle
from ledger.export import SUMS_FILE
from ledger_service.cli import app
from ledger_service.receipt_files import write_receipt
from tests.support.command_line import run_command
from tests.support.sample_log import COSIGNED_AT, export_log, sample_log
from tests.support.witnessed_log import policy_text

CLEAR_AND_LIE = "\x1b[2J\x1b[H\x9b0mconsentgate.test: 25 entries hold\n\u202e"
NOT_UTF8 = os.fsdecode(b"\xff\xfe")
VERIFIERS = [
    [sys.executable, "-m", "ledger"],
    [sys.executable, "-c", "from ledger_service.cli import main; main()", "verify"],
]
WAIT = 30.0
"""Seconds for a process that needs one."""
EVIDENCE = Path(__file__).parents[2] / "vectors" / "evidence" / "good"


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "ledger-policy.txt"
    path.write_text(policy_text())
    return path


@pytest.fixture
def export(tmp_path: Path) -> Path:
    return export_log(sample_log(), tmp_path / "export")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    log, other = sample_log(), sample_log()
    other.append("log.closed", {}, COSIGNED_AT)
    log.append("erasure.performed", {"subject": "0" * 32}, COSIGNED_AT)
    notes = (log.note(COSIGNED_AT), other.note(COSIGNED_AT))
    make_bundle(tmp_path / "bundle", Material(*notes), log.policy)
    return tmp_path / "bundle"


def ended(verifier: Sequence[str], *arguments: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*verifier, *map(str, arguments)], capture_output=True, check=False, timeout=WAIT)


@pytest.mark.parametrize("name", [CLEAR_AND_LIE, NOT_UTF8], ids=["escapes", "no UTF-8"])
@pytest.mark.parametrize("mode", [[], ["--json"]], ids=["text", "json"])
def test_names_of_files_do_not_reach_the_terminal_as_they_are(
    export: Path, bundle: Path, policy: Path, name: str, mode: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, arguments in ((export, [export]), (bundle, ["--evidence", bundle])):
        (folder / name).write_bytes(b"")
        given = [*arguments, "--policy", policy, *mode]
        by_command = run_command(app, ["verify", *given])
        with pytest.raises(SystemExit) as alone:
            verify_alone([str(each) for each in given])
        assert alone.value.code == by_command.code == ExitCode.INVALID
        for told in (by_command.out + by_command.err, "".join(capsys.readouterr())):
            assert "does not belong to" in told
            assert all(character.isprintable() or character == "\n" for character in told)


def test_nor_do_fields_that_an_error_names(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(ConsentgateError(ErrorCode.REPORT_INVALID, field=f"summary.jws.{CLEAR_AND_LIE}"), [CLEAR_AND_LIE])
    told = capsys.readouterr().err
    assert told.count("25 entries hold") == 2
    assert all(character.isprintable() or character == "\n" for character in told)


@pytest.mark.parametrize("verifier", VERIFIERS, ids=["alone", "command"])
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(tmp_path: Path, policy: Path, verifier: Sequence[str]) -> None:
    write_receipt(tmp_path / "kept", sample_log().receipt(3, COSIGNED_AT))
    (tmp_path / "kept.proof").unlink()
    os.mkfifo(tmp_path / "kept.proof")
    done = ended(verifier, "--receipt", tmp_path / "kept.leaf", "--policy", policy)
    assert done.returncode == ExitCode.USAGE
    assert b"kept.proof" in done.stderr


@pytest.mark.parametrize("part", ["decision.proof", "consent_jws"])
def test_nor_in_an_evidence_bundle(tmp_path: Path, part: str) -> None:
    shutil.copytree(EVIDENCE, tmp_path / "bundle")
    (tmp_path / "bundle" / part).unlink()
    os.mkfifo(tmp_path / "bundle" / part)
    done = ended(VERIFIERS[1], "--evidence", tmp_path / "bundle", "--anchors", EVIDENCE / "anchors.toml")
    assert done.returncode == ExitCode.USAGE
    assert part.encode() in done.stderr


def test_nor_where_evidence_is_made(tmp_path: Path, policy: Path) -> None:
    os.mkfifo(tmp_path / "a.note")
    command = [sys.executable, "-c", "from ledger_service.cli import main; main()", "evidence", "make"]
    done = ended(command, tmp_path / "made", tmp_path / "a.note", "--policy", policy)
    assert done.returncode == ExitCode.USAGE


def test_endless_sums_are_not_read_to_their_end(export: Path, policy: Path) -> None:
    os.truncate(export / SUMS_FILE, 2**40)
    done = run_command(app, ["verify", export, "--policy", policy])
    assert done.code is ExitCode.INVALID
    assert f"{SUMS_FILE} is too long" in done.err
