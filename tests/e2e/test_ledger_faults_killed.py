"""SIGKILL at random moments under 16 writers, two hundred lives of a log on each database. PostgreSQL's server is
killed too: one process of it, all of them, or by an immediate stop. What is looked at after every death:
tests/support/killed_log.py.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.e2e.conftest import TEST_SECONDS
from tests.support.killed_log import end_lives
from tests.support.postgresql import emptied, new_database, running_postgresql
from tests.support.server_strikes import STRIKES

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(TEST_SECONDS)]

LIVES = 200


def test_two_hundred_lives_on_sqlite(tmp_path: Path) -> None:
    done = end_lives(tmp_path, LIVES, lambda: "")
    assert done.acknowledged > LIVES


def test_two_hundred_lives_on_postgresql(tmp_path: Path) -> None:
    with running_postgresql(durable=True) as server:
        database = new_database(server.url)
        strikes = [partial(strike, server) for strike in STRIKES]
        done = end_lives(tmp_path, LIVES, lambda: emptied(database), strikes)
    assert done.acknowledged > LIVES
