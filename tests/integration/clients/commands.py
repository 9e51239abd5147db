"""Runs a command as a shell would, in this process: arguments in, exit code and both streams out."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any, NoReturn
from unittest.mock import patch

from tests.support.process_logs import logs_put_back


@dataclass(frozen=True)
class Outcome:
    """What a shell sees."""

    code: int
    out: str
    err: str

    @property
    def members(self) -> Any:
        """The result, when `--json` was given: stdout holds it and nothing else."""
        return json.loads(self.out)


def run(main: Callable[[], NoReturn], *words: object, typed: str = "") -> Outcome:
    """Exit code and streams of `main` with these arguments; `typed` is what stands on stdin."""
    out, err = io.StringIO(), io.StringIO()
    arguments = ["program", *map(str, words)]
    with (
        patch.object(sys, "argv", arguments),
        patch.object(sys, "stdin", io.StringIO(typed)),
        redirect_stdout(out),
        redirect_stderr(err),
        logs_put_back(),
    ):
        try:
            main()
        except SystemExit as exit_:
            code = exit_.code if isinstance(exit_.code, int) else 1
    assert "Traceback" not in err.getvalue()
    return Outcome(code, out.getvalue(), err.getvalue())
