"""Appends in rounds: the ledger, the naive logs and the disk take turns, on both databases; what counts are medians.

The disk's own fsync is measured before every turn of the ledger's, so both see the same disk and the same load.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.ledger import appending, disk, naive, peers, slower_disk
from benchmarks.ledger.floor import Floor
from benchmarks.ledger.samples import P99, SMALL, WRITERS, Plan, Samples, ms
from benchmarks.ledger.workload import Workload
from benchmarks.progress import Told
from ledger.storage.interface import LogStorage
from ledger.storage.postgres import PostgresStorage
from ledger.storage.sqlite import SqliteStorage
from tests.support.postgresql import new_database

SYNCS = 30
"""Probes of the disk before a turn."""
LEAF_BYTES = 900
"""Of a peer's leaves: as many as ours have."""
MILLISECOND_US = 1000


@dataclass(frozen=True)
class Side:
    """One database: our log on it, and a naive one."""

    name: str
    storage: LogStorage
    naive: naive.NaiveLog
    open_new: Callable[[], LogStorage]


def measure(plan: Plan, folder: Path, server: str | None, work: Workload, tell: Told) -> dict[str, object]:
    """All figures about appending to a log of SMALL entries."""
    samples = Samples()
    with ExitStack() as stack:
        sides = [_sqlite_side(stack, folder, work)]
        if server is not None:
            sides.append(_postgres_side(stack, server, work))
        for number in range(plan.rounds + 1):
            current = samples if number else Samples()  # The first round only warms up.
            for side in sides:
                _turn(side, plan, folder, work, current)
            tell("appends, ours and naive", number + 1, plan.rounds + 1)
    for number, side in enumerate(sides, 1):
        done = appending.receipts(side.open_new, folder / f"log-{side.name}", work, plan.receipts)
        samples.add(f"receipt {side.name}", *done[1].latencies)
        samples.add(f"receipts {side.name}", done[WRITERS].rate)
        tell("receipts", number, len(sides))
    missing: dict[str, object] = dict.fromkeys(_names("postgres"))
    return {
        **_figures("sqlite", samples),
        **(missing if server is None else _figures("postgres", samples)),
        **_latencies(samples),
        **_slower(plan, tell),
        **_floor(plan, folder, work),
        **_peer(plan, folder, samples),
    }


def _sqlite_side(stack: ExitStack, folder: Path, work: Workload) -> Side:
    storage = SqliteStorage.open(folder / "small.db")
    opponent = naive.NaiveSqlite(folder / "naive.db")
    stack.callback(storage.close)
    stack.callback(opponent.close)
    appending.grow(storage, work, SMALL)
    return Side("sqlite", storage, opponent, lambda: SqliteStorage.open(folder / "receipts.db"))


def _postgres_side(stack: ExitStack, server: str, work: Workload) -> Side:
    storage = PostgresStorage.open(new_database(server))
    opponent = naive.NaivePostgres(new_database(server))
    stack.callback(storage.close)
    stack.callback(opponent.close)
    appending.grow(storage, work, SMALL)
    return Side("postgres", storage, opponent, lambda: PostgresStorage.open(new_database(server)))


def _turn(side: Side, plan: Plan, folder: Path, work: Workload, samples: Samples) -> None:
    samples.add("fsync", *disk.sync_seconds(folder, SYNCS))
    ours = appending.sequence(side.storage, work, plan.appends, WRITERS)
    samples.add(f"ours {side.name}", ours.rate)
    samples.add(f"p50 {side.name}", ours.quantile(0.5))
    samples.add(f"p99 {side.name}", ours.quantile(P99))
    appending.settle()
    for writers in (1, WRITERS):
        samples.add(f"naive {side.name} {writers}", naive.rate(side.naive, work, plan.naive_appends, writers))


def _names(database: str) -> list[str]:
    figures = ("append_per_s", "naive_per_s", "append_vs_naive", "append_vs_naive_64_writers", "receipts_per_s")
    return [f"{figure}_{database}" for figure in (*figures, "p50_ms_64_writers", "p99_ms_64_writers")]


def _figures(name: str, samples: Samples) -> dict[str, object]:
    """Of one database; a naive log counts with the better of its two numbers of writers, and with as many as ours."""
    alone, together = (samples.median(f"naive {name} {writers}") for writers in (1, WRITERS))
    better, ours = max(alone, together), samples.median(f"ours {name}")
    ratios = (round(ours / better, 2), round(ours / together, 2))
    rates = (round(ours), round(better), *ratios, round(samples.median(f"receipts {name}")))
    latencies = (ms(samples.median(f"p50 {name}")), ms(samples.median(f"p99 {name}")))
    return dict(zip(_names(name), (*rates, *latencies), strict=True))


def _latencies(samples: Samples) -> dict[str, object]:
    """64 writers who wait for each other's commits wait 64 / rate on average: `p99_needs_per_s` is the rate from which
    on their *mean* is below ten times the disk's fsync.
    """
    p99, fsync = samples.median("p99 sqlite"), samples.median("fsync")
    return {
        "p99_ms_64_writers": ms(p99),
        "fsync_ms": ms(fsync),
        "fsync_p99_ms": ms(samples.quantile("fsync", P99)),
        "p99_vs_fsync": round(p99 / fsync, 2),
        "p99_needs_per_s": round(WRITERS / (10 * fsync)),
        "receipt_ms": ms(samples.median("receipt sqlite")),
    }


def _slower(plan: Plan, tell: Told) -> dict[str, object]:
    """`p99_vs_fsync` as it would be on disks that take longer: `p99_vs_fsync_1ms` where each fsync takes one more."""
    found = {}
    for number, delay in enumerate(plan.delays_us, 1):
        found[delay] = slower_disk.measure(delay, plan.rounds, plan.appends)
        tell("appends on slower disks", number, len(plan.delays_us))
    slower = [each for each in found.values() if each is not None]
    one = found[MILLISECOND_US]
    return {"p99_vs_fsync_1ms": None if one is None else one["p99_vs_fsync"], "p99_on_slower_disks": slower}


def _floor(plan: Plan, folder: Path, work: Workload) -> dict[str, object]:
    """What 64 writers would have if the ledger did nothing but commit (benchmarks.ledger.floor)."""
    floor, samples = Floor(folder / "floor.db"), Samples()
    for _ in range(plan.rounds):
        samples.add("fsync", *disk.sync_seconds(folder, SYNCS))
        appended = floor.sequence(work, plan.appends, WRITERS)
        samples.add("rate", appended.rate)
        samples.add("p99", appended.quantile(P99))
    floor.close()
    p99 = samples.median("p99")
    ratio = round(p99 / samples.median("fsync"), 2)
    return {"floor_per_s": round(samples.median("rate")), "floor_p99_ms": ms(p99), "floor_p99_vs_fsync": ratio}


def _peer(plan: Plan, folder: Path, samples: Samples) -> dict[str, object]:
    found = peers.pymerkle(folder, plan.peer_appends, LEAF_BYTES)
    return {
        "pymerkle_per_s": None if found is None else round(found[0]),
        "append_vs_pymerkle": None if found is None else round(samples.median("ours sqlite") / found[0], 1),
        "pymerkle": None if found is None else found[1],
    }
