"""Writes the ledger's vectors next to this file: `python -m tests.vectors.ledger.generate`.

Origin: made by the package `ledger` under published TEST keys, all of it deterministic. `good/` is an export, its
policy file, two receipts and bundles of evidence as files; the JSON files list bad inputs, each named by its defect,
with the error that finds it (docs/ledger-format.md sections 8 and 15). `rfc6962.json` holds the 8-leaf tree that
Certificate Transparency's own tests use: its roots are written down, not computed. Independent check:
tests/unit/ledger/test_vectors.py and test_evidence_vectors.py verify everything with `independent.py` and
`independent_evidence.py`, a second implementation that uses nothing of `ledger`.

Bytes stand in the JSON files as text, or as {"base64": …} where they are no UTF-8.
"""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Any

from tests.support.sample_log import COSIGNED_AT
from tests.support.witnessed_log import policy_text
from tests.vectors.ledger.bad_exports import export_cases
from tests.vectors.ledger.bad_leaves import leaf_cases
from tests.vectors.ledger.bad_notes import note_cases
from tests.vectors.ledger.bad_receipts import receipt_cases
from tests.vectors.ledger.evidence import bundles, evidence_cases
from tests.vectors.ledger.log import export_files, vector_log
from tests.vectors.ledger.policies import GOOD_POLICIES, policy_cases
from tests.vectors.ledger.rfc6962 import merkle_vectors

FOLDER = Path(__file__).parent
RECEIPTS = (0, 8)
"""Entries with a receipt in good/."""


def vectors() -> dict[str, bytes]:
    """All generated files: name → content."""
    log = vector_log()
    good = export_files(log)
    files = {f"good/export/{name}": content for name, content in good.items()}
    files["good/ledger-policy.txt"] = policy_text().encode()
    for index in RECEIPTS:
        receipt = log.receipt(index, COSIGNED_AT)
        files[f"good/receipt-{index}.leaf"], files[f"good/receipt-{index}.proof"] = receipt.leaf, receipt.proof
    good_evidence = bundles()
    for name, bundle in good_evidence.items():
        files |= {f"good/evidence/{name}/{file}": content for file, content in bundle.items()}
    evidence = [
        {
            "name": case.name,
            "of": case.of,
            "error": case.error,
            "files": _differences(good_evidence[case.of], case.files),
        }
        for case in evidence_cases()
    ]
    exports = [
        {"name": case.name, "error": case.error, "files": _differences(good, case.files)} for case in export_cases(log)
    ]
    receipts = [
        {
            "name": case.name,
            "error": case.error,
            "leaf": encoded(case.receipt.leaf),
            "proof": encoded(case.receipt.proof),
        }
        for case in receipt_cases(log)
    ]
    leaves = [{"name": case.name, "field": case.field, "leaf": encoded(case.leaf)} for case in leaf_cases(log)]
    notes = [{"name": case.name, "error": case.error, "note": encoded(case.note)} for case in note_cases(log)]
    policies = [{"name": case.name, "line": case.line, "policy": case.policy} for case in policy_cases()]
    files["bad-exports.json"] = _json(exports)
    files["bad-evidence.json"] = _json(evidence)
    files["bad-receipts.json"] = _json(receipts)
    files["bad-leaves.json"] = _json(leaves)
    files["bad-notes.json"] = _json(notes)
    files["bad-policies.json"] = _json(policies)
    files["good-policies.json"] = _json([{"name": name, "policy": text} for name, text in GOOD_POLICIES.items()])
    files["rfc6962.json"] = _json(merkle_vectors())
    return files


def _differences(good: dict[str, bytes], files: dict[str, bytes]) -> dict[str, Any]:
    """What a bad export has other than good/export; null: not there."""
    changed = {name: encoded(content) for name, content in files.items() if good.get(name) != content}
    return {**changed, **{name: None for name in good if name not in files}}


def encoded(data: bytes) -> Any:
    """Bytes as JSON."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def decoded(value: Any) -> bytes:
    """The inverse of `encoded`."""
    return value.encode() if isinstance(value, str) else base64.b64decode(value["base64"])


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=True) + "\n").encode()


def main() -> None:
    """Writes the files anew."""
    shutil.rmtree(FOLDER / "good", ignore_errors=True)
    for name, content in vectors().items():
        path = FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    main()
