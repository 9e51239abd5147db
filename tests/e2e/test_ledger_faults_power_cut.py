"""The power of the ledger's machine is cut three hundred times: five recordings of its system calls, each of several
lives, and each begun on what the last cut of the one before left. What is judged: tests/support/cut_log.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import TEST_SECONDS
from tests.support.cut_log import cut_power
from tests.support.injected_calls import NoStrace

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(TEST_SECONDS)]

RECORDINGS = 5
CUTS = 60


def test_after_three_hundred_power_cuts_everything_acknowledged_is_there(tmp_path: Path) -> None:
    try:
        done = cut_power(tmp_path, CUTS, RECORDINGS)
    except NoStrace as missing:
        pytest.skip(str(missing))
    assert done.cuts == RECORDINGS * CUTS
    assert done.acknowledged > done.cuts
    assert done.undecided > done.cuts
