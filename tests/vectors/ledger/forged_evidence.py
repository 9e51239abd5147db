"""Bundles that say what does not hold, and are otherwise as they have to be: manifest, explanation, keys and sums
follow from the lie, so that only the check that is meant can find it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta

from ledger.checkpoint import Checkpoint
from ledger.entry import MAX_LEAF, leaf_hash, parse
from ledger.evidence import Finding, Material, NamedEntry, PrefixProof, Told, Verdict, open_note, prefix_of_receipt
from ledger.note import SignatureType
from ledger.policy import LogPolicy
from ledger.proof import TlogProof
from ledger.receipt import Receipt
from tests.support.forked_log import EARLIER, LATER, forked
from tests.support.witnessed_log import policy_text, signer_from_seed, witness_signer
from tests.vectors.ledger.evidence import (
    POLICY,
    asymmetric,
    forged,
    keys_of,
    materials,
    of_bytes_that_are_no_entry,
    written,
)
from tests.vectors.ledger.log import Files, with_sums

ForgedCase = tuple[str, str, str, Files]
"""Name, the good bundle of that verdict, error, files."""
_FORK = forked(3, 9, 13)
_LOG = _FORK.honest


def forged_cases() -> Iterator[ForgedCase]:
    """Lies by kind."""
    yield from _of_receipts()
    yield from _of_beginnings()
    yield from _of_times()
    yield from _of_words()
    yield from _of_keys()


def _of_receipts() -> Iterator[ForgedCase]:
    def case(name: str, error: str, *receipts: Receipt, notes: tuple[bytes, ...] = ()) -> ForgedCase:
        proofs = [TlogProof.parse(receipt.proof) for receipt in receipts]
        first, second = notes or (proof.note for proof in proofs)
        one, other = (
            NamedEntry(proof.index, leaf_hash(receipt.leaf), parse(receipt.leaf))
            for proof, receipt in zip(proofs, receipts, strict=True)
        )
        material = Material(first, second, receipts=(receipts[0], receipts[1]))
        return name, "other-entry", error, forged(material, Verdict.OTHER_ENTRY, entries=(one, other))

    longer = forked(3, 13, 13).honest
    yield case("one entry in both trees", "EvidenceInvalid", _LOG.receipt(5, EARLIER), longer.receipt(5, LATER))
    yield case("entries of two indices", "ProofInvalid", _LOG.receipt(5, EARLIER), _FORK.other.receipt(6, LATER))
    pair = _LOG.receipt(5, EARLIER), _FORK.other.receipt(5, LATER)
    later = _FORK.other.note(LATER + timedelta(seconds=1))
    yield case("a receipt under other cosignatures", "ProofInvalid", *pair, notes=(_LOG.note(EARLIER), later))
    larger = case("receipts with the larger tree first", "EvidenceInvalid", *reversed(pair))
    yield larger
    material = of_bytes_that_are_no_entry(b" " * (MAX_LEAF + 1))
    receipts = material.receipts or ()
    named = [NamedEntry(8, leaf_hash(receipt.leaf), None) for receipt in receipts]
    named[0] = NamedEntry(8, named[0].leaf_hash, parse(receipts[0].leaf))
    files = forged(material, Verdict.OTHER_ENTRY, entries=tuple(named))
    yield "a leaf of 16,385 bytes", "other-entry-no-entry", "EvidenceInvalid", files


def _of_beginnings() -> Iterator[ForgedCase]:
    def case(name: str, error: str, first: bytes, second: bytes, prefix: PrefixProof | None) -> ForgedCase:
        files = forged(Material(first, second, prefix=prefix), Verdict.OTHER_PREFIX, prefix=prefix)
        return name, "other-prefix", error, files

    first, second = _LOG.note(EARLIER, size=7), _LOG.note(LATER)
    own = prefix_of_receipt(7, _LOG.receipt(6, LATER))
    yield case("a tree that begins with the smaller", "EvidenceInvalid", first, second, own)
    other = _FORK.other.receipt(5, LATER)
    yield case(
        "a beginning of another size", "ConsistencyInvalid", first, _FORK.other.note(LATER), prefix_of_receipt(6, other)
    )
    true = prefix_of_receipt(7, _FORK.other.receipt(6, LATER))
    yield case("a beginning with the larger tree first", "EvidenceInvalid", _FORK.other.note(LATER), first, true)
    named = case("", "", first, _FORK.other.note(LATER), true)[3]
    named["prefix.proof"] = named["prefix.proof"].replace(b"size 7", b"size 8")
    yield "another size before a good proof", "other-prefix", "ConsistencyInvalid", with_sums(named)
    many = PrefixProof(7, bytes(32), (bytes(32),) * 64)
    yield case("a proof of 65 hashes", "EvidenceInvalid", first, second, many)
    yield case("a proof with a hash of 31 bytes", "EvidenceInvalid", first, second, PrefixProof(7, bytes(31), ()))


def _of_times() -> Iterator[ForgedCase]:
    names = tuple(sorted(key.name for key in POLICY.witnesses.values() if not key.name.startswith("regulator")))
    small, same, large = _LOG.note(LATER, size=5), _LOG.note(EARLIER, size=5), _LOG.note(EARLIER)
    for name, pair in (
        ("the smaller tree at the same time", (same, large)),
        ("the smaller tree first", (same, _LOG.note(LATER))),
        ("the larger tree first", (large, small)),
        ("one tree twice", (same, small)),
    ):
        yield name, "rollback", "EvidenceInvalid", forged(Material(*pair), Verdict.ROLLBACK, returned=names)
    asked = _LOG.note(EARLIER, size=6), _LOG.note(LATER)
    for name, answer in (
        ("an answer that holds", tuple(_LOG.consistency(6))),
        ("an answer of 65 hashes", (bytes(32),) * 65),
        ("an answer with a hash of 31 bytes", (bytes(31),)),
    ):
        files = forged(Material(*asked, answer=answer), Verdict.UNANSWERED)
        yield name, "unanswered", "EvidenceInvalid", files


def _of_words() -> Iterator[ForgedCase]:
    notes = _LOG.note(EARLIER, size=5, witnesses=()), _LOG.note(EARLIER, witnesses=())

    def case(name: str, by: str, *pair: bytes) -> ForgedCase:
        told = Told(by, LATER)
        first, second = pair or notes
        files = forged(Material(first, second, told=told), Verdict.ROLLBACK, told=told)
        return name, "rollback-told", "EvidenceInvalid", files

    yield case("a name of 256 characters", "x" * 256)
    yield case("a name that begins with a blank", " tax")
    yield case("a name that ends with a blank", "tax ")
    yield case("a name with two blanks in a row", "department  tax")
    yield case("a name that is empty", "")
    yield case("a name that is not ASCII", "Zoll und Steuer für alle")
    yield case("a word about one tree", "tax", notes[0], notes[0])
    yield case("a word with the larger tree first", "tax", notes[1], notes[0])
    good = case("", "tax")[3]
    parts = {name: content.replace(b"T11:00:00", b"T25:00:00") for name, content in good.items()}
    yield "a time that is none", "rollback-told", "EvidenceInvalid", with_sums(parts)
    unsure = {**good, "told.json": good["told.json"].replace(b"T11:00:00.000000Z", b"T13:00:00.000000+02:00")}
    yield "a time of another zone", "rollback-told", "EvidenceInvalid", with_sums(unsure)


class _Accusing(Finding):
    """Names every witness that cosigned anything."""

    @property
    def cosigned_both(self) -> tuple[str, ...]:
        return tuple(sorted(self.first.cosignatures.keys() | self.second.cosignatures.keys()))


def _of_keys() -> Iterator[ForgedCase]:
    pair = asymmetric()
    keys = keys_of(pair.first, pair.second)
    first, second = (open_note(note, LogPolicy.parse(keys)) for note in (pair.first, pair.second))
    all_of_them = written(pair, _Accusing(Verdict.SAME_SIZE, True, first, second), keys)
    yield "witnesses of one note said to be of both", "same-size-other-witnesses", "EvidenceInvalid", all_of_them
    same = materials()["same-size"]
    stranger = same.first + witness_signer("stranger").cosign(b"x", EARLIER).line()
    files = forged(Material(stranger, same.second), Verdict.SAME_SIZE)
    yield "a signature of a stranger", "same-size", "EvidenceInvalid", files
    log, *witnesses, quorum = keys_of(same.first, same.second).splitlines(keepends=True)
    unsorted = "".join([log, *reversed(witnesses), quorum])
    yield "keys in another order", "same-size", "EvidenceInvalid", forged(same, Verdict.SAME_SIZE, unsorted)
    own = policy_text().replace("group departments 3 tax customs courts regulator\nquorum departments", "quorum none")
    own = "".join(line for line in own.splitlines(keepends=True) if "regulator" not in line)
    yield "witnesses under the maker's names", "same-size", "EvidenceInvalid", forged(same, Verdict.SAME_SIZE, own)
    named = with_sums({**forged(same, Verdict.SAME_SIZE), "keys.txt": _sorted(own).encode()})
    yield "keys alone under the maker's names", "same-size", "EvidenceInvalid", named
    seed = hashlib.sha256(b"test key of another log").digest()
    other = signer_from_seed("other.test/ledger", SignatureType.ED25519, seed)
    note = Checkpoint(other.name, 9, bytes(32)).sign(other).encode()
    two = LogPolicy((*POLICY.logs, other.verifier_key), POLICY.witnesses, {}, "none", {})
    files = forged(Material(same.first, note), Verdict.SAME_SIZE, policy=two)
    yield "two logs", "same-size", "LogMismatch", files


def _sorted(keys: str) -> str:
    return "".join(sorted(keys.splitlines(keepends=True), key=lambda line: (line.startswith("quorum"), line)))
