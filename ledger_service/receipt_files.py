"""A receipt as two files side by side, as archives keep them: `NAME.leaf`, the exact leaf bytes, and `NAME.proof`,
a c2sp.org/tlog-proof@v1 as text.
"""

from __future__ import annotations

from pathlib import Path

from consentgate.errors import ConsentgateError, ErrorCode
from ledger.entry import MAX_LEAF
from ledger.proof import MAX_PROOF_BYTES
from ledger.receipt import Receipt

LEAF_SUFFIX, PROOF_SUFFIX = ".leaf", ".proof"


def read_receipt(path: Path) -> Receipt:
    """The receipt of which `path` is either file, unverified; raises INVALID_ARGUMENT_FIELD naming the file."""
    if path.suffix not in (LEAF_SUFFIX, PROOF_SUFFIX):
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=str(path), hint=_HINT)
    leaf = _read(path.with_suffix(LEAF_SUFFIX), MAX_LEAF)
    return Receipt(leaf=leaf, proof=_read(path.with_suffix(PROOF_SUFFIX), MAX_PROOF_BYTES))


def write_receipt(path: Path, receipt: Receipt) -> None:
    """Writes `path` with both suffixes; never overwrites."""
    for suffix, content in ((LEAF_SUFFIX, receipt.leaf), (PROOF_SUFFIX, receipt.proof)):
        target = path.with_name(path.name + suffix)
        try:
            with target.open("xb") as file:
                file.write(content)
        except OSError as error:
            raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=str(target), hint=_HINT) from error


_HINT = "A receipt is two files, NAME.leaf and NAME.proof, side by side; existing ones are not overwritten."


def _read(path: Path, limit: int) -> bytes:
    """One byte more than allowed at most: verification then refuses it. A pipe would be waited for without end."""
    if not path.is_file():
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=str(path), hint=_HINT)
    try:
        with path.open("rb") as file:
            return file.read(limit + 1)
    except OSError as error:
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=str(path), hint=_HINT) from error
