"""Texts of the configuration files of a development federation. Paths inside them are relative to the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from consentgate.identity import Role
from consentgate.statements import PublicJwk
from dev.layout import (
    BANK,
    GATEWAY,
    LEDGER,
    LOG_ORIGIN,
    OTHER_BANK,
    TRUST_DOMAIN,
    quorum,
    spiffe,
    witness_name,
)
from ledger.note import VerifierKey

DEPARTMENT_SECONDS = 40
"""For a department's answer: here all departments share one machine, and check a new bank's key at the same moment."""
TLS = '[tls]\ncertificate = "tls.pem"\nprivate_key = "tls.key"\n'
SIGNING = '[signing]\ncertificate = "signing.pem"\nprivate_key = "signing.key"\n'


def anchors_toml(registry: str, registry_key: PublicJwk, reviewers: Mapping[str, PublicJwk]) -> str:
    """`anchors.toml`: what every member verifies against."""
    parts = [
        f'trust_domain = "{TRUST_DOMAIN}"\nmember_ca = "member-ca.pem"\nledger_policy = "ledger-policy.txt"\n',
        f'[registry]\ndepartment = "{registry}"\njwk = {_jwk(registry_key)}\n',
    ]
    parts += [f'[[reviewers]]\nid = "{name}"\njwk = {_jwk(key)}\n' for name, key in reviewers.items()]
    return "\n".join(parts)


def ledger_policy(log: VerifierKey, witnesses: Mapping[str, VerifierKey]) -> str:
    """The trust policy (c2sp.org/tlog-policy): this log, the departments as witnesses, and their quorum."""
    names = [witness_name(department) for department in witnesses]
    lines = [f"log {log}"]
    lines += [f"witness {name} {key}" for name, key in zip(names, witnesses.values(), strict=True)]
    lines += [f"group departments {quorum(len(names))} {' '.join(names)}", "quorum departments", ""]
    return "\n".join(lines)


def ledger_toml(addresses: Mapping[str, str], departments: Sequence[str]) -> str:
    """`ledger.toml`."""
    parts = [
        f'listen = "{addresses["ledger"]}"\nanchors = "anchors.toml"\norigin = "{LOG_ORIGIN}"\n'
        'signing_key = "log.key"\ndatabase = "sqlite:///ledger.db"\nsecond_place = "second-place"\n'
        'ready_file = "ledger.ready.json"\n',
        TLS,
    ]
    parts += [
        f'[[witnesses]]\nname = "{witness_name(name)}"\naddress = "{addresses[name]}"\n'
        f'peer = "{spiffe(Role.DEPARTMENT, name)}"\n'
        for name in departments
    ]
    return "\n".join(parts)


def gateway_toml(addresses: Mapping[str, str], departments: Sequence[str]) -> str:
    """`gateway.toml`, with the ledger as another process."""
    parts = [
        f'listen = "{addresses["gateway"]}"\nanchors = "anchors.toml"\ndatabase = "sqlite:///gateway.db"\n'
        'institutions = "institutions.toml"\nready_file = "gateway.ready.json"\n'
        f"department_deadline_seconds = {DEPARTMENT_SECONDS}\n",
        TLS,
        '[subject_keys]\ndatabase = "sqlite:///keys.db"\nkey_encryption_key = "subject-keys.key"\n',
        _ledger(addresses),
    ]
    parts += [f'[[departments]]\nid = "{name}"\naddress = "{addresses[name]}"\n' for name in departments]
    return "\n".join(parts)


def institutions_toml() -> str:
    """`institutions.toml`: two licensed banks."""
    return "\n".join(
        f'[institutions."{bank}"]\nlicences = ["banking"]\nsupervisor = "nfra"\nsuspended = false\n'
        for bank in (BANK, OTHER_BANK)
    )


def adapter_toml(addresses: Mapping[str, str], department: str, *, registry: bool) -> str:
    """`adapter.toml` of one department."""
    parts = [
        f'listen = "{addresses[department]}"\ndepartment = "{department}"\nanchors = "anchors.toml"\n'
        f'mapping = "mapping.toml"\nstate = "sqlite:///state.db"\nready_file = "{department}.ready.json"\n',
        TLS,
        SIGNING,
        _ledger(addresses),
        f'[witness]\nname = "{witness_name(department)}"\nsigning_key = "witness.key"\nstate = "witness.state"\n',
    ]
    if registry:
        parts.append('[registry]\nsigning_key = "registry.key"\n')
    return "\n".join(parts)


def bank_toml(addresses: Mapping[str, str]) -> str:
    """`bank.toml`."""
    paillier = (
        '[paillier]\nprivate_key = "paillier.key.json"\nregistration = "registration.jws"\n'
        'passphrase_file = "passphrase"\n'
    )
    return "\n".join(['anchors = "anchors.toml"\narchive = "archive"\n', TLS, SIGNING, _gateway(addresses), paillier])


def officer_toml(addresses: Mapping[str, str]) -> str:
    """`officer.toml`: supervision reads the ledger and signs its reports."""
    return "\n".join(['anchors = "anchors.toml"\n', TLS, SIGNING, _ledger(addresses)])


def company_toml(addresses: Mapping[str, str], code: str, signatories: Sequence[str]) -> str:
    """`company.toml`; `signatories` are the key files of those persons who sign here."""
    files = ", ".join(f'"{name}"' for name in signatories)
    head = f'anchors = "anchors.toml"\nattestation = "attestation.jws"\ncompany = "{code}"\nsignatories = [{files}]\n'
    return "\n".join([head, TLS, _gateway(addresses)])


def _gateway(addresses: Mapping[str, str]) -> str:
    return f'[gateway]\naddress = "{addresses["gateway"]}"\npeer = "{spiffe(Role.GATEWAY, GATEWAY)}"\n'


def _ledger(addresses: Mapping[str, str]) -> str:
    return f'[ledger]\naddress = "{addresses["ledger"]}"\npeer = "{spiffe(Role.LEDGER, LEDGER)}"\n'


def _jwk(key: PublicJwk) -> str:
    return f'{{ kty = "{key.kty}", crv = "{key.crv}", x = "{key.x}" }}'
