"""What the log signed and this department refused: kept, told, and the reason to release nothing more.

A checkpoint that contradicts the known one is worth nothing if it only makes a line in a log file: both are kept in a
folder, from which `ledger evidence make` makes what convinces strangers. As long as it is there, the department answers
nobody: which of two histories is the true one, no program can know. The operator who has taken it away says so by
moving the folder (docs/operations.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from consentgate.errors import ConsentgateError
from ledger.checkpoint import Checkpoint
from ledger.errors import LedgerError, StorageFailed
from ledger.evidence import Finding, Material, Told, Verdict, open_note, prefix_of_receipt
from ledger.policy import LogPolicy
from ledger.proof import TlogProof
from ledger.receipt import Receipt
from ledger.refused import Refusals

AskForReceipt = Callable[[int], Awaitable[Receipt]]

_log = structlog.get_logger("department_adapter.refused")


@dataclass(frozen=True)
class RefusedHistory:
    """`own` is where the tail keeps; `others` are looked at too: what this department's witness kept."""

    own: Refusals
    policy: LogPolicy
    keeper: str
    clock: Callable[[], datetime]
    others: Sequence[Refusals] = ()

    def speaks_against_the_log(self) -> bool:
        """Whether this department has to stop."""
        return speaks_against_the_log(self.own, self.others)

    async def consider(self, known: bytes, shown: bytes, ask: AskForReceipt) -> None:
        """Keeps both, if they speak against the log. Never raises: what is refused is refused all the same."""
        try:
            material = await self._material(known, shown, ask)
            finding = None if material is None else await asyncio.to_thread(self.own.keep, material, self.policy)
        except StorageFailed as error:
            _log.error("alarm: evidence not kept", code=type(error).__name__)
        else:
            self._tell(finding)

    async def _material(self, known: bytes, shown: bytes, ask: AskForReceipt) -> Material | None:
        try:
            before, after = open_note(known, self.policy).checkpoint, open_note(shown, self.policy).checkpoint
        except LedgerError:
            return None  # not the log's own word
        if before == after:
            return None
        if after.size <= before.size:
            told = Told(self.keeper, self.clock()) if after.size < before.size else None
            return Material(known, shown, told=told)
        return await self._larger(before, after, known, shown, ask)

    async def _larger(
        self, before: Checkpoint, after: Checkpoint, known: bytes, shown: bytes, ask: AskForReceipt
    ) -> Material:
        """The log itself is asked for the last entry that is known: where it lies, its answer says how its tree begins,
        under whatever checkpoint is the newest. Where it says nothing that holds, that is kept, and proves nothing.
        """
        unanswered = Material(known, shown, answer=())
        try:
            receipt = await ask(before.size - 1)
            prefix = prefix_of_receipt(before.size, receipt)
            note = TlogProof.parse(receipt.proof).note
            newest = open_note(note, self.policy).checkpoint
        except (LedgerError, ConsentgateError, TimeoutError):
            return unanswered
        if prefix is None or (prefix.root == before.root and newest != after):
            return unanswered  # the tree that it answers from is not the one that it showed
        return Material(known, note, prefix=prefix)

    def _tell(self, finding: Finding | None) -> None:
        if finding is not None:
            size, other = finding.first.checkpoint.size, finding.second.checkpoint.size
            _log.error("alarm: the log contradicts itself", detail=finding.verdict.value, size=size, tree_size=other)


def speaks_against_the_log(own: Refusals, others: Sequence[Refusals]) -> bool:
    """A fork, wherever it was seen; or a smaller tree, shown to the tail itself. A witness's word about a smaller tree
    does not count here: whoever has an old checkpoint can show it to a witness.
    """
    return bool(set(own.kept()) - {Verdict.UNANSWERED}) or any(other.forks() for other in others)
