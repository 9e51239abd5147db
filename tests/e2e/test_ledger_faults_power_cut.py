"""The power of the ledger's machine is cut 210 times: five recordings of its system calls, each of several
lives, and each begun on what the last cut of the one before left. What is judged: tests/support/cut_log.py. And for a
PostgreSQL server and its ledger together (tests/support/cut_server.py).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import TEST_SECONDS
from tests.support.cut_log import cut_power
from tests.support.cut_server import cut_servers_power

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(TEST_SECONDS)]

RECORDINGS = 5
CUTS = 42
SERVER_CUTS = 20


def test_after_hundreds_of_power_cuts_everything_acknowledged_is_there(tmp_path: Path) -> None:
    done = cut_power(tmp_path, CUTS, RECORDINGS)
    assert done.cuts == RECORDINGS * CUTS
    assert done.acknowledged > done.cuts
    assert done.undecided > done.cuts


def test_after_power_cuts_beneath_postgresql_everything_acknowledged_is_there() -> None:
    done = cut_servers_power(SERVER_CUTS)
    assert done.acknowledged > SERVER_CUTS
    assert done.undecided > SERVER_CUTS
