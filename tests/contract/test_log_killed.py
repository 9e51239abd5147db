"""SIGKILL at random moments under 16 writers, twenty lives for each storage; `make e2e` ends two hundred of each
(tests/e2e/test_ledger_faults_killed.py). What is looked at after every death: tests/support/killed_log.py.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tests.support.killed_log import end_lives
from tests.support.postgresql import PostgresqlServer, emptied
from tests.support.server_strikes import STRIKES

LIVES = 20


def test_a_killed_log_on_sqlite_keeps_what_it_acknowledged_and_nothing_by_halves(tmp_path: Path) -> None:
    assert end_lives(tmp_path, LIVES, lambda: "").acknowledged


def test_a_killed_log_on_postgresql_keeps_what_it_acknowledged_and_nothing_by_halves(
    tmp_path: Path, postgresql: PostgresqlServer, database: str
) -> None:
    """In every fifth life the server is killed too, or one of its processes, or it is stopped at once."""
    strikes = [partial(strike, postgresql) for strike in STRIKES]
    assert end_lives(tmp_path, LIVES, lambda: emptied(database), strikes).acknowledged
