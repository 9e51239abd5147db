"""A log read in order and verified leaf by leaf, from files or from the running ledger, in constant memory.

1. a log of the reader's policy signed the checkpoint, and the quorum cosigned it;
2. each leaf is canonical, of this log, the next one, and names the hash of the one before;
3. at the end the leaves hash to the checkpoint's root.

Entries are handed on after step 2; whoever uses them keeps nothing that he made of them unless step 3 came to its end
too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ledger.chain import Chain
from ledger.checkpoint import Checkpoint
from ledger.entry import Entry, leaf_hash
from ledger.errors import ConsistencyInvalid
from ledger.export import Progress
from ledger.policy import LogPolicy, WitnessedCheckpoint
from ledger.replay import Piece, closed_pieces
from ledger.verify import check_head
from ledger_service.local_log import LocalLog


@dataclass(frozen=True)
class Source:
    """Where leaves come from. `note` is known beforehand; the last piece bears the one that is verified against."""

    note: bytes
    pieces: Iterable[Piece]


def files_source(log: LocalLog) -> Source:
    """A log in files (or a database): all leaves of its stored checkpoint."""
    return Source(log.note, closed_pieces(log.leaves(), log.note))


class VerifiedLog:
    """Reads once. `note` and `witnessed` are there after the last entry."""

    note: bytes
    witnessed: WitnessedCheckpoint

    def __init__(self, source: Source, policy: LogPolicy, progress: Progress | None = None) -> None:
        self._source, self._policy, self._progress = source, policy, progress

    def entries(self) -> Iterator[tuple[Entry, str]]:
        """Every entry with its leaf hash; raises a LedgerError that names the leaf which does not hold."""
        first = self._policy.check(self._source.note).checkpoint
        chain = Chain(first.origin)
        for leaves, note in self._source.pieces:
            chain, entries = chain.extend(leaves)
            yield from _with_hashes(entries, leaves)
            self._tell(chain.size, first.size)
            if note:
                self.note, self.witnessed = note, self._policy.check(note)
                check_head(chain, self.witnessed.checkpoint)
                return
        raise ConsistencyInvalid("the log ended before its checkpoint")

    def entries_of(self, checkpoint: Checkpoint) -> Iterator[tuple[Entry, str]]:
        """Every entry of an earlier tree, which this log must continue; what came later is not read."""
        chain = Chain(checkpoint.origin)
        for leaves, _ in self._source.pieces:
            wanted = leaves[: checkpoint.size - chain.size]
            chain, entries = chain.extend(wanted)
            yield from _with_hashes(entries, wanted)
            self._tell(chain.size, checkpoint.size)
            if chain.size == checkpoint.size:
                break
        check_head(chain, checkpoint)

    def _tell(self, done: int, total: int) -> None:
        if self._progress is not None:
            self._progress(done, max(done, total))


def _with_hashes(entries: Sequence[Entry], leaves: Sequence[bytes]) -> Iterator[tuple[Entry, str]]:
    for entry, leaf in zip(entries, leaves, strict=True):
        yield entry, leaf_hash(leaf).hex()
