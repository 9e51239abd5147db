"""A ledger as an operator sets it up: `ledger.toml`, anchors, keys and certificates in one folder; and its witnesses.

The log's key and the witnesses' are those of `witnessed_log`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from consentgate.signing import PersonSigner
from tests.support.ledger_server import CA, DEPARTMENT, DOMAIN, LEDGER, tls_files
from tests.support.member_ca import certificate_pem
from tests.support.witnessed_log import ORIGIN, WITNESSES, log_signer, policy_text, witness_signer

NOWHERE = "127.0.0.1:1"


def write_anchors(folder: Path) -> Path:
    """`anchors.toml` and what it names."""
    (folder / "member-ca.pem").write_bytes(certificate_pem(CA.certificate))
    (folder / "ledger-policy.txt").write_text(policy_text())
    lines = [f'trust_domain = "{DOMAIN}"', 'member_ca = "member-ca.pem"', 'ledger_policy = "ledger-policy.txt"']
    lines += ["[registry]", 'department = "registry"', f"jwk = {_jwk()}"]
    for number in (1, 2):
        lines += ["[[reviewers]]", f'id = "reviewer-{number}"', f"jwk = {_jwk()}"]
    path = folder / "anchors.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def write_ledger(folder: Path, listen: str = "127.0.0.1:0", witnesses: Mapping[str, str] | None = None) -> Path:
    """`ledger.toml`; `witnesses` by name → address, all of them answering as the department `tax`."""
    write_anchors(folder)
    files = tls_files(folder, LEDGER)
    (folder / "log.key").write_bytes(log_signer("the log").to_pem())
    lines = [
        f'listen = "{listen}"\nanchors = "anchors.toml"\norigin = "{ORIGIN}"\nsigning_key = "log.key"',
        'database = "sqlite:///data/ledger.db"\nsecond_place = "second-place"\nready_file = "ledger.ready.json"',
        f'[tls]\ncertificate = "{files.certificate.name}"\nprivate_key = "{files.private_key.name}"',
    ]
    addresses = dict.fromkeys(WITNESSES, NOWHERE) if witnesses is None else witnesses
    for name, address in addresses.items():
        lines.append(f'[[witnesses]]\nname = "{name}"\naddress = "{address}"\npeer = "{DEPARTMENT}"')
    path = folder / "ledger.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def write_witness(folder: Path, name: str = "tax", listen: str = "127.0.0.1:0") -> Path:
    """`witness.toml` of the department `tax`, with the key of any witness."""
    write_anchors(folder)
    files = tls_files(folder, DEPARTMENT)
    (folder / "witness.key").write_bytes(witness_signer(name).to_pem())
    path = folder / "witness.toml"
    path.write_text(
        f'listen = "{listen}"\nanchors = "anchors.toml"\nready_file = "witness.ready.json"\n'
        f'[tls]\ncertificate = "{files.certificate.name}"\nprivate_key = "{files.private_key.name}"\n'
        f'[witness]\nname = "{witness_signer(name).name}"\nsigning_key = "witness.key"\nstate = "witness.state"\n'
    )
    return path


def _jwk() -> str:
    members = PersonSigner.generate().jwk.model_dump(exclude_none=True)
    return "{" + ", ".join(f"{name} = {json.dumps(value)}" for name, value in members.items()) + "}"
