"""Leaves in pieces, from a ledger that may lie, stop or answer something else."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest

from ledger.checkpoint import Checkpoint
from ledger.entry import leaf_hash
from ledger.errors import ConsistencyInvalid, LedgerError, LogMismatch, QuorumNotMet, SignatureInvalid
from ledger.merkle import root
from ledger_service.report.reading import Piece, Source, VerifiedLog
from tests.support.sample_log import COSIGNED_AT, sample_log
from tests.support.witnessed_log import ORIGIN, WitnessedLog

LOG = sample_log(repeat=3)
NOTE = LOG.note(COSIGNED_AT)


def pieces(log: WitnessedLog, *sizes: int, note: bytes | None = None) -> list[Piece]:
    """The leaves cut at these sizes, the note with the last of them."""
    bounds = [0, *sizes, len(log.leaves)]
    parts = [log.leaves[start:end] for start, end in pairwise(bounds)]
    notes = [b""] * (len(parts) - 1) + [log.note(COSIGNED_AT) if note is None else note]
    return list(zip(parts, notes, strict=True))


def reading(given: Sequence[Piece], note: bytes = NOTE) -> VerifiedLog:
    return VerifiedLog(Source(note, given), LOG.policy)


def refused(given: Sequence[Piece], error: type[LedgerError], note: bytes = NOTE) -> None:
    with pytest.raises(error):
        list(reading(given, note).entries())


@pytest.mark.parametrize("sizes", [(), (1,), (0, 7, 7, 20), (28,)])
def test_reads_all_however_they_are_cut(sizes: tuple[int, ...]) -> None:
    log = reading(pieces(LOG, *sizes))
    assert [digest for _, digest in log.entries()] == [leaf_hash(leaf).hex() for leaf in LOG.leaves]
    assert (log.witnessed.checkpoint.size, log.note) == (28, NOTE)


def test_the_log_may_have_grown_since_it_was_asked_first() -> None:
    log = reading(pieces(LOG, 9), note=LOG.note(COSIGNED_AT, size=5))
    assert len(list(log.entries())) == 28
    assert log.witnessed.checkpoint.size == 28


def test_what_is_no_whole_log() -> None:
    refused(pieces(LOG, 9)[:1], ConsistencyInvalid)
    refused([], ConsistencyInvalid)
    refused(pieces(LOG, 9, 10)[::2], ConsistencyInvalid)
    refused(pieces(LOG, 9, note=LOG.note(COSIGNED_AT, size=27)), ConsistencyInvalid)
    refused([(LOG.leaves[:27], NOTE)], ConsistencyInvalid)


def test_checkpoints_that_nobody_witnessed() -> None:
    unwitnessed, unsigned = LOG.note(COSIGNED_AT, witnesses=["tax"]), LOG.note(COSIGNED_AT, log_signs=False)
    refused(pieces(LOG, 9, note=unwitnessed), QuorumNotMet)
    refused(pieces(LOG, 9, note=unsigned), SignatureInvalid)
    refused(pieces(LOG, 9), QuorumNotMet, note=unwitnessed)
    refused(pieces(LOG, 9), SignatureInvalid, note=unsigned)
    stranger = WitnessedLog(COSIGNED_AT, key_label="a stranger").note(COSIGNED_AT)
    refused(pieces(LOG, 9), LedgerError, note=stranger)


@pytest.mark.parametrize("size", [0, 1, 9, 10, 28])
@pytest.mark.parametrize("sizes", [(), (9,), (4, 10)])
def test_reads_an_earlier_tree_and_no_further(size: int, sizes: tuple[int, ...]) -> None:
    hashes = [leaf_hash(leaf) for leaf in LOG.leaves[:size]]
    told: list[tuple[int, int]] = []
    log = VerifiedLog(Source(NOTE, pieces(LOG, *sizes)), LOG.policy, lambda *step: told.append(step))
    found = [digest for _, digest in log.entries_of(Checkpoint(ORIGIN, size, root(hashes)))]
    assert found == [digest.hex() for digest in hashes]
    assert told[-1] == (size, size)


def test_an_earlier_tree_that_this_log_does_not_continue() -> None:
    for checkpoint, error in (
        (Checkpoint(ORIGIN, 9, b"\x00" * 32), ConsistencyInvalid),
        (Checkpoint(ORIGIN, 29, b"\x00" * 32), ConsistencyInvalid),
        (Checkpoint("other.test/ledger", 9, b"\x00" * 32), LogMismatch),
    ):
        with pytest.raises(error):
            list(reading(pieces(LOG, 5)).entries_of(checkpoint))
