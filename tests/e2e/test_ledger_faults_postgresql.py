"""System calls that fail between the ledger and PostgreSQL, and beneath PostgreSQL. What is looked at after every life
is what it is after a death: tests/support/killed_log.py.

On the ledger's side a call on a connection fails once in each of its threads, early and late. The ledger never ends of
it: a call has a named error, the history is read again, the session is replaced. What strace fails is not sent, while
the connection stays: so the server is told to end sessions that say nothing, as it would find them broken in reality.

On the server's side a write or a sync fails. Where that is its write-ahead log or any sync, PostgreSQL panics by design
and recovers; the ledger goes on with what was kept.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psycopg
import pytest

from tests.e2e.conftest import TEST_SECONDS
from tests.support.injected_calls import Fault
from tests.support.killed_log import KilledLog, Nursery, nursery
from tests.support.postgresql import PostgresqlServer, emptied, new_database, running_postgresql
from tests.support.server_strikes import CHECKPOINTER, SEQUENCER, fail_call

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(TEST_SECONDS)]

CALLS = {
    ("socket", "EMFILE"): (1, 3),
    ("connect", "ECONNREFUSED"): (1, 3),
    ("sendto", "EPIPE"): (12,),
    ("recvfrom", "ECONNRESET"): (1, 21),
    ("recvfrom", "ETIMEDOUT"): (2, 14),
    ("poll", "ENOMEM"): (1, 21),
}
"""And which call of its kind in a thread fails."""
SILENCE = "300ms"
"""After which the server ends a session."""
SERVER_CALLS = {
    "first sync of its log": (SEQUENCER, Fault("fdatasync", "EIO", 1)),
    "later sync of its log": (SEQUENCER, Fault("fdatasync", "EIO", 7)),
    "first write": (SEQUENCER, Fault("pwrite64", "EIO", 1)),
    "later write": (SEQUENCER, Fault("pwrite64", "EIO", 5)),
    "sync of its log by a checkpoint": (CHECKPOINTER, Fault("fdatasync", "EIO", 1)),
    "sync of its tables by a checkpoint": (CHECKPOINTER, Fault("fsync", "EIO", 1)),
}


@pytest.fixture(scope="module")
def lives() -> Iterator[Nursery]:
    with nursery() as begun:
        yield begun


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresqlServer]:
    with running_postgresql(durable=True) as running:
        yield running


@pytest.fixture(scope="module")
def database(server: PostgresqlServer) -> str:
    return new_database(server.url)


@pytest.fixture(scope="module")
def impatient(server: PostgresqlServer) -> str:
    """A database whose sessions may not be silent."""
    address = new_database(server.url)
    with psycopg.connect(address, autocommit=True) as session:
        for setting in ("idle_session_timeout", "idle_in_transaction_session_timeout"):
            session.execute(f"ALTER DATABASE {session.info.dbname} SET {setting} = '{SILENCE}'")
    return address


@pytest.mark.parametrize(("call", "error"), CALLS)
def test_a_call_on_the_connection_that_fails_once_loses_nothing(
    tmp_path: Path, lives: Nursery, impatient: str, call: str, error: str
) -> None:
    for when in CALLS[call, error]:
        log = KilledLog(tmp_path / str(when), emptied(impatient), lives, random.Random(when))  # noqa: S311 - no secrets
        # A log that is new, then one that was left by a life with a fault.
        failed = [log.live_briefly(Fault(call, error, when), ends_well=True) for _ in range(2)]
        assert any(failed), f"no thread makes {when} calls of {call}"
        log.judge()


@pytest.mark.parametrize("name", SERVER_CALLS)
def test_a_call_of_the_server_that_fails_once_loses_nothing(
    tmp_path: Path, lives: Nursery, server: PostgresqlServer, database: str, name: str
) -> None:
    process, fault = SERVER_CALLS[name]
    log = KilledLog(tmp_path / "log", emptied(database), lives, random.Random(fault.when))  # noqa: S311 - no secrets
    errors, panics = server.told("Input/output error"), server.told("PANIC: ")
    log.live(partial(fail_call, server, database, process, fault))
    assert server.told("Input/output error") > errors
    assert server.told("PANIC: ") > panics or "write" in name  # one that extends a table is an error and no more
    log.judge()
    assert log.acknowledged
