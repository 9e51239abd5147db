"""Consents and transitions: fresh, complete, signed by k of n persons who may never meet."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from company_client.consents import ConsentTerms, Draft, consent_claims, transition_claims
from consentgate import evidence
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.statements import (
    ConsentClaims,
    ConsentTransitionClaims,
    DataRange,
    Frequency,
    StatementKind,
    TransitionAction,
)
from tests.support.federation import GROUP, PURPOSE, TRUST_DOMAIN, Federation, hex16, person


@pytest.fixture
def terms(federation: Federation) -> ConsentTerms:
    return ConsentTerms(
        grantee=str(federation.bank_a.identity),
        group=GROUP,
        purpose=PURPOSE,
        categories=["tax.declarations", "customs.trade"],
        valid_from=federation.now,
        valid_until=federation.now + timedelta(days=180),
        frequency=Frequency(count=4, per="MONTH"),
        total_uses=12,
        data_range=DataRange(first="2025-01", last="2026-12"),
        data_life_days=90,
    )


def consent(federation: Federation, terms: ConsentTerms) -> ConsentClaims:
    company = federation.company
    return consent_claims(terms, company.code, company.subject, TRUST_DOMAIN, federation.now)


def draft(federation: Federation, terms: ConsentTerms, *signers: int) -> Draft:
    persons = [federation.company.signers[index] for index in signers]
    return Draft.begin(StatementKind.CONSENT, consent(federation, terms), persons)


def verified(federation: Federation, signed: Draft) -> ConsentClaims:
    attestation = federation.attestation_claims()
    return evidence.verify_consent(signed.statement(), attestation, federation.anchors)


def test_two_consents_with_the_same_terms_differ(federation: Federation, terms: ConsentTerms) -> None:
    first, second = consent(federation, terms), consent(federation, terms)
    assert first.consent_id != second.consent_id
    assert first.nonce != second.nonce
    assert first.subject == second.subject


def test_a_new_version_keeps_the_id(federation: Federation, terms: ConsentTerms) -> None:
    first = consent(federation, terms)
    second = consent_claims(
        terms, federation.company.code, federation.company.subject, TRUST_DOMAIN, federation.now, first
    )
    assert (second.consent_id, second.version) == (first.consent_id, 2)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"purpose": "Buy things"}, "consent.purpose"),
        ({"grantee": "bank-a"}, "consent.grantee"),
        ({"categories": []}, "consent.categories"),
        ({"total_uses": 0}, "consent.total_uses"),
        ({"data_life_days": -1}, "consent.data_life_days"),
    ],
)
def test_a_bad_term_is_named(
    federation: Federation, terms: ConsentTerms, change: dict[str, object], field: str
) -> None:
    with pytest.raises(ConsentgateError) as refusal:
        consent(federation, replace(terms, **change))  # type: ignore[arg-type]  # terms by name
    assert refusal.value.code is ErrorCode.INVALID_ARGUMENT_FIELD
    assert refusal.value.field == field


def test_a_consent_that_ends_before_it_begins_is_refused(federation: Federation, terms: ConsentTerms) -> None:
    with pytest.raises(ConsentgateError) as refusal:
        consent(federation, replace(terms, valid_until=terms.valid_from))
    assert refusal.value.code is ErrorCode.INVALID_ARGUMENT_FIELD


def test_persons_sign_one_after_the_other(federation: Federation, terms: ConsentTerms, tmp_path: Path) -> None:
    draft(federation, terms, 0).save(tmp_path / "first.json")
    Draft.load(tmp_path / "first.json").signed_by(federation.company.signers[2]).save(tmp_path / "second.json")
    assert verified(federation, Draft.load(tmp_path / "second.json")).purpose == PURPOSE


def test_drafts_signed_side_by_side_are_joined(federation: Federation, terms: ConsentTerms) -> None:
    unsigned = draft(federation, terms)
    copies = [unsigned.signed_by(signer) for signer in federation.company.signers]
    assert verified(federation, copies[0].joined(copies[1])) == unsigned.claims()
    assert verified(federation, copies[1].joined(copies[2], copies[0])) == unsigned.claims()


def test_one_person_twice_is_still_one_person(federation: Federation, terms: ConsentTerms) -> None:
    once = draft(federation, terms, 0)
    twice = once.signed_by(federation.company.signers[0])
    assert twice.joined(once) == once
    with pytest.raises(ConsentgateError) as refusal:
        verified(federation, twice)
    assert refusal.value.code is ErrorCode.CONSENT_SIGNATURE


def test_a_person_nobody_attested_spoils_the_statement(federation: Federation, terms: ConsentTerms) -> None:
    with pytest.raises(ConsentgateError) as refusal:
        verified(federation, draft(federation, terms, 0, 1).signed_by(person("stranger")))
    assert refusal.value.code is ErrorCode.CONSENT_SIGNATURE


def test_drafts_of_two_statements_are_not_joined(federation: Federation, terms: ConsentTerms) -> None:
    with pytest.raises(ConsentgateError) as refusal:
        draft(federation, terms, 0).joined(draft(federation, terms, 1))
    assert refusal.value.code is ErrorCode.INVALID_ARGUMENT_FIELD


def test_a_signature_over_other_bytes_than_shown_is_refused(federation: Federation, terms: ConsentTerms) -> None:
    """Somebody puts signatures of a wider consent under the text of a narrow one."""
    shown, signed = draft(federation, terms), draft(federation, replace(terms, total_uses=1000), 0, 1)
    with pytest.raises(ConsentgateError) as refusal:
        Draft(shown.kind, shown.payload, signed.signatures).statement()
    assert refusal.value.field == "draft.signatures"


def test_an_unsigned_draft_is_no_statement(federation: Federation, terms: ConsentTerms) -> None:
    with pytest.raises(ConsentgateError) as refusal:
        draft(federation, terms).statement()
    assert refusal.value.field == "draft.signatures"


def test_a_draft_names_the_company_so_it_is_private_and_never_overwritten(
    federation: Federation, terms: ConsentTerms, tmp_path: Path
) -> None:
    path = tmp_path / "draft.json"
    draft(federation, terms, 0).save(path)
    before = path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(ConsentgateError):
        draft(federation, terms, 0).save(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "change",
    [
        {"format": "something"},
        {"version": 2},
        {"kind": "score-request"},
        {"kind": "nothing"},
        {"payload": 7},
        {"signatures": "x"},
        {"signatures": ["not.compact"]},
        {"extra": 1},
    ],
    ids=str,
)
def test_a_file_that_is_no_draft_is_refused(
    federation: Federation, terms: ConsentTerms, tmp_path: Path, change: dict[str, object]
) -> None:
    path = tmp_path / "draft.json"
    draft(federation, terms, 0).save(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ConsentgateError) as refusal:
        Draft.load(path)
    assert refusal.value.code is ErrorCode.INVALID_ARGUMENT_FIELD


def test_a_draft_whose_text_is_no_consent_is_not_signed(federation: Federation) -> None:
    with pytest.raises(ConsentgateError) as refusal:
        Draft(StatementKind.CONSENT, b'{"sign":"this"}', ()).signed_by(federation.company.signers[0])
    assert refusal.value.code is ErrorCode.INVALID_ARGUMENT_FIELD


@pytest.mark.parametrize("action", list(TransitionAction))
def test_a_transition_is_signed_like_a_consent(federation: Federation, action: TransitionAction) -> None:
    claims = transition_claims(action, hex16("consent"), 1, federation.company.code, TRUST_DOMAIN, federation.now)
    signed = Draft.begin(StatementKind.CONSENT_TRANSITION, claims, federation.company.signers[:2])
    payload = evidence.verify_by_company(
        signed.statement(), signed.kind, federation.attestation_claims(), ErrorCode.CONSENT_SIGNATURE
    )
    assert ConsentTransitionClaims.parse(payload, "transition").action is action
