"""A command as its console script runs it, in this process: exit code, stdout, stderr."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from unittest import mock

import typer

from consentgate.terminal import ExitCode, run
from tests.support.process_logs import logs_put_back


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: ExitCode
    out: str
    err: str

    @property
    def members(self) -> dict[str, Any]:
        """The JSON object on stdout."""
        return json.loads(self.out)


def run_command(app: typer.Typer, arguments: Sequence[object]) -> Ended:
    """Runs `app` with these arguments, through the manners of `consentgate.terminal`."""
    out, err = io.StringIO(), io.StringIO()
    code = None
    with (
        mock.patch.object(sys, "argv", ["command", *map(str, arguments)]),
        logs_put_back(),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            run(app)
        except SystemExit as ended:
            code = ended.code
    return Ended(ExitCode(int(code or 0)), out.getvalue(), err.getvalue())
