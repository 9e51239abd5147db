"""`make demo`: the main job end to end, and everything that must fail does."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dev.processes import recorded, stop_recorded
from tests.e2e.conftest import ROOT, TEST_SECONDS, DemoRun

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(TEST_SECONDS)]

PATIENCE_SECONDS = 200
"""For what takes seconds on an idle machine."""
RUN = """
import sys
from dev import demo
sys.argv[1:] = ["--directory", sys.argv[1], "--key-bits", "2048"]
demo.main()
"""
SPOILED = """
import sys
from dev import demo, topology
create = topology.create
def spoiled(directory, plan):
    federation = create(directory, plan)
    (federation.layout.department("courts") / "mapping.toml").write_text("[source]\\nkind = 'moon'\\n")
    return federation
topology.create = spoiled
sys.argv[1:] = ["--directory", sys.argv[1], "--key-bits", "2048"]
demo.main()
"""
"""Somebody breaks the courts' mapping before the processes start."""
REASONS = {
    "CONSENT_NOT_FOUND",
    "CONSENT_PURPOSE",
    "CONSENT_REVOKED",
    "SCORECARD_NOT_APPROVED",
    "CONSENT_SIGNATURE",
    "ATTESTATION_SIGNATURE",
    "KEY_UNKNOWN",
    "CONSENT_AUDIENCE",
    "SCORECARD_HEADER",
    "RECEIPT_INVALID",
}
KEYS = {
    "score",
    "plaintext_score",
    "departments",
    "columns",
    "denied",
    "receipts_verified",
    "ledger_entries",
    "seconds_to_score",
}


def test_the_demo_ends_well(demo_run: DemoRun) -> None:
    assert demo_run.code == 0, demo_run.output
    assert "✗" not in demo_run.output


def test_the_decrypted_score_is_the_plaintext_score(demo_run: DemoRun) -> None:
    assert demo_run.summary.keys() == KEYS
    assert isinstance(demo_run.summary["score"], int)
    assert demo_run.summary["score"] == demo_run.summary["plaintext_score"]
    assert (demo_run.summary["departments"], demo_run.summary["columns"]) == (5, 12)
    assert 0 < demo_run.summary["seconds_to_score"] < 60


def test_everything_that_must_fail_was_denied_for_its_own_reason(demo_run: DemoRun) -> None:
    assert demo_run.summary["denied"].keys() == REASONS
    forged_at_every_department = REASONS - {"CONSENT_NOT_FOUND", "CONSENT_PURPOSE", "SCORECARD_NOT_APPROVED"}
    assert all(demo_run.summary["denied"][reason] >= 5 for reason in forged_at_every_department)


def test_receipts_were_verified_and_the_ledger_counted(demo_run: DemoRun) -> None:
    assert demo_run.summary["receipts_verified"] >= 10
    assert demo_run.summary["ledger_entries"] >= 15


def test_the_tampered_ledger_is_located(demo_run: DemoRun) -> None:
    assert "is found and located" in demo_run.output
    assert "does not name the hash of the leaf before it" in demo_run.output


def test_nothing_is_left_running(demo_run: DemoRun) -> None:
    assert recorded(demo_run.directory) == {}


def test_the_demo_fits_into_a_minute_of_two_cores(demo_run: DemoRun) -> None:
    """Processor time, since wall-clock time says more about what else runs beside a test. 50 to 90 s where measured."""
    assert 10 < demo_run.cpu_seconds < 120, demo_run.output


@contextmanager
def started(directory: Path, code: str = RUN) -> Iterator[subprocess.Popen[str]]:
    """A demo that is under way; whatever a test finds, neither it nor its processes outlive the block."""
    command = [sys.executable, "-c", code, str(directory)]
    demo = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield demo
    finally:
        demo.kill()
        demo.communicate()
        stop_recorded(directory)


def await_processes(directory: Path) -> None:
    """Returns once all seven were started."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(recorded(directory)) < 7:
        assert time.monotonic() < deadline, "the demo did not start its processes"
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_stops_everything(tmp_path: Path, number: signal.Signals) -> None:
    directory = tmp_path / "build"
    with started(directory) as demo:
        await_processes(directory)
        demo.send_signal(number)
        output, _ = demo.communicate(timeout=PATIENCE_SECONDS)
        assert demo.returncode == 130, output
        assert "Everything was stopped" in output
        assert "Traceback" not in output
        assert recorded(directory) == {}


def test_a_process_that_cannot_start_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    directory = tmp_path / "build"
    with started(directory, SPOILED) as demo:
        output, _ = demo.communicate(timeout=PATIENCE_SECONDS)
        assert demo.returncode == 1, output
        assert "courts ended while starting" in output
        assert "CONFIG_INVALID" in output
        assert "Traceback" not in output
        assert recorded(directory) == {}


def test_what_a_killed_demo_leaves_behind_is_stopped(tmp_path: Path) -> None:
    directory = tmp_path / "build"
    with started(directory) as demo:
        await_processes(directory)
        demo.kill()
        demo.wait()
        assert recorded(directory), "its processes outlive it"
        down = [sys.executable, "-m", "dev.up", "stop", "--directory", str(directory)]
        stopped = subprocess.run(down, cwd=ROOT, capture_output=True, text=True, check=True, timeout=PATIENCE_SECONDS)
        assert "build/gateway" in stopped.stdout
        assert recorded(directory) == {}
