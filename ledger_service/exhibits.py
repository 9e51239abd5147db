"""What may be held against a log, as somebody has it: a note, a receipt, an export, a database file, a witness's state
file, what a witness or a department kept when it refused, or the running ledger itself.

`connect` finds among them whatever shows that two checkpoints contradict each other. It decides nothing: that is
`ledger.evidence.judge`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from consentgate.errors import ConsentgateError, ErrorCode
from ledger.checkpoint import Checkpoint
from ledger.entry import leaf_hash
from ledger.errors import LedgerError, NotEvidence, ProofInvalid
from ledger.evidence import Material, PrefixProof, prefix_of_receipt
from ledger.evidence_material import is_material, read_material
from ledger.merkle import verify_inclusion
from ledger.note import MAX_NOTE, Note
from ledger.policy import LogPolicy
from ledger.proof import TlogProof
from ledger.receipt import Receipt
from ledger.refused import STRONGEST_FIRST
from ledger.second_place import SLOT_BYTES, SLOTS, SecondPlace
from ledger.tree import stored_inclusion_proof
from ledger_service.local_log import LocalLog, opened_log
from ledger_service.officer import OfficerLedger
from ledger_service.receipt_files import LEAF_SUFFIX, PROOF_SUFFIX, read_receipt

SQLITE_MAGIC = b"SQLite format 3\x00"


@dataclass(frozen=True)
class Exhibit:
    """One checkpoint, and what its holder can show of its tree."""

    note: bytes
    receipt: Receipt | None = None
    log: LocalLog | None = None

    @property
    def checkpoint(self) -> Checkpoint:
        """Unverified."""
        return Checkpoint.parse(Note.parse(self.note).text)


def open_exhibit(path: Path, policy: LogPolicy, opened: ExitStack) -> Exhibit | Material:
    """What a file or folder is; logs stay open as long as `opened`. Raises INVALID_ARGUMENT_FIELD or a LedgerError."""
    if path.is_dir():
        kept = kept_material(path)
        return Exhibit(*_logged(path, opened)) if kept is None else kept
    if path.suffix in (LEAF_SUFFIX, PROOF_SUFFIX):
        receipt = read_receipt(path)
        return Exhibit(TlogProof.parse(receipt.proof).note, receipt)
    if not path.is_file():  # a pipe would be waited for without end
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=str(path))
    with path.open("rb") as file:
        data = file.read(MAX_NOTE + 1)
    if data.startswith(SQLITE_MAGIC):
        return Exhibit(*_logged(path, opened))
    if len(data) == SLOTS * SLOT_BYTES and (stored := SecondPlace(path, policy.logs).read()) is not None:
        return Exhibit(stored[0].encode())
    return Exhibit(data)


def kept_material(folder: Path) -> Material | None:
    """What a witness or a department kept: the folder of one verdict, or the strongest of a folder of several."""
    for candidate in (folder, *(folder / verdict.value for verdict in STRONGEST_FIRST)):
        if is_material(candidate):
            return read_material(candidate)
    return None


def ask(ledger: OfficerLedger, against: Exhibit) -> list[Exhibit]:
    """What the running ledger says today: the entry of the receipt's index, the last one of the other's tree, or at
    least its newest checkpoint. An officer's question for an entry is recorded (`access.read`).
    """
    last = against.checkpoint.size - 1
    first = [] if against.receipt is None else [TlogProof.parse(against.receipt.proof).index]
    found: list[Exhibit] = []
    for index in dict.fromkeys(number for number in (*first, last) if number >= 0):
        try:
            receipt = ledger.receipt(index)
        except ConsentgateError as error:
            if error.code is not ErrorCode.NOT_FOUND:
                raise
            return [*found, Exhibit(ledger.checkpoint())]
        found.append(Exhibit(TlogProof.parse(receipt.proof).note, receipt))
    return found or [Exhibit(ledger.checkpoint())]


def connect(first: Exhibit, second: Exhibit, logs: Sequence[LocalLog] = (), *, unanswered: bool = False) -> Material:
    """The two notes, with what shows a contradiction, if anything does. `unanswered`: the log was asked for a proof
    between the two and gave none.
    """
    smaller, larger = sorted((first, second), key=lambda exhibit: exhibit.checkpoint.size)
    held = [log for log in (larger.log, *logs) if log is not None]
    return Material(
        first=first.note,
        second=second.note,
        prefix=_prefix(smaller.checkpoint, larger, held),
        receipts=_two_entries(first, second),
        answer=() if unanswered else None,
    )


def _logged(path: Path, opened: ExitStack) -> tuple[bytes, None, LocalLog]:
    log = opened.enter_context(opened_log(path))
    return log.note, None, log


def _two_entries(first: Exhibit, second: Exhibit) -> tuple[Receipt, Receipt] | None:
    """Two receipts of one index whose leaves differ."""
    if first.receipt is not None:
        other = _receipt_at(second, TlogProof.parse(first.receipt.proof).index)
        pair = None if other is None else (first.receipt, other)
    elif second.receipt is not None:
        other = _receipt_at(first, TlogProof.parse(second.receipt.proof).index)
        pair = None if other is None else (other, second.receipt)
    else:
        pair = None
    return pair if pair is not None and leaf_hash(pair[0].leaf) != leaf_hash(pair[1].leaf) else None


def _receipt_at(exhibit: Exhibit, index: int) -> Receipt | None:
    if exhibit.receipt is not None:
        return exhibit.receipt if TlogProof.parse(exhibit.receipt.proof).index == index else None
    return None if exhibit.log is None else _receipt_under(exhibit.log, index, exhibit.note)


def _prefix(smaller: Checkpoint, larger: Exhibit, logs: Sequence[LocalLog]) -> PrefixProof | None:
    """How the larger tree begins, by whoever holds that tree."""
    if not 0 < smaller.size < larger.checkpoint.size:
        return None
    receipts = [larger.receipt, *(_receipt_under(log, smaller.size - 1, larger.note) for log in logs)]
    for receipt in receipts:
        if receipt is None:
            continue
        try:
            found = prefix_of_receipt(smaller.size, receipt)
        except ProofInvalid:
            continue
        if found is not None:
            return found
    return None


def _receipt_under(log: LocalLog, index: int, note: bytes) -> Receipt | None:
    """The leaf with its inclusion in the tree of this very note; None when the log does not hold that tree."""
    checkpoint = Checkpoint.parse(Note.parse(note).text)
    if index >= checkpoint.size:
        return None
    try:
        leaf, path = log.leaf(index), stored_inclusion_proof(index, checkpoint.size, log.nodes)
        verify_inclusion(index, checkpoint.size, leaf_hash(leaf), path, checkpoint.root)
    except LedgerError:
        return None
    return Receipt(leaf, TlogProof(index, tuple(path), note).encode())


def require_two(exhibits: Sequence[Exhibit | Material]) -> Material | tuple[Exhibit, Exhibit]:
    """Either one pair that somebody kept, or two exhibits; raises NotEvidence otherwise."""
    if len(exhibits) == 1 and isinstance(exhibits[0], Material):
        return exhibits[0]
    plain = [exhibit for exhibit in exhibits if isinstance(exhibit, Exhibit)]
    if len(plain) != len(exhibits) or len(plain) != 2:
        raise NotEvidence("evidence needs two checkpoints, or one folder of what was refused, which holds both")
    return plain[0], plain[1]
