"""A receipt as two files side by side, as archives keep them: `NAME.leaf`, the exact leaf bytes, and `NAME.proof`,
a c2sp.org/tlog-proof@v1 as text.
"""

from __future__ import annotations

from pathlib import Path

from consentgate.errors import ConsentgateError, ErrorCode
from ledger.durable_files import READABLE, write_new
from ledger.entry import MAX_LEAF
from ledger.proof import MAX_PROOF_BYTES
from ledger.receipt import Receipt

LEAF_SUFFIX, PROOF_SUFFIX = ".leaf", ".proof"

_HINT = "A receipt is two files side by side, NAME.leaf and NAME.proof: name either."
_TAKEN = "A receipt is there already; existing ones are not overwritten. Name another place."


def read_receipt(path: Path) -> Receipt:
    """The receipt of which `path` is either file, unverified; raises INVALID_ARGUMENT_FIELD naming the file."""
    if path.suffix not in (LEAF_SUFFIX, PROOF_SUFFIX):
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=str(path), hint=_HINT)
    leaf = _read(path.with_suffix(LEAF_SUFFIX), MAX_LEAF)
    return Receipt(leaf=leaf, proof=_read(path.with_suffix(PROOF_SUFFIX), MAX_PROOF_BYTES))


def refuse_taken(path: Path) -> None:
    """Raises INVALID_ARGUMENT_FIELD when there is a receipt: before a ledger is asked, and records it, for nothing."""
    for suffix in (LEAF_SUFFIX, PROOF_SUFFIX):
        target = path.with_name(path.name + suffix)
        if target.exists():
            raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=str(target), hint=_TAKEN)


def write_receipt(path: Path, receipt: Receipt) -> None:
    """Writes `path` with both suffixes, or neither; never overwrites. Raises OSError."""
    refuse_taken(path)
    leaf, proof = (path.with_name(path.name + suffix) for suffix in (LEAF_SUFFIX, PROOF_SUFFIX))
    write_new(leaf, receipt.leaf, READABLE)
    try:
        write_new(proof, receipt.proof, READABLE)
    except BaseException:
        leaf.unlink()
        raise


def _read(path: Path, limit: int) -> bytes:
    """One byte more than allowed at most: verification then refuses it. A pipe would be waited for without end."""
    if not path.is_file():
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=str(path), hint=_HINT)
    try:
        with path.open("rb") as file:
            return file.read(limit + 1)
    except OSError as error:
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=str(path), hint=_HINT) from error
