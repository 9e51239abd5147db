"""How far a long measurement is, on standard error: a bar on a terminal, otherwise a line per tenth."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

Told = Callable[[str, int, int], None]
"""What is being done, how much of it is done, and of how much."""
TENTHS = 10


@contextmanager
def shown_progress() -> Iterator[Told]:
    """The measurement calls what is given to it."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        tasks = {}

        def tell(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=total)
            bar.update(tasks[stage], completed=done)

        yield tell


class _Lines:
    def __init__(self) -> None:
        self._told: dict[str, int] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        tenth = TENTHS * done // max(total, 1)
        if self._told.get(stage, -1) < tenth:
            self._told[stage] = tenth
            print(f"… {stage}: {done} of {total}", file=sys.stderr, flush=True)
