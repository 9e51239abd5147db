"""`evidence.verify`: an honest bundle, and one test per binding (tests/support/forgeries)."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta
from itertools import permutations

import pytest

from consentgate import canonical, evidence
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.evidence import EvidenceBundle
from consentgate.statements import Custody, Use
from ledger.entry import leaf_hash
from tests.support.federation import NOW, Federation
from tests.support.forgeries import FORGERIES, Forgery


def test_honest_bundle_yields_the_order(federation: Federation):
    order = federation.order()
    assert order.bank == federation.bank_a.identity
    assert order.subject == federation.company.subject
    assert order.header == federation.scorecard.header
    assert order.recipient_key == federation.paillier_key.public
    assert order.leaf_hash == leaf_hash(federation.honest.decision.leaf).hex()
    assert order.approval_digest == canonical.digest(federation.honest.approval_jws)
    assert (order.request.use, order.request.custody) == (Use.SCORE, Custody.RECIPIENT)
    assert order.not_after - order.decided_at == timedelta(seconds=60)


@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda forgery: forgery.name)
def test_forgery_is_refused(federation: Federation, forgery: Forgery):
    bundle = forgery.build(federation)
    with pytest.raises(ConsentgateError) as caught:
        evidence.verify(bundle, federation.anchors, federation.now + forgery.later)
    assert caught.value.code == forgery.code
    if forgery.field is not None:
        assert caught.value.field == forgery.field
    assert federation.company.code not in f"{caught.value} {caught.value!r} {caught.value.private}"


def test_every_forgery_has_a_name_of_its_own():
    assert len({forgery.slug for forgery in FORGERIES}) == len(FORGERIES)


PARTS = [field.name for field in fields(EvidenceBundle) if field.name not in ("decision", "request_salt")]


@pytest.mark.parametrize("part", PARTS)
def test_part_dropped(federation: Federation, part: str):
    with pytest.raises(ConsentgateError):
        evidence.verify(replace(federation.honest, **{part: b""}), federation.anchors, federation.now)


@pytest.mark.parametrize(("part", "other"), list(permutations(PARTS, 2)))
def test_part_replaced_by_another_part(federation: Federation, part: str, other: str):
    bundle = replace(federation.honest, **{part: getattr(federation.honest, other)})
    with pytest.raises(ConsentgateError):
        evidence.verify(bundle, federation.anchors, federation.now)


def test_nothing_is_believed_under_anchors_of_another_federation(federation: Federation):
    neighbours = {
        "trust_domain": ("neighbour.test", ErrorCode.REQUEST_ISSUER),
        "member_ca": (federation.other_ca.certificate, ErrorCode.REQUEST_SIGNATURE),
        "registry_key": (federation.reviewers["reviewer-1"].jwk, ErrorCode.ATTESTATION_SIGNATURE),
        "registry_department": ("tax", ErrorCode.ATTESTATION_SIGNATURE),
        "reviewers_required": (3, ErrorCode.APPROVAL_SIGNATURE),
    }
    for name, (value, code) in neighbours.items():
        with pytest.raises(ConsentgateError) as caught:
            evidence.verify(federation.honest, replace(federation.anchors, **{name: value}), federation.now)
        assert caught.value.code == code, name


def test_auditor_verifies_years_later(federation: Federation):
    """As of the quorum's time, though certificates, consent and decision have long expired."""
    moment = evidence.decision_time(federation.honest, federation.anchors)
    assert moment <= NOW
    assert evidence.verify(federation.honest, federation.anchors, moment) == federation.order()


def test_expired_decision_is_refused_by_a_real_clock(federation: Federation):
    with pytest.raises(ConsentgateError) as caught:
        evidence.verify(federation.honest, federation.anchors, NOW + timedelta(days=365))
    assert caught.value.code == ErrorCode.LEDGER_STALE


def test_cosignatures_are_fresh_up_to_the_bound(federation: Federation):
    for age in (5, 0, -5):
        bundle = federation.bundle(cosigned_at=federation.now - timedelta(seconds=age))
        assert evidence.verify(bundle, federation.anchors, federation.now).bank.id == "bank-a"


def test_all_four_witnesses_are_as_good_as_three(federation: Federation):
    bundle = federation.bundle(witnesses=("tax", "customs", "courts", "regulator"))
    assert evidence.verify(bundle, federation.anchors, federation.now).subject == federation.company.subject


def test_three_signatories_are_as_good_as_two(federation: Federation):
    bundle = federation.bundle(consent=federation.sign_consent(signers=federation.company.signers))
    assert evidence.verify(bundle, federation.anchors, federation.now).consent.version == 1
