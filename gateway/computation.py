"""Steps 8 and 9's arithmetic: encoded `missing` columns, the weighted sum, re-randomisation (design 2).

It runs in worker processes. gmpy2 holds the interpreter lock during a modular power, and one re-randomisation at 3072
bits is a single power of some 15 ms: in a thread it would stall every other call of the gateway, and a second core
would never be used. Processes are spawned, not forked: a fork would share the parent's random state and locks.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import wait

from gmpy2 import mpz

from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.scorecard import HeaderDepartment, Scorecard
from paillier import linear, wire
from paillier.public_key import PublicKey


@dataclass(frozen=True)
class WeightedColumns:
    """The ciphertexts present, in order, with one weight each, and the constant that stands for everything else."""

    ciphertexts: bytes
    weights: tuple[int, ...]
    bias: int
    weight_bits: int


def arrange(scorecard: Scorecard, present: Mapping[str, bytes]) -> WeightedColumns:
    """Orders what the departments sent as the scorecard's header does.

    A department that is not `present` (and whose header entry says `encode`) counts as missing in every column: its
    positions are known, so they need no ciphertext and become part of the constant.
    """
    weights: list[int] = []
    bias = scorecard.weights.bias
    points = iter(scorecard.weights.weights)
    parts = []
    for department in scorecard.header.departments:
        rows = [next(points).points for _ in department.columns]
        if department.id in present:
            parts.append(present[department.id])
            weights += [point for row in rows for point in row]
        else:
            bias += _missing_points(department, rows)
    return WeightedColumns(b"".join(parts), tuple(weights), bias, scorecard.header.weight_bits)


def _missing_points(department: HeaderDepartment, rows: Sequence[Sequence[int]]) -> int:
    return sum(
        point * position
        for entry, row in zip(department.columns, rows, strict=True)
        for point, position in zip(row, entry.column.encode(None), strict=True)
    )


def compute_score(modulus: int, columns: WeightedColumns) -> bytes:
    """Runs in a worker: one re-randomised ciphertext of the score."""
    key = PublicKey(mpz(modulus))
    ciphertexts = wire.split(columns.ciphertexts, key, len(columns.weights))
    total = linear.weighted_sum(key, ciphertexts, columns.weights, columns.bias)
    output = linear.rerandomise(key, total, weight_bits=columns.weight_bits, columns=max(1, len(columns.weights)))
    return wire.join([output], key)


class Computation:
    """A pool of worker processes; replaced once when a worker was killed."""

    def __init__(self, processes: int) -> None:
        self._processes = processes
        self._pool: Executor = self._new_pool()

    async def score(self, key: PublicKey, columns: WeightedColumns) -> bytes:
        """The encrypted score; raises INTERNAL when workers die repeatedly."""
        loop = asyncio.get_running_loop()
        modulus = int(key.n)
        for _ in range(2):
            pool = self._pool
            try:
                return await loop.run_in_executor(pool, compute_score, modulus, columns)
            except BrokenProcessPool:
                if self._pool is pool:
                    pool.shutdown(wait=False, cancel_futures=True)
                    self._pool = self._new_pool()
        raise ConsentgateError(ErrorCode.INTERNAL, private="worker processes die")

    async def warm(self) -> None:
        """Starts one worker and its imports, so that the first score does not wait for them."""
        await asyncio.get_running_loop().run_in_executor(self._pool, os.getpid)

    def close(self) -> None:
        """Ends the workers."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _new_pool(self) -> Executor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self._processes, mp_context=context, initializer=_end_with_parent)


def _end_with_parent() -> None:
    """Workers of a killed gateway would wait for work for ever: each watches its parent and leaves with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides when to end.
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    sentinel = parent.sentinel

    def watch() -> None:
        wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()
