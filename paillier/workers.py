"""Encrypting a portfolio on several cores: spawned processes, each with its own tables of one key.

Spec: design 2 "Encryption" ("CPU work runs in worker processes") and "Packing (portfolio)". Tables are built once per
process by its initializer and never travel; a task carries plaintexts in and ciphertexts out. Processes are spawned,
never forked: a fork would share the parent's random state, locks and tables.

`encrypt_blocks` streams: at most `IN_FLIGHT_PER_PROCESS` blocks per process are in memory, whatever the portfolio's
size. As with every spawned process, the main module of a program must be importable (`if __name__ == "__main__"`).

Left out: machines beyond this one (a later issue's batch engines call `paillier.portfolio` themselves).
Thread-safety: one thread at a time iterates; several may each iterate their own stream.
"""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing.synchronize import Barrier
from types import TracebackType
from typing import Self

from gmpy2 import mpz

from paillier.encryption import DEFAULT_MEMORY_BUDGET_BYTES, Encryptor
from paillier.errors import ParameterOutOfRange
from paillier.packing import SlotLayout
from paillier.portfolio import encrypt_column
from paillier.public_key import PublicKey

IN_FLIGHT_PER_PROCESS = 2
"""blocks: one at work, one waiting, so that no process ever idles between two."""

START_SECONDS = 300.0
"""Longest wait of a process for the others' tables; one that is missing then has died."""

Block = Sequence[Sequence[int]]
"""Columns of some companies: one sequence of encoded values per column, all of one length."""

_encryptor: Encryptor | None = None


class EncryptionWorkers:
    """`processes` processes for one key; use as a context. Memory: processes × memory_budget_bytes and a little."""

    def __init__(
        self,
        public_key: PublicKey,
        processes: int,
        *,
        memory_budget_bytes: int = DEFAULT_MEMORY_BUDGET_BYTES,
        window: int | None = None,
    ) -> None:
        """Starts the processes; the budget is bytes for each. Raises `ParameterOutOfRange` for none."""
        if processes < 1:
            raise ParameterOutOfRange("there must be at least one process")
        self._processes = processes
        context = multiprocessing.get_context("spawn")
        together = context.Barrier(processes, timeout=START_SECONDS)
        self._executor = ProcessPoolExecutor(
            processes,
            mp_context=context,
            initializer=_build_tables,
            initargs=(int(public_key.n), memory_budget_bytes, window, together),
        )
        # The executor starts a process only when a task finds none idle: so many tasks, so many processes.
        self._started = [self._executor.submit(_is_ready) for _ in range(processes)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the processes; blocks not yet yielded are lost."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def warm_up(self) -> None:
        """Returns when every process has built its tables; optional, for those who measure."""
        for ready in self._started:
            ready.result()

    def encrypt_blocks(self, layout: SlotLayout, blocks: Iterable[Block]) -> Iterator[list[bytes]]:
        """For each block, in order, its encrypted columns (`portfolio.encrypt_column`).

        Raises what the first failing block raised (`PackedOverflow`); BrokenProcessPool when a process died.
        """
        pending: deque[Future[list[bytes]]] = deque()
        for block in blocks:
            pending.append(self._executor.submit(_encrypt_block, layout, block))
            if len(pending) >= self._processes * IN_FLIGHT_PER_PROCESS:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _build_tables(n: int, memory_budget_bytes: int, window: int | None, together: Barrier) -> None:
    global _encryptor  # noqa: PLW0603 - a worker process exists for one key
    _encryptor = Encryptor(PublicKey(mpz(n)), memory_budget_bytes=memory_budget_bytes, window=window)
    together.wait()


def _is_ready() -> None:
    """A task that does nothing: whoever runs it has been through the initializer."""


def _encrypt_block(layout: SlotLayout, block: Block) -> list[bytes]:
    if _encryptor is None:
        raise RuntimeError("the initializer of this process did not run")
    return [encrypt_column(_encryptor, layout, values) for values in block]
