"""A written federation can be read by every package's own loader, and its parts fit each other."""

from __future__ import annotations

import sqlite3
import stat
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bank_client.config import BankConfig
from company_client.config import CompanyConfig
from consentgate import evidence
from consentgate.anchors import Anchors
from consentgate.identity import Role
from consentgate.signing import InstitutionSigner
from consentgate.tls import TlsFiles, load_client, load_server
from dev import topology
from dev.companies import extract, sample_companies, trained_scorecard
from dev.departments import DEMO_COLUMNS, REGISTRY
from dev.enrolment import JOINT, enrol
from dev.federation import Federation
from dev.layout import BANK, LOG_ORIGIN, quorum, witness_name
from dev.topology import Plan
from gateway.config import GatewayConfig
from gateway.policy_bundle import PACKAGED, PolicyBundle
from ledger.note import SignatureType
from ledger_service.config import LedgerConfig
from ledger_service.keys import load_signer

COMPANIES = sample_companies(extract())[:20]


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Federation:
    plan = Plan(DEMO_COLUMNS, trained_scorecard().edges(), COMPANIES)
    return topology.create(tmp_path_factory.mktemp("federation"), plan)


def test_configurations_are_read_by_their_own_packages(federation: Federation) -> None:
    layout = federation.layout
    gateway = GatewayConfig.load(layout.gateway / "gateway.toml")
    assert gateway.listen == layout.addresses["gateway"]
    assert [(entry.id, entry.address) for entry in gateway.departments] == [
        (name, layout.addresses[name]) for name in DEMO_COLUMNS
    ]
    ledger = LedgerConfig.load(layout.ledger / "ledger.toml")
    assert gateway.ledger.address == ledger.listen
    assert ledger.origin == LOG_ORIGIN
    for bank in (layout.bank, layout.other_bank):
        assert BankConfig.load(bank / "bank.toml").gateway.address == gateway.listen
    PolicyBundle.load(PACKAGED, gateway.institutions)


def test_keys_are_the_ones_that_the_policy_names(federation: Federation) -> None:
    layout = federation.layout
    policy = Anchors.load(layout.gateway / "anchors.toml").log_policy
    log = load_signer(layout.ledger / "log.key", LOG_ORIGIN, SignatureType.ED25519)
    assert [key.public for key in policy.logs] == [log.verifier_key.public]
    for name in DEMO_COLUMNS:
        key = load_signer(layout.department(name) / "witness.key", witness_name(name), SignatureType.COSIGNATURE)
        assert policy.witness_of(key.verifier_key) == witness_name(name)


@pytest.mark.parametrize(("witnesses", "needed"), [(1, 1), (3, 2), (4, 3), (5, 4), (7, 5), (8, 6), (26, 18)])
def test_quorum_is_more_than_half_of_witnesses_and_liars(witnesses: int, needed: int) -> None:
    liars = (witnesses - 1) // 3
    assert quorum(witnesses) == needed
    assert 2 * needed > witnesses + liars
    assert needed <= witnesses - liars, "the honest ones alone can reach it"


def test_the_policys_quorum_is_that_number(federation: Federation) -> None:
    policy = Anchors.load(federation.layout.gateway / "anchors.toml").log_policy
    names = [witness_name(name) for name in DEMO_COLUMNS]
    assert policy.is_met_by(frozenset(names[: quorum(len(names))]))
    assert not policy.is_met_by(frozenset(names[: quorum(len(names)) - 1]))


def test_certificates_are_good_for_what_they_are_for(federation: Federation) -> None:
    layout = federation.layout
    for folder in (layout.gateway, layout.ledger, *(layout.department(name) for name in DEMO_COLUMNS)):
        files = TlsFiles.of(folder / "tls.pem", folder / "tls.key", folder / "member-ca.pem")
        assert load_server(files, allow_development_ca=True).identity.id == folder.name
    for folder in (layout.bank, layout.other_bank, layout.member(Role.OFFICER, "officer-1")):
        files = TlsFiles.of(folder / "tls.pem", folder / "tls.key", folder / "member-ca.pem")
        assert load_client(files, allow_development_ca=True).identity.id == folder.name
    signer = InstitutionSigner.load(layout.bank / "signing.pem", layout.bank / "signing.key")
    assert signer.identity.id == BANK


def test_every_private_file_is_its_owners_only(federation: Federation) -> None:
    private = [*federation.layout.directory.rglob("*.key"), *federation.layout.directory.rglob("passphrase")]
    assert len(private) > 20
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in private)


def test_each_department_holds_its_own_columns_of_every_company(federation: Federation) -> None:
    for department, columns in DEMO_COLUMNS.items():
        connection = sqlite3.connect(federation.layout.department(department) / "records.db")
        found = [row[1] for row in connection.execute("PRAGMA table_info(records)")]
        count = connection.execute("SELECT count(*) FROM records").fetchone()[0]
        connection.close()
        assert found == ["uscc", "company_name", *(column.lower() for column in columns)]
        assert count == len(COMPANIES)


def test_mappings_hold_the_scorecards_edges(federation: Federation) -> None:
    edges = trained_scorecard().edges()
    for department, columns in DEMO_COLUMNS.items():
        mapping = tomllib.loads((federation.layout.department(department) / "mapping.toml").read_text())
        assert {entry["name"]: tuple(entry["edges"]) for entry in mapping["columns"]} == {
            column.lower(): edges[column] for column in columns
        }


def test_only_the_registry_can_attest(federation: Federation) -> None:
    for department in DEMO_COLUMNS:
        config = tomllib.loads((federation.layout.department(department) / "adapter.toml").read_text())
        assert ("registry" in config) == (department == REGISTRY)


def test_an_enrolled_company_is_attested_and_its_code_stands_in_no_certificate(federation: Federation) -> None:
    company = enrol(federation.layout, federation.ca, COMPANIES[0], JOINT)
    config = CompanyConfig.load(company.config)
    assert len(config.signatories) == JOINT.threshold
    anchors = Anchors.load(config.anchors)
    token = config.attestation.read_bytes()
    claims = evidence.verify_attestation(token, anchors, _now())
    assert (claims.company, claims.entity, claims.threshold) == (COMPANIES[0].code, company.entity, 2)
    files = TlsFiles.of(config.tls.certificate, config.tls.private_key, company.folder / "member-ca.pem")
    loaded = load_client(files, allow_development_ca=True)
    assert loaded.identity.id == company.entity
    assert COMPANIES[0].code not in str(loaded.certificate)
    assert COMPANIES[0].code not in str(company.folder)


def test_a_written_federation_is_read_again(federation: Federation) -> None:
    assert topology.read(federation.layout.directory) == federation.layout


def test_writing_again_replaces_everything(tmp_path: Path) -> None:
    plan = Plan({REGISTRY: ["Attr10"]}, trained_scorecard().edges(), COMPANIES[:1])
    first = topology.create(tmp_path / "one", plan)
    (first.layout.gateway / "left-over").touch()
    second = topology.create(tmp_path / "one", plan)
    assert not (second.layout.gateway / "left-over").exists()


def _now() -> datetime:
    return datetime.now(UTC)
