"""What the ledger's vectors are made of: one log with every kind of entry, as an export; and two forgeries that several
bad cases use.

Keys are published TEST keys (tests/support/witnessed_log.py), Ed25519 is deterministic, nonces follow from the index:
so the vectors come out the same each time.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from ledger.checkpoint import Checkpoint
from ledger.entry import leaf_hash
from ledger.merkle import inclusion_proof, root
from ledger.note import Note
from ledger.proof import TlogProof
from ledger.receipt import Receipt
from tests.support.sample_log import COSIGNED_AT, OPENED_AT, OTHER_SUBJECT, SUBJECT, decided, export_log, granted
from tests.support.witnessed_log import ORIGIN, QUORUM, WitnessedLog, log_signer, witness_signer

Files = dict[str, bytes]
LEAVES_FILE = "entries/000000000000.jsonl"

_APPROVAL = {
    "group": "group-bank-a",
    "members": ["bank-a", "bank-c"],
    "approval": "91" * 32,
    "scorecards": ["a4" * 32],
    "scorecard": "a4" * 32,
}
_CONSENT = {"consent_id": "c0" * 16, "version": 1, "subject": SUBJECT}
ENTRIES: list[tuple[str, Mapping[str, object]]] = [
    ("policy.changed", {"policy": "61" * 32, "previous": "0" * 64}),
    ("key.registered", {"key_id": "17" * 32, "institution": "bank-a", "digest": "28" * 32}),
    ("key.attested", {"entity": "4e" * 16, "digest": "29" * 32}),
    ("scorecard.registered", {"scorecard": "a4" * 32, "institution": "bank-a"}),
    ("scorecard.registered", {"scorecard": "a5" * 32}),
    ("scorecard.approved", {**_APPROVAL, "sequence": 1, "previous": "0" * 64}),
    ("consent.granted", granted()),
    (
        "query.decision",
        decided()
        | {
            "group": "group-bank-a",
            "consent_id": "c0" * 16,
            "consent_version": 1,
            "consent_digest": "d1" * 32,
            "approval": "91" * 32,
            "catalogue": "71" * 32,
            "recipient_key": "17" * 32,
            "custody": "recipient",
            "as_of": "2026-10",
            "policy": "61" * 32,
        },
    ),
    (
        "query.release",
        {
            "decision": "ab" * 32,
            "request_id": "e2" * 16,
            "institution": "bank-a",
            "subject": SUBJECT,
            "answers": [{"department": "tax", "digest": "cd" * 32}],
            "missing": ["courts"],
            "output": "ef" * 32,
        },
    ),
    ("consent.paused", {**_CONSENT, "digest": "d3" * 32}),
    ("query.decision", decided("deny", "CONSENT_PAUSED")),
    ("consent.resumed", {**_CONSENT, "digest": "d4" * 32}),
    ("consent.expired", _CONSENT),
    ("consent.revoked", {**_CONSENT, "digest": "d5" * 32}),
    ("scorecard.retired", {**_APPROVAL, "approval": "92" * 32, "sequence": 2, "previous": "91" * 32}),
    ("access.read", {"officer": "officer-1", "query": "39" * 32, "returned": 2}),
    ("erasure.performed", {"subject": OTHER_SUBJECT}),
    ("anchor.tsa", {"size": 17, "root": "bd" * 32, "token": "ce" * 32}),
    ("log.closed", {}),
]


def vector_log() -> WitnessedLog:
    """Every kind once or twice."""
    log = WitnessedLog(OPENED_AT)
    for number, (kind, body) in enumerate(ENTRIES, start=1):
        log.append(kind, body, OPENED_AT + timedelta(seconds=number, microseconds=number))
    return log


def export_files(log: WitnessedLog) -> Files:
    """The log's export, name → content."""
    with tempfile.TemporaryDirectory() as folder:
        directory = export_log(log, Path(folder) / "export")
        return {
            path.relative_to(directory).as_posix(): path.read_bytes()
            for path in sorted(directory.rglob("*"))
            if path.is_file()
        }


def with_sums(files: Files) -> Files:
    """The same with sums that fit, so that another check has to find the defect."""
    named = {name: content for name, content in files.items() if name != "SHA256SUMS"}
    lines = [f"{hashlib.sha256(named[name]).hexdigest()}  {name}\n" for name in sorted(named)]
    return {**named, "SHA256SUMS": "".join(lines).encode()}


def cosigned(text: bytes) -> bytes:
    """A note with another text, duly signed by the log and its quorum."""
    cosignatures = (witness_signer(name).cosign(text, COSIGNED_AT) for name in QUORUM)
    return Note(text, (log_signer("the log").sign(text), *cosignatures)).encode()


def signed_tree(leaves: Sequence[bytes], size: int | None = None) -> bytes:
    """The checkpoint over whatever leaves, duly signed; `size` is what it says of their number."""
    checkpoint = Checkpoint(ORIGIN, len(leaves) if size is None else size, root([leaf_hash(leaf) for leaf in leaves]))
    return cosigned(checkpoint.text())


def signed_receipt(leaves: Sequence[bytes], index: int) -> Receipt:
    """Of one of these leaves."""
    path = inclusion_proof(index, [leaf_hash(leaf) for leaf in leaves])
    return Receipt(leaves[index], TlogProof(index, tuple(path), signed_tree(leaves)).encode())


def foreign_note(log: WitnessedLog) -> bytes:
    """Signed by a key that is not the policy's, under the log's name, and cosigned by a true quorum."""
    note = Note.parse(log.note(COSIGNED_AT))
    foreign = log_signer("somebody else").sign(note.text)
    return Note(note.text, (foreign, *note.signatures[1:])).encode()


def other_spelling(encoded: bytes) -> bytes:
    """32 bytes leave two bits of the last base64 digit unused: set one."""
    digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    position = digits.index(encoded[-2:-1])
    return encoded[:-2] + digits[position + 1 : position + 2] + b"="
