"""The `bank` command: results on stdout, the rest on stderr, exit codes that a script can tell apart."""

from __future__ import annotations

import json
import stat
import zipfile
from pathlib import Path

import grpc
import phe
import pytest

from bank_client.cli import main
from bank_client.retry import RetryPolicy
from consentgate.terminal import ExitCode
from dev.ca import DevelopmentCa
from paillier.private.phe_form import export_unencrypted_phe_json, to_phe
from tests.integration.clients.commands import Outcome, run
from tests.integration.clients.fake_gateway import FakeGateway
from tests.integration.clients.member_folders import PASSPHRASE, write_anchors, write_bank
from tests.support.federation import AS_OF, PURPOSE, Federation, encryptor, hex16
from tests.support.paillier_keys import TEST_2048_P, key_2048, other_key_2048
from tests.support.witnessed_log import policy_text

REQUEST = hex16("a question by command")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """One attempt only; repeats are tested with the clients."""
    monkeypatch.setattr(RetryPolicy, "pauses", lambda _self: iter(()))


def bank(config: Path, *words: object, typed: str = "") -> Outcome:
    return run(main, *words, "--config", config, typed=typed)


def ask(config: Path, federation: Federation, *words: object) -> Outcome:
    question = ["--company", federation.company.code, "--scorecard", federation.scorecard.header.id]
    return bank(config, "score", *question, "--purpose", PURPOSE, "--as-of", AS_OF, "--request-id", REQUEST, *words)


def test_a_score_as_json_and_for_a_person(bank_toml: Path, federation: Federation, gateway: FakeGateway) -> None:
    outcome = ask(bank_toml, federation, "--json")
    assert outcome.code == ExitCode.OK
    assert outcome.members["score"] == federation.plaintext_score()
    assert outcome.members["departments"] == ["tax", "customs"]
    assert set(outcome.members["decision"]) == {"seq", "leaf", "at"}
    assert f"request id {REQUEST}" in outcome.err
    again = ask(bank_toml, federation)
    assert f"score       {federation.plaintext_score()}" in again.out
    assert len({request.signed_request for request in gateway.requests}) == 1


def test_nothing_secret_is_printed(bank_toml: Path, federation: Federation, gateway: FakeGateway) -> None:
    outcome = ask(bank_toml, federation)
    for secret in (federation.company.code, PASSPHRASE.decode(), str(federation.company.subject)):
        assert secret not in outcome.out + outcome.err


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (grpc.StatusCode.PERMISSION_DENIED, ExitCode.REFUSED),
        (grpc.StatusCode.FAILED_PRECONDITION, ExitCode.INTERNAL),
        (grpc.StatusCode.UNAVAILABLE, ExitCode.UNAVAILABLE),
        (grpc.StatusCode.DEADLINE_EXCEEDED, ExitCode.UNAVAILABLE),
        (grpc.StatusCode.INVALID_ARGUMENT, ExitCode.USAGE),
    ],
    ids=lambda value: str(getattr(value, "name", value)),
)
def test_what_the_gateway_says_becomes_an_exit_code(
    bank_toml: Path, federation: Federation, gateway: FakeGateway, status: grpc.StatusCode, code: ExitCode
) -> None:
    gateway.failures = [status]
    outcome = ask(bank_toml, federation, "--json")
    assert (outcome.code, outcome.out) == (code, "")
    assert "error" in outcome.err
    assert "hint" in outcome.err
    assert f"request id {REQUEST}" in outcome.err


def test_a_lie_has_an_exit_code_of_its_own(bank_toml: Path, federation: Federation, gateway: FakeGateway) -> None:
    def lie(answer):  # type: ignore[no-untyped-def]  # a ScoreResponse
        del answer.answer_jws[0]
        return answer

    gateway.spoil = lie
    outcome = ask(bank_toml, federation)
    assert outcome.code == ExitCode.INVALID
    assert "RELEASE_MISMATCH" in outcome.err


