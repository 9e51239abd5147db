"""Talks to a peer's process (`peer_server`)."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.paillier.workload import BIAS, Workload

SERVER = Path(__file__).with_name("peer_server.py")
PEERS_PYTHON = Path(__file__).parents[2] / ".venv-peers" / "bin" / "python"
NAMES = ("phe", "heu", "pypaillier")
PACKAGES = ("phe", "sf-heu", "pypaillier", "gmpy2", "numpy")


class PeerFailed(RuntimeError):
    """The peer's process ended or answered wrongly."""


class Peer:
    """One library in its own process, bound to one core."""

    def __init__(self, name: str, core: int) -> None:
        self.name = name
        self._core = core
        self._process = subprocess.Popen(
            [str(PEERS_PYTHON), "-I", str(SERVER), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            bufsize=1,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        with self._process:  # waits, and closes both pipes
            pass

    def send_setup(self, bits: int, workload: Workload) -> None:
        """Begins to make keys; `await_setup` waits, so that all peers can do it at once."""
        os.sched_setaffinity(self._process.pid, {self._core})
        rows = workload.rows[:64]
        self._send({"do": "setup", "bits": bits, "rows": rows, "weights": workload.weights, "bias": BIAS})

    def await_setup(self, workload: Workload) -> None:
        """Raises PeerFailed unless the peer's own scalar product opens to the plain score."""
        if self._receive()["score"] != workload.expected[0]:
            raise PeerFailed(f"{self.name}: its score differs from plain arithmetic")

    def seconds(self, what: str, repeat: int) -> float:
        """Seconds of one `encrypt`, `decrypt` or `dot`, averaged over `repeat` calls."""
        self._send({"do": "time", "what": what, "repeat": repeat})
        return float(self._receive()["seconds"])

    def portfolio_seconds(self, companies: int, workload: Workload) -> float:
        """Seconds per company of the whole path; raises PeerFailed when a score is wrong."""
        self._send({"do": "portfolio", "companies": companies})
        answer = self._receive()
        if answer["scores"] != workload.expected[:companies]:
            raise PeerFailed(f"{self.name}: its portfolio differs from plain arithmetic")
        return float(answer["seconds"]) / companies

    def _send(self, command: Mapping[str, object]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")

    def _receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise PeerFailed(f"{self.name}: its process ended; run it by hand: {PEERS_PYTHON} {SERVER} {self.name}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def versions() -> dict[str, str]:
    """Installed versions in the peers' environment."""
    command = [str(PEERS_PYTHON), "-I", "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"]
    listed = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    found = {entry["name"].replace("_", "-"): entry["version"] for entry in listed}
    return {package: found[package] for package in PACKAGES}
