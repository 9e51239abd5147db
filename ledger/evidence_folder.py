"""A bundle of evidence as a folder that needs nothing else (docs/ledger-format.md, section 15).

    manifest.json      the finding, for programs
    explanation.txt    the same in words
    keys.txt           the keys by which both say so: a policy that lists only those that signed
    SHA256SUMS         of all other files, as sha256sum(1) reads it
    …                  the parts (`ledger.evidence_material`)

Nothing in the folder is believed. Reading it makes the finding again from notes and proofs, writes every other file
again from that, and compares every byte: so a word that was changed is found, whatever the sums say. Whether the keys
are the log's, the verifier's own policy says.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ledger.entry import canonical_json, format_time
from ledger.errors import EvidenceInvalid, NotEvidence, PolicyInvalid, StorageFailed
from ledger.evidence import Finding, Material, NamedEntry, Signed, Verdict, in_order, judge
from ledger.evidence_material import material_files, read_material, read_part
from ledger.evidence_words import lines
from ledger.export import SUMS_FILE, shown
from ledger.note import Note, VerifierKey
from ledger.policy import NO_QUORUM, LogPolicy
from ledger.proof import TlogProof
from ledger.receipt import Receipt

FORMAT = "consentgate/evidence/v1"
MANIFEST, EXPLANATION, KEYS = "manifest.json", "explanation.txt", "keys.txt"
MAX_FILE = 256 * 1024
"""No file of a bundle is longer."""


def make_bundle(folder: Path, material: Material, policy: LogPolicy) -> Finding:
    """Writes a bundle; `folder` must not exist. Raises what `judge` raises, and StorageFailed.

    Only signatures by keys of the policy go into it, and no part that the finding does not need, so that every byte of
    it is vouched for.
    """
    finding = judge(material, policy)
    keys = _signers(material, policy)
    files = _files(in_order(_known_only(material, keys)), keys)
    partial = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    try:
        partial.mkdir(parents=True)
        try:
            for name, content in files.items():
                (partial / name).write_bytes(content)
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise StorageFailed(f"cannot write the bundle: {error.strerror}") from error
    return finding


def is_bundle(folder: Path) -> bool:
    """A folder of this sort, whatever it holds."""
    return (folder / MANIFEST).is_file() and (folder / KEYS).is_file()


def read_bundle(folder: Path, policy: LogPolicy) -> Finding:
    """The finding of a bundle by the verifier's own keys; raises a LedgerError that names what does not hold."""
    # 1. The folder is exactly what its notes and proofs lead to, by the keys that it names.
    material = read_material(folder)
    for name, part in material_files(material).items():
        if read_part(folder, name, MAX_FILE) != part:
            raise EvidenceInvalid(f"{name} is not written as it has to be")
    try:
        _compare(folder, _files(material, _own_keys(folder)))
        # 2. What counts are the verifier's keys.
        return judge(material, policy)
    except NotEvidence as error:
        raise EvidenceInvalid(f"it shows nothing: {error}") from error


def members(finding: Finding) -> dict[str, object]:
    """The finding as JSON members."""
    found: dict[str, object] = {
        "verdict": finding.verdict.value,
        "conclusive": finding.conclusive,
        "log": finding.first.checkpoint.origin,
        "checkpoints": [_signed(finding.first), _signed(finding.second)],
    }
    if finding.prefix is not None:
        found["prefix"] = {"size": finding.prefix.size, "root": finding.prefix.root.hex()}
    if finding.entries is not None:
        found["entries"] = [_entry(named) for named in finding.entries]
    if finding.cosigned_both:
        found["cosigned_both"] = list(finding.cosigned_both)
    if finding.returned:
        found["returned"] = list(finding.returned)
    if finding.told is not None:
        found["told"] = {"by": finding.told.by, "seen_at": format_time(finding.told.seen_at)}
    return found


