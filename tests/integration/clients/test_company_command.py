"""The `company` command: a person sees what is signed, several persons sign together, exit codes tell."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import grpc
import pytest

from company_client.cli import main
from consentgate.terminal import ExitCode
from tests.integration.clients.commands import Outcome, run
from tests.integration.clients.fake_gateway import FakeGateway, sequence, serving
from tests.integration.clients.member_folders import write_company
from tests.integration.clients.test_company_client import decision_body
from tests.support.federation import GROUP, PURPOSE, Federation, hex16

CONSENT = hex16("consent")


def company(config: Path, *words: object, typed: str = "") -> Outcome:
    return run(main, *words, "--config", config, typed=typed)


def terms(federation: Federation) -> list[str]:
    words = ["--grantee", str(federation.bank_a.identity), "--group", GROUP, "--purpose", PURPOSE]
    return [*words, "--category", "tax.declarations", "--data-range", "2025-01..2026-12"]


def test_a_consent_from_grant_to_revocation(company_toml: Path, federation: Federation, gateway: FakeGateway) -> None:
    granted = company(company_toml, "grant", *terms(federation), "--yes", "--json")
    assert granted.code == ExitCode.OK
    assert granted.members["kind"] == "consent.granted"
    consent_id = granted.members["consent_id"]
    for command in ("pause", "resume", "revoke"):
        moved = company(company_toml, command, consent_id, "--yes", "--json")
        assert (moved.code, moved.members["consent_id"]) == (ExitCode.OK, consent_id)
    assert "ledger entry" in company(company_toml, "pause", consent_id, "--yes").out


def test_a_new_version_supersedes(company_toml: Path, federation: Federation, gateway: FakeGateway) -> None:
    first = company(company_toml, "grant", *terms(federation), "--yes", "--json").members
    second = company(
        company_toml, "grant", *terms(federation), "--supersede", first["consent_id"], "--yes", "--json"
    ).members
    assert (second["consent_id"], second["version"]) == (first["consent_id"], 2)


def test_a_person_is_shown_what_is_signed_and_may_say_no(
    company_toml: Path, federation: Federation, gateway: FakeGateway
) -> None:
    refused = company(company_toml, "grant", *terms(federation), typed="n\n")
    assert refused.code != ExitCode.OK
    assert str(federation.bank_a.identity) in refused.err
    assert "4 per MONTH, 12 in all" in refused.err
    assert gateway.requests == []
    agreed = company(company_toml, "grant", *terms(federation), typed="y\n")
    assert agreed.code == ExitCode.OK


def test_two_directors_on_two_machines_without_network(
    tmp_path: Path, federation: Federation, gateway: FakeGateway
) -> None:
    office = write_company(tmp_path / "office", federation, gateway.address, signers=[])
    draft = tmp_path / "draft.json"
    begun = company(office, "grant", *terms(federation), "--draft", draft, "--yes", "--json")
    assert begun.members == {"draft": str(draft), "signatures": 0, "needed": 2}
    assert stat.S_IMODE(draft.stat().st_mode) == 0o600
    for number in (0, 1):
        key = tmp_path / f"director-{number}.key"
        federation.company.signers[number].save(key)
        signed = run(main, "sign", draft, "--key", key, "--out", tmp_path / f"signed-{number}.json", "--yes")
        assert signed.code == ExitCode.OK
    one = company(office, "join", tmp_path / "signed-0.json", "--json")
    assert one.code == ExitCode.REFUSED
    assert "CONSENT_SIGNATURE" in one.err
    assert gateway.requests == []
    both = company(office, "join", tmp_path / "signed-0.json", tmp_path / "signed-1.json", "--json")
    assert both.members["kind"] == "consent.granted"


def test_a_signatory_s_key_is_made_once(tmp_path: Path) -> None:
    made = run(main, "keygen", tmp_path / "me.key", "--json")
    assert set(made.members) == {"file", "jwk", "kid"}
    assert set(made.members["jwk"]) == {"kty", "crv", "x"}
    assert stat.S_IMODE((tmp_path / "me.key").stat().st_mode) == 0o600
    before = (tmp_path / "me.key").read_bytes()
    assert run(main, "keygen", tmp_path / "me.key").code == ExitCode.USAGE
    assert (tmp_path / "me.key").read_bytes() == before


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--frequency", "often"),
        ("--frequency", "0/MONTH"),
        ("--data-range", "2026-12..2025-01"),
        ("--valid-from", "tomorrow"),
        ("--purpose", "Credit Origination"),
        ("--days", "0"),
        ("--grantee", "bank-a"),
    ],
)
def test_a_term_that_is_none_is_refused_before_anything_is_sent(
    company_toml: Path, federation: Federation, gateway: FakeGateway, option: str, value: str
) -> None:
    outcome = company(company_toml, "grant", *terms(federation), option, value, "--yes")
    assert outcome.code == ExitCode.USAGE
    assert gateway.requests == []


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (grpc.StatusCode.PERMISSION_DENIED, ExitCode.REFUSED),
        (grpc.StatusCode.UNAVAILABLE, ExitCode.UNAVAILABLE),
    ],
    ids=["refused", "unavailable"],
)
def test_what_the_gateway_says_becomes_an_exit_code(
    company_toml: Path, federation: Federation, gateway: FakeGateway, status: grpc.StatusCode, code: ExitCode
) -> None:
    gateway.failures = [status]
    outcome = company(company_toml, "grant", *terms(federation), "--yes", "--json")
    assert (outcome.code, outcome.out) == (code, "")
    assert len(gateway.requests) == 1


def test_a_consent_that_is_not_known_here_needs_its_version(company_toml: Path, gateway: FakeGateway) -> None:
    assert company(company_toml, "revoke", CONSENT, "--yes").code == ExitCode.USAGE
    assert company(company_toml, "revoke", CONSENT, "--version", 1, "--yes").code == ExitCode.OK


def test_consents_and_accesses(company_toml: Path, federation: Federation, gateway: FakeGateway) -> None:
    company(company_toml, "grant", *terms(federation), "--yes")
    token = json.loads((company_toml.parent / "tokens.json").read_text())["tokens"][GROUP]
    sequence([("query.decision", decision_body(token, "deny"))], gateway)
    seen = company(company_toml, "accesses", "--json").members
    assert seen["verified"] == 1
    assert seen["accesses"][0]["reason"] == "CONSENT_REVOKED"
    assert "bank-a" in company(company_toml, "accesses").out
    assert "unspecified" in company(company_toml, "consents").out
    assert len(company(company_toml, "consents", "--json").members["consents"]) == 2


def test_an_access_that_is_not_the_company_s_has_an_exit_code_of_its_own(
    company_toml: Path, gateway: FakeGateway
) -> None:
    sequence([("query.decision", decision_body(hex16("somebody else")))], gateway)
    assert company(company_toml, "accesses").code == ExitCode.INVALID


def test_a_revocation_past_the_gateway(company_toml: Path, federation: Federation, gateway: FakeGateway) -> None:
    with serving(federation, federation.departments["tax"]) as tax:
        words = ["--address", tax.address, "--department", "tax", "--version", 1, "--yes", "--json"]
        outcome = company(company_toml, "revoke-at-department", CONSENT, *words)
        assert outcome.members == {"consent_id": CONSENT, "department": "tax", "accepted": True}
        wrong = ["--address", tax.address, "--department", "customs", "--version", 1, "--yes"]
        assert company(company_toml, "revoke-at-department", CONSENT, *wrong).code == ExitCode.CONFIGURATION
    assert len(tax.requests) == 1
    assert gateway.requests == []


def test_a_signed_revocation_of_another_consent_is_not_handed_over(
    company_toml: Path, federation: Federation, gateway: FakeGateway, tmp_path: Path
) -> None:
    draft = tmp_path / "draft.json"
    company(company_toml, "revoke", CONSENT, "--version", 1, "--draft", draft, "--yes")
    words = ["--address", gateway.address, "--department", "tax", "--signed-draft", draft, "--yes"]
    outcome = company(company_toml, "revoke-at-department", hex16("another"), *words)
    assert outcome.code == ExitCode.USAGE
    assert gateway.requests == []


@pytest.mark.parametrize("file", ["company.toml", "attestation.jws", "signatory-0.key", "tokens.json", "tls.key"])
def test_a_file_to_be_corrected_is_named(
    company_toml: Path, federation: Federation, gateway: FakeGateway, file: str
) -> None:
    (company_toml.parent / file).write_text("nothing of use")
    outcome = company(company_toml, "grant", *terms(federation), "--yes")
    assert outcome.code in {ExitCode.CONFIGURATION, ExitCode.REFUSED}
    assert federation.company.code not in outcome.err
    assert gateway.requests == []
