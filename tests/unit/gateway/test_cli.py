"""The `gateway` command offline: migrate, check, policies, and the reviewers' offline steps; manners and exit codes."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from consentgate import logs
from consentgate.terminal import ExitCode
from gateway import cli
from gateway.store import key_encryption_key
from gateway.store.migrate import revisions
from ledger.entry import ZERO_HASH
from tests.integration.clients.member_folders import write_anchors
from tests.integration.gateway.port import write_tls
from tests.support.federation import GROUP, Federation
from tests.support.gateway_house import INSTITUTIONS, KEY_FILE, store_in
from tests.unit.gateway.test_review import FIRST, SOLVING, first_link

FEDERATION = Federation()


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    """Runs the command as its script does; returns (exit code, stdout, stderr)."""
    monkeypatch.setattr(logs, "configure", lambda *_: None)

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["gateway", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        printed = capsys.readouterr()
        return int(caught.value.code or 0), printed.out, printed.err

    return call


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """gateway.toml of a gateway whose neighbours are away."""
    write_anchors(tmp_path, FEDERATION)
    tls = write_tls(tmp_path, FEDERATION.gateway, FEDERATION)
    (tmp_path / "institutions.toml").write_text(INSTITUTIONS)
    file = tmp_path / "gateway.toml"
    file.write_text(
        'listen = "127.0.0.1:0"\nanchors = "anchors.toml"\ndatabase = "sqlite:///gateway.db"\n'
        'institutions = "institutions.toml"\n'
        f'[tls]\ncertificate = "{tls.certificate.name}"\nprivate_key = "{tls.private_key.name}"\n'
        '[subject_keys]\ndatabase = "sqlite:///keys.db"\nkey_encryption_key = "subject-keys.key"\n'
        '[ledger]\naddress = "127.0.0.1:1"\npeer = "spiffe://consentgate.test/ledger/ledger-1"\n'
        '[[departments]]\nid = "tax"\naddress = "127.0.0.1:1"\n'
    )
    key_encryption_key.create(tmp_path / KEY_FILE)
    return file


def test_migrate(gateway, config: Path) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = gateway("migrate", "--config", config, "--json")
    assert (code, json.loads(out)) == (0, {"before": None, "after": "0003"})
    code, out, _ = gateway("migrate", "--config", config)
    assert (code, out) == (0, "schema 0003, as before\n")
    database = store_in(config.parent)
    assert revisions(database.engine) == ("0003", "0003")
    database.close()


def test_check_names_cause_and_cure_of_each(gateway, config: Path) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = gateway("check", "--config", config, "--json")
    found = {finding["check"]: finding for finding in json.loads(out)["findings"]}
    assert code == ExitCode.UNAVAILABLE, "only the neighbours are missing"
    for check in ("configuration", "anchors", "policies", "subject keys", "database", "identity", "role"):
        assert found[check]["verdict"] == "ok", check
    assert "2 of 3 reviewers" in found["anchors"]["cause"]
    assert "8 policies" in found["policies"]["cause"]
    assert found["categories"]["verdict"] == "warning"
    assert found["ledger TCP"]["code"] == found["department tax TCP"]["code"] == "CONNECTION_REFUSED"
    gateway("migrate", "--config", config)
    _, out, _ = gateway("check", "--config", config)
    assert "schema 0003" in out


def test_check_goes_on_after_a_defect(gateway, config: Path) -> None:  # type: ignore[no-untyped-def]
    (config.parent / "institutions.toml").write_text("[institutions.bank-a]\n")
    (config.parent / "gateway-gateway.key").write_text("no key")
    code, out, _ = gateway("check", "--config", config)
    assert code == ExitCode.CONFIGURATION
    assert "institutions.toml" in out
    assert "private key" in out
    assert "trust domain consentgate.test" in out


def test_check_without_its_key_or_with_another(gateway, config: Path) -> None:  # type: ignore[no-untyped-def]
    gateway("migrate", "--config", config)
    (config.parent / KEY_FILE).unlink()
    code, out, _ = gateway("check", "--config", config, "--json")
    found = {finding["check"]: finding for finding in json.loads(out)["findings"]}
    assert (code, found["subject keys"]["code"]) == (ExitCode.CONFIGURATION, "CONFIG_INVALID")
    assert "gateway keygen" in found["subject keys"]["cure"]
    key_encryption_key.create(config.parent / KEY_FILE)
    code, out, _ = gateway("check", "--config", config, "--json")
    found = {finding["check"]: finding for finding in json.loads(out)["findings"]}
    assert (code, found["subject keys"]["verdict"]) == (ExitCode.CONFIGURATION, "ok")
    assert "another key" in found["database"]["cure"]
    code, _, err = gateway("serve", "--config", config)
    assert (code, "subject_keys.key_encryption_key" in err) == (ExitCode.CONFIGURATION, True)


def test_check_without_a_configuration(gateway, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = gateway("check", "--config", tmp_path / "none.toml")
    assert code == ExitCode.CONFIGURATION
    assert "none.toml" in out


def test_serve_without_a_configuration_says_so(gateway, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    code, _, err = gateway("serve", "--config", tmp_path / "none.toml")
    assert code == ExitCode.CONFIGURATION
    assert "CONFIG_INVALID" in err
    assert "hint" in err
    assert "Traceback" not in err


def test_policy_check(gateway, config: Path) -> None:  # type: ignore[no-untyped-def]
    institutions = config.parent / "institutions.toml"
    code, out, _ = gateway("policy", "check", "--institutions", institutions, "--json")
    members = json.loads(out)
    assert code == 0
    assert members["institutions"] == ["bank-a", "bank-b"]
    assert {policy["id"] for policy in members["policies"]} >= {"score.public", "bounds.consent"}
    assert "bounds.high-risk" in gateway("policy", "check", "--institutions", institutions)[1]
    institutions.write_text("nonsense")
    code, _, err = gateway("policy", "check", "--institutions", institutions)
    assert (code, "institutions.toml" in err) == (ExitCode.CONFIGURATION, True)


EXPLAIN = ("policy", "explain", "--category", "tax.declarations", "--purpose", "credit.origination", "--institutions")


def test_policy_explain(gateway, config: Path) -> None:  # type: ignore[no-untyped-def]
    institutions = config.parent / "institutions.toml"
    code, out, _ = gateway(*EXPLAIN, institutions, "--institution", "bank-a", "--json")
    assert (code, json.loads(out)["allowed"]) == (0, True)
    code, out, _ = gateway(*EXPLAIN, institutions, "--institution", "bank-b", "--json")
    members = json.loads(out)
    assert (code, members["allowed"]) == (ExitCode.REFUSED, False)
    assert [change["fact"] for change in members["changes"]] == ["institution.licences"] * 2
    code, out, _ = gateway(*EXPLAIN, institutions, "--institution", "bank-a", "--paused", "--consented", "tax.payments")
    assert (code, "no single fact" in out) == (ExitCode.REFUSED, True)
    assert "bounds.consent" in out


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A reviewer's folder: anchors, own key, the package."""
    write_anchors(tmp_path, FEDERATION)
    for name, signer in FEDERATION.reviewers.items():
        signer.save(tmp_path / f"{name}.key")
    (tmp_path / "review.json").write_bytes(first_link().encode())
    return tmp_path


