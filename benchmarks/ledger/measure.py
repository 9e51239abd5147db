"""The whole comparison, in one run on one disk: rounds in which the ledger and the naive logs take turns; medians.

An *append* here is durable and nothing more, as a naive one is: through the sequencer, with tree, keys and search
columns. What a caller of the running ledger waits for besides (a signed and cosigned checkpoint, the receipt) is
measured too, under `receipt…`. A naive log is measured with one writer and with 64, and the better of both counts.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from benchmarks import machine
from benchmarks.ledger import appending, reading, rounds, verifying
from benchmarks.ledger.samples import MILLION, SMALL, WRITERS, Plan, Samples, ms, quantile
from benchmarks.ledger.workload import Keys, Workload
from benchmarks.progress import Told
from ledger.export import write_export
from ledger.storage.interface import LogReader, LogStorage
from ledger.storage.sqlite import SqliteStorage
from tests.support.postgresql import NoPostgresql, postgresql_server


def run(plan: Plan, tell: Told) -> dict[str, object]:
    """Everything, as JSON."""
    work, begun, load = Workload(plan.entries), time.monotonic(), machine.load()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="ledger-bench-")))
        server = stack.enter_context(_server())
        result = rounds.measure(plan, folder, server, work, tell)
        large = SqliteStorage.open(folder / "large.db")
        stack.callback(large.close)
        appending.grow(large, work, plan.entries, partial(tell, "a large log grows"))
        result |= _growth(plan, folder, large, work, tell)
        result |= _reading(plan, large, work, tell)
        result |= _verifying(folder, large, tell)
        versions = _versions(server)
    sizes = {"entries": plan.entries, "extrapolated_to_a_million": plan.entries < MILLION}
    about = {"machine": machine.describe(["consentgate", "psycopg"]), "versions": versions}
    loads = {"load_before": load, "load_after": machine.load(), "minutes": round((time.monotonic() - begun) / 60, 1)}
    return {**result, **sizes, **about, **loads}


@contextmanager
def _server() -> Iterator[str | None]:
    """A PostgreSQL server on the same disk, that waits for it; None where there is none to start."""
    with ExitStack() as stack:
        try:
            url = stack.enter_context(postgresql_server(durable=True))
        except NoPostgresql:
            url = None
        yield url


def _growth(plan: Plan, folder: Path, large: LogStorage, work: Workload, tell: Told) -> dict[str, object]:
    """Do appends slow down? The grown log and one of SMALL entries, new each time, take turns, each after a few entries
    that only warm it up.
    """
    samples = Samples()
    for number in range(plan.rounds):
        small = SqliteStorage.open(folder / f"small-{number}.db")
        appending.grow(small, work, SMALL)
        for name, storage in (("small", small), ("large", large)):
            appending.sequence(storage, work, plan.appends // 16, WRITERS)
            appending.settle()
            samples.add(name, appending.sequence(storage, work, plan.appends, WRITERS).rate)
            appending.settle()
        small.close()
        tell("appends to a small and to the large log", number + 1, plan.rounds)
    rates = samples.median("small"), samples.median("large")
    pairs = zip(samples.values["small"], samples.values["large"], strict=True)
    return {
        "append_per_s_at_10k": round(rates[0]),
        "append_per_s_at_end": round(rates[1]),
        "append_end_vs_10k": round(statistics.median(large / small for small, large in pairs), 3),
    }


def _reading(plan: Plan, large: LogReader, work: Workload, tell: Told) -> dict[str, object]:
    tell("searches and receipts", 0, 1)
    size, note = large.head().size, Keys().note(MILLION, bytes(32))
    found = reading.search_seconds(large, work, size, plan.repeat)
    every = [seconds for sort in found.values() for seconds in sort]
    seconds, sizes = reading.receipt_seconds(large, size, note, plan.repeat * 10)
    tell("searches and receipts", 1, 1)
    return {
        "search_ms_1m": ms(quantile(every, 0.99)),
        "search_median_ms_1m": ms(statistics.median(every)),
        "search_worst_ms": {name: ms(max(sort)) for name, sort in found.items()},
        "receipt_read_ms": ms(statistics.median(seconds)),
        "proof_bytes_1m": reading.proof_bytes(MILLION, note),
        "proof_bytes": max(sizes),
    }


def _verifying(folder: Path, large: LogReader, tell: Told) -> dict[str, object]:
    keys, chain = Keys(), appending.stored_chain(large)  # type: ignore[arg-type]  # it only reads
    policy = folder / "ledger-policy.txt"
    policy.write_text(keys.policy_text)
    starts = range(0, chain.size, appending.BULK)
    leaves = (leaf for start in starts for leaf in large.leaves(start, min(start + appending.BULK, chain.size)))
    note = keys.note(chain.size, chain.root())
    write_export(folder / "export", note, leaves, partial(tell, "the large log is exported"))
    result = verifying.verify(folder / "export", policy, partial(tell, "the export is verified"))
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
