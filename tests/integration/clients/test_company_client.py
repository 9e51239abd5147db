"""A company grants, ends and watches, over mutual TLS; and believes no gateway that cannot prove what it says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from company_client.client import CompanyClient
from company_client.consents import ConsentTerms, ConsentVersion, Draft
from consentgate import evidence
from consentgate.errors import AnswerRefused, ConsentgateError, ErrorCode
from consentgate.signing import PersonSigner
from consentgate.statements import ConsentTransitionClaims, DataRange, Frequency, StatementKind, TransitionAction
from ledger.entry import format_time
from ledger.receipt import Receipt
from tests.integration.clients.fake_gateway import FakeGateway, sequence, serving
from tests.integration.clients.member_folders import write_company
from tests.support.federation import GROUP, PURPOSE, Company, Federation, hex16


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


def test_a_consent_is_granted_paused_resumed_and_revoked(
    company_toml: Path, gateway: FakeGateway, terms: ConsentTerms
) -> None:
    with CompanyClient.from_config(company_toml) as company:
        granted = company.grant(terms)
        consent_id = str(granted.entry.body["consent_id"])
        moves = [company.pause(consent_id), company.resume(consent_id), company.revoke(consent_id)]
        assert company.tokens.groups()[str(granted.entry.body["subject"])] == GROUP
    assert [leaf.entry.kind for leaf in (granted, *moves)] == [
        "consent.granted",
        "consent.paused",
        "consent.resumed",
        "consent.revoked",
    ]


def test_what_is_granted_verifies_as_departments_verify_it(
    company_toml: Path, federation: Federation, gateway: FakeGateway, terms: ConsentTerms
) -> None:
    with CompanyClient.from_config(company_toml) as company:
        company.grant(terms)
    (sent,) = gateway.requests
    attestation = evidence.verify_attestation(sent.attestation_jws, federation.anchors, federation.now)
    consent = evidence.verify_consent(sent.consent_jws, attestation, federation.anchors)
    assert (consent.grantee, consent.version) == (terms.grantee, 1)


def test_a_new_version_is_granted_and_revoked_without_being_told_its_number(
    company_toml: Path, federation: Federation, gateway: FakeGateway, terms: ConsentTerms
) -> None:
    with CompanyClient.from_config(company_toml) as company:
        consent_id = str(company.grant(terms).entry.body["consent_id"])
        second = company.grant(terms, company.newest_version(consent_id))
        assert (second.entry.body["consent_id"], second.entry.body["version"]) == (consent_id, 2)
        assert company.revoke(consent_id).entry.body["version"] == 2


def test_one_signature_too_few_is_found_before_anything_is_sent(
    tmp_path: Path, federation: Federation, gateway: FakeGateway, terms: ConsentTerms
) -> None:
    path = write_company(tmp_path / "alone", federation, gateway.address, signers=[0])
    with CompanyClient.from_config(path) as company, pytest.raises(ConsentgateError) as refusal:
        company.grant(terms)
    assert refusal.value.code is ErrorCode.CONSENT_SIGNATURE
    assert gateway.requests == []


def test_persons_on_different_machines_sign_one_statement(
    tmp_path: Path, federation: Federation, gateway: FakeGateway, terms: ConsentTerms
) -> None:
    """The office drafts without any key; two directors sign at home; the office joins and sends."""
    office = write_company(tmp_path / "office", federation, gateway.address, signers=[])
    with CompanyClient.from_config(office) as company:
        company.draft_consent(terms).save(tmp_path / "draft.json")
        for number in (0, 2):
            signer = federation.company.signers[number]
            Draft.load(tmp_path / "draft.json").signed_by(signer).save(tmp_path / f"signed-{number}.json")
        signed = [Draft.load(tmp_path / f"signed-{number}.json") for number in (0, 2)]
        leaf = company.submit(signed[0].joined(signed[1]))
        assert company.tokens.version_of(str(leaf.entry.body["consent_id"])) == 1


def test_a_statement_of_another_company_or_federation_is_not_sent(
    company_toml: Path, federation: Federation, gateway: FakeGateway
) -> None:
    company = federation.second_company
    claims = federation.consent_claims(company)
    foreign = Draft.begin(StatementKind.CONSENT, claims, company.signers[:2])
    elsewhere = federation.consent_claims(aud="consentgate://elsewhere.test/consent")
    other = Draft.begin(StatementKind.CONSENT, elsewhere, federation.company.signers[:2])
    with CompanyClient.from_config(company_toml) as client:
        for draft, field in ((foreign, "company"), (other, "aud")):
            with pytest.raises(ConsentgateError) as refusal:
                client.submit(draft)
            assert refusal.value.field == field
    assert gateway.requests == []


def test_an_attestation_of_another_company_is_a_mistake_of_configuration(
    company_toml: Path, federation: Federation, gateway: FakeGateway, terms: ConsentTerms
) -> None:
    other = federation.sign_attestation(federation.attestation_claims(federation.second_company))
    (company_toml.parent / "attestation.jws").write_bytes(other)
    with CompanyClient.from_config(company_toml) as company, pytest.raises(ConsentgateError) as refusal:
        company.grant(terms)
    assert refusal.value.code is ErrorCode.CONFIG_INVALID
    assert "attestation.jws" in str(refusal.value.field)


def test_a_token_is_kept_before_the_grant_is_sent(
    company_toml: Path, gateway: FakeGateway, terms: ConsentTerms
) -> None:
    """The answer may be lost; the token must not be."""
    gateway.spoil_receipt = lambda _receipt: Receipt(b"", b"")
    with CompanyClient.from_config(company_toml) as company:
        draft = company.draft_consent(terms)
        with pytest.raises(AnswerRefused):
            company.submit(draft)
        assert company.tokens.version_of(draft.claims().consent_id) == 1


def altered_leaf(receipt: Receipt) -> Receipt:
    return Receipt(receipt.leaf.replace(b'"version":1', b'"version":2'), receipt.proof)


@pytest.mark.parametrize(
    ("lie", "code"),
    [
        (lambda _federation, receipt: altered_leaf(receipt), ErrorCode.RECEIPT_INVALID),
        (lambda _federation, receipt: Receipt(receipt.leaf, b""), ErrorCode.RECEIPT_INVALID),
        (
            lambda federation, _: federation.log.receipt(0, cosigned_at=federation.now),
            ErrorCode.RECEIPT_MISMATCH,
        ),
        (
            lambda federation, _: federation.log.receipt(
                federation.log.append("consent.granted", granted_body(federation), federation.now),
                cosigned_at=federation.now,
            ),
            ErrorCode.RECEIPT_MISMATCH,
        ),
        (
            lambda federation, _: federation.log.receipt(
                len(federation.log.leaves) - 1, cosigned_at=federation.now, witnesses=("tax",)
            ),
            ErrorCode.RECEIPT_INVALID,
        ),
    ],
    ids=["altered", "no proof", "another kind", "another consent", "too few witnesses"],
)
def test_a_success_without_its_receipt_is_no_success(
    company_toml: Path,
    federation: Federation,
    gateway: FakeGateway,
    terms: ConsentTerms,
    lie: Callable[[Federation, Receipt], Receipt],
    code: ErrorCode,
) -> None:
    gateway.spoil_receipt = lambda receipt: lie(federation, receipt)
    with CompanyClient.from_config(company_toml) as company, pytest.raises(AnswerRefused) as refusal:
        company.grant(terms)
    assert refusal.value.code is code


def test_a_consent_nobody_here_signed_needs_its_version(company_toml: Path, gateway: FakeGateway) -> None:
    with CompanyClient.from_config(company_toml) as company:
        with pytest.raises(ConsentgateError) as refusal:
            company.revoke(hex16("elsewhere"))
        assert refusal.value.field == "version"
        assert company.revoke(hex16("elsewhere"), version=3).entry.body["version"] == 3


def test_consents_are_listed_page_by_page_and_an_unknown_state_is_not_active(
    company_toml: Path, gateway: FakeGateway
) -> None:
    with CompanyClient.from_config(company_toml) as company:
        records = company.list_consents()
    assert [(record.consent_id[0], record.state) for record in records] == [("a", "active"), ("b", "unspecified")]


# Who looked.


def granted_body(federation: Federation, subject: str = "ab" * 16) -> dict[str, object]:
    return {
        "consent_id": hex16("consent"),
        "version": 1,
        "digest": "00" * 32,
        "subject": subject,
        "group": GROUP,
        "institution": "bank-a",
        "purpose": PURPOSE,
        "use": "SCORE",
        "categories": ["tax.declarations"],
        "valid_from": format_time(federation.now),
        "valid_until": format_time(federation.now),
    }


def decision_body(subject: str, verdict: str = "allow") -> dict[str, object]:
    return {
        "request_id": hex16("request"),
        "request": "00" * 32,
        "institution": "bank-a",
        "subject": subject,
        "scorecard": "11" * 32,
        "purpose": PURPOSE,
        "use": "SCORE",
        "verdict": verdict,
        "reason": "ALLOWED" if verdict == "allow" else "CONSENT_REVOKED",
        "rules": [],
        "departments": [{"id": "tax", "columns": ["margin"]}],
    }


def test_accesses_are_verified_and_come_in_order(
    company_toml: Path, federation: Federation, gateway: FakeGateway
) -> None:
    with CompanyClient.from_config(company_toml) as company:
        token = company.tokens.token_for(GROUP)
        entries = [
            ("consent.granted", granted_body(federation, token)),
            ("query.decision", decision_body(token)),
            ("query.decision", decision_body(token, "deny")),
        ]
        indices = sequence(entries, gateway)
        found = company.accesses()
        assert [access.seq for access in found] == indices
        assert [access.verdict for access in found] == ["", "allow", "deny"]
        assert found[1].departments == ("tax",)
        assert {access.group for access in found} == {GROUP}
        assert [access.seq for access in company.accesses(indices[0])] == indices[1:]


def test_watching_shows_each_access_once_as_it_comes(
    company_toml: Path, federation: Federation, gateway: FakeGateway
) -> None:
    with CompanyClient.from_config(company_toml) as company:
        token = company.tokens.token_for(GROUP)
        first = sequence([("query.decision", decision_body(token))], gateway)
        later: list[int] = []
        watched = company.watch(pause=lambda _seconds: later.extend(_one_more(gateway, token)))
        seen = [next(watched).seq for _ in range(3)]
    assert seen == [*first, *later]


def _one_more(gateway: FakeGateway, token: str) -> list[int]:
    return sequence([("query.decision", decision_body(token, "deny"))], gateway)


def test_an_entry_about_somebody_else_is_refused(
    company_toml: Path, federation: Federation, gateway: FakeGateway
) -> None:
    with CompanyClient.from_config(company_toml) as company:
        company.tokens.token_for(GROUP)
        sequence([("query.decision", decision_body(hex16("somebody else")))], gateway)
        with pytest.raises(AnswerRefused) as refusal:
            company.accesses()
    assert (refusal.value.code, refusal.value.field) == (ErrorCode.RECEIPT_MISMATCH, "entries.leaf.subject")


def test_a_page_that_does_not_move_on_is_refused(
    company_toml: Path, federation: Federation, gateway: FakeGateway
) -> None:
    with CompanyClient.from_config(company_toml) as company:
        token = company.tokens.token_for(GROUP)
        (index,) = sequence([("query.decision", decision_body(token))], gateway)
        gateway.entries = [index, index]
        with pytest.raises(AnswerRefused) as refusal:
            company.accesses()
    assert refusal.value.field == "entries.leaf.seq"


# Past the gateway.


def test_a_revocation_is_handed_to_a_department_directly(
    company_toml: Path, federation: Federation, gateway: FakeGateway
) -> None:
    department = federation.departments["tax"]
    with serving(federation, department) as tax, CompanyClient.from_config(company_toml) as company:
        company.revoke_at_department(tax.address, str(department.identity), hex16("consent"), version=1)
    (sent,) = tax.requests
    attestation = evidence.verify_attestation(sent.attestation_jws, federation.anchors, federation.now)
    kind = StatementKind.CONSENT_TRANSITION
    payload = evidence.verify_by_company(sent.transition_jws, kind, attestation, ErrorCode.CONSENT_SIGNATURE)
    assert ConsentTransitionClaims.parse(payload, "transition").action is TransitionAction.REVOKE
    assert gateway.requests == []


def test_another_department_at_that_address_gets_nothing(
    company_toml: Path, federation: Federation, gateway: FakeGateway
) -> None:
    tax = str(federation.departments["tax"].identity)
    with serving(federation, federation.departments["customs"]) as customs:
        with CompanyClient.from_config(company_toml) as company, pytest.raises(ConsentgateError) as refusal:
            company.revoke_at_department(customs.address, tax, hex16("consent"), version=1)
        assert customs.requests == []
    assert refusal.value.code is ErrorCode.PEER_MISMATCH


def test_only_what_ends_a_consent_goes_to_a_department(
    company_toml: Path, federation: Federation, gateway: FakeGateway, terms: ConsentTerms
) -> None:
    tax = str(federation.departments["tax"].identity)
    with CompanyClient.from_config(company_toml) as company:
        resumption = company.draft_transition(TransitionAction.RESUME, hex16("consent"), 1)
        for draft in (resumption, company.draft_consent(terms)):
            with pytest.raises(ConsentgateError) as refusal:
                company.submit_to_department(gateway.address, tax, draft)
            assert refusal.value.field == "action"
        with pytest.raises(ConsentgateError) as refusal:
            company.revoke_at_department(gateway.address, "tax", hex16("consent"), version=1)
        assert refusal.value.field == "peer"


def test_a_company_with_one_signatory_needs_no_draft(
    tmp_path: Path, federation: Federation, gateway: FakeGateway, terms: ConsentTerms
) -> None:
    alone = Company.create("company alone", 3, signatories=1, threshold=1)
    path = write_company(tmp_path / "alone", federation, gateway.address, [0], alone)
    with CompanyClient.from_config(path) as company:
        leaf = company.grant(terms)
        consent_id = str(leaf.entry.body["consent_id"])
        assert company.newest_version(consent_id) == ConsentVersion(consent_id, 1)


def test_a_key_file_that_is_none_is_named(company_toml: Path, gateway: FakeGateway, terms: ConsentTerms) -> None:
    (company_toml.parent / "signatory-1.key").write_bytes(b"not a key")
    with CompanyClient.from_config(company_toml) as company, pytest.raises(ConsentgateError) as refusal:
        company.draft_consent(terms)
    assert refusal.value.code is ErrorCode.CONFIG_INVALID
    assert "signatory-1.key" in str(refusal.value.field)
    assert PersonSigner.load(company_toml.parent / "signatory-0.key").kid
