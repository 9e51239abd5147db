"""The folders of a bank and of a company, as their commands expect them: real files of a test federation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from consentgate.signing import PersonSigner
from paillier.private import save
from paillier.private.keyfile import MIN_SCRYPT_LOG2_N
from tests.support.federation import REGISTRY, Company, Federation, Institution, institution
from tests.support.member_ca import MemberCa, certificate_pem, private_pem
from tests.support.witnessed_log import policy_text

PASSPHRASE = b"correct horse battery"
GATEWAY = "spiffe://consentgate.test/gateway/gateway"


def write_anchors(folder: Path, federation: Federation, ca: MemberCa | None = None) -> Path:
    """`anchors.toml` with the two files it names; `ca` in place of the federation's."""
    (folder / "member-ca.pem").write_bytes(certificate_pem((ca or federation.ca).certificate))
    (folder / "ledger-policy.txt").write_text(policy_text())
    reviewers = [
        f'[[reviewers]]\nid = "{name}"\njwk = {_jwk(signer)}\n' for name, signer in federation.reviewers.items()
    ]
    path = folder / "anchors.toml"
    path.write_text(
        'trust_domain = "consentgate.test"\nmember_ca = "member-ca.pem"\nledger_policy = "ledger-policy.txt"\n'
        f'[registry]\ndepartment = "{REGISTRY}"\njwk = {_jwk(federation.registry_key)}\n' + "".join(reviewers)
    )
    return path


def write_bank(
    folder: Path, federation: Federation, address: str, bank: Institution | None = None, *, key: bool = True
) -> Path:
    """`bank.toml` with everything it names; without `key` there is no recipient key yet."""
    bank = bank or federation.bank_a
    folder.mkdir(parents=True, exist_ok=True)
    write_anchors(folder, federation)
    _write_tls(folder, bank)
    (folder / "signing.pem").write_bytes(certificate_pem(*bank.signer.chain))
    _write_secret(folder / "signing.key", bank.signer.key.as_pem(private=True))
    _write_secret(folder / "passphrase", PASSPHRASE + b"\n")
    if key:
        save(folder / "key.json", federation.paillier_key, PASSPHRASE, scrypt_log2_n=MIN_SCRYPT_LOG2_N)
        (folder / "registration.jws").write_bytes(federation.registration)
    path = folder / "bank.toml"
    path.write_text(
        'anchors = "anchors.toml"\narchive = "archive"\n'
        '[tls]\ncertificate = "tls.pem"\nprivate_key = "tls.key"\n'
        '[signing]\ncertificate = "signing.pem"\nprivate_key = "signing.key"\n'
        f'[gateway]\naddress = "{address}"\npeer = "{GATEWAY}"\n'
        '[paillier]\nprivate_key = "key.json"\nregistration = "registration.jws"\npassphrase_file = "passphrase"\n'
    )
    return path


def write_company(
    folder: Path,
    federation: Federation,
    address: str,
    signers: Sequence[int] = (0, 1),
    company: Company | None = None,
) -> Path:
    """`company.toml`; `signers` says which of the company's persons sign on this machine."""
    company = company or federation.company
    folder.mkdir(parents=True, exist_ok=True)
    write_anchors(folder, federation)
    _write_tls(folder, institution(federation.ca, "company", company.entity))
    for number in signers:
        company.signers[number].save(folder / f"signatory-{number}.key")
    (folder / "attestation.jws").write_bytes(federation.sign_attestation(federation.attestation_claims(company)))
    files = ", ".join(f'"signatory-{number}.key"' for number in signers)
    path = folder / "company.toml"
    path.write_text(
        f'anchors = "anchors.toml"\nattestation = "attestation.jws"\ncompany = "{company.code}"\n'
        f"signatories = [{files}]\n"
        '[tls]\ncertificate = "tls.pem"\nprivate_key = "tls.key"\n'
        f'[gateway]\naddress = "{address}"\npeer = "{GATEWAY}"\n'
    )
    return path


def _write_tls(folder: Path, member: Institution) -> None:
    (folder / "tls.pem").write_bytes(certificate_pem(member.tls_certificate))
    _write_secret(folder / "tls.key", private_pem(member.tls_key))


def _write_secret(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)


def _jwk(signer: PersonSigner) -> str:
    jwk = signer.jwk
    return f'{{ kty = "{jwk.kty}", crv = "{jwk.crv}", x = "{jwk.x}" }}'
