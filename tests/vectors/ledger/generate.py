"""Writes the ledger's vectors next to this file: `python -m tests.vectors.ledger.generate`.

Origin: made by the package `ledger` under published TEST keys, all of it deterministic. `good/` is an export, its
policy file, two receipts and bundles of evidence as files; the JSON files list bad inputs, each named by its defect,
with the error that finds it (docs/ledger-format.md sections 8 and 15), and good ones at the edge of a rule. `policy` is
the reader's where it is not good/ledger-policy.txt; `files` is what an export or a bundle has other than the good one
(of bad evidence: than good/evidence/<of>), null for a file that is not there. `rfc6962.json` holds the 8-leaf tree that
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
from typing import Any, Protocol

from ledger.receipt import Receipt
from tests.support.sample_log import COSIGNED_AT
from tests.support.witnessed_log import WitnessedLog, policy_text
from tests.vectors.ledger.bad_evidence import evidence_cases
from tests.vectors.ledger.bad_exports import export_cases, good_exports
from tests.vectors.ledger.bad_leaves import leaf_cases
from tests.vectors.ledger.bad_notes import note_cases
from tests.vectors.ledger.bad_policies import policy_cases
from tests.vectors.ledger.bad_receipts import good_receipts, receipt_cases
from tests.vectors.ledger.bad_signatures import good_notes, signature_cases
from tests.vectors.ledger.evidence import bundles
from tests.vectors.ledger.good_edges import good_leaves
from tests.vectors.ledger.log import export_files, vector_log
from tests.vectors.ledger.policies import GOOD_POLICIES
from tests.vectors.ledger.rfc6962 import merkle_vectors

FOLDER = Path(__file__).parent
RECEIPTS = (0, 8)
"""Entries with a receipt in good/."""
POLICY = policy_text()


class Named(Protocol):
    """A bad case."""

    @property
    def name(self) -> str:
        """Its defect."""

    @property
    def error(self) -> str:
        """What finds it."""


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
        _case(case, policy=case.policy, of=case.of, files=_differences(good_evidence[case.of], case.files))
        for case in evidence_cases()
    ]
    exports = [_case(case, files=_differences(good, case.files)) for case in export_cases(log)]
    receipts = [_case(case, policy=case.policy, **_receipt(case.receipt)) for case in receipt_cases(log)]
    notes = [
        _case(case, policy=case.policy, note=encoded(case.note)) for case in (*note_cases(log), *signature_cases(log))
    ]
    leaves = [{"name": case.name, "field": case.field, "leaf": encoded(case.leaf)} for case in leaf_cases(log)]
    policies = [{"name": case.name, "line": case.line, "policy": case.policy} for case in policy_cases()]
    files["bad-exports.json"] = _json(exports)
    files["bad-evidence.json"] = _json(evidence)
    files["bad-receipts.json"] = _json(receipts)
    files["bad-leaves.json"] = _json(leaves)
    files["bad-notes.json"] = _json(notes)
    files["bad-policies.json"] = _json(policies)
    files["rfc6962.json"] = _json(merkle_vectors())
    return files | _good_at_the_edge(log)


def _good_at_the_edge(log: WitnessedLog) -> dict[str, bytes]:
    """What a reader must accept."""
    good = export_files(log)
    exports = [
        {"name": name, **_own(policy), "files": _differences(good, files)} for name, files, policy in good_exports(log)
    ]
    notes = [
        {"name": note.name, **_own(note.policy), "witnessed": note.witnessed, "note": encoded(note.note)}
        for note in good_notes(log)
    ]
    return {
        "good-exports.json": _json(exports),
        "good-leaves.json": _json([{"name": name, "leaf": encoded(leaf)} for name, leaf in good_leaves(log)]),
        "good-notes.json": _json(notes),
        "good-policies.json": _json([{"name": name, "policy": text} for name, text in GOOD_POLICIES.items()]),
        "good-receipts.json": _json([{"name": name, **_receipt(receipt)} for name, receipt in good_receipts(log)]),
    }


def _case(case: Named, policy: str = POLICY, **more: object) -> dict[str, object]:
    return {"name": case.name, "error": case.error, **_own(policy), **more}


def _own(policy: str) -> dict[str, str]:
    """A policy that is not good/ledger-policy.txt."""
    return {} if policy == POLICY else {"policy": policy}


def _receipt(receipt: Receipt) -> dict[str, object]:
    return {"leaf": encoded(receipt.leaf), "proof": encoded(receipt.proof)}


def _differences(good: dict[str, bytes], files: dict[str, bytes]) -> dict[str, Any]:
    """What an export or a bundle has other than the good one; null: not there."""
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
