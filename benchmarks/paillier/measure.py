"""The whole comparison: every figure from rounds in which our side and each peer take turns; medians of the rounds.

All sides are bound to one and the same core, so that a busy neighbour slows them alike. Each ratio is peer time / ours.
Results are compared with plain arithmetic before any time counts. The slowest sides get fewer repetitions.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from benchmarks import machine
from benchmarks.paillier import peers, scaling, streaming, workload
from benchmarks.paillier.ours import Ours
from benchmarks.paillier.peers import Peer
from benchmarks.paillier.workload import COLUMNS, Workload

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How long to measure, and against whom; `quick` stays under a minute."""

    bits: Sequence[int]
    rounds: int
    portfolio_chunks: int
    streamed: tuple[int, int]
    streamed_columns: int
    scaling_blocks: int
    peers: Sequence[str] = peers.NAMES


FULL = Plan((2048, 3072), 7, 6, (10_000, 100_000), COLUMNS, 20)
QUICK = Plan((3072,), 3, 2, (10_000, 100_000), 1, 4)

COMPARED = (("encrypt", 12), ("decrypt", 4), ("dot", 3))
"""(operation, repetitions a round)."""
PEER_COMPANIES = {"phe": 1, "heu": 3, "pypaillier": 3}
"""Companies of a peer's portfolio in one round: it works one by one, so more would only take longer."""
RATIOS = {
    "encrypt": peers.NAMES,
    "decrypt": ("phe", "heu"),
    "dot": ("phe", "heu"),
    "portfolio": peers.NAMES,
}
"""Which ratios are asked for."""


@dataclass
class _Samples:
    seconds: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def add(self, what: str, side: str, value: float) -> None:
        self.seconds.setdefault((what, side), []).append(value)

    def median(self, what: str, side: str) -> float:
        return statistics.median(self.seconds[what, side])


def run(plan: Plan, progress: Progress) -> dict[str, object]:
    """Everything, as the JSON that the README's table and the picture are made from."""
    by_size = {bits: _one_size(bits, plan, progress) for bits in plan.bits}
    main = by_size[max(plan.bits)]
    progress("memory of a streamed portfolio")
    small, large = plan.streamed
    result: dict[str, object] = {
        **{name: value for name, value in main.items() if name not in ("milliseconds", "facts")},
        "rss_mb_10k": streaming.peak_mb(small, plan.streamed_columns, max(plan.bits)),
        "rss_mb_100k": streaming.peak_mb(large, plan.streamed_columns, max(plan.bits)),
        "rss_columns": plan.streamed_columns,
        "by_key_size": {str(bits): values for bits, values in by_size.items()},
        "machine": machine.describe(["gmpy2", "consentgate"]),
        "peer_versions": peers.versions() if plan.peers else {},
        "load": machine.load(),
    }
    return result


def _one_size(bits: int, plan: Plan, progress: Progress) -> dict[str, object]:
    core = max(os.sched_getaffinity(0))
    work = workload.make(2_000)
    with ExitStack() as stack:
        opponents = [stack.enter_context(Peer(name, core)) for name in plan.peers]
        for peer in opponents:
            progress(f"{bits} bits: {peer.name} makes its keys")
            peer.send_setup(bits, work)
            peer.await_setup(work)
        progress(f"{bits} bits: our keys and tables")
        ours = Ours(bits, work)
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {core})
        try:
            samples = _rounds(bits, plan, ours, opponents, work, progress)
        finally:
            os.sched_setaffinity(0, before)
    progress(f"{bits} bits: scaling over cores")
    efficiency = scaling.per_core(ours.public, plan.scaling_blocks, 8)
    return {"bits": bits, **_figures(samples, plan.peers), "scaling": round(efficiency, 3), "facts": ours.facts()}


def _rounds(
    bits: int, plan: Plan, ours: Ours, opponents: Sequence[Peer], work: Workload, progress: Progress
) -> _Samples:
    samples = _Samples()
    companies = ours.layout.slots * plan.portfolio_chunks
    for number in range(plan.rounds + 1):
        progress(f"{bits} bits: round {number} of {plan.rounds}")
        current = samples if number else _Samples()  # The first round only warms up.
        for what, repeat in COMPARED:
            current.add(what, "ours", ours.seconds(what, repeat * 4))
            for peer in opponents:
                current.add(what, peer.name, peer.seconds(what, repeat))
        current.add("floor", "ours", ours.floor_seconds(30))
        current.add("encrypt_again", "ours", ours.seconds("encrypt", 30))
        current.add("online", "ours", ours.online_seconds())
        current.add("wire", "ours", ours.wire_share(500))
        current.add("portfolio", "ours", ours.portfolio_seconds(companies))
        for peer in opponents:
            current.add("portfolio", peer.name, peer.portfolio_seconds(PEER_COMPANIES[peer.name], work))
    return samples


def _figures(samples: _Samples, opponents: Sequence[str]) -> dict[str, object]:
    ratios = {
        f"{what}_vs_{name}": round(samples.median(what, name) / samples.median(what, "ours"), 2)
        for what, names in RATIOS.items()
        for name in names
        if name in opponents
    }
    floors = zip(samples.seconds["encrypt_again", "ours"], samples.seconds["floor", "ours"], strict=True)
    return {
        **ratios,
        "encrypt_online_us": round(samples.median("online", "ours") * 1e6, 1),
        "portfolio_us_per_company": round(samples.median("portfolio", "ours") * 1e6, 1),
        "floor_ratio": round(statistics.median(ours / floor for ours, floor in floors), 3),
        "wire_share": round(samples.median("wire", "ours"), 4),
        "milliseconds": {
            what: {
                side: round(samples.median(what, side) * 1e3, 4)
                for side in ("ours", *opponents)
                if (what, side) in samples.seconds
            }
            for what in RATIOS
        },
    }
