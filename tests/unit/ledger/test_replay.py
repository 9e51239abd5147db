"""A replay hands on what continues the chain, and says when it counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.chain import Chain
from ledger.entry import leaf_hash, parse
from ledger.errors import ConsistencyInvalid, EntryInvalid, LedgerError, LogMismatch, QuorumNotMet, SignatureInvalid
from ledger.policy import LogPolicy, WitnessedCheckpoint
from ledger.replay import Piece, ReplayedEntry, encode_position, export_pieces, parse_position, replay
from tests.support.forked_log import forked
from tests.support.sample_log import COSIGNED_AT, export_log, sample_log
from tests.support.witnessed_log import ORIGIN, policy_text

POLICY = LogPolicy.parse(policy_text())
LOG = sample_log(repeat=3)
SIZE = len(LOG.leaves)
BEGINNING = Chain(ORIGIN)


class Recording:
    """Everything that is told, and what of it counts."""

    def __init__(self) -> None:
        self.taken: list[ReplayedEntry] = []
        self.closed: list[int] = []
        self.counting = 0

    def take(self, entries: Sequence[ReplayedEntry]) -> None:
        self.taken += entries

    def close(self, position: Chain, witnessed: WitnessedCheckpoint) -> None:
        assert (position.size, position.root()) == (witnessed.checkpoint.size, witnessed.checkpoint.root)
        self.closed.append(position.size)
        self.counting = len(self.taken)


def pieces(*sizes: int, start: int = 0) -> list[Piece]:
    """The log in pieces that end at these sizes, each with its checkpoint."""
    found: list[Piece] = []
    for size in sizes:
        found.append((LOG.leaves[start:size], LOG.note(COSIGNED_AT, size=size)))
        start = size
    return found


def test_every_entry_is_told_once_and_in_order() -> None:
    consumer = Recording()
    position = replay(pieces(1, 7, 7, SIZE), POLICY, BEGINNING, consumer)
    assert [item.leaf for item in consumer.taken] == LOG.leaves
    assert [item.entry for item in consumer.taken] == [parse(leaf) for leaf in LOG.leaves]
    assert [item.leaf_hash for item in consumer.taken] == [leaf_hash(leaf) for leaf in LOG.leaves]
    assert consumer.closed == [1, 7, 7, SIZE]
    assert position == BEGINNING.extend(LOG.leaves)[0]


def test_an_export_is_replayed_from_any_entry(tmp_path: Path) -> None:
    directory = export_log(LOG, tmp_path / "export")
    consumer = Recording()
    replay(export_pieces(directory), POLICY, BEGINNING, consumer)
    assert [item.leaf for item in consumer.taken] == LOG.leaves
    later, begin = Recording(), BEGINNING.extend(LOG.leaves[:9])[0]
    replay(export_pieces(directory, 9), POLICY, begin, later)
    assert [item.entry.seq for item in later.taken] == list(range(9, SIZE))
    assert later.closed == [SIZE]


@given(st.integers(0, SIZE), st.lists(st.integers(0, SIZE), max_size=5))
def test_where_it_was_interrupted_it_goes_on(first: int, cuts: list[int]) -> None:
    """A position that was kept is as good as the history before it."""
    sizes = [size for size in sorted({first, *cuts, SIZE}) if size > 0]
    whole, parts = Recording(), Recording()
    expected = replay(pieces(*sizes), POLICY, BEGINNING, whole)
    position = BEGINNING
    for size in sizes:
        position = parse_position(encode_position(position))
        position = replay(pieces(size, start=position.size), POLICY, position, parts)
    assert position == expected
    assert parts.taken == whole.taken


def broken(name: str) -> tuple[Sequence[Piece], type[LedgerError]]:
    whole = pieces(7, SIZE)
    (first, note), (second, last) = whole
    fork = forked(3, 7, SIZE).other
    return {
        "nothing at all": ([], ConsistencyInvalid),
        "nothing but an empty piece": ([([], b"")], ConsistencyInvalid),
        "no checkpoint at the end": ([(first, note), (second, b"")], ConsistencyInvalid),
        "a checkpoint of a smaller tree": ([(first, note), (second, note)], ConsistencyInvalid),
        "a checkpoint of a larger tree": ([(first, last)], ConsistencyInvalid),
        "a leaf left out": ([(first, note), (second[1:], last)], ConsistencyInvalid),
        "a leaf twice": ([(first, note), ([second[0], *second], last)], ConsistencyInvalid),
        "another history": ([(first, note), (fork.leaves[7:], last)], ConsistencyInvalid),
        "a checkpoint of another history": ([(first, note), (second, fork.note(COSIGNED_AT))], ConsistencyInvalid),
        "a leaf that is none": ([(first, note), ([b"{}"], last)], EntryInvalid),
        "too few witnesses": ([(first, LOG.note(COSIGNED_AT, size=7, witnesses=("tax",)))], QuorumNotMet),
        "not the log's": ([(first, LOG.note(COSIGNED_AT, size=7, log_signs=False))], SignatureInvalid),
    }[name]


@pytest.mark.parametrize(
    "name",
    [
        "nothing at all",
        "nothing but an empty piece",
        "no checkpoint at the end",
        "a checkpoint of a smaller tree",
        "a checkpoint of a larger tree",
        "a leaf left out",
        "a leaf twice",
        "another history",
        "a checkpoint of another history",
        "a leaf that is none",
        "too few witnesses",
        "not the log's",
    ],
)
def test_what_does_not_hold_never_counts(name: str) -> None:
    told, error = broken(name)
    consumer = Recording()
    with pytest.raises(error):
        replay(told, POLICY, BEGINNING, consumer)
    assert consumer.closed in ([], [7])
    assert consumer.counting == sum(consumer.closed)


def test_another_log_is_refused() -> None:
    with pytest.raises(LogMismatch):
        replay(pieces(7), POLICY, Chain("other.test/ledger"), Recording())


def test_what_a_consumer_raises_ends_it() -> None:
    class Full(Recording):
        def take(self, entries: Sequence[ReplayedEntry]) -> None:
            raise OSError(28, f"No space left on device for {len(entries)} entries")

    with pytest.raises(OSError, match="No space"):
        replay(pieces(7), POLICY, BEGINNING, Full())


def test_a_position_is_read_as_it_was_written_or_not_at_all() -> None:
    written = encode_position(BEGINNING.extend(LOG.leaves[:11])[0])
    assert parse_position(written).size == 11
    for position in range(len(written)):
        altered = bytearray(written)
        altered[position] ^= 1 << position % 8
        try:
            found = parse_position(bytes(altered))
        except ValueError:
            continue
        # Another position than that: the next leaf or checkpoint will not fit it.
        assert found != parse_position(written)
        with pytest.raises(LedgerError):
            replay(pieces(SIZE, start=min(found.size, SIZE)), POLICY, found, Recording())
    for content in (b"", b"[]", b"{}", b"null", written + b" ", written.replace(b'"size":11', b'"size":-1')):
        with pytest.raises(ValueError, match=r".*"):
            parse_position(content)
    assert replace(BEGINNING, origin="x") == parse_position(encode_position(replace(BEGINNING, origin="x")))
