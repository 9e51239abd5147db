"""System calls of a running process that fail on purpose, by strace: the n-th one of a name in each of its threads.

strace fails them without executing them, so they are failed-and-lost; a call that was executed and reported as failed
is what the tests of storages and second place bring about themselves.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

Tracer = subprocess.Popen[str]
ATTACH_SECONDS = 20.0
END_SECONDS = 30.0
INJECTED = "(INJECTED)"


class NoStrace(pytest.skip.Exception):
    """Nothing to inject with: the test that asked for it is skipped."""


@dataclass(frozen=True)
class Fault:
    """The `when`-th call of `call` in each thread fails with `error`."""

    call: str
    error: str
    when: int


@contextmanager
def injected(process: int, fault: Fault, journal: Path) -> Iterator[None]:
    """From here on, in a process that has stopped itself; it goes on within the block, and ends there."""
    with traced(process, journal, *_options(fault)):
        yield


@contextmanager
def traced(process: int, journal: Path, *options: str) -> Iterator[Tracer]:
    """strace on all threads of a process that has stopped itself; it goes on within the block, and ends there."""
    _await(process, "State", "T")
    with _attached(process, journal, *options) as tracer:
        os.kill(process, signal.SIGCONT)
        yield tracer


def end_by(process: int, fault: Fault, journal: Path) -> None:
    """In a process that is at work; returns once it has ended of it."""
    with _attached(process, journal, *_options(fault)) as tracer:
        tracer.wait(END_SECONDS)


def _options(fault: Fault) -> list[str]:
    inject = f"inject={fault.call}:error={fault.error}:when={fault.when}"
    return ["-e", f"trace={fault.call}", "-e", inject]


@contextmanager
def _attached(process: int, journal: Path, *options: str) -> Iterator[Tracer]:
    if shutil.which("strace") is None:
        raise NoStrace("strace is not installed")
    command = ["strace", "-f", "-qq", "-o", str(journal), *options, "-p", str(process)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        try:
            _await_tracer(process, tracer)
            yield tracer
        finally:
            tracer.terminate()  # it has ended already if the process has


def happened(journal: Path) -> bool:
    """Whether the process made so many calls that one failed."""
    return INJECTED in journal.read_text()


def _await_tracer(process: int, tracer: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + ATTACH_SECONDS
    while _status(process, "TracerPid") == "0":
        if tracer.poll() is not None:
            assert tracer.stderr is not None
            raise NoStrace(f"strace may not trace here: {tracer.stderr.read().strip()}")
        assert time.monotonic() < deadline
        time.sleep(0.001)


def _await(process: int, name: str, value: str) -> None:
    deadline = time.monotonic() + ATTACH_SECONDS
    while _status(process, name) != value:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def _status(process: int, name: str) -> str:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(f"{name}:"))
