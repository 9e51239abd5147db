"""`anchors.toml`: what a verifier trusts is read strictly, and each mistake names file and entry."""

from __future__ import annotations

import tomllib
from datetime import timedelta
from pathlib import Path

import pytest

from consentgate.anchors import Anchors
from consentgate.errors import ConsentgateError, ErrorCode
from tests.support.federation import Federation
from tests.support.member_ca import certificate_pem
from tests.support.witnessed_log import policy_text

TEXT = """\
trust_domain = "consentgate.test"
member_ca = "ca.pem"
ledger_policy = "policy.txt"
freshness_seconds = 7
reviewers_required = 2

[registry]
department = "market-regulation"
jwk = { kty = "OKP", crv = "Ed25519", x = "REGISTRY" }

[[reviewers]]
id = "reviewer-1"
jwk = { kty = "OKP", crv = "Ed25519", x = "FIRST" }

[[reviewers]]
id = "reviewer-2"
jwk = { kty = "OKP", crv = "Ed25519", x = "SECOND" }
"""


@pytest.fixture
def path(tmp_path: Path, federation: Federation) -> Path:
    (tmp_path / "ca.pem").write_bytes(certificate_pem(federation.ca.certificate))
    (tmp_path / "policy.txt").write_text(policy_text())
    text = TEXT.replace("REGISTRY", federation.registry_key.jwk.x)
    for name, number in (("FIRST", 1), ("SECOND", 2)):
        text = text.replace(name, federation.reviewers[f"reviewer-{number}"].jwk.x)
    (tmp_path / "anchors.toml").write_text(text)
    return tmp_path / "anchors.toml"


def _refused(path: Path) -> str:
    with pytest.raises(ConsentgateError) as caught:
        Anchors.load(path)
    assert caught.value.code is ErrorCode.CONFIG_INVALID
    return str(caught.value.field)


def _change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def test_good_file(path: Path, federation: Federation):
    anchors = Anchors.load(path)
    assert anchors.trust_domain == "consentgate.test"
    assert anchors.member_ca == federation.ca.certificate
    assert anchors.registry_key == federation.registry_key.jwk
    assert anchors.registry_department == "market-regulation"
    assert anchors.reviewers == {name: federation.reviewers[name].jwk for name in ("reviewer-1", "reviewer-2")}
    assert anchors.freshness == timedelta(seconds=7)
    assert anchors.log_policy == federation.log.policy


def test_defaults(path: Path):
    _change(path, "freshness_seconds = 7\nreviewers_required = 2\n", "")
    assert Anchors.load(path).freshness == timedelta(seconds=5)
    assert Anchors.load(path).reviewers_required == 2


def test_a_bundle_verifies_under_the_loaded_anchors(path: Path, federation: Federation):
    from_file = Anchors.load(path)
    assert from_file.log_policy.logs == federation.anchors.log_policy.logs


ENTRIES = {
    "unknown entry": ("trust_domain =", "zz = 1\ntrust_domain =", "zz"),
    "trust domain in upper case": ('"consentgate.test"', '"Consentgate.test"', "trust_domain"),
    "freshness zero": ("freshness_seconds = 7", "freshness_seconds = 0", "freshness_seconds"),
    "freshness above the bound": ("freshness_seconds = 7", "freshness_seconds = 301", "freshness_seconds"),
    "one reviewer suffices": ("reviewers_required = 2", "reviewers_required = 1", "reviewers_required"),
    "more reviewers than there are": ("reviewers_required = 2", "reviewers_required = 3", "reviewers_required"),
    "reviewer named twice": ('"reviewer-2"', '"reviewer-1"', "reviewers"),
    "registry absent": ("[registry]", "[registrar]", "registry"),
    "registry in upper case": ('"market-regulation"', '"Market"', "registry.department"),
}


@pytest.mark.parametrize(("old", "new", "entry"), ENTRIES.values(), ids=ENTRIES.keys())
def test_bad_entry_is_named(path: Path, old: str, new: str, entry: str):
    _change(path, old, new)
    assert _refused(path) == f"{path}: {entry}"


def test_one_key_is_not_two_reviewers(path: Path):
    keys = [reviewer["jwk"]["x"] for reviewer in tomllib.loads(path.read_text())["reviewers"]]
    _change(path, keys[1], keys[0])
    assert _refused(path) == f"{path}: reviewers_required"


def test_private_key_among_anchors(path: Path, federation: Federation):
    x = federation.registry_key.jwk.x
    _change(path, f'x = "{x}"', f'x = "{x}", d = "{x}"')
    assert _refused(path) == f"{path}: registry.jwk.d"


@pytest.mark.parametrize("name", ["anchors.toml", "ca.pem", "policy.txt"])
@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe", b"= nonsense"], ids=["absent", "empty", "binary", "text"])
def test_bad_file_is_named(path: Path, name: str, content: bytes | None):
    at_fault = path.with_name(name)
    at_fault.unlink()
    if content is not None:
        at_fault.write_bytes(content)
    assert _refused(path).startswith(str(at_fault))


def test_paths_are_relative_to_the_file(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert Anchors.load(path).trust_domain == "consentgate.test"
