"""The registry's attestations: verified with everybody's anchors before they leave."""

from __future__ import annotations

from datetime import timedelta

import pytest

from consentgate import evidence
from consentgate.errors import ConsentgateError, ErrorCode
from department_adapter import registry
from department_adapter.registry import Mandate, NamedKey
from tests.support.federation import NOW, Federation, hex16, person


def mandate(federation: Federation, **changes: object) -> Mandate:
    company = federation.company
    fields: dict[str, object] = {
        "company": company.code,
        "entity": company.entity,
        "threshold": 2,
        "signatories": [
            NamedKey(name, signer.jwk.x) for name, signer in zip(company.persons, company.signers, strict=True)
        ],
        "valid_from": NOW,
        "valid_for": timedelta(days=365),
    }
    return Mandate(**(fields | changes))  # type: ignore[arg-type]


def test_attestation_is_what_everybody_verifies(federation: Federation) -> None:
    token = registry.attest(mandate(federation), federation.registry_key, federation.anchors, NOW)
    claims = evidence.verify_attestation(token, federation.anchors, NOW)
    assert (claims.company, claims.entity, claims.threshold) == (
        federation.company.code,
        federation.company.entity,
        2,
    )
    consent = evidence.verify_consent(federation.sign_consent(), claims, federation.anchors)
    assert consent.company == federation.company.code


def test_other_key_than_the_anchored_one_is_noticed(federation: Federation) -> None:
    with pytest.raises(ConsentgateError, match="ATTESTATION_SIGNATURE"):
        registry.attest(mandate(federation), person("department"), federation.anchors, NOW)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"company": "91350100M000100Y44"}, "attestation"),
        ({"company": "x"}, "attestation.company"),
        ({"entity": "x"}, "attestation.entity"),
        ({"threshold": 4}, "attestation"),
        ({"threshold": 0}, "attestation.threshold"),
        ({"signatories": []}, "attestation.signatories"),
        ({"signatories": [NamedKey(hex16("one"), "A" * 43), NamedKey(hex16("two"), "A" * 43)]}, "attestation"),
    ],
)
def test_mandate_that_makes_no_sense(federation: Federation, changes: dict[str, object], field: str) -> None:
    with pytest.raises(ConsentgateError) as caught:
        registry.attest(mandate(federation, **changes), federation.registry_key, federation.anchors, NOW)
    assert (caught.value.code, caught.value.field) == (ErrorCode.INVALID_ARGUMENT_FIELD, field)


def test_signatories_as_a_person_types_them() -> None:
    x = "A" * 43
    assert NamedKey.parse(f"{hex16('one')}:{x}") == NamedKey(hex16("one"), x)
    fresh = NamedKey.parse(x)
    assert fresh.x == x
    assert len(fresh.person) == 32
    assert NamedKey.parse(x).person != fresh.person


@pytest.mark.parametrize("text", ["", "x", "A" * 42, "A" * 44, f"person:{'A' * 43}", f"{'0' * 32}{'A' * 43}"])
def test_malformed_signatory(text: str) -> None:
    with pytest.raises(ConsentgateError, match="INVALID_ARGUMENT_FIELD"):
        NamedKey.parse(text)
