"""Signs tree heads, and only those that continue the last one it signed.

Nothing is signed from memory: the stored bytes are read again, parsed, hashed and chained on from the last signed head,
and the stored nodes must prove the same (they are what witnesses and auditors are shown). The signed checkpoint lies in
the second place, durably, before it is returned. What stands in the way is told apart: LedgerRolledBack (the database
is behind the second place), LedgerCorrupt (stored bytes are not what was signed), StorageFailed (try again).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

from ledger.chain import Chain
from ledger.checkpoint import Checkpoint
from ledger.entry import leaf_hash
from ledger.errors import (
    ConsistencyInvalid,
    EntryInvalid,
    LedgerCorrupt,
    LedgerRolledBack,
    LogMismatch,
    NotFound,
    ProofInvalid,
)
from ledger.merkle import verify_consistency, verify_inclusion
from ledger.note import Note, Signer
from ledger.second_place import SecondPlace
from ledger.storage.interface import Head, LogReader
from ledger.tree import load_frontier, stored_consistency_proof, stored_inclusion_proof

READ_CHUNK = 1024
"""Leaves read and verified at a time."""


@dataclass(frozen=True)
class SignedHead:
    """A checkpoint with the log's signature and nothing else."""

    note: Note
    checkpoint: Checkpoint


class HeadSigner:
    """May be called from several threads; one works at a time."""

    def __init__(self, storage: LogReader, second_place: SecondPlace, signer: Signer) -> None:
        self._storage = storage
        self._second_place = second_place
        self._signer = signer
        self._lock = Lock()
        self._signed: Chain | None = None
        self._newest: SignedHead | None = None

    def load(self) -> Chain:
        """The stored history, verified from the last signed head on; forgets what it knew before."""
        with self._lock:
            self._signed = self._newest = None
            return self._stored_history()

    def sign(self) -> SignedHead | None:
        """The stored head, signed; the same note again while nothing was added; None for an empty log."""
        with self._lock:
            grown = self._stored_history()
            if grown.size == 0:
                return None
            if self._newest is None or grown.size > self._newest.checkpoint.size:
                self._newest = self._sign(grown)
                self._signed = grown
            return self._newest

    def _sign(self, grown: Chain) -> SignedHead:
        checkpoint = Checkpoint(grown.origin, grown.size, grown.root())
        note = checkpoint.sign(self._signer)
        self._second_place.write(note)
        return SignedHead(note, checkpoint)

    def _stored_history(self) -> Chain:
        """History up to the stored head: one with the last signed head, read from bytes."""
        with _corruption_named():
            if self._signed is None:
                self._signed = self._read_signed()
            signed, head = self._signed, self._storage.head()
            if head.size < signed.size:
                raise LedgerRolledBack("the database is behind the checkpoint that was signed last")
            grown = self._extend(signed, head)
            proof = stored_consistency_proof(signed.size, grown.size, self._storage.nodes)
            verify_consistency(signed.size, grown.size, signed.root(), grown.root(), proof)
            return grown

    def _extend(self, chain: Chain, head: Head) -> Chain:
        for start in range(chain.size, head.size, READ_CHUNK):
            chain, _ = chain.extend(self._storage.leaves(start, min(start + READ_CHUNK, head.size)))
        if (chain.size, chain.last) != (head.size, head.last):
            raise LedgerCorrupt("the stored leaves do not lead to the stored head")
        return chain

    def _read_signed(self) -> Chain:
        """The last signed head from the second place, found again in the database."""
        place = self._second_place.read()
        if place is None:
            if self._storage.checkpoint() is not None:
                raise LedgerCorrupt("the log was published before, but its second place is gone")
            return Chain(self._signer.name)
        checkpoint, size = place[1], place[1].size
        if self._storage.head().size < size:
            raise LedgerRolledBack("the database is behind the checkpoint in the second place")
        frontier = load_frontier(size, self._storage.nodes)
        if frontier.root() != checkpoint.root:
            raise LedgerCorrupt("the stored tree is not the one that was signed")
        last = leaf_hash(b"".join(self._storage.leaves(size - 1, size)))
        path = stored_inclusion_proof(size - 1, size, self._storage.nodes)
        verify_inclusion(size - 1, size, last, path, checkpoint.root)
        return Chain(checkpoint.origin, last.hex(), frontier)


@contextmanager
def _corruption_named() -> Iterator[None]:
    """Whatever does not verify in the own database is corruption, however it shows."""
    try:
        yield
    except (EntryInvalid, ConsistencyInvalid, LogMismatch, ProofInvalid, NotFound) as error:
        raise LedgerCorrupt(f"stored history does not verify: {error}") from error
