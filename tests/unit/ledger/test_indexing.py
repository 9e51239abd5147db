"""The index behind a log, alone: an index in memory that can be made to fail, and no clock that a test waits for."""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import pytest
from structlog.testing import capture_logs

from ledger.errors import StorageFailed
from ledger.storage import indexing as indexing_module
from ledger.storage.indexing import Indexing
from ledger.storage.key_filter import KeyFilter
from tests.support.memory_index import MemoryLog

NEVER = 3600.0
"""A pause that no test sees the end of."""
WAIT = 10.0
"""Seconds that any wait here may last; all of them end by an event."""


Begin = Callable[[MemoryLog], Indexing]


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Indexing over such a log, which is closed in the end."""
    made: list[tuple[MemoryLog, Indexing]] = []

    def make(log: MemoryLog) -> Indexing:
        made.append((log, Indexing(log)))
        return made[-1][1]

    yield make
    for log, indexing in made:
        if not log.is_closed:
            indexing.close()


@pytest.fixture
def held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread does nothing before ROUND entries wait, and rounds are small."""
    monkeypatch.setattr(indexing_module, "PAUSE_SECONDS", NEVER)
    monkeypatch.setattr(indexing_module, "ROUND", 8)
    monkeypatch.setattr(indexing_module, "MAX_ROUND", 16)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread tries without pause."""
    monkeypatch.setattr(indexing_module, "PAUSE_SECONDS", 0.001)


def eventually(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + WAIT
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.001)


def names(start: int, end: int) -> list[str]:
    return [f"key {seq}" for seq in range(start, end)]


def found(log: MemoryLog, indexing: Indexing, keys: Sequence[str]) -> Mapping[str, int]:
    """As the storages look for keys: first in memory, then what is not there in the index."""
    return indexing.find(keys, len(log.keys), log.find)


def in_memory(indexing: Indexing, keys: Sequence[str], size: int) -> Mapping[str, int]:
    """What is found without a look into the index."""
    return indexing.find(keys, size, lambda _: {})


def looked_up(indexing: Indexing, keys: Sequence[str], size: int) -> list[str]:
    """Which of the keys the index is asked for."""
    asked: list[str] = []

    def note(keys: Sequence[str]) -> Mapping[str, int]:
        asked.extend(keys)
        return {}

    indexing.find(keys, size, note)
    return asked


def all_of(log: MemoryLog) -> dict[str, int]:
    return {key: seq for seq, key in enumerate(log.keys) if key is not None}


@pytest.mark.usefixtures("held_back")
def test_a_key_is_found_in_memory_until_it_is_indexed_and_leaves_memory_then(begin: Begin) -> None:
    log = MemoryLog()
    indexing = begin(log)
    indexing.appended(*log.append("key 0", None, "key 2"))
    assert in_memory(indexing, ["key 0", "key 1", "key 2"], 3) == {"key 0": 0, "key 2": 2}
    assert log.indexed == {}
    indexing.appended(*log.append(*names(3, 8)))
    eventually(lambda: len(log.indexed) == 7 and indexing._size == 8)
    assert found(log, indexing, names(0, 9)) == all_of(log)
    indexing.appended(*log.append("key 8"))
    assert in_memory(indexing, names(0, 9), 9) == {"key 8": 8}
    assert found(log, indexing, names(0, 9)) == all_of(log)


@pytest.mark.usefixtures("held_back")
def test_hardly_any_new_key_is_looked_up_and_every_old_one(begin: Begin) -> None:
    log = MemoryLog(1000)
    indexing = begin(log)
    indexing.appended(*log.append(*names(1000, 1100)))
    eventually(lambda: indexing._size == 1100)
    indexing.appended(*log.append("key 1100"))
    assert looked_up(indexing, names(0, 1101), 1101) == names(0, 1100)  # the last is in memory
    assert len(looked_up(indexing, names(5000, 6000), 1101)) < 10


@pytest.mark.usefixtures("held_back")
def test_a_key_that_somebody_else_recorded_is_looked_up(begin: Begin) -> None:
    log = MemoryLog(10)
    indexing = begin(log)
    log.append(*names(10, 20))  # by another process
    assert in_memory(indexing, names(0, 20), 20) == {}
    assert looked_up(indexing, names(0, 20), 20) == names(0, 20)


@pytest.mark.usefixtures("held_back")
def test_after_a_gap_no_key_is_answered_before_there_is_a_new_filter(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one from before does not know what somebody else recorded."""

    def fail() -> Iterator[str]:
        raise StorageFailed("the disk does not answer")

    log = MemoryLog(10)
    indexing = begin(log)
    log.append("key 10")  # by another process
    with monkeypatch.context() as broken:
        broken.setattr(log, "all_keys", fail)
        for _ in range(2):
            with pytest.raises(StorageFailed):
                in_memory(indexing, ["key 10"], 11)
    assert in_memory(indexing, ["key 10"], 11) == {}
    assert looked_up(indexing, ["key 10", "key 99"], 11) == ["key 10"]


