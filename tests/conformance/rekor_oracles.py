"""How sigstore (Python) and @sigstore/verify (Node) are asked about an entry of a log: inclusion and checkpoint alone.

Importing this skips the tests of whoever imports it where the extra `oracles` is absent.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger.proof import TlogProof
from tests.conformance.strangers import HERE, module, node, npm_packages

sigstore = module("sigstore")
checkpoints = module("sigstore._internal.rekor.checkpoint")
merkle = module("sigstore._internal.merkle")
trust = module("sigstore._internal.trust")
models = module("sigstore.models")
rekor = module("sigstore_models.rekor.v1")
common = module("sigstore_models.common.v1")


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def published_logs() -> list[dict[str, Any]]:
    """The logs that sigstore tells its users to trust."""
    roots = Path(sigstore.__file__).parent.glob("_store/*/trusted_root.json")
    return [log for root in roots for log in json.loads(root.read_bytes())["tlogs"]]


@dataclass(frozen=True)
class RekorLog:
    """A log as they know it; `details` is the name that sigstore gives to the key's algorithm."""

    name: str
    spki: bytes
    log_id: bytes
    details: str

    def as_entry(self, body: bytes, proof: TlogProof) -> dict[str, Any]:
        """A leaf and its proof as Rekor writes them in JSON; root and size from the note, as whoever translates it
        would take them.
        """
        _, size, root, *_ = proof.note.split(b"\n")
        return {
            "logIndex": str(proof.index),
            "logId": {"keyId": encoded(self.log_id)},
            "kindVersion": {"kind": "leaf", "version": "1"},
            "inclusionProof": {
                "logIndex": str(proof.index),
                "rootHash": root.decode(),
                "treeSize": size.decode(),
                "hashes": [encoded(value) for value in proof.hashes],
                "checkpoint": {"envelope": proof.note.decode()},
            },
            "canonicalizedBody": encoded(body),
        }

    def python_accepts(self, entry: dict[str, Any]) -> bool:
        """sigstore-python's own steps for an entry: inclusion, then checkpoint."""
        key = common.PublicKey(raw_bytes=encoded(self.spki), key_details=common.PublicKeyDetails(self.details))
        try:
            found = models.TransparencyLogEntry(rekor.TransparencyLogEntry.from_dict(entry))
            merkle.verify_merkle_inclusion(found)
            checkpoints.verify_checkpoint(trust.RekorKeyring(trust.Keyring([key])), found)
        except (checkpoints.VerificationError, ValueError):
            return False
        return True

    def node_accepts(self, entries: list[dict[str, Any]]) -> list[bool]:
        """@sigstore/verify's step for entries: checkpoint and inclusion, over all of them in one process."""
        question = {"key": encoded(self.spki), "logId": encoded(self.log_id), "name": self.name, "entries": entries}
        done = node(HERE / "oracles" / "sigstore.mjs", npm_packages(), input=json.dumps(question))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
