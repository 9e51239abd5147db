"""The whole comparison, in one run on one disk: rounds in which the ledger and the naive logs take turns; medians.

An *append* here is durable and nothing more, as a naive one is: through the sequencer, with tree, keys and search
columns. What a caller of the running ledger waits for besides (a signed and cosigned checkpoint, the receipt) is
measured too, under `receipt…`. A naive log is measured with one writer and with 64, and the better of both counts.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from benchmarks import machine
from benchmarks.ledger import appending, disk, naive, reading, verifying
from benchmarks.ledger.workload import Keys, Workload
from ledger.export import write_export
from ledger.storage.interface import LogReader, LogStorage
from ledger.storage.postgres import PostgresStorage
from ledger.storage.sqlite import SqliteStorage
from tests.support.postgresql import NoPostgresql, new_database, postgresql_server

Progress = Callable[[str], None]
WRITERS = 64
SMALL = 10_000
"""Size of the log that a grown one is compared with."""
MILLION = 1_000_000


@dataclass(frozen=True)
class Plan:
    """How much to measure; `quick` stays under a minute."""

    entries: int
    rounds: int
    appends: int
    naive_appends: int
    receipts: dict[int, int]
    repeat: int


FULL = Plan(MILLION, 5, 6_400, 320, {1: 100, WRITERS: 2_560}, 40)
QUICK = Plan(20_000, 3, 1_920, 96, {1: 20, WRITERS: 640}, 10)


@dataclass
class _Samples:
    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, *values: float) -> None:
        self.values.setdefault(name, []).extend(values)

    def median(self, name: str) -> float:
        return statistics.median(self.values[name])


def run(plan: Plan, progress: Progress) -> dict[str, object]:
    """Everything, as JSON."""
    work, samples = Workload(plan.entries), _Samples()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="ledger-bench-")))
        server = stack.enter_context(_server())
        result = _appending(plan, folder, server, work, samples, progress)
        large = _grown(stack, folder / "large.db", plan, work, progress)
        result |= _growth(plan, stack, folder, large, work, samples, progress)
        result |= _reading(plan, large, work, progress)
        result |= _verifying(folder, large, progress)
        versions = _versions(server)
    sizes = {"entries": plan.entries, "extrapolated_to_a_million": plan.entries < MILLION}
    about = {"machine": machine.describe(["consentgate", "psycopg"]), "versions": versions, "load": machine.load()}
    return {**result, **sizes, **about}


@contextmanager
def _server() -> Iterator[str | None]:
    """A PostgreSQL server on the same disk, that waits for it; None where there is none to start."""
    with ExitStack() as stack:
        try:
            url = stack.enter_context(postgresql_server(durable=True))
        except NoPostgresql:
            url = None
        yield url


def _appending(
    plan: Plan, folder: Path, server: str | None, work: Workload, samples: _Samples, progress: Progress
) -> dict[str, object]:
    with ExitStack() as stack:
        sides = [_sqlite_side(stack, folder, work)]
        if server is not None:
            sides.append(_postgres_side(stack, server, work))
        for number in range(plan.rounds + 1):
            progress(f"appends: round {number} of {plan.rounds}")
            current = samples if number else _Samples()  # The first round only warms up.
            current.add("sync", *disk.sync_seconds(folder, 60))
            for side in sides:
                _append_round(side, plan, work, current)
    names = [side.name for side in sides]
    for side in sides:
        progress(f"receipts: {side.name}")
        done = appending.receipts(side.open_new, folder / f"log-{side.name}", work, plan.receipts)
        samples.add(f"receipt {side.name}", *done[1].latencies)
        samples.add(f"receipts {side.name}", done[WRITERS].rate)
    return _append_figures(samples, names)


@dataclass(frozen=True)
class _Side:
    name: str
    storage: LogStorage
    naive: naive.NaiveLog
    open_new: Callable[[], LogStorage]


def _sqlite_side(stack: ExitStack, folder: Path, work: Workload) -> _Side:
    storage = SqliteStorage.open(folder / "small.db")
    opponent = naive.NaiveSqlite(folder / "naive.db")
    stack.callback(storage.close)
    stack.callback(opponent.close)
    appending.grow(storage, work, SMALL, _silent)
    return _Side("sqlite", storage, opponent, lambda: SqliteStorage.open(folder / "receipts.db"))


def _postgres_side(stack: ExitStack, server: str, work: Workload) -> _Side:
    storage = PostgresStorage.open(new_database(server))
    opponent = naive.NaivePostgres(new_database(server))
    stack.callback(storage.close)
    stack.callback(opponent.close)
    appending.grow(storage, work, SMALL, _silent)
    return _Side("postgres", storage, opponent, lambda: PostgresStorage.open(new_database(server)))


def _append_round(side: _Side, plan: Plan, work: Workload, samples: _Samples) -> None:
    ours = appending.sequence(side.storage, work, plan.appends, WRITERS)
    samples.add(f"ours {side.name}", ours.rate)
    samples.add(f"p99 {side.name}", ours.p99)
    for writers in (1, WRITERS):
        samples.add(f"naive {side.name} {writers}", naive.rate(side.naive, work, plan.naive_appends, writers))


def _append_figures(samples: _Samples, names: list[str]) -> dict[str, object]:
    sync = samples.median("sync")
    result: dict[str, object] = {}
    for name in ("sqlite", "postgres"):
        measured = name in names
        better = max(samples.median(f"naive {name} {writers}") for writers in (1, WRITERS)) if measured else 0.0
        ours = samples.median(f"ours {name}") if measured else 0.0
        result[f"append_per_s_{name}"] = round(ours) if measured else None
        result[f"naive_per_s_{name}"] = round(better) if measured else None
        result[f"append_vs_naive_{name}"] = round(ours / better, 2) if measured else None
        result[f"receipts_per_s_{name}"] = round(samples.median(f"receipts {name}")) if measured else None
        result[f"p99_ms_64_writers_{name}"] = _ms(samples.median(f"p99 {name}")) if measured else None
    p99 = samples.median("p99 sqlite")
    return {
        **result,
        "p99_ms_64_writers": _ms(p99),
        "fsync_ms": _ms(sync),
        "fsync_p99_ms": _ms(sorted(samples.values["sync"])[int(len(samples.values["sync"]) * 0.99)]),
        "p99_vs_fsync": round(p99 / sync, 2),
        "receipt_ms": _ms(samples.median("receipt sqlite")),
    }


def _grown(stack: ExitStack, path: Path, plan: Plan, work: Workload, progress: Progress) -> LogStorage:
    storage = SqliteStorage.open(path)
    stack.callback(storage.close)
    told = plan.entries // 10

    def tell(done: int, total: int) -> None:
        if done % told < appending.BULK:
            progress(f"growing: {done} of {total}")

    appending.grow(storage, work, plan.entries, tell)
    return storage


def _growth(
    plan: Plan, stack: ExitStack, folder: Path, large: LogStorage, work: Workload, samples: _Samples, progress: Progress
) -> dict[str, object]:
    """Do appends slow down? The grown log and a small one take turns."""
    small = SqliteStorage.open(folder / "small.db")
    stack.callback(small.close)
    for number in range(plan.rounds + 1):
        progress(f"appends at {SMALL} and at {plan.entries}: round {number} of {plan.rounds}")
        current = samples if number else _Samples()
        current.add("rate small", appending.sequence(small, work, plan.appends, WRITERS).rate)
        current.add("rate large", appending.sequence(large, work, plan.appends, WRITERS).rate)
    rates = samples.median("rate small"), samples.median("rate large")
    return {
        "append_per_s_at_10k": round(rates[0]),
        "append_per_s_at_end": round(rates[1]),
        "append_end_vs_10k": round(rates[1] / rates[0], 3),
    }


def _reading(plan: Plan, large: LogReader, work: Workload, progress: Progress) -> dict[str, object]:
    progress("searches and receipts")
    size, note = large.head().size, Keys().note(MILLION, bytes(32))
    found = reading.search_seconds(large, work, size, plan.repeat)
    every = sorted(seconds for sort in found.values() for seconds in sort)
    seconds, sizes = reading.receipt_seconds(large, size, note, plan.repeat * 10)
    return {
        "search_ms_1m": _ms(every[int(len(every) * 0.99)]),
        "search_median_ms_1m": _ms(statistics.median(every)),
        "search_worst_ms": {name: _ms(max(sort)) for name, sort in found.items()},
        "receipt_read_ms": _ms(statistics.median(seconds)),
        "proof_bytes_1m": reading.proof_bytes(MILLION, note),
        "proof_bytes": max(sizes),
    }


def _verifying(folder: Path, large: LogReader, progress: Progress) -> dict[str, object]:
    progress("exporting")
    keys, chain = Keys(), appending.stored_chain(large)  # type: ignore[arg-type]  # it only reads
    policy = folder / "ledger-policy.txt"
    policy.write_text(keys.policy_text)
    starts = range(0, chain.size, appending.BULK)
    leaves = (leaf for start in starts for leaf in large.leaves(start, min(start + appending.BULK, chain.size)))
    write_export(folder / "export", keys.note(chain.size, chain.root()), leaves)
    progress("verifying the export")
    result = verifying.verify(folder / "export", policy)
    rate = result["entries"] / result["seconds"]
    return {
        "verify_entries_per_s": round(rate),
        "million_verify_s": round(MILLION / rate, 1),
        "million_verify_cpu_s": round(MILLION / result["entries"] * result["worked"], 1),
        "million_verify_rss_mb": round(result["rss_mb"], 1),
        "leaf_bytes": round(sum(map(len, large.leaves(0, 1000))) / 1000),
    }


def _versions(server: str | None) -> dict[str, str | None]:
    if server is None:
        return {"postgresql": None}
    with psycopg.connect(server.replace("+psycopg", "")) as session:
        row = session.execute("SHOW server_version").fetchone()
    return {"postgresql": None if row is None else str(row[0])}


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 3)


def _silent(done: int, total: int) -> None:
    """The small logs are there in a moment."""