def _files(material: Material, keys: LogPolicy) -> dict[str, bytes]:
    """Every file of the bundle, from what was signed."""
    finding = judge(material, keys)
    if in_order(material) != material:
        raise EvidenceInvalid("first.note is the checkpoint of the larger tree")
    files = material_files(_needed(_known_only(material, keys), finding))
    files[KEYS] = _policy_text(_signers(material, keys))
    files[MANIFEST] = canonical_json({"format": FORMAT, **members(finding)}) + b"\n"
    files[EXPLANATION] = "".join(f"{line}\n" for line in lines(finding)).encode()
    sums = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items())]
    return {**files, SUMS_FILE: "".join(sums).encode()}


def _needed(material: Material, finding: Finding) -> Material:
    """What leads to the finding; an answer and a word are kept only where they are all that there is."""
    return replace(
        material,
        prefix=finding.prefix,
        receipts=None if finding.entries is None else material.receipts,
        answer=material.answer if finding.verdict is Verdict.UNANSWERED else None,
        told=finding.told,
    )


def _compare(folder: Path, files: Mapping[str, bytes]) -> None:
    found = {path.name for path in folder.iterdir()}
    for name in sorted(found | files.keys(), key=lambda name: (name == SUMS_FILE, name)):  # the cause, then the sums
        if name not in files:
            raise EvidenceInvalid(f"{shown(name)} does not belong to this bundle")
        if read_part(folder, name, MAX_FILE) != files[name]:
            raise EvidenceInvalid(f"{name} is not what the notes and proofs lead to")


def _own_keys(folder: Path) -> LogPolicy:
    try:
        return LogPolicy.parse(read_part(folder, KEYS, MAX_FILE).decode("ascii", "replace"))
    except PolicyInvalid as error:
        raise EvidenceInvalid(f"{KEYS}: {error}") from error


def _signed(signed: Signed) -> dict[str, object]:
    return {
        "size": signed.checkpoint.size,
        "root": signed.checkpoint.root.hex(),
        "signed_by": str(signed.log_key),
        "cosigned": [
            {"witness": name, "time": format_time(moment)} for name, moment in sorted(signed.cosignatures.items())
        ],
    }


def _entry(named: NamedEntry) -> dict[str, object]:
    found: dict[str, object] = {"index": named.index, "leaf_hash": named.leaf_hash.hex()}
    return found if named.entry is None else {**found, "kind": named.entry.kind, "ts": named.entry.ts}


def _signers(material: Material, policy: LogPolicy) -> LogPolicy:
    """A policy of exactly the keys that signed, each witness under its key's own name; of two keys of one name, the
    one that is listed first.
    """
    notes = [Note.parse(note) for note in (material.first, material.second)]

    def signed(key: VerifierKey) -> bool:
        return any(key.find(note) is not None for note in notes)

    witnesses = {key.name: key for key in reversed(list(policy.witnesses.values())) if signed(key)}
    logs = tuple(sorted(filter(signed, policy.logs), key=str))  # as keys.txt lists them: the first is the one named
    return LogPolicy(logs, witnesses, {}, NO_QUORUM, {})


def _policy_text(keys: LogPolicy) -> bytes:
    found = [f"log {key}" for key in keys.logs]
    found += [f"witness {name} {key}" for name, key in sorted(keys.witnesses.items())]
    return "".join(f"{line}\n" for line in [*found, f"quorum {keys.quorum}"]).encode()


def _known_only(material: Material, policy: LogPolicy) -> Material:
    """Without signatures that nobody here can verify."""
    receipts = None
    if material.receipts is not None:
        one, other = (_under_known(receipt, policy) for receipt in material.receipts)
        receipts = (one, other)
    first, second = (_known_note(note, policy) for note in (material.first, material.second))
    return replace(material, first=first, second=second, receipts=receipts)


def _known_note(data: bytes, policy: LogPolicy) -> bytes:
    note = Note.parse(data)
    keys = {(key.name, key.key_id) for key in (*policy.logs, *policy.witnesses.values())}
    return Note(note.text, tuple(item for item in note.signatures if (item.name, item.key_id) in keys)).encode()


def _under_known(receipt: Receipt, policy: LogPolicy) -> Receipt:
    proof = TlogProof.parse(receipt.proof)
    return Receipt(receipt.leaf, replace(proof, note=_known_note(proof.note, policy)).encode())
