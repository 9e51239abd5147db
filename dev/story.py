"""Tells a reader at a terminal what happens, with timings, and keeps count of what was expected and did not happen."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dev.commands import Outcome
from dev.processes import Service, ended

EXIT_DISAPPOINTED, EXIT_INTERRUPTED = 1, 130
WIDTH = 118
"""Columns when stdout is no terminal."""


def _console() -> Console:
    console = Console(highlight=False, soft_wrap=True)
    return console if console.is_terminal else Console(highlight=False, soft_wrap=True, width=WIDTH)


@dataclass
class Story:
    """Chapters, commands, facts and expectations, printed as they come."""

    console: Console = field(default_factory=_console)
    started: float = field(default_factory=time.monotonic)
    disappointments: list[str] = field(default_factory=list)
    _chapters: int = 0

    def chapter(self, title: str) -> None:
        """A numbered heading."""
        self._chapters += 1
        self.console.print(f"\n[bold cyan]{self._chapters} · {escape(title)}[/]  [dim]{self.elapsed():5.1f} s[/]")

    def say(self, text: str) -> None:
        """A sentence."""
        self.console.print(f"  {escape(text)}")

    def command(self, outcome: Outcome) -> None:
        """A command as it was typed, and how long it took."""
        self.console.print(f"  [green]$[/] {escape(outcome.shown)}  [dim]{outcome.seconds:.2f} s[/]")

    def fact(self, name: str, value: object) -> None:
        """A named result."""
        self.console.print(f"    [dim]{escape(name):<18}[/] {escape(str(value))}")

    def expect(self, what: str, holds: bool) -> None:
        """Something that must be so; what is not is told again at the end and decides the exit code."""
        mark = "[bold green]✓[/]" if holds else "[bold red]✗[/]"
        self.console.print(f"    {mark} {escape(what)}")
        if not holds:
            self.disappointments.append(what)

    def table(self, heads: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
        """A table."""
        table = Table(*heads, box=None, padding=(0, 3, 0, 2), header_style="dim")
        for row in rows:
            table.add_row(*(escape(str(cell)) for cell in row))
        self.console.print(table)

    def trouble(self, text: str) -> None:
        """Something that ends the story."""
        self.console.print(f"\n[bold red]{escape(text)}[/]")

    def elapsed(self) -> float:
        """Seconds since the story began."""
        return time.monotonic() - self.started


@contextmanager
def explained(story: Story, services: Sequence[Service], pids: Mapping[str, int]) -> Iterator[None]:
    """When the story breaks off: which process failed, and the end of its log."""
    try:
        yield
    except Exception:
        failed = ended(services, pids)
        for service in failed or [service for service in services if service.name == "gateway"]:
            story.trouble(f"{service.name} {'has ended' if service in failed else 'still runs'}. {service.log_tail()}")
        raise
