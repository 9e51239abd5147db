"""Entries of a running Rekor log as tests/vectors/rekor keeps them, and the steps by which our parts judge one."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from ledger.checkpoint import Checkpoint
from ledger.entry import leaf_hash
from ledger.errors import CheckpointInvalid, ProofInvalid
from ledger.merkle import verify_inclusion
from ledger.note import KEY_ID_BYTES, Note
from ledger.proof import TlogProof

FIXTURE = Path(__file__).parents[1] / "vectors" / "rekor" / "entries.json"
CONTENT = json.loads(FIXTURE.read_bytes())
NAME: str = CONTENT["key"]["name"]
SPKI = base64.b64decode(CONTENT["key"]["spki"])
LOG_ID = hashlib.sha256(SPKI).digest()
"""What Rekor calls its log id."""
KEY_ID = LOG_ID[:KEY_ID_BYTES]
"""Of signature type 0x02 (ECDSA): unlike that of 0x01, it does not hash the name."""


class Step(StrEnum):
    """Which step refused, in their order."""

    NOTE = "note"
    SIGNATURE = "signature"
    CHECKPOINT = "checkpoint"
    INCLUSION = "inclusion"


class Refused(Exception):
    """An entry is not what the log signed."""

    def __init__(self, step: Step) -> None:
        super().__init__(step)
        self.step = step


@dataclass(frozen=True)
class PublishedEntry:
    """A leaf's bytes, and its proof in our form. `size` and `root` are what stood beside the proof, unsigned."""

    file: str
    body: bytes
    proof: TlogProof
    size: int
    root: bytes


def load() -> list[PublishedEntry]:
    """The fixture, the entry with the shortest body first."""
    return [
        PublishedEntry(
            file=entry["file"],
            body=base64.b64decode(entry["body"]),
            proof=TlogProof(
                entry["index"], tuple(base64.b64decode(value) for value in entry["hashes"]), entry["note"].encode()
            ),
            size=entry["size"],
            root=base64.b64decode(entry["root"]),
        )
        for entry in CONTENT["entries"]
    ]


def judge(body: bytes, proof: TlogProof) -> Checkpoint:
    """The signed checkpoint whose tree holds the body; raises Refused. As section 8 of docs/ledger-format.md orders it,
    but for the signature's type. Size and root come from the checkpoint and from nowhere else.
    """
    try:
        note = Note.parse(proof.note)
    except CheckpointInvalid as error:
        raise Refused(Step.NOTE) from error
    verify_signature(note)
    try:
        checkpoint = Checkpoint.parse(note.text)
    except CheckpointInvalid as error:
        raise Refused(Step.CHECKPOINT) from error
    try:
        verify_inclusion(proof.index, checkpoint.size, leaf_hash(body), proof.hashes, checkpoint.root)
    except ProofInvalid as error:
        raise Refused(Step.INCLUSION) from error
    return checkpoint


def verify_signature(note: Note) -> None:
    """Raises Refused unless the published key signed the note's text: once, as we demand of every key."""
    mine = [line.signature for line in note.signatures if (line.name, line.key_id) == (NAME, KEY_ID)]
    try:
        (signature,) = mine
        public_key().verify(signature, note.text, ec.ECDSA(SHA256()))
    except (InvalidSignature, ValueError) as error:
        raise Refused(Step.SIGNATURE) from error


def public_key() -> ec.EllipticCurvePublicKey:
    """The log's key; of curve P-256, as its type demands."""
    key = load_der_public_key(SPKI)
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise TypeError("the fixture's key is not of curve P-256")
    return key
