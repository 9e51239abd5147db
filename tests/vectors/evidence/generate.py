"""Writes the evidence vectors next to this file: python -m tests.vectors.evidence.generate

Origin: `tests/support/federation.py` (one honest bundle) and `tests/support/forgeries` (every forged one), with keys
derived from labels, so that a second run writes the same bytes. Form: docs/wire.md, section 14. Independent check:
`tests/conformance/independent_verifier.py`, which imports nothing of ours.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import fields
from pathlib import Path

from consentgate.anchors import Anchors
from consentgate.evidence import EvidenceBundle, ReleaseOrder
from ledger.entry import format_time
from ledger.receipt import Receipt
from tests.support.federation import Federation
from tests.support.fixed_randomness import fixed_randomness
from tests.support.forgeries import FORGERIES, Forgery
from tests.support.member_ca import certificate_pem
from tests.support.witnessed_log import policy_text

FOLDER = Path(__file__).parent
GOOD = "good"
DEFECTS = "defects"
LEAF_FILE = "decision.leaf"
PROOF_FILE = "decision.proof"


def bundle_files(bundle: EvidenceBundle) -> dict[str, bytes]:
    """File name → content: each part under its field's name, the receipt's two under theirs."""
    parts = {field.name: getattr(bundle, field.name) for field in fields(bundle) if field.name != "decision"}
    return {**parts, LEAF_FILE: bundle.decision.leaf, PROOF_FILE: bundle.decision.proof}


def read_bundle(folder: Path, good: Path) -> EvidenceBundle:
    """The bundle of a case: its own files, and the good ones for what it does not have."""
    names = [field.name for field in fields(EvidenceBundle) if field.name != "decision"]
    found = {name: _choose(folder, good, name).read_bytes() for name in (*names, LEAF_FILE, PROOF_FILE)}
    decision = Receipt(leaf=found.pop(LEAF_FILE), proof=found.pop(PROOF_FILE))
    return EvidenceBundle(decision=decision, **found)


def describe(order: ReleaseOrder) -> dict[str, object]:
    """What verification must return, as JSON."""
    return {
        "approval": order.approval_digest,
        "as_of": order.request.as_of,
        "bank": str(order.bank),
        "consent_id": order.consent.consent_id,
        "consent_version": order.consent.version,
        "custody": str(order.request.custody),
        "decided_at": format_time(order.decided_at),
        "departments": [
            {"columns": entry.names(), "id": entry.id, "widths": entry.widths()} for entry in order.header.departments
        ],
        "entity": order.attestation.entity,
        "group": order.consent.group,
        "leaf_hash": order.leaf_hash,
        "not_after": format_time(order.not_after),
        "purpose": order.request.purpose,
        "recipient_key": order.recipient_key.key_id,
        "request_id": order.request.request_id,
        "scorecard": order.request.scorecard,
        "subject": order.subject,
        "use": str(order.request.use),
    }


def generate(out: Path) -> None:
    """Writes all files below `out`, whose former content is removed."""
    for name in (GOOD, DEFECTS):
        shutil.rmtree(out / name, ignore_errors=True)
    federation = Federation()
    good = {**bundle_files(federation.honest), **_anchors(federation)}
    _write(out / GOOD, {**good, "order.json": _json(describe(federation.order()))})
    cases = [_write_defect(out, forgery, good) for forgery in FORGERIES]
    manifest = {"defects": cases, "good": {"folder": GOOD, "now": federation.seconds()}, "v": 1}
    _write(out, {"manifest.json": _json(manifest)})


def _write_defect(out: Path, forgery: Forgery, good: dict[str, bytes]) -> dict[str, object]:
    """Each in a federation of its own, so that no case depends on the cases before it."""
    federation = Federation()
    with fixed_randomness(forgery.name):
        files = bundle_files(forgery.build(federation))
    different = {name: content for name, content in files.items() if content != good[name]}
    folder = f"{DEFECTS}/{forgery.slug}"
    _write(out / folder, different)
    now = federation.seconds() + int(forgery.later.total_seconds())
    case: dict[str, object] = {"code": str(forgery.code), "folder": folder, "name": forgery.name, "now": now}
    return case if forgery.field is None else {**case, "field": forgery.field}


def _anchors(federation: Federation) -> dict[str, bytes]:
    """`anchors.toml` and what it refers to."""
    anchors: Anchors = federation.anchors
    lines = [
        f'trust_domain = "{anchors.trust_domain}"',
        'member_ca = "member-ca.pem"',
        'ledger_policy = "ledger-policy.txt"',
        f"freshness_seconds = {int(anchors.freshness.total_seconds())}",
        f"reviewers_required = {anchors.reviewers_required}",
        "",
        "[registry]",
        f'department = "{anchors.registry_department}"',
        f"jwk = {_jwk(anchors.registry_key.x)}",
    ]
    for name, key in anchors.reviewers.items():
        lines += ["", "[[reviewers]]", f'id = "{name}"', f"jwk = {_jwk(key.x)}"]
    return {
        "anchors.toml": ("\n".join(lines) + "\n").encode(),
        "member-ca.pem": certificate_pem(anchors.member_ca),
        "ledger-policy.txt": policy_text().encode(),
    }


def _jwk(x: str) -> str:
    return f'{{ kty = "OKP", crv = "Ed25519", x = "{x}" }}'


def _choose(folder: Path, good: Path, name: str) -> Path:
    own = folder / name
    return own if own.exists() else good / name


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()


def _write(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