def test_an_argument_that_is_wrong_is_named_and_not_repeated(bank_toml: Path, gateway: FakeGateway) -> None:
    wrong = ["--company", "91350100M000100Y44", "--scorecard", "00" * 32, "--purpose", PURPOSE]
    outcome = bank(bank_toml, "score", *wrong)
    assert outcome.code == ExitCode.USAGE
    assert "91350100M000100Y44" not in outcome.err
    assert bank(bank_toml, "score").code == ExitCode.USAGE
    assert gateway.requests == []


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("bank.toml", "anchors = 1", "bank.toml"),
        ("anchors.toml", "", "anchors.toml"),
        ("tls.pem", "", "tls.pem"),
        ("signing.key", "", "signing.key"),
        ("key.json", "{", "key.json"),
        ("passphrase", "another passphrase\n", "passphrase is wrong"),
    ],
    ids=lambda value: str(value)[:12],
)
def test_a_file_to_be_corrected_is_named(
    bank_toml: Path, federation: Federation, gateway: FakeGateway, file: str, content: str, said: str
) -> None:
    (bank_toml.parent / file).write_text(content)
    outcome = ask(bank_toml, federation)
    assert outcome.code == ExitCode.CONFIGURATION
    assert said in outcome.err
    assert gateway.requests == []


def test_a_development_ca_is_accepted_only_when_said(bank_toml: Path, federation: Federation, tmp_path: Path) -> None:
    folder = bank_toml.parent
    ca = DevelopmentCa.create(tmp_path / "ca", "consentgate.test")
    (folder / "member-ca.pem").write_bytes(ca.certificate_path.read_bytes())
    outcome = ask(bank_toml, federation)
    assert outcome.code == ExitCode.CONFIGURATION
    assert "DEVELOPMENT_CA" in outcome.err
    # Said, the CA is believed, and the certificates of another one are not.
    outcome = ask(bank_toml, federation, "--development")
    assert "CERTIFICATE_UNTRUSTED" in outcome.err


def test_a_dry_run_that_says_no_shows_why_and_exits_like_a_denial(
    bank_toml: Path, federation: Federation, gateway: FakeGateway
) -> None:
    question = ["--company", federation.company.code, "--scorecard", federation.scorecard.header.id]
    outcome = bank(bank_toml, "dry-run", *question, "--purpose", PURPOSE, "--json")
    assert outcome.code == ExitCode.REFUSED
    assert outcome.members["reason"] == "CONSENT_EXPIRED"
    shown = bank(bank_toml, "dry-run", *question, "--purpose", PURPOSE)
    assert "would be denied: CONSENT_EXPIRED" in shown.out
    assert "The company grants a new version." in shown.out


def test_own_requests(bank_toml: Path, gateway: FakeGateway) -> None:
    assert len(bank(bank_toml, "requests", "--json").members["requests"]) == 5
    assert len(bank(bank_toml, "requests", "--limit", 2).out.splitlines()) == 2


# Keys.


def test_a_key_is_made_registered_and_never_replaced(
    tmp_path: Path, federation: Federation, gateway: FakeGateway
) -> None:
    config = write_bank(tmp_path / "new", federation, gateway.address, key=False)
    made = bank(config, "keygen", "--bits", 2048, "--json")
    assert made.code == ExitCode.OK
    assert stat.S_IMODE((config.parent / "key.json").stat().st_mode) == 0o600
    registered = bank(config, "register-key", "--json")
    assert registered.members["key_id"] == made.members["key_id"]
    before = (config.parent / "key.json").read_bytes()
    again = bank(config, "keygen", "--bits", 2048)
    assert again.code == ExitCode.CONFIGURATION
    assert "KEY_FILE" in again.err
    assert (config.parent / "key.json").read_bytes() == before


def test_a_registration_is_signed_again_for_the_same_key(bank_toml: Path, federation: Federation) -> None:
    outcome = bank(bank_toml, "keygen", "--registration-only", "--json")
    assert outcome.members["key_id"] == federation.paillier_key.public.key_id


def test_a_small_key_is_refused_and_leaves_nothing(
    tmp_path: Path, federation: Federation, gateway: FakeGateway
) -> None:
    config = write_bank(tmp_path / "new", federation, gateway.address, key=False)
    outcome = bank(config, "keygen", "--bits", 1024)
    assert outcome.code == ExitCode.USAGE
    assert "KEY_INVALID" in outcome.err
    assert not (config.parent / "key.json").exists()


