"""Numbered steps: one list for code, documents and events, and the trail that says how each of them ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from consentgate.errors import ConsentgateError

Result = TypeVar("Result")
OnStep = Callable[[int], Awaitable[None]]
"""Awaited before each step with its number: for tests that stop the process there."""


@dataclass(frozen=True)
class Step:
    """A numbered step: its name in events, and the sentence that the documentation repeats."""

    number: int
    name: str
    sentence: str


class Trail:
    """Emits one event per step: `about`, step and code; never a company, a token, a value or a statement."""

    def __init__(
        self, log: structlog.typing.FilteringBoundLogger, steps: Sequence[Step], on_step: OnStep | None, **about: str
    ) -> None:
        self.number = 0
        """Of the step that was begun last."""
        self._log = log
        self._steps = steps
        self._on_step = on_step
        self._about = about

    async def step(self, number: int, work: Coroutine[Any, Any, Result]) -> Result:
        """Awaits the step's work and says how it ended."""
        self.number = number
        try:
            if self._on_step is not None:
                await self._on_step(number)
            result = await work
        except ConsentgateError as error:
            self._emit(number, str(error.code))
            raise
        finally:
            work.close()  # An observer that raises leaves the work unstarted; a finished one is not touched.
        self._emit(number, "OK")
        return result

    def _emit(self, number: int, code: str) -> None:
        self._log.info("step", **self._about, step=number, name=self._steps[number - 1].name, code=code)
