"""How many different subject tokens there are, exactly and in bounded memory.

A set of all tokens would grow with the log. Tokens are random, so their first bits divide them evenly into files; one
file at a time is made a set.
"""

from __future__ import annotations

from contextlib import ExitStack
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import IO, Self

TOKEN_BYTES = 16
FILES = 64
"""A million tokens are 16 thousand, or some 2 MB as a set, in each."""
SPOOL_BYTES = 32 * 1024
"""Kept in memory per file before the disk is used: 2 MB in all."""


class DistinctTokens:
    """Counts them. Use as a context: its files go with it."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._files: list[IO[bytes]] = [
            self._open.enter_context(SpooledTemporaryFile(SPOOL_BYTES))  # noqa: SIM115 - closed by the stack
            for _ in range(FILES)
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def add(self, token: str) -> None:
        """One token, 32 hex digits."""
        raw = bytes.fromhex(token)
        self._files[raw[0] % FILES].write(raw)

    def count(self) -> int:
        """Different ones among those that were added."""
        return sum(_distinct(file) for file in self._files)


def _distinct(file: IO[bytes]) -> int:
    file.seek(0)
    content = file.read()
    file.seek(0, 2)
    return len({content[start : start + TOKEN_BYTES] for start in range(0, len(content), TOKEN_BYTES)})