def test_a_private_key_leaves_in_clear_only_when_that_is_said(bank_toml: Path, tmp_path: Path) -> None:
    out = tmp_path / "phe.json"
    refused = bank(bank_toml, "export-phe-private-key", out)
    assert refused.code == ExitCode.USAGE
    assert "--i-understand-that-the-file-is-not-encrypted" in refused.err
    assert not out.exists()
    said = ["--i-understand-that-the-file-is-not-encrypted"]
    done = bank(bank_toml, "export-phe-private-key", out, *said)
    assert done.code == ExitCode.OK
    assert "UNENCRYPTED" in done.err
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert bank(bank_toml, "export-phe-private-key", out, *said).code == ExitCode.USAGE


def test_phe_opens_a_score_with_the_exported_key(bank_toml: Path, federation: Federation, tmp_path: Path) -> None:
    out = tmp_path / "phe.json"
    bank(bank_toml, "export-phe-private-key", out, "--i-understand-that-the-file-is-not-encrypted")
    jwk = json.loads(out.read_text())
    public = phe.PaillierPublicKey(phe.util.base64_to_int(jwk["pub"]["n"]))
    private = phe.PaillierPrivateKey(public, *(phe.util.base64_to_int(jwk[name]) for name in ("p", "q")))
    ciphertext = encryptor(federation.paillier_key.public.n).encrypt([617])
    assert private.raw_decrypt(int.from_bytes(ciphertext, "big")) == 617


def phe_file(path: Path, private: phe.PaillierPrivateKey) -> Path:
    """As `pheutil genpkey` writes it."""
    number = phe.util.int_to_base64
    public = {"kty": "DAJ", "alg": "PAI-GN1", "n": number(private.public_key.n), "key_ops": ["encrypt"], "kid": "phe"}
    primes = {"p": number(private.p), "q": number(private.q)}
    path.write_text(json.dumps({"kty": "DAJ", "key_ops": ["decrypt"], **primes, "pub": public, "kid": "phe"}))
    return path


def test_a_key_of_phe_is_kept_encrypted_and_registered(
    tmp_path: Path, federation: Federation, gateway: FakeGateway
) -> None:
    config = write_bank(tmp_path / "new", federation, gateway.address, key=False)
    file = phe_file(tmp_path / "phe.json", to_phe(key_2048()))
    kept = bank(config, "import-phe-private-key", file, "--json")
    assert kept.members["key_id"] == key_2048().public.key_id
    assert "still holds the private key UNENCRYPTED" in kept.err
    assert bank(config, "register-key").code == ExitCode.OK
    assert ask(config, federation).code == ExitCode.OK


def test_a_key_of_phe_that_is_no_blum_key_is_refused_by_the_condition(
    tmp_path: Path, federation: Federation, gateway: FakeGateway
) -> None:
    config = write_bank(tmp_path / "new", federation, gateway.address, key=False)
    prime_1_mod_4 = (3 << 1022) + 1037
    public = phe.PaillierPublicKey(TEST_2048_P * prime_1_mod_4)
    file = phe_file(tmp_path / "phe.json", phe.PaillierPrivateKey(public, TEST_2048_P, prime_1_mod_4))
    outcome = bank(config, "import-phe-private-key", file)
    assert outcome.code == ExitCode.USAGE
    assert "3 modulo 4" in outcome.err
    assert not (config.parent / "key.json").exists()


def test_an_exported_key_comes_back_as_the_same_key(
    bank_toml: Path, federation: Federation, gateway: FakeGateway, tmp_path: Path
) -> None:
    out = tmp_path / "phe.json"
    bank(bank_toml, "export-phe-private-key", out, "--i-understand-that-the-file-is-not-encrypted")
    config = write_bank(tmp_path / "new", federation, gateway.address, key=False)
    assert bank(config, "import-phe-private-key", out, "--json").members["key_id"] == key_2048().public.key_id
    other = tmp_path / "other.json"
    other.write_text(export_unencrypted_phe_json(other_key_2048()))
    assert bank(config, "import-phe-private-key", other).code == ExitCode.CONFIGURATION


# Evidence.


@pytest.fixture
def kept(bank_toml: Path, federation: Federation, gateway: FakeGateway) -> Path:
    assert ask(bank_toml, federation).code == ExitCode.OK
    return bank_toml.parent / "archive" / f"{REQUEST}.zip"