def test_review_sign_and_combine(gateway, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(desk)
    code, out, _ = gateway("scorecard", "review", "review.json", "--json")
    assert (code, json.loads(out)["report"]["verdict"]) == (0, "accept")
    assert "linear rule" in gateway("scorecard", "review", "review.json")[1]
    for name in ("reviewer-1", "reviewer-2"):
        code, out, _ = gateway(
            "scorecard", "review", "review.json", "--key", f"{name}.key", "--out", f"{name}.jws", "--yes", "--json"
        )
        assert (code, json.loads(out)["signature"]) == (0, f"{name}.jws")
    code, out, _ = gateway("scorecard", "combine", "reviewer-1.jws", "--out", "approval.jws")
    assert code == ExitCode.REFUSED
    code, out, _ = gateway(
        "scorecard", "combine", "reviewer-1.jws", "reviewer-2.jws", "--out", "approval.jws", "--json"
    )
    members = json.loads(out)
    assert (code, members["scorecard"], members["previous"]) == (0, FIRST.header.id, ZERO_HASH)
    assert members["group"] == GROUP
    assert (desk / "approval.jws").exists()


def test_a_signature_is_never_overwritten(gateway, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(desk)
    (desk / "one.jws").write_text("an older one")
    code, _, err = gateway("scorecard", "review", "review.json", "--key", "reviewer-1.key", "--out", "one.jws", "--yes")
    assert (code, "exists already" in err) == (ExitCode.USAGE, True)
    assert (desk / "one.jws").read_text() == "an older one"


def test_nothing_is_signed_without_a_yes(gateway, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(desk)
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    code, _, err = gateway("scorecard", "review", "review.json", "--key", "reviewer-1.key", "--out", "one.jws")
    assert code != 0
    assert "linear rule" in err, "what is to be signed is shown first"
    assert f"Sign APPROVE of {FIRST.header.id}" in err
    assert not (desk / "one.jws").exists()


def test_mistakes_of_a_reviewer(gateway, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(desk)
    assert gateway("scorecard", "review", "none.json")[0] == ExitCode.USAGE
    assert gateway("scorecard", "review", "review.json", "--key", "reviewer-1.key")[0] == ExitCode.USAGE
    (desk / "review.json").write_bytes(first_link(SOLVING).encode())
    code, _, err = gateway("scorecard", "review", "review.json")
    assert (code, "linear.tax" in err) == (ExitCode.REFUSED, True)