@pytest.mark.usefixtures("held_back")
def test_a_key_that_is_indexed_right_after_the_filter_was_made_is_looked_up(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the thread, when somebody else appended just then."""
    log = MemoryLog(10)
    indexing = begin(log)
    is_made = False

    def make(keys: Iterable[str], size: int) -> KeyFilter:
        nonlocal is_made
        made, is_made = KeyFilter(keys, size), True
        return made

    class Lock:
        def __enter__(self) -> None: ...

        def __exit__(self, *_: object) -> None:
            nonlocal is_made
            if is_made:
                is_made = False
                log.append("late")
                indexing._extend()

    monkeypatch.setattr(indexing_module, "KeyFilter", make)
    monkeypatch.setattr(indexing, "_working", Lock())
    log.append("key 10")  # by another process
    in_memory(indexing, ["key 10"], 11)
    assert looked_up(indexing, ["late"], 12) == ["late"]


@pytest.mark.skipif(sys.platform != "linux", reason="threads have priorities of their own on Linux")
def test_the_thread_gives_way_to_whatever_else_has_work(begin: Begin) -> None:
    """And no other thread of the process does."""
    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    thread = begin(MemoryLog())._thread.native_id
    assert thread is not None
    eventually(lambda: os.getpriority(os.PRIO_PROCESS, thread) == 10)
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before


@pytest.mark.usefixtures("held_back")
def test_without_a_gap_keys_are_answered_without_a_look_at_the_log(begin: Begin) -> None:
    log = MemoryLog(3)
    indexing = begin(log)
    before = len(log.rounds)
    indexing.appended(*log.append("key 3"))
    in_memory(indexing, names(0, 4), 4)
    in_memory(indexing, [], 4)
    assert len(log.rounds) == before


@pytest.mark.usefixtures("held_back")
def test_much_that_waits_is_indexed_in_rounds_that_are_not_too_large(begin: Begin) -> None:
    log = MemoryLog()
    indexing = begin(log)
    log.rounds.clear()
    indexing.appended(*log.append(*names(0, 1003)))
    eventually(lambda: indexing._size == 1003)
    assert log.rounds == [16] * 62 + [11]
    assert log.indexed == all_of(log)


@pytest.mark.usefixtures("held_back")
def test_keys_from_the_first_that_is_not_indexed_on_stay_in_memory(begin: Begin) -> None:
    log = MemoryLog()
    indexing = begin(log)
    log.fail_in = 1
    with capture_logs() as journal:
        indexing.appended(*log.append(*names(0, 20)))
        eventually(lambda: len(journal) == 1)
    indexing.appended(*log.append("key 20"))
    assert in_memory(indexing, names(0, 21), 21) == {f"key {seq}": seq for seq in range(16, 21)}
    assert found(log, indexing, names(0, 21)) == all_of(log)


@pytest.mark.usefixtures("held_back")
def test_a_round_that_failed_is_not_tried_again_at_every_append(begin: Begin) -> None:
    log = MemoryLog()
    indexing = begin(log)
    log.failing = True
    with capture_logs() as journal:
        for step in range(20):
            indexing.appended(*log.append(*names(9 * step, 9 * step + 9)))
            eventually(lambda: len(journal) >= 1)
        until = time.monotonic() + 0.05
        while time.monotonic() < until:  # nothing happens, which takes no particular time
            assert len(journal) == 1
            time.sleep(0.001)
        indexing.close()


def test_few_entries_are_indexed_after_a_pause(begin: Begin, hurried: None) -> None:
    log = MemoryLog()
    indexing = begin(log)
    indexing.appended(*log.append("key 0"))
    eventually(lambda: log.indexed == {"key 0": 0})


def test_an_index_that_fails_stops_no_append_and_catches_up(begin: Begin, hurried: None) -> None:
    log = MemoryLog()
    indexing = begin(log)
    log.failing = True
    with capture_logs() as journal:
        for seq in range(50):
            indexing.wait_for_room(seq)
            indexing.appended(*log.append(f"key {seq}"))
            assert found(log, indexing, names(0, 51)) == all_of(log)
        eventually(lambda: len(journal) >= 2)  # it was tried again
        log.failing = False
        eventually(lambda: indexing._size == 50)
    assert log.indexed == all_of(log)
    assert {(entry["event"], entry["detail"]) for entry in journal} == {("index not extended", "the disk is full")}
    assert "key" not in str(journal)


def test_a_round_that_fails_in_the_middle_of_many_is_made_again(
    begin: Begin, hurried: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing_module, "ROUND", 4)
    monkeypatch.setattr(indexing_module, "MAX_ROUND", 4)
    log = MemoryLog()
    indexing = begin(log)
    for strike in range(5):
        log.fail_in = strike
        start = len(log.keys)
        indexing.appended(*log.append(*names(start, start + 19)))
        eventually(lambda: log.fail_in is not None and log.fail_in < 0)
        assert found(log, indexing, names(0, start + 20)) == all_of(log)
        log.fail_in = None
        eventually(lambda: indexing._size == len(log.keys))
    assert log.indexed == all_of(log)


def test_too_far_behind_an_append_fails_and_goes_on_when_the_index_works(
    begin: Begin, hurried: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing_module, "MAX_LAG", 4)
    monkeypatch.setattr(indexing_module, "LAG_SECONDS", -1.0)
    log = MemoryLog()
    indexing = begin(log)
    log.failing = True
    indexing.appended(*log.append(*names(0, 4)))
    indexing.wait_for_room(4)
    indexing.appended(*log.append("key 4"))
    with pytest.raises(StorageFailed, match="5 entries behind") as refused:
        indexing.wait_for_room(5)
    assert "key" not in str(refused.value)
    monkeypatch.setattr(indexing_module, "LAG_SECONDS", WAIT)
    log.failing = False
    indexing.wait_for_room(5)
    indexing.appended(*log.append("key 5"))
    assert found(log, indexing, names(0, 7)) == all_of(log)


@pytest.mark.usefixtures("held_back")
def test_an_append_that_waits_for_room_wakes_the_index(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where fewer entries wait than make a round, and the pause is long."""
    monkeypatch.setattr(indexing_module, "ROUND", 1000)
    monkeypatch.setattr(indexing_module, "MAX_LAG", 4)
    log = MemoryLog()
    indexing = begin(log)
    indexing.appended(*log.append(*names(0, 5)))
    monkeypatch.setattr(indexing_module, "PAUSE_SECONDS", 0.01)  # the pause between two looks of the one that waits
    indexing.wait_for_room(5)
    assert log.indexed == all_of(log)


@pytest.mark.usefixtures("held_back")
def test_everything_is_indexed_at_the_beginning(begin: Begin) -> None:
    log = MemoryLog(50)
    indexing = begin(log)
    assert log.indexed == all_of(log)
    assert in_memory(indexing, names(0, 50), 50) == {}


@pytest.mark.parametrize("call", [0, 1, 3])
@pytest.mark.usefixtures("held_back")
def test_a_failure_at_the_beginning_is_told_and_closes_the_index(call: int) -> None:
    """At the question for its size, in the first round, and in a later one."""
    log, threads = MemoryLog(50), threading.active_count()
    log.fail_in = call
    with pytest.raises(StorageFailed, match="the disk is full"):
        Indexing(log)
    assert log.is_closed
    assert threading.active_count() == threads


@pytest.mark.usefixtures("held_back")
def test_what_somebody_else_appended_is_indexed_before_keys_are_answered(begin: Begin) -> None:
    """So is what was stored by an append that failed: nobody told of it either."""
    log = MemoryLog()
    indexing = begin(log)
    indexing.appended(*log.append("key 0"))
    log.append("key 1", "key 2")
    assert found(log, indexing, names(0, 4)) == {"key 0": 0, "key 1": 1, "key 2": 2}
    # Nobody asked between the other's append and an own one.
    log.append("key 3")
    indexing.appended(*log.append("key 4"))
    assert found(log, indexing, names(0, 6)) == all_of(log)
    assert log.indexed == all_of(log)
    before = len(log.rounds)
    indexing.appended(*log.append("key 5"))
    assert found(log, indexing, names(0, 7)) == all_of(log)
    assert len(log.rounds) == before


@pytest.mark.usefixtures("held_back")
def test_while_a_gap_cannot_be_indexed_no_key_is_answered(begin: Begin) -> None:
    """That a key is unknown would be a guess."""
    log = MemoryLog()
    indexing = begin(log)
    log.append("key 0")
    indexing.appended(*log.append("key 1"))
    log.failing = True
    for _ in range(2):
        with pytest.raises(StorageFailed):
            in_memory(indexing, ["key 0", "key 1", "key 2"], 2)
    log.failing = False
    assert found(log, indexing, names(0, 3)) == {"key 0": 0, "key 1": 1}


@pytest.mark.usefixtures("held_back")
def test_after_a_failure_of_the_storage_an_older_index_is_extended_before_keys_are_answered(begin: Begin) -> None:
    """A standby took over that has the log, and not yet all of its index."""
    log = MemoryLog(40)
    indexing = begin(log)
    log.go_back(5)
    indexing.doubt()
    assert found(log, indexing, names(0, 41)) == all_of(log)
    assert len(log.indexed) == 40


@pytest.mark.usefixtures("held_back")
def test_while_the_index_is_doubted_no_key_leaves_memory(begin: Begin) -> None:
    log = MemoryLog()
    indexing = begin(log)
    indexing.appended(*log.append(*names(0, 9)))
    eventually(lambda: indexing._size == 9)
    log.go_back(5)
    indexing.doubt()
    indexing.appended(*log.append("key 9"))
    log.failing = True
    with pytest.raises(StorageFailed):
        found(log, indexing, names(0, 10))
    log.failing = False
    assert indexing._recent == all_of(log)
    assert found(log, indexing, names(0, 11)) == all_of(log)


@pytest.mark.usefixtures("held_back")
def test_closing_indexes_the_rest_and_ends_the_thread(begin: Begin) -> None:
    log, threads = MemoryLog(), threading.active_count()
    indexing = begin(log)
    indexing.appended(*log.append(*names(0, 5)))
    indexing.close()
    assert log.indexed == all_of(log)
    assert log.is_closed
    assert threading.active_count() == threads


@pytest.mark.usefixtures("held_back")
def test_closing_ends_also_when_the_rest_cannot_be_indexed(begin: Begin) -> None:
    """At once, although the thread is in the middle of its pause after a failure."""
    log, threads = MemoryLog(), threading.active_count()
    indexing = begin(log)
    log.failing = True
    with capture_logs() as journal:
        indexing.appended(*log.append(*names(0, 9)))
        eventually(lambda: len(journal) == 1)
        indexing.close()
    assert log.is_closed
    assert log.indexed == {}
    assert threading.active_count() == threads


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads take turns as often as the interpreter lets them."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("restless")
@pytest.mark.parametrize("seed", range(4))
def test_every_key_is_found_at_every_moment_while_entries_are_indexed(
    begin: Begin, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """With rounds, appends, foreign appends and failures in many an order."""
    monkeypatch.setattr(indexing_module, "PAUSE_SECONDS", 0.0005)
    monkeypatch.setattr(indexing_module, "ROUND", 6)
    monkeypatch.setattr(indexing_module, "MAX_ROUND", 10)
    log, chance = MemoryLog(), random.Random(seed)  # noqa: S311 - not a secret
    indexing = begin(log)
    known: dict[str, int] = {}
    with capture_logs():
        for step in range(600):
            log.failing = chance.random() < 0.2
            keys = [None if chance.random() < 0.1 else f"{step}/{number}" for number in range(chance.randint(1, 5))]
            start, records = log.append(*keys)
            known.update((key, seq) for seq, key in enumerate(keys, start) if key is not None)
            if chance.random() < 0.05:
                log.failing = False  # nobody is told of this append, so keys are answered from the log alone
            else:
                indexing.appended(start, records)
            asked = [*(key for key in keys if key), *chance.sample(sorted(known), min(len(known), 10)), f"{step}/9"]
            try:
                answer = found(log, indexing, asked)
            except StorageFailed:
                assert log.failing
                continue
            assert answer == {key: known[key] for key in asked if key in known}
        log.failing = False
        eventually(lambda: indexing._size == indexing._target)
    indexing.close()
    assert log.indexed == known
