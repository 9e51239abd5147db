"""An evidence bundle as a folder: each part under its field's name, the receipt as `decision.leaf` and
`decision.proof` (docs/wire.md, section 14).
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.evidence import EvidenceBundle
from ledger_service.receipt_files import LEAF_SUFFIX, read_receipt

DECISION = "decision"
MAX_PART_BYTES = 1024 * 1024
"""The largest part is a key registration, for which the wire has the same bound."""


def read_evidence(folder: Path) -> EvidenceBundle:
    """The bundle in a folder, unverified; raises INVALID_ARGUMENT_FIELD naming the file that is missing or too long."""
    parts = {field.name: _read(folder / field.name) for field in fields(EvidenceBundle) if field.name != DECISION}
    return EvidenceBundle(**parts, decision=read_receipt(folder / f"{DECISION}{LEAF_SUFFIX}"))


def _read(path: Path) -> bytes:
    """A pipe in a stranger's folder would be waited for without end."""
    if not path.is_file():
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=str(path))
    try:
        with path.open("rb") as file:
            data = file.read(MAX_PART_BYTES + 1)
    except OSError as error:
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=str(path)) from error
    if len(data) > MAX_PART_BYTES:
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=str(path))
    return data
