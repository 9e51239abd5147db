"""Does a pair of checkpoints prove that their log did not keep one append-only history? (docs/ledger-format.md, 15)

A log signs tree heads. It misbehaved when it signed two that no append-only log can have: of one size with two roots;
of two sizes where the larger tree, by its own consistency proof, begins otherwise than the smaller; or two trees with
different entries at one index. Each is proof by itself, whoever shows it, and needs no word of the log. Two weaker
findings are told apart and never called proof: a smaller tree shown after a larger one (dated by a witness or by
somebody's word, because the log's own signature bears no time, and a witness that lies can cosign any old checkpoint
once more), and two sizes between which the log has no proof.

Pure: hashing and Ed25519 only. `ledger.evidence_folder` makes a folder of it, `ledger.evidence_words` explains it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from ledger.checkpoint import Checkpoint
from ledger.entry import Entry, leaf_hash, parse
from ledger.errors import ConsistencyInvalid, EntryInvalid, LogMismatch, NotEvidence, ProofInvalid
from ledger.merkle import node_hash, verify_consistency, verify_inclusion
from ledger.note import Note, VerifierKey
from ledger.policy import LogPolicy
from ledger.proof import TlogProof
from ledger.receipt import Receipt


class Verdict(StrEnum):
    """What two checkpoints show."""

    OTHER_ENTRY = "other-entry"
    SAME_SIZE = "same-size"
    OTHER_PREFIX = "other-prefix"
    ROLLBACK = "rollback"
    UNANSWERED = "unanswered"


FORKS = frozenset({Verdict.OTHER_ENTRY, Verdict.SAME_SIZE, Verdict.OTHER_PREFIX})
"""Verdicts that prove by themselves that the log signed two histories."""


@dataclass(frozen=True)
class PrefixProof:
    """What a larger tree says of its own first `size` leaves: their root, and the consistency proof (RFC 6962) that
    leads from it to the larger root.
    """

    size: int
    root: bytes
    hashes: tuple[bytes, ...]


@dataclass(frozen=True)
class Told:
    """What the keeper of the notes says and nobody signed: that he was shown the second one at `seen_at`, after the
    first.
    """

    by: str
    seen_at: datetime


@dataclass(frozen=True)
class Material:
    """Two notes, and whatever shows how they contradict each other. Nothing in it is trusted.

    `receipts` are of one index, under these very notes. `answer` is the consistency proof that the log gave, empty
    when it gave none.
    """

    first: bytes
    second: bytes
    prefix: PrefixProof | None = None
    receipts: tuple[Receipt, Receipt] | None = None
    answer: tuple[bytes, ...] | None = None
    told: Told | None = None


@dataclass(frozen=True)
class Signed:
    """A checkpoint, the key of the log that signed it, and when which known witnesses cosigned it."""

    checkpoint: Checkpoint
    log_key: VerifierKey
    cosignatures: Mapping[str, datetime]


@dataclass(frozen=True)
class NamedEntry:
    """The entry of one of the trees at the index where they differ; `entry` is None when the bytes are none."""

    index: int
    leaf_hash: bytes
    entry: Entry | None


@dataclass(frozen=True)
class Finding:
    """What the material shows. `first` is never larger than `second`; `returned` are the witnesses that cosigned the
    smaller tree after the larger. Only what is `conclusive` convinces somebody who trusts nobody.
    """

    verdict: Verdict
    conclusive: bool
    first: Signed
    second: Signed
    prefix: PrefixProof | None = None
    entries: tuple[NamedEntry, NamedEntry] | None = None
    returned: tuple[str, ...] = ()
    told: Told | None = None

    @property
    def cosigned_both(self) -> tuple[str, ...]:
        """Of a fork: the witnesses that cosigned both sides, which no witness does that keeps its promise."""
        both = self.first.cosignatures.keys() & self.second.cosignatures.keys()
        return tuple(sorted(both)) if self.verdict in FORKS else ()


def judge(material: Material, policy: LogPolicy) -> Finding:
    """What two checkpoints show, by the keys of a policy; its quorum is not asked for: no witness makes a fork right.

    Raises NotEvidence when the log can have signed both, SignatureInvalid, CheckpointInvalid or LogMismatch for a note
    that is not this log's, ProofInvalid or ConsistencyInvalid for a proof that does not lead where it says.
    """
    # 1. Both are the log's own words.
    first, second = open_note(material.first, policy), open_note(material.second, policy)
    if first.checkpoint.origin != second.checkpoint.origin:
        raise LogMismatch("the two checkpoints are of two logs")
    # 2. The strongest reason there is.
    if material.receipts is not None:
        return _two_entries(first, second, material, material.receipts)
    if first.checkpoint.size == second.checkpoint.size:
        return _same_size(first, second)
    return _two_sizes(first, second, material)


def open_note(data: bytes, policy: LogPolicy) -> Signed:
    """The checkpoint that a log of the policy signed, with the verified cosignatures of its witnesses."""
    note = Note.parse(data)
    checkpoint, key = policy.open(note)
    return Signed(checkpoint, key, policy.cosignatures(note))


def in_order(material: Material) -> Material:
    """The same with the smaller tree first; two of one size stay as they are."""
    first, second = (Checkpoint.parse(Note.parse(note).text) for note in (material.first, material.second))
    if first.size <= second.size:
        return material
    receipts = None if material.receipts is None else (material.receipts[1], material.receipts[0])
    return replace(material, first=material.second, second=material.first, receipts=receipts)


def prefix_of_answer(size: int, larger: Checkpoint, answer: Sequence[bytes]) -> PrefixProof | None:
    """What a log's own consistency proof says of the first `size` leaves of the tree that it signed.

    None when it does not lead to that tree, and when `size` is a power of two: then the proof leaves the root of the
    first leaves out (RFC 6962 section 2.1.2), and only a receipt can tell (`prefix_of_receipt`).
    """
    if size >= larger.size or not answer or size & (size - 1) == 0:
        return None
    level = (size & -size).bit_length() - 1
    found = PrefixProof(size, _prefix_root(size, larger.size, level, answer[0], answer[1:]), tuple(answer))
    return found if _leads_to(found, larger) else None


def prefix_of_receipt(size: int, receipt: Receipt) -> PrefixProof | None:
    """What a tree says of its first `size` leaves, by a receipt of the last of them (index `size` - 1): everything left
    of its path is their tree. None when the receipt is of another index or a tree that is not larger.
    """
    proof = TlogProof.parse(receipt.proof)
    larger = Checkpoint.parse(Note.parse(proof.note).text)
    digest = leaf_hash(receipt.leaf)
    if proof.index != size - 1 or size >= larger.size:
        return None
    verify_inclusion(proof.index, larger.size, digest, proof.hashes, larger.root)
    level = (size & -size).bit_length() - 1
    for sibling in proof.hashes[:level]:
        digest = node_hash(sibling, digest)
    rest = proof.hashes[level:]
    path = rest if size == 1 << level else (digest, *rest)
    return PrefixProof(size, _prefix_root(size, larger.size, level, digest, rest), path)


def _prefix_root(size: int, larger: int, level: int, start: bytes, rest: Sequence[bytes]) -> bytes:
    """The old root of RFC 9162 section 2.1.4.2: from the last complete subtree of the old tree, with every sibling to
    its left.
    """
    node, last, found = (size - 1) >> level, (larger - 1) >> level, start
    for sibling in rest:
        if node & 1 or node == last:
            found = node_hash(sibling, found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        node, last = node >> 1, last >> 1
    return found


def _leads_to(prefix: PrefixProof, larger: Checkpoint) -> bool:
    try:
        verify_consistency(prefix.size, larger.size, prefix.root, larger.root, prefix.hashes)
    except ConsistencyInvalid:
        return False
    return True


def _two_entries(first: Signed, second: Signed, material: Material, receipts: tuple[Receipt, Receipt]) -> Finding:
    entries = (_named(first, material.first, receipts[0]), _named(second, material.second, receipts[1]))
    if entries[0].index != entries[1].index:
        raise ProofInvalid("the two receipts are of different indices")
    if entries[0].leaf_hash == entries[1].leaf_hash:
        raise NotEvidence("both trees hold the same entry at that index")
    return Finding(Verdict.OTHER_ENTRY, True, first, second, entries=entries)


def _named(signed: Signed, note: bytes, receipt: Receipt) -> NamedEntry:
    proof = TlogProof.parse(receipt.proof)
    if proof.note != note:
        raise ProofInvalid("a receipt is under another checkpoint than the one it stands beside")
    digest, checkpoint = leaf_hash(receipt.leaf), signed.checkpoint
    verify_inclusion(proof.index, checkpoint.size, digest, proof.hashes, checkpoint.root)
    try:
        return NamedEntry(proof.index, digest, parse(receipt.leaf))
    except EntryInvalid:  # the log signed it all the same
        return NamedEntry(proof.index, digest, None)


def _same_size(first: Signed, second: Signed) -> Finding:
    if first.checkpoint.root == second.checkpoint.root:
        raise NotEvidence(f"both checkpoints name the same tree of {first.checkpoint.size} entries")
    return Finding(Verdict.SAME_SIZE, True, first, second)


def _two_sizes(first: Signed, second: Signed, material: Material) -> Finding:
    if first.checkpoint.size > second.checkpoint.size:
        first, second = second, first
    prefix = material.prefix
    if prefix is not None:
        _check_prefix(prefix, first.checkpoint, second.checkpoint)
        if prefix.root != first.checkpoint.root:
            return Finding(Verdict.OTHER_PREFIX, True, first, second, prefix=prefix)
    returned = _returned(first, second)
    if returned:
        return Finding(Verdict.ROLLBACK, False, first, second, returned=returned)
    if prefix is not None or _answers(material, first.checkpoint, second.checkpoint):
        sizes = f"the tree of {second.checkpoint.size} entries continues the one of {first.checkpoint.size}"
        raise NotEvidence(f"{sizes}: they are of one history")
    if material.told is not None:
        return Finding(Verdict.ROLLBACK, False, first, second, told=material.told)
    if material.answer is not None:
        return Finding(Verdict.UNANSWERED, False, first, second)
    raise NotEvidence(
        f"trees of {first.checkpoint.size} and {second.checkpoint.size} entries may be of one history: nothing at hand"
        " shows how the larger begins"
    )


def _check_prefix(prefix: PrefixProof, smaller: Checkpoint, larger: Checkpoint) -> None:
    if prefix.size != smaller.size:
        raise ConsistencyInvalid("the proof is about another size than the smaller checkpoint's")
    verify_consistency(prefix.size, larger.size, prefix.root, larger.root, prefix.hashes)


def _answers(material: Material, smaller: Checkpoint, larger: Checkpoint) -> bool:
    """The log's answer leads from the one to the other."""
    return material.answer is not None and _leads_to(PrefixProof(smaller.size, smaller.root, material.answer), larger)


def _returned(smaller: Signed, larger: Signed) -> tuple[str, ...]:
    """Witnesses whose own two times say that the smaller tree came later. Times of different witnesses are not
    compared: a slow one may honestly cosign an old head after a quick one has cosigned a new one.
    """
    both = smaller.cosignatures.keys() & larger.cosignatures.keys()
    return tuple(sorted(name for name in both if smaller.cosignatures[name] > larger.cosignatures[name]))
