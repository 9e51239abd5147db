"""The files that a ledger's and an officer's commands are told of: configuration, anchors, policy."""

from __future__ import annotations

from pathlib import Path

from tests.support.ledger_server import CA, DOMAIN, LEDGER, OFFICER, tls_files
from tests.support.member_ca import certificate_pem
from tests.support.witnessed_log import ORIGIN, policy_text

_JWK = '{{ kty = "OKP", crv = "Ed25519", x = "{0}" }}'


def write_anchors(folder: Path) -> Path:
    """`anchors.toml` and the two files it names."""
    (folder / "member-ca.pem").write_bytes(certificate_pem(CA.certificate))
    (folder / "ledger-policy.txt").write_text(policy_text())
    lines = [
        f'trust_domain = "{DOMAIN}"\nmember_ca = "member-ca.pem"\nledger_policy = "ledger-policy.txt"',
        f'[registry]\ndepartment = "registry"\njwk = {_JWK.format("A" * 43)}',
        *(f'[[reviewers]]\nid = "{name}"\njwk = {_JWK.format(name * 43)}' for name in ("b", "c")),
    ]
    path = folder / "anchors.toml"
    path.write_text("\n".join([*lines, ""]))
    return path


def write_ledger_config(folder: Path, database: str = "ledger.db") -> Path:
    """`ledger.toml` of a log whose database and second place are in `folder`."""
    write_anchors(folder)
    path = folder / "ledger.toml"
    path.write_text(
        f'listen = "127.0.0.1:0"\nanchors = "anchors.toml"\norigin = "{ORIGIN}"\nsigning_key = "log.key"\n'
        f'database = "sqlite:///{database}"\nsecond_place = "second-place"\n'
        '[tls]\ncertificate = "ledger.crt"\nprivate_key = "ledger.key"\n'
    )
    return path


def write_officer_config(folder: Path, address: str) -> Path:
    """`officer.toml` with the officer's certificate."""
    folder.mkdir(exist_ok=True)
    write_anchors(folder)
    files = tls_files(folder, OFFICER)
    path = folder / "officer.toml"
    path.write_text(
        f'anchors = "anchors.toml"\n[tls]\ncertificate = "{files.certificate.name}"\n'
        f'private_key = "{files.private_key.name}"\n[ledger]\naddress = "{address}"\npeer = "{LEDGER}"\n'
    )
    return path
