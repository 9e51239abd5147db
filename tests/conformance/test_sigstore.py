"""sigstore (Python) and @sigstore/verify (Node) accept our receipts as entries of a Rekor log, and no flipped bit.

Both know no witnesses: they look for the log's signature and pass over every other line.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key

from ledger.errors import LedgerError
from ledger.note import SignatureType, VerifierKey
from ledger.policy import LogPolicy
from ledger.proof import TlogProof
from ledger.receipt import Receipt
from ledger.verify import verify_receipt
from tests.conformance.rekor_oracles import RekorLog, published_logs
from tests.support.flipped_bits import flipped
from tests.support.sample_log import COSIGNED_AT, sample_log
from tests.support.witnessed_log import QUORUM, log_signer, witness_signer

pytestmark = pytest.mark.oracles

KEY = log_signer("the log").verifier_key
SPKI = bytes.fromhex("302a300506032b6570032100") + KEY.public
LOG_ID = hashlib.sha256(KEY.name.encode() + b"\n\x01" + KEY.public).digest()
"""As Rekor's newer logs have it: what a note's key id is the beginning of."""
LOG = RekorLog(KEY.name, SPKI, LOG_ID, "PKIX_ED25519")
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


def mutations() -> Iterator[tuple[bytes, bytes, dict[str, Any]]]:
    """Leaf, proof and Rekor entry for each flipped bit in front of the witnesses' lines, if such an entry can be
    written down.
    """
    proofs = (mutated + PROOF[WITNESSES:] for mutated in flipped(PROOF[:WITNESSES]))
    for leaf, proof in [*((mutated, PROOF) for mutated in flipped(LEAF)), *((LEAF, mutated) for mutated in proofs)]:
        try:
            yield leaf, proof, LOG.as_entry(leaf, TlogProof.parse(proof))
        except (LedgerError, ValueError):
            continue


def refuses(leaf: bytes, proof: bytes) -> bool:
    try:
        verify_receipt(Receipt(leaf, proof), STRICT)
    except LedgerError:
        return True
    return False


def test_receipt_is_accepted() -> None:
    entry = LOG.as_entry(LEAF, TlogProof.parse(PROOF))
    assert LOG.python_accepts(entry)
    assert LOG.node_accepts([entry]) == [True]


def test_flipped_bits_are_refused_by_both() -> None:
    """But in the name of the log's signature line (one ignores it, the other takes it for a regular expression) and in
    the padding at that line's end. We refuse these too.
    """
    line = PROOF.rindex(b"\n", 0, WITNESSES - 1) + len("\n— ".encode())
    unseen = {*range(line, line + len(KEY.name)), WITNESSES - 2}
    cases = list(mutations())
    assert len(cases) > 4000
    for (leaf, proof, entry), by_node in zip(cases, LOG.node_accepts([entry for *_, entry in cases]), strict=True):
        assert refuses(leaf, proof)
        if by_node or LOG.python_accepts(entry):
            assert leaf == LEAF
            assert {at for at, (new, old) in enumerate(zip(proof, PROOF, strict=True)) if new != old} <= unseen


def test_key_ids_are_those_of_published_logs() -> None:
    """The reverse, on what sigstore publishes: the key ids of the running Rekor logs that sign like ours."""
    published = [log for log in published_logs() if log["publicKey"]["keyDetails"] == "PKIX_ED25519"]
    assert len(published) >= 2
    for log in published:
        public = load_der_public_key(base64.b64decode(log["publicKey"]["rawBytes"])).public_bytes_raw()
        key = VerifierKey(log["baseUrl"].removeprefix("https://"), SignatureType.ED25519, public)
        assert key.key_id == base64.b64decode(log["logId"]["keyId"])[:4]
        assert VerifierKey.parse(str(key)) == key
