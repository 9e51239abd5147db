"""The known chain with leaves that no checkpoint covers yet. Nothing of it counts before `close`."""

from __future__ import annotations

from collections.abc import Sequence

from consentgate.anchors import Anchors
from consentgate.errors import ConsentgateError, ErrorCode
from department_adapter.learned import Learned
from department_adapter.ledger_feed import Extension
from department_adapter.state.subjects import VerifiedPrefix
from ledger.chain import Chain
from ledger.entry import leaf_hash
from ledger.errors import ConsistencyInvalid
from ledger.policy import WitnessedCheckpoint
from ledger.verify import check_head


class GrowingChain:
    """`prefix` is history that was verified before: this one must lead through it."""

    def __init__(self, chain: Chain, learned: Learned, prefix: VerifiedPrefix | None = None) -> None:
        self.chain = chain
        self.learned = learned
        self._prefix = prefix

    def take(self, extension: Extension, anchors: Anchors) -> WitnessedCheckpoint | None:
        """Adds and, where there is a checkpoint, closes; raises what either does."""
        self.add(extension.leaves)
        return self.close(extension.checkpoint, anchors) if extension.checkpoint else None

    def add(self, leaves: Sequence[bytes]) -> None:
        """Raises a LedgerError for a leaf that does not continue the chain."""
        self.chain, entries = self.chain.extend(leaves)
        for leaf, entry in zip(leaves, entries, strict=True):
            digest = leaf_hash(leaf)
            self.learned.add(entry, digest)
            if self._prefix is not None and entry.seq == self._prefix.size - 1 and digest.hex() != self._prefix.last:
                raise ConsistencyInvalid(f"leaf {entry.seq} is not the one that was verified before the upgrade")

    def close(self, note: bytes, anchors: Anchors) -> WitnessedCheckpoint:
        """The checkpoint, when it is witnessed and the head of exactly this chain; raises a LedgerError otherwise."""
        witnessed = anchors.log_policy.check(note)
        if witnessed.cosigned_at is None:
            raise ConsentgateError(ErrorCode.LEDGER_QUORUM, field="tail", private="the policy names no quorum")
        check_head(self.chain, witnessed.checkpoint)
        if self._prefix is not None and self.chain.size < self._prefix.size:
            raise ConsistencyInvalid("the log is shorter than what was verified before the upgrade")
        return witnessed
