"""sigstore (Python) and @sigstore/verify (Node) accept our receipts as entries of a Rekor log, and no flipped bit.

Both know no witnesses: they look for the log's signature and pass over every other line.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key

from ledger.errors import LedgerError
from ledger.note import SignatureType, VerifierKey
from ledger.policy import LogPolicy
from ledger.proof import TlogProof
from ledger.receipt import Receipt
from ledger.verify import verify_receipt
from tests.conformance.strangers import HERE, node, npm_packages
from tests.support.sample_log import COSIGNED_AT, sample_log
from tests.support.witnessed_log import QUORUM, log_signer, witness_signer

sigstore = pytest.importorskip("sigstore", reason="sigstore is of the extra `oracles`")
checkpoints = pytest.importorskip("sigstore._internal.rekor.checkpoint")
merkle = pytest.importorskip("sigstore._internal.merkle")
trust = pytest.importorskip("sigstore._internal.trust")
models = pytest.importorskip("sigstore.models")
rekor = pytest.importorskip("sigstore_models.rekor.v1")
common = pytest.importorskip("sigstore_models.common.v1")

pytestmark = pytest.mark.oracles

KEY = log_signer("the log").verifier_key
SPKI = bytes.fromhex("302a300506032b6570032100") + KEY.public
LOG_ID = hashlib.sha256(KEY.name.encode() + b"\n\x01" + KEY.public).digest()
"""As Rekor's newer logs have it: what a note's key id is the beginning of."""
INDEX = 6
LEAF = sample_log().leaves[INDEX]
PROOF = sample_log().receipt(INDEX, COSIGNED_AT).proof
WITNESSES = PROOF.index(f"— {witness_signer(QUORUM[0]).name}".encode())
"""Where the witnesses' lines begin: neither of the two knows witnesses."""
STRICT = LogPolicy.parse(
    f"log {KEY}\n"
    + "".join(f"witness {name} {witness_signer(name).verifier_key}\n" for name in QUORUM)
    + f"group everybody all {' '.join(QUORUM)}\nquorum everybody\n"
)


def flipped(data: bytes) -> Iterator[bytes]:
    for bit in range(len(data) * 8):
        mutated = bytearray(data)
        mutated[bit // 8] ^= 1 << bit % 8
        yield bytes(mutated)


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def as_entry(leaf: bytes, proof: TlogProof) -> dict[str, Any]:
    """A receipt as a Rekor entry in JSON; root and size from the note, as whoever translates it would take them."""
    _, size, root, *_ = proof.note.split(b"\n")
    return {
        "logIndex": str(proof.index),
        "logId": {"keyId": encoded(LOG_ID)},
        "kindVersion": {"kind": "leaf", "version": "1"},
        "inclusionProof": {
            "logIndex": str(proof.index),
            "rootHash": root.decode(),
            "treeSize": size.decode(),
            "hashes": [encoded(value) for value in proof.hashes],
            "checkpoint": {"envelope": proof.note.decode()},
        },
        "canonicalizedBody": encoded(leaf),
    }


def python_accepts(entry: dict[str, Any]) -> bool:
    """sigstore-python's own steps for an entry: inclusion, then checkpoint."""
    key = common.PublicKey(raw_bytes=encoded(SPKI), key_details=common.PublicKeyDetails.PKIX_ED25519)
    try:
        found = models.TransparencyLogEntry(rekor.TransparencyLogEntry.from_dict(entry))
        merkle.verify_merkle_inclusion(found)
        checkpoints.verify_checkpoint(trust.RekorKeyring(trust.Keyring([key])), found)
    except (checkpoints.VerificationError, ValueError):
        return False
    return True


def node_accepts(entries: list[dict[str, Any]]) -> list[bool]:
    """@sigstore/verify's step for entries: checkpoint and inclusion, over all of them in one process."""
    question = {"key": encoded(SPKI), "logId": encoded(LOG_ID), "name": KEY.name, "entries": entries}
    done = node(HERE / "oracles" / "sigstore.mjs", npm_packages(), input=json.dumps(question))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def mutations() -> Iterator[tuple[bytes, bytes, dict[str, Any]]]:
    """Leaf, proof and Rekor entry for each flipped bit in front of the witnesses' lines, if such an entry can be
    written down.
    """
    proofs = (mutated + PROOF[WITNESSES:] for mutated in flipped(PROOF[:WITNESSES]))
    for leaf, proof in [*((mutated, PROOF) for mutated in flipped(LEAF)), *((LEAF, mutated) for mutated in proofs)]:
        try:
            yield leaf, proof, as_entry(leaf, TlogProof.parse(proof))
        except (LedgerError, ValueError):
            continue


def refuses(leaf: bytes, proof: bytes) -> bool:
    try:
        verify_receipt(Receipt(leaf, proof), STRICT)
    except LedgerError:
        return True
    return False


def test_receipt_is_accepted() -> None:
    entry = as_entry(LEAF, TlogProof.parse(PROOF))
    assert python_accepts(entry)
    assert node_accepts([entry]) == [True]


def test_flipped_bits_are_refused_by_both() -> None:
    """But in the name of the log's signature line (one ignores it, the other takes it for a regular expression) and in
    the padding at that line's end. We refuse these too.
    """
    line = PROOF.rindex(b"\n", 0, WITNESSES - 1) + len("\n— ".encode())
    unseen = {*range(line, line + len(KEY.name)), WITNESSES - 2}
    cases = list(mutations())
    assert len(cases) > 4000
    for (leaf, proof, entry), by_node in zip(cases, node_accepts([entry for *_, entry in cases]), strict=True):
        assert refuses(leaf, proof)
        if by_node or python_accepts(entry):
            assert leaf == LEAF
            assert {at for at, (new, old) in enumerate(zip(proof, PROOF, strict=True)) if new != old} <= unseen


def test_key_ids_are_those_of_published_logs() -> None:
    """The reverse, on what sigstore publishes: the key ids of the running Rekor logs that sign like ours."""
    published = [
        log
        for path in Path(sigstore.__file__).parent.glob("_store/*/trusted_root.json")
        for log in json.loads(path.read_bytes())["tlogs"]
        if log["publicKey"]["keyDetails"] == "PKIX_ED25519"
    ]
    assert len(published) >= 2
    for log in published:
        public = load_der_public_key(base64.b64decode(log["publicKey"]["rawBytes"])).public_bytes_raw()
        key = VerifierKey(log["baseUrl"].removeprefix("https://"), SignatureType.ED25519, public)
        assert key.key_id == base64.b64decode(log["logId"]["keyId"])[:4]
        assert VerifierKey.parse(str(key)) == key
