"""A log on a machine whose power is cut, again and again, and the judgement of what its disk may hold then.

A few lives of a log are recorded, call by call (`recorded_calls`): some are ended by SIGKILL, so that the next one
finds what no disk has yet; the last one ends by itself. Then the power is cut at many moments of the recording. What
the disk may hold (`power_cut`) is laid out in a folder of its own, and judged like what a killed log left
(`killed_log`): everything acknowledged before the cut is there, in its place; the database agrees with itself and with
the second place; the log opens without anybody's help and goes on, and the witnesses still follow. The second place is
also never behind a witness. The last cut of a recording is where the next one begins.

Database, all files beside it, and second place are on the disk. Witnesses are other machines, and so are the writers
with what they were told.
"""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

from ledger.second_place import SecondPlace
from tests.support.killed_log import KilledLog, Nursery, nursery
from tests.support.mortal_log import ENDLESS
from tests.support.power_cut import Change, Fate, Image, Part, Recording
from tests.support.recorded_calls import Call
from tests.support.running_log import POLICY

ON_DISK = ("log", "second")
"""Folders of a `LogFolder`."""
TOLD = "acknowledged-"
"""Begins the names of the files with what writers were told."""
KILLED_LIVES = 2
"""Of each recording, before the one that ends by itself."""
ENTRIES = 6
"""Of each of the 16 writers in a life that ends by itself."""
SECTORS = (512, 4096)
"""Bytes that a disk writes as a whole: old ones or new ones."""

SOON = 12
"""Calls after a name."""


@dataclass(frozen=True)
class Cuts:
    """What `cut_power` did; `seed` brings the same choices again, though not the same recording."""

    cuts: int
    seed: int
    acknowledged: int
    """Entries that were looked for, over all cuts."""
    undecided: int
    """Changes that were not durable, over all cuts."""
    seconds_each: float


def cut_power(path: Path, cuts: int, recordings: int = 1, seed: int = 0) -> Cuts:
    """So many cuts of each recording. A `seed` of 0 is any."""
    seed = seed or random.SystemRandom().randrange(1, 2**32)
    print(f"seed {seed}")
    chance, began, acknowledged, undecided = random.Random(seed), time.monotonic(), 0, 0  # noqa: S311 - no secrets
    with nursery() as lives:
        log = new_log(path / "log", lives, chance)
        for number in range(recordings):
            recording = record(log, path / f"calls-{number}", KILLED_LIVES)
            moments = Moments(recording, chance)
            for cut in range(cuts):
                moment = moments.draw()
                image = recording.image(moment, fate_of(recording, moment, chance))
                log = judged(image, path / f"log-{number}-{cut}", lives, chance)
                acknowledged += log.acknowledged
                undecided += len(recording.undecided(moment))
                if cut < cuts - 1:
                    shutil.rmtree(log.folder.path)
    done = Cuts(recordings * cuts, seed, acknowledged, undecided, (time.monotonic() - began) / (recordings * cuts))
    print(done)
    return done


def new_log(path: Path, lives: Nursery, chance: random.Random) -> KilledLog:
    """Without any life yet; the folder of its database is there."""
    (path / "log").mkdir(parents=True)
    return KilledLog(path, "", lives, chance)


def record(log: KilledLog, journals: Path, killed: int) -> Recording:
    """So many killed lives, and one more."""
    recording = Recording.before(log.folder.path, ON_DISK)
    for life in range(killed + 1):
        journal = journals.with_name(f"{journals.name}-{life}")
        log.live_recorded(journal, ENDLESS if life < killed else ENTRIES)
        recording.add(journal)
        journal.unlink()
    return recording


def judged(image: Image, path: Path, lives: Nursery, chance: random.Random) -> KilledLog:
    """The log of an image, if everything about it is as it has to be."""
    log = laid_out(image, path, lives, chance)
    judge(log)
    return log


