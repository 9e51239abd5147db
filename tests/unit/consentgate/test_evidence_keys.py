"""No part of a bundle can be signed by anybody but its party: every part, signed with every key in the federation."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from consentgate import evidence
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.signing import InstitutionSigner, PersonSigner
from consentgate.statements import StatementKind
from tests.support.federation import Federation, institution, person


def _institutions(f: Federation) -> Iterator[tuple[str, InstitutionSigner]]:
    """Everybody who signs with a certificate, and thieves of other keys of bank-a."""
    yield "bank-a's TLS key", f.bank_a.signer_with_tls_key
    yield "bank-a of another CA", institution(f.other_ca, "bank", "bank-a").signer
    yield "bank-b", f.bank_b.signer
    yield "gateway", f.gateway.signer
    for role in ("ledger", "company", "reviewer", "officer"):
        yield role, institution(f.ca, role, "somebody").signer
    for name, department in f.departments.items():
        yield f"department {name}", department.signer


def _persons(f: Federation) -> Iterator[tuple[str, PersonSigner]]:
    """Everybody who signs with a bare key, and institutions that use theirs so."""
    yield "registry", f.registry_key
    yield "stranger", person("stranger")
    yield from f.reviewers.items()
    yield from ((f"signatory {index}", signer) for index, signer in enumerate(f.company.signers))
    yield from ((f"other company's {index}", signer) for index, signer in enumerate(f.second_company.signers))
    for name, member in (("bank-a", f.bank_a), ("bank-b", f.bank_b), ("gateway", f.gateway)):
        yield f"{name}'s bare key", PersonSigner(member.signer.key)
    yield from ((f"{name}'s bare key", PersonSigner(member.signer.key)) for name, member in f.departments.items())


def test_request(federation: Federation):
    claims = federation.request_claims()
    for name, signer in _institutions(federation):
        token = federation.sign_request(claims, signer)
        assert _code(federation, request=token) in (ErrorCode.REQUEST_SIGNATURE, ErrorCode.REQUEST_ISSUER), name
    for name, signer in _persons(federation):
        token = signer.sign(StatementKind.SCORE_REQUEST, claims)
        assert _code(federation, request=token) is ErrorCode.REQUEST_SIGNATURE, name


def test_request_in_the_signers_own_name(federation: Federation):
    """Whoever is no bank cannot ask, not even in its own name with its own certificate."""
    for name, signer in _institutions(federation):
        if signer.identity in (federation.bank_a.identity, federation.bank_b.identity):
            continue
        token = federation.sign_request(federation.request_claims(iss=str(signer.identity)), signer)
        assert _code(federation, request=token) is ErrorCode.REQUEST_ISSUER, name


def test_key_registration(federation: Federation):
    claims = federation.registration_claims()
    for name, signer in _institutions(federation):
        token = federation.sign_registration(claims, signer)
        assert _code(federation, registration=token) is ErrorCode.KEY_UNKNOWN, name
    for name, signer in _persons(federation):
        token = signer.sign(StatementKind.KEY_REGISTRATION, claims)
        assert _code(federation, registration=token) is ErrorCode.KEY_UNKNOWN, name


def test_attestation(federation: Federation):
    claims = federation.attestation_claims()
    for name, signer in _persons(federation):
        if name != "registry":
            token = federation.sign_attestation(claims, signer)
            assert _code(federation, attestation=token) is ErrorCode.ATTESTATION_SIGNATURE, name
    for name, signer in _institutions(federation):
        token = signer.sign(StatementKind.COMPANY_ATTESTATION, claims)
        assert _code(federation, attestation=token) is ErrorCode.ATTESTATION_SIGNATURE, name


def test_consent(federation: Federation):
    """Neither alone nor beside one true signatory; nor does a third signature spoil less by being superfluous."""
    first, second = federation.company.signers[:2]
    for name, signer in _persons(federation):
        if not name.startswith("signatory"):
            for signers in ([signer, signer], [first, signer], [first, second, signer]):
                token = federation.sign_consent(signers=signers)
                assert _code(federation, consent=token) is ErrorCode.CONSENT_SIGNATURE, name
    for name, signer in _institutions(federation):
        token = signer.sign(StatementKind.CONSENT, federation.consent_claims())
        assert _code(federation, consent=token) is ErrorCode.CONSENT_SIGNATURE, name


def test_approval(federation: Federation):
    first, second = list(federation.reviewers.values())[:2]
    for name, signer in _persons(federation):
        if not name.startswith("reviewer"):
            for signers in ([signer, signer], [first, signer], [first, second, signer]):
                token = federation.sign_approval(signers=signers)
                assert _code(federation, approval=token) is ErrorCode.APPROVAL_SIGNATURE, name
    for name, signer in _institutions(federation):
        token = signer.sign(StatementKind.SCORECARD_APPROVAL, federation.approval_claims())
        assert _code(federation, approval=token) is ErrorCode.APPROVAL_SIGNATURE, name


def test_honest_keys_pass(federation: Federation):
    """Else every refusal above could have another cause."""
    bundle = federation.bundle(
        request=federation.sign_request(),
        consent=federation.sign_consent(),
        attestation=federation.sign_attestation(),
        approval=federation.sign_approval(),
        registration=federation.sign_registration(),
    )
    assert evidence.verify(bundle, federation.anchors, federation.now).bank == federation.bank_a.identity


def _code(federation: Federation, **part: bytes) -> ErrorCode:
    with pytest.raises(ConsentgateError) as caught:
        evidence.verify(federation.bundle(**part), federation.anchors, federation.now)
    return caught.value.code
