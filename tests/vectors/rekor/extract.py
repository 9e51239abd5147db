"""Makes entries.json from the source distribution that README.md names.

    python -m tests.vectors.rekor.extract SDIST

The log's key is read from the package `sigstore` (extra `oracles`), which publishes it.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tarfile
from pathlib import Path
from typing import Any

import sigstore

SDIST_SHA256 = "14ff13c76bbef02a483c2b77532da02bfd746b5141b881f355e06b9807434423"
FOLDER = "pypi_attestations-0.0.30/test/assets"
FILES = (
    "gcb_attestation_test-0.0.0.tar.gz.provenance",
    "pypi_attestations-0.0.19.tar.gz.slsa.attestation",
    "pypi_attestations-0.0.19.tar.gz.publish.attestation",
    "pypi_attestation_models-0.0.4a2.tar.gz.attestation",
    "circleci_sign_publish_example-0.0.1.dev137-py3-none-any.whl.provenance",
)
LOG = "https://rekor.sigstore.dev"
TARGET = Path(__file__).parent / "entries.json"


def find_entry(value: Any) -> dict[str, Any] | None:
    """The first log entry inside a JSON value."""
    if isinstance(value, dict) and "inclusionProof" in value:
        return value
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((found for found in map(find_entry, parts) if found is not None), None)


def as_vector(file: str, entry: dict[str, Any]) -> dict[str, Any]:
    """What a proof of inclusion needs, and nothing else. The index is the one inside the shard."""
    proof = entry["inclusionProof"]
    return {
        "file": file,
        "body": entry["canonicalizedBody"],
        "index": int(proof["logIndex"]),
        "size": int(proof["treeSize"]),
        "root": proof["rootHash"],
        "hashes": proof["hashes"],
        "note": proof["checkpoint"]["envelope"],
    }


def published_key() -> dict[str, str]:
    """The log's name and its public key (DER, SubjectPublicKeyInfo)."""
    roots = Path(sigstore.__file__).parent.glob("_store/*/trusted_root.json")
    logs = [log for path in roots for log in json.loads(path.read_bytes())["tlogs"] if log["baseUrl"] == LOG]
    return {"name": LOG.removeprefix("https://"), "spki": logs[0]["publicKey"]["rawBytes"]}


def main(sdist: Path) -> None:
    if hashlib.sha256(sdist.read_bytes()).hexdigest() != SDIST_SHA256:
        raise SystemExit(f"{sdist} is not the file that README.md names")
    entries = []
    with tarfile.open(sdist) as archive:
        for file in FILES:
            member = archive.extractfile(f"{FOLDER}/{file}")
            entry = None if member is None else find_entry(json.load(member))
            if entry is None:
                raise SystemExit(f"{file} holds no log entry")
            entries.append(as_vector(file, entry))
    content = {"key": published_key(), "entries": entries}
    TARGET.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
