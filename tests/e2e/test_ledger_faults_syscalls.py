"""Each system call by which a ledger process touches its files fails once, early and late: while a log is made, while
it appends, and while it is opened again. The process may end with an error or go on; either way the database agrees
with itself, all receipts verify, and the log opens without anybody's help (tests/support/killed_log.py). `write` is not
among them: SQLite, second place and witnesses write at offsets.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import TEST_SECONDS
from tests.support.injected_calls import Fault
from tests.support.killed_log import KilledLog, Nursery, nursery

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(TEST_SECONDS)]

CALLS = [
    ("pwrite64", "EIO"),
    ("pwrite64", "ENOSPC"),
    ("fsync", "EIO"),
    ("fdatasync", "EIO"),
    ("rename", "EIO"),
    ("openat", "EIO"),
    ("openat", "EMFILE"),
    ("ftruncate", "EIO"),
    ("pread64", "EIO"),
    ("read", "EIO"),
    ("flock", "ENOLCK"),
    ("unlink", "EIO"),
]
MOMENTS = (1, 2, 3, 4, 6, 9, 14, 21, 35)
"""Which call of its kind in a thread."""


@pytest.fixture(scope="module")
def lives() -> Iterator[Nursery]:
    with nursery() as begun:
        yield begun


@pytest.mark.parametrize(("call", "error"), CALLS)
def test_a_call_that_fails_once_loses_nothing(tmp_path: Path, lives: Nursery, call: str, error: str) -> None:
    failed = 0
    for when in MOMENTS:
        log = KilledLog(tmp_path / str(when), "", lives, random.Random(when))  # noqa: S311 - it has no secrets to make
        fault = Fault(call, error, when)
        # A log that is new, then one that was left by a life with an error.
        now = sum(log.live_briefly(fault) for _ in range(2))
        log.judge()
        failed += now
        if not now:
            break
    assert failed, f"no process called {call}"
