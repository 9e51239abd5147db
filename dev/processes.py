"""Starts, awaits and stops the processes of a topology. Ports are free ones, found at start.

Every process that was started is written down at once (`processes.json`), with the configuration that its command line
names, so that `make down` finds it after a crash of whoever started it, and never stops a stranger with a reused id.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 60.0
"""Longest wait for a process to say that it serves: a cold import of everything on a busy 2-core machine."""
STOP_SECONDS = 10.0
"""Longest wait for a graceful stop before the process is killed."""
SCRIPTS = Path(sys.executable).parent
RECORDS = "processes.json"
"""What runs, in the folder of its topology."""
PORTS = range(10_000, 32_000)
"""Below the ephemeral range of Linux (32768 on): no outgoing connection takes a port between its choice and its use."""
PORT_TRIES = 1000
INTERRUPTING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


_children: dict[int, subprocess.Popen[bytes]] = {}
"""Processes that this one started, by id."""


class ProcessFailed(RuntimeError):
    """A process ended or did not become ready; the message holds the end of its log."""


def free_ports(count: int) -> list[int]:
    """Loopback ports that were free a moment ago, all different."""
    found: list[int] = []
    for port in random.sample(PORTS, PORT_TRIES):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            found.append(port)
        if len(found) == count:
            return found
    raise ProcessFailed(f"no {count} free ports between {PORTS.start} and {PORTS.stop}")


@dataclass(frozen=True)
class Service:
    """One server of the topology: its command, configuration, log and ready file."""

    name: str
    command: str
    config: Path
    arguments: tuple[str, ...] = ("--development", "--log-level", "info")

    @property
    def log(self) -> Path:
        """Everything it writes to stdout and stderr."""
        return self.config.parent / f"{self.name}.log"

    @property
    def ready(self) -> Path:
        """Written by the service itself once it serves."""
        return self.config.parent / f"{self.name}.ready.json"

    def command_line(self) -> list[str]:
        """The command as a person would type it; tests put other programs in its place."""
        return [str(SCRIPTS / self.command), "serve", "--config", str(self.config), *self.arguments]

    def start(self) -> int:
        """Starts it in a session of its own; returns its process id."""
        self.ready.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                self.command_line(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        _children[process.pid] = process
        return process.pid

    def await_ready(self, pid: int, seconds: float = START_SECONDS) -> None:
        """Returns when the ready file names this process; raises ProcessFailed."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.ready.exists() and json.loads(self.ready.read_text())["pid"] == pid:
                return
            if not is_running(pid):
                raise ProcessFailed(f"{self.name} ended while starting.\n{self.log_tail()}")
            time.sleep(0.05)
        raise ProcessFailed(f"{self.name} was not ready after {seconds:.0f} s.\n{self.log_tail()}")

    def log_tail(self, lines: int = 20) -> str:
        """The last lines of its log."""
        if not self.log.exists():
            return f"{self.log}: no log"
        return "\n".join([f"{self.log}:", *self.log.read_text(errors="replace").splitlines()[-lines:]])


def is_running(pid: int) -> bool:
    """True while the process exists and is no zombie (a finished child is reaped here)."""
    child = _children.get(pid)
    if child is not None:
        return child.poll() is None
    try:  # not our child: `make down` stops what `make up` started
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def start_all(services: Sequence[Service], directory: Path) -> dict[str, int]:
    """Starts all at once (their order must not matter) and waits for each; stops all again if one fails."""
    pids: dict[str, int] = {}
    try:
        for service in services:
            pids[service.name] = service.start()
            _write_records(directory, services, pids)
        for service in services:
            service.await_ready(pids[service.name])
    except BaseException:  # also Ctrl-C: nothing may be left running
        stop_all(list(pids.values()))
        _write_records(directory, services, {})
        raise
    return pids


@contextmanager
def running(services: Sequence[Service], directory: Path) -> Iterator[dict[str, int]]:
    """The services run inside the block, and are stopped however it ends. Yields name → process id."""
    pids = start_all(services, directory)
    try:
        yield pids
    finally:
        stop_all(list(pids.values()))
        _write_records(directory, services, {})


def ended(services: Sequence[Service], pids: Mapping[str, int]) -> list[Service]:
    """The services that should run and do not."""
    return [service for service in services if service.name in pids and not is_running(pids[service.name])]


def stop_all(pids: Sequence[int]) -> None:
    """SIGTERM to all, then SIGKILL to those still there after STOP_SECONDS. A second Ctrl-C leaves nothing running."""
    with _undisturbed():
        for pid in pids:
            _signal(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline and any(is_running(pid) for pid in pids):
            time.sleep(0.05)
        for pid in pids:
            if is_running(pid):
                kill(pid)


def kill(pid: int) -> None:
    """SIGKILL, and waits until the process is gone."""
    _signal(pid, signal.SIGKILL)
    while is_running(pid):
        time.sleep(0.01)


def recorded(directory: Path) -> dict[str, int]:
    """What was started in `directory` and still runs: name → process id; ids that others use by now are left out."""
    try:
        records = json.loads((directory / RECORDS).read_text())
    except (OSError, ValueError):
        return {}
    found = {name: (int(entry["pid"]), str(entry["config"])) for name, entry in records.items()}
    return {name: pid for name, (pid, config) in found.items() if is_running(pid) and config in _command_line(pid)}


def stop_recorded(directory: Path) -> list[str]:
    """Stops what `recorded` finds; returns the names."""
    found = recorded(directory)
    stop_all(list(found.values()))
    (directory / RECORDS).unlink(missing_ok=True)
    return list(found)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Ignores the signals that interrupt a run; only the main thread can, and only it gets them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in INTERRUPTING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def terminate_gracefully() -> None:
    """SIGTERM and SIGHUP end this process as Ctrl-C does: through its `finally` blocks."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)


def _write_records(directory: Path, services: Sequence[Service], pids: Mapping[str, int]) -> None:
    records = {s.name: {"pid": pids[s.name], "config": str(s.config)} for s in services if s.name in pids}
    fresh = directory / f"{RECORDS}.new"
    fresh.write_text(json.dumps(records, indent=1) + "\n")
    fresh.replace(directory / RECORDS)


def _command_line(pid: int) -> str:
    """The process's command line; empty when it is gone. `ps` where there is no /proc (macOS)."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        pass
    with suppress(OSError):
        shown = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return shown.stdout
    return ""


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # already gone, which is what was wanted
        os.kill(pid, number)
