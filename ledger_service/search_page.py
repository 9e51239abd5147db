"""One page of a search, as the ledger answers it and as an officer may rely on it.

The proofs say that each entry is recorded. They cannot say that there is no other that fits: for that, search an export
or a copy of the database (`--from`), or make a report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ledger.checkpoint import Checkpoint
from ledger.errors import ProofInvalid, QuorumNotMet
from ledger.policy import LogPolicy
from ledger.proof import TlogProof
from ledger.receipt import Receipt
from ledger.search import matches
from ledger.storage.searchable import SearchFilters
from ledger.verify import VerifiedLeaf, verify_inclusions


@dataclass(frozen=True)
class SearchAnswer:
    """As it travels, unverified. `paths` and `note` are empty when proofs were not asked for."""

    leaves: Sequence[bytes]
    complete: bool
    paths: Sequence[Sequence[bytes]] = ()
    note: bytes = b""


@dataclass(frozen=True)
class ProvenPage:
    """Entries that are recorded and fit the question, each with its receipt; the one tree that proves them, and when
    its quorum was reached.
    """

    entries: Sequence[VerifiedLeaf]
    receipts: Sequence[Receipt]
    checkpoint: Checkpoint
    cosigned_at: datetime


def verify_answer(answer: SearchAnswer, filters: SearchFilters, after_seq: int | None, policy: LogPolicy) -> ProvenPage:
    """The page, if every entry is proven and was asked for; otherwise raises the LedgerError that says what is wrong.

    1. a log of the policy signed the checkpoint, and the quorum cosigned it, also when nothing was found;
    2. every leaf is an entry of that log, at the index that it names;
    3. the entries fit the filters, and come in order, each once, after the place where the page begins.
    """
    # 1.
    witnessed = policy.check(answer.note)
    if witnessed.cosigned_at is None:
        raise QuorumNotMet("the policy names no quorum, so nobody says when the entries were seen")
    # 2.
    found = verify_inclusions(answer.leaves, answer.paths, answer.note, policy)
    # 3.
    last = -1 if after_seq is None else after_seq
    for leaf in found:
        if leaf.index <= last or not matches(leaf.entry, filters):
            raise ProofInvalid("the ledger answered with an entry that was not asked for, or not in order")
        last = leaf.index
    receipts = [
        Receipt(leaf, TlogProof(proven.index, tuple(path), answer.note).encode())
        for leaf, path, proven in zip(answer.leaves, answer.paths, found, strict=True)
    ]
    return ProvenPage(found, receipts, witnessed.checkpoint, witnessed.cosigned_at)
