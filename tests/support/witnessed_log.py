"""A log in memory with witnesses, signed through the ledger's own note, tree and proof modules; no
sequencer, no files.

It also does what an honest log never does: leaves without cosignatures, cosignatures of strangers or of any
time. Four witnesses, of whom three must cosign (> (N + f)/2 for N = 4, f = 1).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.chain import Chain
from ledger.checkpoint import Checkpoint
from ledger.entry import ZERO_HASH, Entry, encode, format_time, leaf_hash
from ledger.merkle import consistency_proof, inclusion_proof, root
from ledger.note import Note, SignatureType, Signer, parse_signatures
from ledger.policy import LogPolicy, WitnessedCheckpoint
from ledger.proof import TlogProof
from ledger.receipt import Receipt
from ledger.verify import check_head

ORIGIN = "consentgate.test/ledger"
WITNESSES = ("tax", "customs", "courts", "regulator")
QUORUM = WITNESSES[:3]


def signer_from_seed(name: str, kind: SignatureType, seed: bytes) -> Signer:
    """A key that is the same each time, from 32 bytes (RFC 8032)."""
    return Signer(name, kind, Ed25519PrivateKey.from_private_bytes(seed))


def with_signatures(note: Note, lines: bytes) -> Note:
    """The same text with further signature lines."""
    return Note(note.text, note.signatures + parse_signatures(lines))


def extended(
    old: Chain, leaves: Iterable[bytes], note: bytes, policy: LogPolicy
) -> tuple[Chain, list[Entry], WitnessedCheckpoint]:
    """A verified history grown to exactly the witnessed checkpoint in `note`, as all followers of a log do it."""
    witnessed = policy.check(note)
    grown, entries = old.extend(leaves)
    check_head(grown, witnessed.checkpoint)
    return grown, entries, witnessed


def log_signer(label: str) -> Signer:
    """The log key that belongs to `label`, under the log's true name."""
    return signer_from_seed(ORIGIN, SignatureType.ED25519, _seed(f"log {label}"))


def witness_signer(name: str) -> Signer:
    """A witness key; names outside WITNESSES are strangers to the policy."""
    return signer_from_seed(f"{name}.witness.test", SignatureType.COSIGNATURE, _seed(f"witness {name}"))


def policy_text(label: str = "the log") -> str:
    """The trust policy as a file (c2sp.org/tlog-policy)."""
    lines = [f"log {log_signer(label).verifier_key}"]
    lines += [f"witness {name} {witness_signer(name).verifier_key}" for name in WITNESSES]
    lines += [f"group departments 3 {' '.join(WITNESSES)}", "quorum departments", ""]
    return "\n".join(lines)


class WitnessedLog:
    """Entries in memory. `policy` is what verifiers hold of it."""

    def __init__(self, opened_at: datetime, key_label: str = "the log") -> None:
        self.policy = LogPolicy.parse(policy_text())
        self.leaves: list[bytes] = []
        self._hashes: list[bytes] = []
        self._signer = log_signer(key_label)
        self.append("log.opened", {}, opened_at)

    def append(self, kind: str, body: Mapping[str, object], recorded_at: datetime) -> int:
        """Records one entry and returns its index."""
        index = len(self.leaves)
        previous = self._hashes[-1].hex() if self._hashes else ZERO_HASH
        nonce = hashlib.sha256(f"nonce {index}".encode()).hexdigest()[:32]
        leaf = encode(Entry(ORIGIN, index, previous, format_time(recorded_at), kind, nonce, body))
        self.leaves.append(leaf)
        self._hashes.append(leaf_hash(leaf))
        return index

    def note(
        self,
        cosigned_at: datetime | Mapping[str, datetime],
        *,
        witnesses: Sequence[str] = QUORUM,
        size: int | None = None,
        log_signs: bool = True,
    ) -> bytes:
        """A checkpoint of the first `size` leaves (all), cosigned at one time or at a time per witness."""
        size = len(self.leaves) if size is None else size
        checkpoint = Checkpoint(ORIGIN, size, root(self._hashes[:size]))
        note = checkpoint.sign(self._signer) if log_signs else Note(checkpoint.text(), ())
        times = cosigned_at if isinstance(cosigned_at, Mapping) else dict.fromkeys(witnesses, cosigned_at)
        cosignatures = tuple(witness_signer(name).cosign(note.text, times[name]) for name in witnesses)
        return Note(note.text, note.signatures + cosignatures).encode()

    def receipt(
        self,
        index: int,
        cosigned_at: datetime | Mapping[str, datetime],
        *,
        witnesses: Sequence[str] = QUORUM,
        log_signs: bool = True,
    ) -> Receipt:
        """Leaf and inclusion proof in the newest checkpoint."""
        note = self.note(cosigned_at, witnesses=witnesses, log_signs=log_signs)
        path = tuple(inclusion_proof(index, self._hashes))
        return Receipt(leaf=self.leaves[index], proof=TlogProof(index, path, note).encode())

    def consistency(self, old_size: int) -> list[bytes]:
        """Proof that the first `old_size` leaves are a prefix of all."""
        return consistency_proof(old_size, self._hashes)


def _seed(label: str) -> bytes:
    return hashlib.sha256(f"test key {label}".encode()).digest()
