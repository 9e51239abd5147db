"""How a PostgreSQL server fails beneath a ledger that is at work. Each strike returns once the server answers again."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress

import psycopg

from tests.support.injected_calls import Fault, end_by, happened
from tests.support.postgresql import PostgresqlServer

SEQUENCER = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
CHECKPOINTER = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'"
"""How the processes of a server are found."""
ANSWER_SECONDS = 30.0
DOWN_SECONDS = 0.05
"""How long the server is away at least."""


def kill_backend(server: PostgresqlServer, address: str) -> None:
    """SIGKILL of the process that serves the sequencer, the server then ends all others and recovers."""
    with suppress(psycopg.OperationalError), psycopg.connect(address, autocommit=True) as session:
        rows = session.execute("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted").fetchall()
        for (process,) in rows:
            os.kill(process, signal.SIGKILL)
        while rows:  # this session too is ended by the server
            session.execute("SELECT 1")
    _await_answer(address)


def stop_at_once(server: PostgresqlServer, address: str) -> None:
    """The operator's `pg_ctl stop -m immediate`."""
    server.stop_at_once()
    time.sleep(DOWN_SECONDS)
    server.start()


def kill_server(server: PostgresqlServer, address: str) -> None:
    """SIGKILL of all its processes at once."""
    server.kill()
    time.sleep(DOWN_SECONDS)
    server.start()


def fail_call(server: PostgresqlServer, address: str, process: str, fault: Fault) -> None:
    """A system call of one of the server's processes fails, of `SEQUENCER` or `CHECKPOINTER`. PostgreSQL does not go on
    from memory when its write-ahead log or a sync fails: the process panics, and the server recovers.
    """
    journal = server.folder / "calls"
    asking = threading.Thread(target=_ask_for_checkpoints, args=(address,)) if process == CHECKPOINTER else None
    pid = _pid_of(address, process)
    if asking is not None:
        asking.start()
    end_by(pid, fault, journal)
    if asking is not None:
        asking.join()
    assert happened(journal)
    _await_answer(address)


def _pid_of(address: str, process: str) -> int:
    """Waits for it: the ledger may just be connecting."""
    deadline = time.monotonic() + ANSWER_SECONDS
    with psycopg.connect(address, autocommit=True) as session:
        while time.monotonic() < deadline:
            row = session.execute(process).fetchone()  # type: ignore[call-overload,unused-ignore]
            if row is not None:
                return int(row[0])
            time.sleep(0.005)
    raise AssertionError("the server has no such process")


def _ask_for_checkpoints(address: str) -> None:
    """Until the server ends the session."""
    with suppress(psycopg.OperationalError), psycopg.connect(address, autocommit=True) as session:
        while True:
            session.execute("CHECKPOINT")


STRIKES = (kill_backend, stop_at_once, kill_server)


def _await_answer(address: str) -> None:
    deadline = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < deadline:
        with suppress(psycopg.OperationalError), psycopg.connect(address):
            return
        time.sleep(0.01)
    raise AssertionError("the server did not come back")
