"""Starting, recording and stopping processes; with small Python programs in place of servers."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from dev import processes
from dev.processes import ProcessFailed, Service, free_ports, is_running, recorded, running, start_all, stop_recorded

SERVES = """
import json, os, pathlib, sys, time
config = pathlib.Path(sys.argv[3])
ready = config.with_name(config.stem + ".ready.json")
ready.write_text(json.dumps({"address": "127.0.0.1:1", "pid": os.getpid()}))
print("serving", flush=True)
time.sleep(60)
"""
FAILS = "print('cannot read the moon', flush=True); raise SystemExit(6)"
IGNORES = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SERVES


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of commands, as the virtual environment's is."""
    for name, text in (("serves", SERVES), ("fails", FAILS), ("ignores", IGNORES)):
        program = tmp_path / name
        program.write_text(f"#!{sys.executable}\n{text}")
        program.chmod(0o755)
    monkeypatch.setattr(processes, "SCRIPTS", tmp_path)


def service(folder: Path, command: str, name: str = "one") -> Service:
    config = folder / f"{name}.toml"
    config.touch()
    return Service(name, command, config)


def test_free_ports_are_distinct_and_below_the_ephemeral_range() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert max(ports) < 32768


def test_running_services_are_recorded_and_stopped(tmp_path: Path) -> None:
    services = [service(tmp_path, "serves", "one"), service(tmp_path, "serves", "two")]
    with running(services, tmp_path) as pids:
        assert recorded(tmp_path) == pids
        assert all(map(is_running, pids.values()))
    assert not any(map(is_running, pids.values()))
    assert recorded(tmp_path) == {}


def test_they_are_stopped_when_the_block_fails(tmp_path: Path) -> None:
    seen: list[int] = []

    def interrupted() -> None:
        with running([service(tmp_path, "serves")], tmp_path) as pids:
            seen.extend(pids.values())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not is_running(seen[0])


def test_a_service_that_ends_is_named_with_the_end_of_its_log_and_the_others_are_stopped(tmp_path: Path) -> None:
    services = [service(tmp_path, "serves", "good"), service(tmp_path, "fails", "bad")]
    with pytest.raises(ProcessFailed, match=r"(?s)bad ended.*cannot read the moon"):
        start_all(services, tmp_path)
    assert recorded(tmp_path) == {}


def test_one_that_is_never_ready_is_named(tmp_path: Path) -> None:
    slow = service(tmp_path, "serves", "slow")
    with pytest.raises(ProcessFailed, match="slow was not ready"):
        slow.await_ready(os.getpid(), seconds=0.1)


def test_a_service_that_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.2)
    with running([service(tmp_path, "ignores")], tmp_path) as pids:
        pass
    assert not is_running(pids["one"])


def test_after_a_crash_what_was_recorded_is_stopped(tmp_path: Path) -> None:
    pids = start_all([service(tmp_path, "serves")], tmp_path)
    assert stop_recorded(tmp_path) == ["one"]
    assert not is_running(pids["one"])
    assert stop_recorded(tmp_path) == []


def test_a_reused_process_id_is_nobodys_service(tmp_path: Path) -> None:
    content = {"one": {"pid": os.getpid(), "config": str(tmp_path / "of-another-process.toml")}}
    (tmp_path / processes.RECORDS).write_text(json.dumps(content))
    assert stop_recorded(tmp_path) == []


def test_killing_waits_until_the_process_is_gone(tmp_path: Path) -> None:
    pid = service(tmp_path, "serves").start()
    began = time.monotonic()
    processes.kill(pid)
    assert not is_running(pid)
    assert time.monotonic() - began < 5


def test_a_second_interrupt_does_not_leave_processes_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.3)
    before = signal.getsignal(signal.SIGINT)  # ignored already when the tests run in the background of a shell
    pid = service(tmp_path, "ignores").start()
    time.sleep(0.3)  # until it ignores SIGTERM
    timer = threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    processes.stop_all([pid])
    timer.join()
    assert not is_running(pid)
    assert signal.getsignal(signal.SIGINT) is before
