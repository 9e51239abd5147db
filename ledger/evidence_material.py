"""The parts of evidence as files, as they are kept and as they stand in a bundle (docs/ledger-format.md, section 15).

first.note, second.note    two checkpoints of the log
first.leaf, first.proof, second.leaf, second.proof    receipts of one index, under these checkpoints
prefix.proof               `size N`, root and consistency proof: what the larger tree says of its first N entries
answer.proof               the hashes that the log answered as consistency proof; empty when it gave none
told.json                  who says, unsigned, that he was shown the second checkpoint when
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from ledger.entry import MAX_LEAF, canonical_json, format_time
from ledger.errors import CheckpointInvalid, EvidenceInvalid
from ledger.evidence import Material, PrefixProof, Told
from ledger.merkle import HASH_BYTES, MAX_PROOF
from ledger.note import MAX_NOTE, decode_base64
from ledger.proof import MAX_PROOF_BYTES
from ledger.receipt import Receipt

FIRST, SECOND, PREFIX, ANSWER, TOLD = "first.note", "second.note", "prefix.proof", "answer.proof", "told.json"
SIDES = ("first", "second")
RECEIPT_FILES = ("first.leaf", "first.proof", "second.leaf", "second.proof")
"""All of them or none."""
MAX_PART = 16 * 1024
"""Of files that hold hashes or a few words."""

_SIZE = re.compile(rb"size (0|[1-9][0-9]{0,15})")
_BY = re.compile(r"[!-~]+(?: [!-~]+)*")
"""Words with single blanks between them, so that nobody wonders how they are wrapped."""
MAX_BY = 255
"""Characters of a name."""


def material_files(material: Material) -> dict[str, bytes]:
    """Every part under its file's name."""
    files = {FIRST: material.first, SECOND: material.second}
    for side, receipt in zip(SIDES, material.receipts or (), strict=False):
        files |= {f"{side}.leaf": receipt.leaf, f"{side}.proof": receipt.proof}
    if material.prefix is not None:
        head = f"size {material.prefix.size}\n".encode()
        files[PREFIX] = head + _encoded([material.prefix.root, *material.prefix.hashes])
    if material.answer is not None:
        files[ANSWER] = _encoded(material.answer)
    if material.told is not None:
        told = {"by": material.told.by, "seen_at": format_time(material.told.seen_at)}
        files[TOLD] = canonical_json(told) + b"\n"
    return files


def is_material(folder: Path) -> bool:
    """Two notes are in the folder."""
    return (folder / FIRST).is_file() and (folder / SECOND).is_file()


def read_material(folder: Path) -> Material:
    """The parts that are there, unverified; raises EvidenceInvalid naming the file that is malformed."""
    return Material(
        first=read_part(folder, FIRST, MAX_NOTE),
        second=read_part(folder, SECOND, MAX_NOTE),
        prefix=_prefix(folder) if (folder / PREFIX).exists() else None,
        receipts=_receipts(folder) if any((folder / name).exists() for name in RECEIPT_FILES) else None,
        answer=_hashes(ANSWER, read_part(folder, ANSWER, MAX_PART)) if (folder / ANSWER).exists() else None,
        told=_told(folder) if (folder / TOLD).exists() else None,
    )


def read_part(folder: Path, name: str, limit: int) -> bytes:
    """One file; raises EvidenceInvalid when it is missing, no file, or too long."""
    path = folder / name
    if not path.is_file() or path.is_symlink():
        raise EvidenceInvalid(f"the folder has no file {name}")
    with path.open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise EvidenceInvalid(f"{name} is too long")
    return data


def _receipts(folder: Path) -> tuple[Receipt, Receipt]:
    one, other = (
        Receipt(read_part(folder, f"{side}.leaf", MAX_LEAF), read_part(folder, f"{side}.proof", MAX_PROOF_BYTES))
        for side in SIDES
    )
    return one, other


def _prefix(folder: Path) -> PrefixProof:
    head, _, rest = read_part(folder, PREFIX, MAX_PART).partition(b"\n")
    size, hashes = _SIZE.fullmatch(head), _hashes(PREFIX, rest)
    if size is None or not hashes:
        raise EvidenceInvalid(f"{PREFIX} does not begin with a size and a root")
    return PrefixProof(int(size[1]), hashes[0], hashes[1:])


def _hashes(name: str, data: bytes) -> tuple[bytes, ...]:
    """One hash a line."""
    *found, rest = data.split(b"\n")
    try:
        hashes = tuple(decode_base64(line) for line in found)
    except CheckpointInvalid as error:
        raise EvidenceInvalid(f"{name}: {error}") from error
    if rest or len(hashes) > MAX_PROOF + 1 or any(len(value) != HASH_BYTES for value in hashes):
        raise EvidenceInvalid(f"{name} does not hold hashes of 32 bytes, one a line")
    return hashes


def _told(folder: Path) -> Told:
    try:
        found = json.loads(read_part(folder, TOLD, MAX_PART))
        by, moment = found["by"], datetime.fromisoformat(found["seen_at"])
        told = Told(by, moment.astimezone(UTC))
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise EvidenceInvalid(f"{TOLD} is malformed") from error
    if moment.tzinfo is None or not isinstance(by, str) or len(by) > MAX_BY or not _BY.fullmatch(by):
        raise EvidenceInvalid(f"{TOLD} is malformed")
    return told


def _encoded(hashes: Sequence[bytes]) -> bytes:
    return b"".join(base64.b64encode(value) + b"\n" for value in hashes)
