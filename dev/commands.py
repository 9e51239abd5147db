"""Runs the members' own commands, each as a process of its own, exactly as a person would type them."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consentgate.errors import ErrorCode
from consentgate.terminal import ExitCode
from dev.processes import SCRIPTS

COMMAND_SECONDS = 120.0
"""Longest run of one command: a score waits for five departments at most a minute."""
PATIENCE = 3
"""Further tries of a command that ended with `ExitCode.UNAVAILABLE`."""
PAUSE_SECONDS = 1.0
ERRORS = "errors.log"
"""What refused or failed commands wrote to stderr, in the folder of the topology."""

_CODE = re.compile(r"\b[A-Z][A-Z_]+\b")


class CommandFailed(RuntimeError):
    """A command that had to succeed did not; the message holds what it said."""


@dataclass(frozen=True)
class Outcome:
    """How a command ended. `members` is its JSON result, empty when it had none."""

    shown: str
    code: int
    members: Mapping[str, Any]
    error: str
    seconds: float

    @property
    def reason(self) -> str:
        """The code of the error catalogue with which it was refused; empty when it was not."""
        if self.code == 0:
            return ""
        return next((word for word in _CODE.findall(self.error) if word in ErrorCode.__members__), "")

    @property
    def hint(self) -> str:
        """What would help, as the command says it; empty when it says nothing."""
        hints = [line.removeprefix("hint") for line in self.error.splitlines() if line.startswith("hint")]
        return hints[0].strip() if hints else ""


@dataclass(frozen=True)
class Desk:
    """One member at its own command line: program, configuration, and where failed commands are kept."""

    program: str
    config: Path
    topology: Path

    def run(self, *arguments: str, connects: bool = True) -> Outcome:
        """Runs one subcommand with `--json`; never raises for its exit code."""
        options = ["--config", str(self.config), "--json", *(["--development"] if connects else [])]
        return run_command(self.topology, [self.program, *arguments], options)

    def must(self, *arguments: str, connects: bool = True) -> Outcome:
        """The same for a subcommand that has to succeed; raises CommandFailed."""
        return patiently(lambda: self.run(*arguments, connects=connects))


def run_command(
    topology: Path,
    arguments: Sequence[str],
    options: Sequence[str] = (),
    seconds: float | None = COMMAND_SECONDS,
) -> Outcome:
    """Runs `arguments` with `options`, which are not shown to the reader of the story; at most `seconds`."""
    started = time.monotonic()
    command = [str(SCRIPTS / arguments[0]), *arguments[1:], *options]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=seconds
    )
    outcome = Outcome(
        shown=shlex.join(_shortened(word) for word in arguments),
        code=done.returncode,
        members=_members(done.stdout),
        error=done.stderr.strip(),
        seconds=time.monotonic() - started,
    )
    if outcome.code:
        with (topology / ERRORS).open("a") as file:
            file.write(f"{outcome.error}\n")
    return outcome


def patiently(run: Callable[[], Outcome]) -> Outcome:
    """The outcome of a command that has to succeed, tried again while nothing was decided (a busy machine)."""
    outcome = run()
    for _ in range(PATIENCE):
        if outcome.code != ExitCode.UNAVAILABLE:
            break
        time.sleep(PAUSE_SECONDS)
        outcome = run()
    return succeeded(outcome)


def succeeded(outcome: Outcome) -> Outcome:
    """The outcome, when it is a success; raises CommandFailed."""
    if outcome.code:
        raise CommandFailed(f"`{outcome.shown}` ended with exit code {outcome.code}:\n{outcome.error}")
    return outcome


def _members(text: str) -> Mapping[str, Any]:
    try:
        members = json.loads(text)
    except ValueError:
        return {}
    return members if isinstance(members, dict) else {}


def _shortened(word: str) -> str:
    """Long ids and paths as a reader wants them."""
    if re.fullmatch(r"[0-9a-f]{64}|[0-9a-f]{32}", word):
        return f"{word[:8]}…"
    return Path(word).name if word.startswith("/") else word
