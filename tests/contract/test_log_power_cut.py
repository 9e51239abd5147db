"""The power is cut under 16 writers, twenty times, on SQLite; `make e2e` cuts it 210 times, and beneath PostgreSQL too
(tests/e2e/test_ledger_faults_power_cut.py). How: tests/support/power_cut.py.

And the same recording on a disk that lies: it says that it has kept what it has not.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from ledger.errors import LedgerRolledBack
from tests.support.cut_log import Moments, cut_power, judged, laid_out, lost, new_log, record
from tests.support.killed_log import Nursery, nursery
from tests.support.power_cut import Lie, Recording
from tests.support.running_log import KIND, eventually, is_read_only, transition

CUTS = 20


@dataclass(frozen=True)
class Recorded:
    """One life of a log, and where copies of it can be judged."""

    recording: Recording
    moments: Moments
    lives: Nursery
    chance: random.Random


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    path, chance = tmp_path_factory.mktemp("recorded"), random.Random(1)  # noqa: S311 - it has no secrets to make
    with nursery() as lives:
        recording = record(new_log(path / "log", lives, chance), path / "calls", killed=0)
        yield Recorded(recording, Moments(recording, chance), lives, chance)


def test_after_a_power_cut_everything_acknowledged_is_there_and_the_log_goes_on(tmp_path: Path) -> None:
    done = cut_power(tmp_path, CUTS)
    assert done.acknowledged > CUTS
    assert done.undecided > CUTS


def test_without_its_syncs_the_log_would_not_survive(life: Recorded, tmp_path: Path) -> None:
    """So the judgement can fail: nothing is kept that was written since the first entry was acknowledged."""
    moment = life.moments.told[-1]
    image = life.recording.image(moment, lost, Lie(life.moments.told[0], ("log", "second")))
    with pytest.raises(AssertionError, match="before the second place was durable"):
        judged(image, tmp_path / "cut", life.lives, life.chance)
    judged(life.recording.image(moment, lost), tmp_path / "honest", life.lives, life.chance)


@pytest.mark.parametrize(("liars", "who"), [(("log",), "second place"), (("log", "second"), "witnesses")])
async def test_a_disk_that_lied_is_an_old_copy_and_never_signed_over(
    life: Recorded, tmp_path: Path, liars: tuple[str, ...], who: str
) -> None:
    """The database's disk lost what it had promised to keep; the second place is on another, or on the same."""
    moment, since = life.moments.told[-1], life.moments.told[0]
    log = laid_out(life.recording.image(moment, lost, Lie(since, liars)), tmp_path / "cut", life.lives, life.chance)
    folder, size = log.folder, log.folder.stored_size()
    known = {name: local.witness.known_size() for name, local in folder.witnesses.items()}
    assert 0 < size < max(known.values())
    async with folder.running() as running:
        await eventually(lambda: is_read_only(running))
        with pytest.raises(LedgerRolledBack, match=who):
            await running.append(KIND, transition(7), "key")
    assert {name: local.witness.known_size() for name, local in folder.witnesses.items()} == known
    with closing(folder.open_reader()) as reader:
        assert reader.head().size == size
