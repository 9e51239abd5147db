"""Writes all files of a federation on one machine: certificates, keys, anchors, configurations, departments' databases.

    plan = Plan(DEMO_COLUMNS, scorecard.edges(), companies)
    federation = create(Path("build/demo"), plan)

Nothing here runs: a topology that was written can be read, checked (`department-adapter check`, `consentgate
doctor`) and started with the ordinary commands. Companies join later (`dev/enrolment.py`).
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from consentgate.identity import Role
from consentgate.signing import PersonSigner
from consentgate.statements import PublicJwk
from dev import configurations
from dev.ca import DevelopmentCa
from dev.companies import SampleCompany
from dev.department_data import mapping_toml, write_database
from dev.departments import REGISTRY
from dev.federation import Federation
from dev.layout import (
    BANK,
    GATEWAY,
    LEDGER,
    LOG_ORIGIN,
    OFFICER,
    OTHER_BANK,
    REVIEWERS,
    TRUST_DOMAIN,
    Layout,
    witness_name,
)
from dev.processes import free_ports, stop_recorded
from gateway.store import key_encryption_key
from ledger.note import SignatureType
from ledger_service.keys import create_key

SERVERS = ("gateway", "ledger")
"""Servers that are no departments."""
ADDRESSES = "addresses.json"
"""Server → host:port, departments in the order of the scorecards; with it a topology can be opened again."""


@dataclass(frozen=True)
class Plan:
    """Which department holds which columns of which companies; `edges` are the bins of each column."""

    departments: Mapping[str, Sequence[str]]
    edges: Mapping[str, Sequence[int]]
    companies: Sequence[SampleCompany]


def create(directory: Path, plan: Plan) -> Federation:
    """Writes a new federation into `directory`; what was there before is stopped and removed."""
    stop_recorded(directory)
    shutil.rmtree(directory, ignore_errors=True)
    names = (*SERVERS, *plan.departments)
    addresses = {name: f"127.0.0.1:{port}" for name, port in zip(names, free_ports(len(names)), strict=True)}
    layout = Layout(directory, tuple(plan.departments), addresses)
    ca = DevelopmentCa.create(directory / "ca", TRUST_DOMAIN)
    (directory / ADDRESSES).write_text(json.dumps(addresses, indent=1) + "\n")
    _write_credentials(layout, ca)
    _write_anchors(layout, ca)
    _write_configurations(layout)
    for department, columns in plan.departments.items():
        folder = layout.department(department)
        write_database(folder / "records.db", columns, plan.companies)
        edges = {column: plan.edges[column] for column in columns}
        (folder / "mapping.toml").write_text(mapping_toml(department, edges))
    return Federation(layout, ca)


def read(directory: Path) -> Layout:
    """The layout of a federation that was written before."""
    addresses = json.loads((directory / ADDRESSES).read_text())
    return Layout(directory, tuple(name for name in addresses if name not in SERVERS), addresses)


def _members(layout: Layout) -> list[tuple[Role, str]]:
    return [
        (Role.GATEWAY, GATEWAY),
        (Role.LEDGER, LEDGER),
        (Role.BANK, BANK),
        (Role.BANK, OTHER_BANK),
        (Role.OFFICER, OFFICER),
        *((Role.REVIEWER, name) for name in REVIEWERS),
        *((Role.DEPARTMENT, name) for name in layout.departments),
    ]


def _write_credentials(layout: Layout, ca: DevelopmentCa) -> None:
    for role, name in _members(layout):
        folder = layout.member(role, name)
        ca.issue_tls(role, name, folder)
        if role in (Role.BANK, Role.DEPARTMENT, Role.OFFICER):
            ca.issue_signing(role, name, folder)
    for bank in (layout.bank, layout.other_bank):
        passphrase = bank / "passphrase"
        passphrase.touch(mode=0o600)
        passphrase.write_text(secrets.token_urlsafe(24) + "\n")


def _write_anchors(layout: Layout, ca: DevelopmentCa) -> None:
    """Makes the keys that everybody anchors, and gives each member its own copy of the anchors."""
    registry = _person(layout.department(REGISTRY) / "registry.key")
    reviewers = {name: _person(layout.member(Role.REVIEWER, name) / "person.key") for name in REVIEWERS}
    log = create_key(layout.ledger / "log.key", LOG_ORIGIN, SignatureType.ED25519)
    witnesses = {
        name: create_key(layout.department(name) / "witness.key", witness_name(name), SignatureType.COSIGNATURE)
        for name in layout.departments
    }
    anchors = configurations.anchors_toml(REGISTRY, registry, reviewers)
    policy = configurations.ledger_policy(log, witnesses)
    for role, name in _members(layout):
        write_anchors(layout.member(role, name), anchors, policy, ca.certificate_path)


def write_anchors(folder: Path, anchors: str, policy: str, member_ca: Path) -> None:
    """One member's copy of the anchors."""
    (folder / "anchors.toml").write_text(anchors)
    (folder / "ledger-policy.txt").write_text(policy)
    shutil.copyfile(member_ca, folder / "member-ca.pem")


def _person(path: Path) -> PublicJwk:
    signer = PersonSigner.generate()
    signer.save(path)
    return signer.jwk


def _write_configurations(layout: Layout) -> None:
    addresses, departments = layout.addresses, layout.departments
    (layout.ledger / "ledger.toml").write_text(configurations.ledger_toml(addresses, departments))
    (layout.gateway / "gateway.toml").write_text(configurations.gateway_toml(addresses, departments))
    (layout.gateway / "institutions.toml").write_text(configurations.institutions_toml())
    key_encryption_key.create(layout.gateway / "subject-keys.key")
    for bank in (layout.bank, layout.other_bank):
        (bank / "bank.toml").write_text(configurations.bank_toml(addresses))
    (layout.member(Role.OFFICER, OFFICER) / "officer.toml").write_text(configurations.officer_toml(addresses))
    for name in departments:
        text = configurations.adapter_toml(addresses, name, registry=name == REGISTRY)
        (layout.department(name) / "adapter.toml").write_text(text)