def judge(log: KilledLog) -> None:
    """Raises unless everything about it is as it has to be."""
    place = SecondPlace(log.folder.second_place, POLICY.logs).read()
    known = max(local.witness.known_size() for local in log.folder.witnesses.values())
    assert known <= (0 if place is None else place[1].size), "a signature left before the second place was durable"
    log.examine(log.folder.path / f"{TOLD}0")
    log.judge()


def laid_out(image: Image, path: Path, lives: Nursery, chance: random.Random, database: str = "") -> KilledLog:
    """An image as files, and all that was ever told to writers in one of them."""
    image.write(path)
    # Of this recording's lives after all those before.
    told = sorted(path.glob(f"{TOLD}*"), key=lambda each: int(each.name.removeprefix(TOLD)))
    lines = b"".join(each.read_bytes() for each in told)
    for each in told:
        each.unlink()
    (path / f"{TOLD}0").write_bytes(lines)
    return KilledLog(path, database, lives, chance)


class Moments:
    """Of a recording, to cut the power at."""

    def __init__(self, recording: Recording, chance: random.Random) -> None:
        self._chance = chance
        calls = [call for call in recording.calls if call.ended < recording.end]
        self.told = [call.begun + 1 for call in calls if call.name == "write" and is_told(call)]
        """Right after a writer was told something."""
        self._begun = [call.begun + 1 for call in calls]
        self._open = [moment for moment in self._begun if recording.undecided(moment)]
        """While something is not durable."""
        named = [number for number, call in enumerate(calls) if call.name in ("rename", "unlink") or is_made(call)]
        self._named = [self._begun[number] for first in named for number in range(first, min(first + SOON, len(calls)))]
        """Soon after a file got a name or lost it."""

    def draw(self) -> int:
        """Also any other: while witnesses write, while the log opens or closes."""
        return self._chance.choice(self._chance.choice((self.told, self._open, self._open, self._named, self._begun)))


def is_made(call: Call) -> bool:
    """Whether it may have made a file."""
    return call.name == "openat" and "O_CREAT" in call.arguments


def is_told(call: Call) -> bool:
    """Whether it tells a writer something."""
    return call.file is not None and call.file.name.startswith(TOLD)


def fate_of(recording: Recording, moment: int, chance: random.Random) -> Fate:
    """What is not durable is lost, or kept, or the first of it is, or any of it, also by halves."""
    undecided = recording.undecided(moment)
    match chance.randrange(5):
        case 0:
            return lost
        case 1:
            return kept
        case 2:
            last = chance.choice(undecided or [0])
            return lambda change: _up_to(last, change, chance)
        case _:
            return partial(_any, chance=chance)


def _up_to(last: int, change: Change, chance: random.Random) -> list[Part] | None:
    if change.begun == last:
        return torn(change, chance)
    return kept(change) if change.begun < last else None


def _any(change: Change, chance: random.Random) -> Sequence[Part] | None:
    fate: Fate = chance.choice((lost, kept, partial(torn, chance=chance)))
    return fate(change)


def lost(change: Change) -> list[Part] | None:
    """Nothing of it is there."""
    return None


def kept(change: Change) -> list[Part]:
    """All of it is."""
    return [] if change.data is None else [(change.offset, change.data)]


def torn(change: Change, chance: random.Random) -> list[Part] | None:
    """Some sectors of it: the first ones, or any. What has no sectors is there or is not."""
    if change.data is None:
        return chance.choice((None, []))
    sector = chance.choice(SECTORS)
    end = change.offset + len(change.data)
    bounds = [change.offset, *range((change.offset // sector + 1) * sector, end, sector), end]
    data = change.data
    parts = [(start, data[start - change.offset : stop - change.offset]) for start, stop in pairwise(bounds)]
    if chance.random() < 0.5:
        return parts[: chance.randrange(len(parts))]
    return [part for part in parts if chance.random() < 0.5]
