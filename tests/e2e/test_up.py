"""`make up`: a client that knows nothing but the protos, docs/wire.md and topology.json gets a score.

Deliberately without any of the project's own modules but the generated stubs: grpc for calls, cryptography for the
signature, `phe` for the key. What a Java or Node team would write.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import phe
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.rpc import error_details_pb2, status_pb2
from phe.util import base64_to_int

from consentgate.v1 import scorecard_pb2, scoring_pb2
from consentgate.v1.scorecard_pb2_grpc import ScorecardServiceStub
from consentgate.v1.scoring_pb2_grpc import ScoringServiceStub
from tests.e2e.conftest import ROOT, TEST_SECONDS

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(TEST_SECONDS)]

SECONDS = 300


def up(action: str, directory: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dev.up", action, "--directory", str(directory)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=SECONDS)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("up") / "build"
    started = up("start", directory)
    try:
        assert started.returncode == 0, started.stderr
        yield directory
    finally:
        up("stop", directory)


@pytest.fixture(scope="module")
def topology(directory: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((directory / "topology.json").read_text())
    return content


@pytest.fixture(scope="module")
def channel(topology: dict[str, Any]) -> Iterator[grpc.Channel]:
    bank, gateway = topology["bank"], topology["gateway"]
    credentials = grpc.ssl_channel_credentials(
        Path(topology["member_ca"]).read_bytes(),
        Path(bank["private_key"]).read_bytes(),
        Path(bank["certificate"]).read_bytes(),
    )
    options = [("grpc.ssl_target_name_override", gateway["server_name"])]
    with grpc.secure_channel(gateway["address"], credentials, options) as channel:
        yield channel


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def canonical(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def signed_request(topology: dict[str, Any], **changes: str) -> bytes:
    """Compact JWS of docs/wire.md, sections 4 and 5.1."""
    bank, domain = topology["bank"], topology["trust_domain"]
    pem = Path(bank["signing_certificate"]).read_bytes()
    der = [c.public_bytes(serialization.Encoding.DER) for c in x509.load_pem_x509_certificates(pem)]
    header = {
        "alg": "Ed25519",
        "typ": "consentgate-score-request+jwt",
        "x5c": [base64.b64encode(certificate).decode() for certificate in der],
    }
    claims = {
        "aud": f"consentgate://{domain}/score-request",
        "iat": int(time.time()),
        "iss": bank["id"],
        "request_id": secrets.token_hex(16),
        "company": topology["company"]["code"],
        "scorecard": topology["scorecards"]["approved"]["id"],
        "purpose": topology["purpose"],
        "use": "SCORE",
        "key_id": bank["key_id"],
        "custody": "recipient",
        "as_of": topology["as_of"],
        **changes,
    }
    key = serialization.load_pem_private_key(Path(bank["signing_key"]).read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    signing_input = f"{base64url(canonical(header))}.{base64url(canonical(claims))}"
    return f"{signing_input}.{base64url(key.sign(signing_input.encode()))}".encode()


def private_key(topology: dict[str, Any]) -> phe.PaillierPrivateKey:
    """The exported key, read by phe's own helpers."""
    content = json.loads(Path(topology["bank"]["paillier_private_key_phe"]).read_text())
    public = phe.PaillierPublicKey(base64_to_int(content["pub"]["n"]))
    return phe.PaillierPrivateKey(public, base64_to_int(content["p"]), base64_to_int(content["q"]))


def decrypt(topology: dict[str, Any], ciphertext: bytes) -> int:
    """Signed residue of docs/wire.md, section 8."""
    key = private_key(topology)
    residue = int(key.raw_decrypt(int.from_bytes(ciphertext)))
    return residue if 2 * residue < key.public_key.n else residue - int(key.public_key.n)


def reason(error: grpc.RpcError) -> str:
    """ErrorInfo.reason of docs/wire.md, section 11."""
    details = dict(error.trailing_metadata())["grpc-status-details-bin"]
    for part in status_pb2.Status.FromString(details).details:
        info = error_details_pb2.ErrorInfo()
        if part.Unpack(info):
            return info.reason
    return ""


