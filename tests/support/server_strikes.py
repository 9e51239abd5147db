"""How a PostgreSQL server fails beneath a ledger that is at work. Each strike returns once the server answers again."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

import psycopg

from tests.support.postgresql import PostgresqlServer

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


STRIKES = (kill_backend, stop_at_once, kill_server)


def _await_answer(address: str) -> None:
    deadline = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < deadline:
        with suppress(psycopg.OperationalError), psycopg.connect(address):
            return
        time.sleep(0.01)
    raise AssertionError("the server did not come back")
