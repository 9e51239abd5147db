"""Each forgery of the demo's lying gateway is refused by `evidence.verify` with its own code; honest parts are not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from consentgate import evidence
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.evidence import EvidenceBundle
from consentgate.signing import PersonSigner
from dev import forger
from dev.denials import EXPECTED
from dev.forger import ATTACKS, Loot, decision_body
from tests.support.federation import SALT, Federation

SEEN_ONLY_ON_THE_LEDGER = "revocation ignored"
"""The bundle is genuine in every part: only the department's own tail of the ledger knows better."""


@pytest.fixture(scope="module")
def federation() -> Federation:
    return Federation(datetime.now(UTC).replace(microsecond=0))


@pytest.fixture
def loot(federation: Federation, tmp_path: Path) -> Loot:
    other = federation.bank_b.signer
    pem = serialization.Encoding.PEM
    (tmp_path / "signing.pem").write_bytes(b"".join(certificate.public_bytes(pem) for certificate in other.chain))
    (tmp_path / "signing.key").write_bytes(other.key.as_pem(private=True))
    claims = federation.registration_claims(federation.bank_b)
    (tmp_path / "registration.jws").write_bytes(federation.sign_registration(claims, other))
    late = federation.sign_request(federation.request_claims(request_id="f" * 32))
    return Loot(federation.honest, late, tmp_path, (PersonSigner.generate(), PersonSigner.generate()))


def recorded(federation: Federation, parts: EvidenceBundle) -> EvidenceBundle:
    """What the forger gets from the ledger for these parts."""
    body = decision_body(parts, SALT)
    index = federation.log.append("query.decision", body, federation.now)
    receipt = federation.log.receipt(index, cosigned_at=federation.now)
    return EvidenceBundle(**(vars(parts) | {"request_salt": SALT, "decision": receipt}))


@pytest.mark.parametrize("attack", sorted(ATTACKS.keys() - {SEEN_ONLY_ON_THE_LEDGER}))
def test_a_forgery_is_refused_with_its_own_code(federation: Federation, loot: Loot, attack: str) -> None:
    bundle = recorded(federation, ATTACKS[attack](loot))
    with pytest.raises(ConsentgateError) as refusal:
        evidence.verify(bundle, federation.anchors, federation.now + timedelta(seconds=1))
    assert refusal.value.code == EXPECTED[attack]


def test_a_decision_off_the_ledger_is_refused(federation: Federation, loot: Loot) -> None:
    bundle = forger.unrecorded(recorded(federation, loot.honest))
    with pytest.raises(ConsentgateError) as refusal:
        evidence.verify(bundle, federation.anchors, federation.now)
    assert refusal.value.code == ErrorCode.RECEIPT_INVALID


def test_the_forgers_leaf_itself_would_do_for_honest_parts(federation: Federation, loot: Loot) -> None:
    """Otherwise the refusals above could be the fault of a clumsy leaf."""
    bundle = recorded(federation, ATTACKS[SEEN_ONLY_ON_THE_LEDGER](loot))
    order = evidence.verify(bundle, federation.anchors, federation.now)
    assert order.request.request_id == "f" * 32


def test_every_attack_has_an_expected_refusal() -> None:
    assert EXPECTED.keys() == ATTACKS.keys() | {forger.UNRECORDED}