def test_a_foreign_client_gets_the_plaintext_score(topology: dict[str, Any], channel: grpc.Channel) -> None:
    request = scoring_pb2.ScoreRequest(signed_request=signed_request(topology))
    response = ScoringServiceStub(channel).Score(request, timeout=60)
    assert decrypt(topology, response.ciphertext) == topology["company"]["plaintext_score"]
    assert response.evidence.request_jws == request.signed_request
    assert b'"kind":"query.release"' in response.release.leaf


def test_the_banks_key_has_the_default_size(topology: dict[str, Any]) -> None:
    assert private_key(topology).public_key.n.bit_length() == 3072


def test_a_repeat_of_the_same_bytes_gets_the_same_answer(topology: dict[str, Any], channel: grpc.Channel) -> None:
    stub, signed = ScoringServiceStub(channel), signed_request(topology)
    first = stub.Score(scoring_pb2.ScoreRequest(signed_request=signed), timeout=60)
    second = stub.Score(scoring_pb2.ScoreRequest(signed_request=signed), timeout=60)
    assert (first.ciphertext, list(first.answer_jws)) == (second.ciphertext, list(second.answer_jws))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"purpose": "credit.monitoring"}, "CONSENT_PURPOSE"),
        ({"iss": "spiffe://consentgate.example/bank/bank-b"}, "REQUEST_ISSUER"),
        ({"use": "PROFILE"}, "INVALID_ARGUMENT_FIELD"),
        ({"key_id": "0" * 64}, "KEY_UNKNOWN"),
        ({"as_of": "2019-01"}, "CONSENT_SCOPE"),
    ],
)
def test_refusals_have_reasons_for_machines(
    topology: dict[str, Any], channel: grpc.Channel, changes: dict[str, str], expected: str
) -> None:
    request = scoring_pb2.ScoreRequest(signed_request=signed_request(topology, **changes))
    with pytest.raises(grpc.RpcError) as refusal:
        ScoringServiceStub(channel).Score(request, timeout=60)
    assert reason(refusal.value) == expected


def test_scorecards_of_the_topology_can_be_fetched(topology: dict[str, Any], channel: grpc.Channel) -> None:
    stub = ScorecardServiceStub(channel)
    for name, groups in (("approved", [topology["bank"]["group"]]), ("unapproved", [])):
        request = scorecard_pb2.GetScorecardRequest(scorecard=topology["scorecards"][name]["id"])
        assert list(stub.GetScorecard(request, timeout=20).approved_groups) == groups


def test_every_file_of_the_topology_exists(topology: dict[str, Any]) -> None:
    def files(value: object) -> Iterator[Path]:
        if isinstance(value, dict):
            for member in value.values():
                yield from files(member)
        elif isinstance(value, list):
            for member in value:
                yield from files(member)
        elif isinstance(value, str) and value.startswith("/"):
            yield Path(value)

    named = list(files(topology))
    assert len(named) > 30
    assert [path for path in named if not path.exists()] == []


def test_a_second_start_says_that_it_runs(directory: Path, topology: dict[str, Any]) -> None:
    again = up("start", directory)
    assert again.returncode == 1
    assert "running already" in again.stderr


def test_down_works_also_after_a_crash(tmp_path: Path) -> None:
    started = up("start", tmp_path / "build")
    try:
        assert started.returncode == 0, started.stderr
        topology = json.loads((tmp_path / "build" / "topology.json").read_text())
        os.kill(topology["processes"]["courts"], signal.SIGKILL)
        (tmp_path / "build" / "topology.json").unlink()
    finally:
        stopped = up("stop", tmp_path / "build")
    assert stopped.returncode == 0, stopped.stderr
    assert "gateway" in stopped.stdout
    assert "nothing was running" in up("stop", tmp_path / "build").stdout