def test_kept_evidence_verifies_without_gateway_and_key(
    bank_toml: Path, kept: Path, federation: Federation, gateway: FakeGateway
) -> None:
    (bank_toml.parent / "key.json").unlink()
    asked = len(gateway.requests)
    outcome = bank(bank_toml, "verify", kept, "--json")
    assert outcome.code == ExitCode.OK
    assert outcome.members["verified"] is True
    assert outcome.members["request_id"] == REQUEST
    assert federation.company.code not in outcome.out
    assert len(gateway.requests) == asked
    assert "verified" in bank(bank_toml, "verify", kept).out


def test_a_stranger_verifies_with_anchors_of_its_own(kept: Path, federation: Federation, tmp_path: Path) -> None:
    anchors = write_anchors(tmp_path, federation)
    assert run(main, "verify", kept, "--anchors", anchors).code == ExitCode.OK
    other = tmp_path / "other"
    other.mkdir()
    outcome = run(main, "verify", kept, "--anchors", write_anchors(other, federation, federation.other_ca))
    assert outcome.code == ExitCode.INVALID
    assert "REQUEST_SIGNATURE" in outcome.err


def test_evidence_of_a_log_the_stranger_does_not_know_is_refused(
    kept: Path, federation: Federation, tmp_path: Path
) -> None:
    anchors = write_anchors(tmp_path, federation)
    (tmp_path / "ledger-policy.txt").write_text(policy_text("another log"))
    outcome = run(main, "verify", kept, "--anchors", anchors)
    assert outcome.code == ExitCode.INVALID
    assert "RECEIPT_INVALID" in outcome.err


@pytest.mark.parametrize("part", ["ciphertext.bin", "consent.json", "release.leaf", "answer-00.jws", "request.jws"])
def test_altered_evidence_is_refused(bank_toml: Path, kept: Path, part: str) -> None:
    with zipfile.ZipFile(kept) as file:
        contents = {name: file.read(name) for name in file.namelist()}
    middle = len(contents[part]) // 2
    contents[part] = contents[part][:middle] + bytes([contents[part][middle] ^ 1]) + contents[part][middle + 1 :]
    with zipfile.ZipFile(kept, "w") as file:
        for name, content in contents.items():
            file.writestr(name, content)
    assert bank(bank_toml, "verify", kept).code == ExitCode.INVALID


def test_no_evidence_at_all(bank_toml: Path, tmp_path: Path) -> None:
    assert bank(bank_toml, "verify", tmp_path / "absent.zip").code == ExitCode.USAGE
    (tmp_path / "text.zip").write_text("hello")
    assert bank(bank_toml, "verify", tmp_path / "text.zip").code == ExitCode.INVALID


# Scorecards.

POINTS = """
name = "sme-points"
bias = 600
[[departments]]
id = "tax"
[[departments.columns]]
category = "tax.declarations"
name = "margin"
kind = "binned"
scale = 4
edges = [-500, 0, 2500]
points = [-40, -10, 5, 30, -25]
[[departments]]
id = "customs"
missing = "encode"
[[departments.columns]]
category = "customs.trade"
name = "exports"
kind = "numeric"
scale = 0
lo = 0
hi = 1000
transform = "identity"
points = [2, -70]
"""


def test_a_points_table_becomes_a_registered_scorecard(bank_toml: Path, gateway: FakeGateway, tmp_path: Path) -> None:
    (tmp_path / "points.toml").write_text(POINTS)
    out = tmp_path / "scorecard.json"
    made = bank(bank_toml, "scorecard", "import", tmp_path / "points.toml", "--out", out, "--json")
    assert (made.members["score_low"], made.members["score_high"]) == (490, 2630)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    registered = bank(bank_toml, "scorecard", "register", out, "--json")
    assert registered.members["scorecard"] == made.members["scorecard"]


def test_a_scorecard_is_shown(bank_toml: Path, federation: Federation, gateway: FakeGateway) -> None:
    wanted = federation.scorecard.header.id
    outcome = bank(bank_toml, "scorecard", "show", wanted, "--json")
    assert outcome.members["weights"]["bias"] == federation.scorecard.weights.bias
    shown = bank(bank_toml, "scorecard", "show", wanted)
    assert "approved    group-a" in shown.out
    assert str(federation.scorecard.weights.bias) not in shown.out


def test_a_gateway_that_shows_another_scorecard_is_refused(bank_toml: Path, gateway: FakeGateway) -> None:
    outcome = bank(bank_toml, "scorecard", "show", "00" * 32)
    assert outcome.code == ExitCode.INVALID
    assert "SCORECARD_HEADER" in outcome.err
