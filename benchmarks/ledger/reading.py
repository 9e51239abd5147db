"""Searches, receipts and their size, on a log as large as it was grown."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from benchmarks.ledger.workload import BANKS, CATEGORIES, PURPOSES, Workload
from ledger.proof import TlogProof
from ledger.storage.interface import LogReader
from ledger.storage.searchable import SearchFilters
from ledger.tree import stored_inclusion_proof

PAGE = 100
"""Entries of one answer."""


def searches(work: Workload, source: random.Random) -> Iterator[tuple[str, SearchFilters]]:
    """What officers and companies ask, by name; endless, with other values each time."""
    while True:
        token, bank, category = work.token(), source.choice(BANKS), source.choice(CATEGORIES)
        noon = datetime.now(UTC) - timedelta(days=source.uniform(1, 29))
        yield "token", SearchFilters(subject=token)
        yield "own tokens", SearchFilters(subjects=[work.token() for _ in range(20)])
        yield "token and bank", SearchFilters(subject=token, institution=bank)
        yield "bank", SearchFilters(institution=bank)
        yield "bank, denied", SearchFilters(institution=bank, verdict="deny")
        yield "bank, purpose and kind", SearchFilters(institution=bank, purpose=PURPOSES[1], kind="query.decision")
        yield "reason", SearchFilters(reason="CONSENT_PURPOSE")
        yield "category", SearchFilters(category=category)
        yield "bank and category", SearchFilters(institution=bank, category=category)
        yield "hour", SearchFilters(not_before=noon, not_after=noon + timedelta(hours=1))
        yield "bank in an hour", SearchFilters(institution=bank, not_before=noon, not_after=noon + timedelta(hours=1))
        yield "denied in a day", SearchFilters(verdict="deny", not_before=noon, not_after=noon + timedelta(days=1))
        yield "nothing found", SearchFilters(institution=bank, reason="CONSENT_REVOKED")
        yield "token without such", SearchFilters(subject=token, kind="scorecard.approved")


def search_seconds(reader: LogReader, work: Workload, size: int, repeat: int) -> dict[str, list[float]]:
    """Seconds of `repeat` searches of every sort, each from any place of the log on (keyset paging)."""
    source, found = random.Random(7), dict[str, list[float]]()
    for number, (name, filters) in enumerate(searches(work, source)):
        if len(found.get(name, [])) == repeat:
            return found
        after = None if number % 2 else source.randrange(size)
        begun = time.perf_counter()
        reader.search(filters, after, PAGE)
        found.setdefault(name, []).append(time.perf_counter() - begun)
    raise AssertionError("searches do not end")


def receipt_seconds(reader: LogReader, size: int, note: bytes, repeat: int) -> tuple[list[float], list[int]]:
    """Seconds to read a leaf with its proof, and bytes of the proofs."""
    source = random.Random(7)
    seconds, sizes = [], []
    for _ in range(repeat):
        index = source.randrange(size)
        begun = time.perf_counter()
        reader.leaves(index, index + 1)
        path = stored_inclusion_proof(index, size, reader.nodes)
        proof = TlogProof(index, tuple(path), note).encode()
        seconds.append(time.perf_counter() - begun)
        sizes.append(len(proof))
    return seconds, sizes


def proof_bytes(size: int, note: bytes) -> int:
    """Bytes of the longest proof in a tree of `size` leaves: one hash for each level."""
    return len(TlogProof(size - 1, (bytes(32),) * (size - 1).bit_length(), note).encode())
