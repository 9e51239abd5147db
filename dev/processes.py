"""Starts, awaits and stops the processes of a topology. Ports are free ones, found at start."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 60.0
"""Longest wait for a process to say that it serves: a cold import of everything on a busy 2-core machine."""
STOP_SECONDS = 10.0
"""Longest wait for a graceful stop before the process is killed."""
SCRIPTS = Path(sys.executable).parent


class ProcessFailed(RuntimeError):
    """A process ended or did not become ready; the message holds the end of its log."""


def free_ports(count: int) -> list[int]:
    """Loopback ports that were free a moment ago, all different."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(opened.getsockname()[1]) for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


@dataclass(frozen=True)
class Service:
    """One server of the topology: its command, configuration, log and ready file."""

    name: str
    command: str
    config: Path
    arguments: tuple[str, ...] = ("--development", "--log-level", "debug")

    @property
    def log(self) -> Path:
        """Everything it writes to stdout and stderr."""
        return self.config.parent / f"{self.name}.log"

    @property
    def ready(self) -> Path:
        """Written by the service itself once it serves."""
        return self.config.parent / f"{self.name}.ready.json"

    def start(self) -> int:
        """Starts it in a session of its own; returns its process id."""
        self.ready.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [str(SCRIPTS / self.command), "serve", "--config", str(self.config), *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
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
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def is_running(pid: int) -> bool:
    """True while the process exists and is no zombie (a finished child is reaped here)."""
    try:
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return False
    except ChildProcessError:
        pass  # not our child: `make down` stops what `make up` started
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def start_all(services: Sequence[Service]) -> dict[str, int]:
    """Starts all at once (their order must not matter) and waits for each; stops all again if one fails."""
    pids = {service.name: service.start() for service in services}
    try:
        for service in services:
            service.await_ready(pids[service.name])
    except ProcessFailed:
        stop_all(list(pids.values()))
        raise
    return pids


def stop_all(pids: Sequence[int]) -> None:
    """SIGTERM to all, then SIGKILL to those still there after STOP_SECONDS."""
    for pid in pids:
        _signal(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline and any(is_running(pid) for pid in pids):
        time.sleep(0.05)
    for pid in pids:
        if is_running(pid):
            _signal(pid, signal.SIGKILL)
            is_running(pid)


def kill(pid: int) -> None:
    """SIGKILL, and waits until the process is gone."""
    _signal(pid, signal.SIGKILL)
    while is_running(pid):
        time.sleep(0.01)


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass  # already gone, which is what was wanted
