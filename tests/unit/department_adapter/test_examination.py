"""`department-adapter check` and its siblings: every defect with cause and cure, none hides another."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from consentgate import evidence
from consentgate.anchors import Anchors
from consentgate.database import Database
from consentgate.doctor import Finding, Verdict, healthy
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.terminal import ExitCode, exit_code
from department_adapter import examination
from department_adapter.cli import app
from department_adapter.config import AdapterConfig
from department_adapter.state import migrate
from ledger.evidence import Material
from ledger.note import SignatureType, VerifierKey
from ledger.policy import LogPolicy
from ledger.refused import Refusals
from tests.integration.department_adapter.house import write_files
from tests.support.federation import Federation, institution, person
from tests.support.forked_log import EARLIER, forked
from tests.support.member_ca import certificate_pem, private_pem
from tests.support.witnessed_log import policy_text, witness_signer

NOWHERE = "127.0.0.1:1"
Defect = Callable[[Path, Federation], None]


@pytest.fixture
def folder(tmp_path: Path, federation: Federation) -> Path:
    write_files(tmp_path, federation, NOWHERE)
    return tmp_path


def found(folder: Path) -> dict[str, Finding]:
    return {one.check: one for one in examination.examine(folder / "adapter.toml")}


def replaced(name: str, old: str, new: str) -> Defect:
    def apply(folder: Path, _federation: Federation) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1))

    return apply


def removed(name: str) -> Defect:
    return lambda folder, _federation: (folder / name).unlink()


def test_all_is_well_but_the_ledger(folder: Path) -> None:
    findings = examination.examine(folder / "adapter.toml")
    assert [one.check for one in findings if one.verdict is not Verdict.OK] == ["ledger TCP"]
    assert examination.ready(findings)
    assert not healthy(findings)
    assert not (folder / "state.db").exists()


def _signing_of_customs(folder: Path, federation: Federation) -> None:
    other = federation.departments["customs"].signer
    (folder / "signing.pem").write_bytes(certificate_pem(*other.chain))
    (folder / "signing.key").write_bytes(other.key.as_pem(private=True))


def _tls_of_customs(folder: Path, federation: Federation) -> None:
    other = federation.departments["customs"]
    (folder / "tls.pem").write_bytes(certificate_pem(other.tls_certificate))
    (folder / "tls.key").write_bytes(private_pem(other.tls_key))


def _tls_of_another_ca(folder: Path, federation: Federation) -> None:
    other = institution(federation.other_ca, "department", "tax")
    (folder / "tls.pem").write_bytes(certificate_pem(other.tls_certificate))


def _signs_with_tls(folder: Path, federation: Federation) -> None:
    tax = federation.departments["tax"]
    (folder / "signing.pem").write_bytes(certificate_pem(tax.tls_certificate))
    (folder / "signing.key").write_bytes(private_pem(tax.tls_key))


def _witness_of_customs(folder: Path, _federation: Federation) -> None:
    (folder / "witness.key").write_bytes(witness_signer("customs").to_pem())


def _other_registry(folder: Path, _federation: Federation) -> None:
    person("somebody").save(folder / "registry.key")
    replaced("adapter.toml", "[witness]", '[registry]\nsigning_key = "registry.key"\n[witness]')(folder, _federation)


def _open_key(folder: Path, _federation: Federation) -> None:
    (folder / "tls.key").chmod(0o644)


DEFECTS: dict[str, tuple[Defect, str, str]] = {
    "configuration misspelt": (replaced("adapter.toml", "listen", "listne"), "configuration", "listen"),
    "configuration absent": (removed("adapter.toml"), "configuration", "adapter.toml"),
    "anchors absent": (removed("anchors.toml"), "anchors", "anchors.toml"),
    "anchors too trusting": (
        replaced("anchors.toml", "freshness_seconds = 5", "freshness_seconds = 9999"),
        "anchors",
        "freshness_seconds",
    ),
    "policy malformed": (replaced("ledger-policy.txt", "quorum departments", "quorum"), "anchors", "ledger-policy.txt"),
    "mapping malformed": (replaced("mapping.toml", "scale = 4", "scale = 40"), "mapping", "columns[0]"),
    "mapping names no column": (
        replaced("mapping.toml", 'source = "turnover"', 'source = "nothere"'),
        "records",
        "columns[1].source",
    ),
    "mapping names no table": (
        replaced("mapping.toml", 'table = "records"', 'table = "nothere"'),
        "records",
        "source.table",
    ),
    "database absent": (removed("records.db"), "records", ""),
    "certificate absent": (removed("tls.pem"), "certificate", "tls.pem"),
    "certificate of another CA": (_tls_of_another_ca, "issuer", ""),
    "certificate of another department": (_tls_of_customs, "department", "tls.certificate"),
    "key readable by others": (_open_key, "permissions", "0644"),
    "signing certificate absent": (removed("signing.pem"), "signing certificate", "signing.pem"),
    "signing key of another pair": (
        lambda folder, federation: (
            (folder / "signing.key").write_bytes(federation.departments["customs"].signer.key.as_pem(private=True))
            and None
        ),
        "signing certificate",
        "signing.key",
    ),
    "signing as another department": (_signing_of_customs, "signing certificate", "signing.certificate"),
    "signing with the TLS pair": (_signs_with_tls, "signing certificate", ""),
    "witness key absent": (removed("witness.key"), "witness", "witness.key"),
    "witness key of another": (_witness_of_customs, "witness", "witness.name"),
    "registry key of another": (_other_registry, "registry key", "registry.signing_key"),
    "state without folder": (replaced("adapter.toml", "state.db", "absent/state.db"), "state", "absent"),
    "state of an unknown kind": (replaced("adapter.toml", "sqlite:///state.db", "nosuch://db"), "state", "state"),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_defect(folder: Path, federation: Federation, name: str) -> None:
    spoil, check, where = DEFECTS[name]
    spoil(folder, federation)
    finding = found(folder)[check]
    assert finding.verdict is Verdict.FAILED
    assert where in finding.cause
    assert finding.cure
    assert finding.code is not None


def test_one_defect_does_not_hide_the_next(folder: Path, federation: Federation) -> None:
    for name in ("mapping malformed", "signing certificate absent", "witness key absent"):
        DEFECTS[name][0](folder, federation)
    failed = [check for check, one in found(folder).items() if one.verdict is Verdict.FAILED]
    assert failed == ["mapping", "signing certificate", "witness", "ledger TCP"]


def test_companies_with_two_rows_are_a_warning(folder: Path) -> None:
    connection = sqlite3.connect(folder / "records.db")
    with connection:
        connection.execute("ALTER TABLE records RENAME TO old")
        connection.execute("CREATE VIEW records AS SELECT * FROM old UNION ALL SELECT * FROM old")
    connection.close()
    finding = found(folder)["unique companies"]
    assert finding.verdict is Verdict.WARNING
    assert "1 companies" in finding.cause


def test_what_the_log_signed_and_was_refused_is_told(folder: Path) -> None:
    config = AdapterConfig.load(folder / "adapter.toml")
    fork, policy = forked(3, 8, 8), LogPolicy.parse(policy_text())
    other = forked(3, 8, 13).other.note(EARLIER)
    kept = Refusals(config.refused_folder)
    assert found(folder)["ledger evidence"].verdict is Verdict.OK
    kept.keep(Material(fork.honest.note(EARLIER), other, answer=()), policy)
    assert found(folder)["ledger evidence"].verdict is Verdict.WARNING
    kept.keep(Material(fork.honest.note(EARLIER), fork.other.note(EARLIER)), policy)
    finding = found(folder)["ledger evidence"]
    assert (finding.verdict, finding.code) == (Verdict.FAILED, ErrorCode.LEDGER_INVALID)
    assert f"{config.refused_folder}/same-size" in finding.cause
    # It is not for this side to correct, and stops no start.
    assert examination.ready(examination.examine(folder / "adapter.toml"))


def test_state_that_must_be_upgraded_is_left_alone(folder: Path) -> None:
    config = AdapterConfig.load(folder / "adapter.toml")
    database = Database(config.state, "state")
    database.engine.connect().close()
    newest = migrate.revisions(database.engine)[1]
    assert found(folder)["state"].cause == f"schema None; the next start brings it to {newest}"
    migrate.upgrade(database.engine)
    database.close()
    assert found(folder)["state"].cause == f"schema {newest}"


def test_department_that_is_no_witness(folder: Path) -> None:
    text = (folder / "adapter.toml").read_text()
    start, end = text.index("[witness]"), text.index("[encryption]")
    (folder / "adapter.toml").write_text(text[:start] + text[end:])
    assert found(folder)["witness"].verdict is Verdict.OK


# Commands.


def invoked(*arguments: str) -> tuple[int, str]:
    """Exit code and stdout, as `consentgate.terminal.run` would make them."""
    result = CliRunner().invoke(app, arguments)
    if isinstance(result.exception, ConsentgateError):
        return exit_code(result.exception), result.stdout
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout


def test_check_tells_scripts_what_kind_of_trouble(folder: Path) -> None:
    config = str(folder / "adapter.toml")
    code, stdout = invoked("check", "--config", config, "--json")
    answer = json.loads(stdout)
    assert (code, answer["healthy"]) == (ExitCode.UNAVAILABLE, False)
    assert {"check", "verdict", "cause", "cure", "code"} == set(answer["findings"][0])
    (folder / "mapping.toml").unlink()
    code, stdout = invoked("check", "--config", config)
    assert code == ExitCode.CONFIGURATION
    assert "→" in stdout


def test_catalogue_shows_what_can_be_released(folder: Path) -> None:
    code, stdout = invoked("catalogue", "--config", str(folder / "adapter.toml"), "--json")
    answer = json.loads(stdout)
    assert (code, answer["department"]) == (0, "tax")
    assert [column["specification"]["name"] for column in answer["columns"]] == ["margin", "turnover"]
    code, stdout = invoked("catalogue", "--config", str(folder / "adapter.toml"))
    assert answer["version"] in stdout


def attest(folder: Path, federation: Federation, *more: str) -> tuple[int, str]:
    keys = [option for signer in federation.company.signers for option in ("--signatory", signer.jwk.x)]
    out = str(folder / "attestation.jws")
    company = ("--company", federation.company.code, "--threshold", "2", "--out", out)
    return invoked("attest", "--config", str(folder / "adapter.toml"), *company, *keys, *more)


def test_attest_at_the_registry(folder: Path, federation: Federation) -> None:
    federation.registry_key.save(folder / "registry.key")
    replaced("adapter.toml", "[witness]", '[registry]\nsigning_key = "registry.key"\n[witness]')(folder, federation)
    code, stdout = attest(folder, federation, "--json")
    answer = json.loads(stdout)
    token = (folder / "attestation.jws").read_bytes()
    claims = evidence.verify_attestation(token, Anchors.load(folder / "anchors.toml"), datetime.now(UTC))
    assert (code, claims.entity, claims.threshold) == (0, answer["entity"], 2)
    assert len({signatory.person for signatory in claims.signatories}) == 3
    assert attest(folder, federation)[0] == ExitCode.CONFIGURATION  # never overwrites
    assert (folder / "attestation.jws").read_bytes() == token


def test_attest_elsewhere(folder: Path, federation: Federation) -> None:
    assert attest(folder, federation)[0] == ExitCode.CONFIGURATION
    assert not (folder / "attestation.jws").exists()


def test_keygen_makes_a_witness_key(tmp_path: Path) -> None:
    out = tmp_path / "witness.key"
    code, stdout = invoked("keygen", "--name", "tax.witness", "--out", str(out), "--json")
    assert code == 0
    assert VerifierKey.parse(json.loads(stdout)["key"]).type is SignatureType.COSIGNATURE
    assert out.stat().st_mode & 0o777 == 0o600
    assert invoked("keygen", "--name", "tax.witness", "--out", str(out))[0] == ExitCode.CONFIGURATION


def test_serve_refuses_a_broken_mapping(folder: Path) -> None:
    (folder / "mapping.toml").write_text("")
    assert invoked("serve", "--config", str(folder / "adapter.toml"))[0] == ExitCode.CONFIGURATION
