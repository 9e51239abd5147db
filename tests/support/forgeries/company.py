"""Forged attestations and consents: a gateway, a bank or one greedy signatory invents a company's word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from consentgate import canonical, signing
from consentgate.errors import ErrorCode as Code
from consentgate.evidence import EvidenceBundle
from consentgate.signing import PersonSigner
from consentgate.statements import StatementKind
from tests.support import raw_jws
from tests.support.federation import Federation, hex16, person
from tests.support.forgeries.form import Forgery

Build = Callable[[Federation], EvidenceBundle]


# Attestations.


def _attested_by(choose: Callable[[Federation], PersonSigner]) -> Build:
    return lambda f: f.bundle(attestation=f.sign_attestation(signer=choose(f)))


def _attesting(**changes: object) -> Build:
    return lambda f: f.bundle(attestation=f.sign_attestation(f.attestation_claims(**changes)))


def _attested_by_institution(name: str) -> Build:
    """A department (even the registry itself) signs with its certificate instead of the pinned key."""

    def build(f: Federation) -> EvidenceBundle:
        signer = f.departments[name].signer
        return f.bundle(attestation=signer.sign(StatementKind.COMPANY_ATTESTATION, f.attestation_claims()))

    return build


def _attestation_header(**changes: object) -> Build:
    def build(f: Federation) -> EvidenceBundle:
        sign = f.registry_key.key.private_key.sign
        return f.bundle(attestation=raw_jws.with_header(f.sign_attestation(), sign, **changes))

    return build


def _invented_company(f: Federation) -> EvidenceBundle:
    """The gateway makes up keys for the company, and attests them itself."""
    invented = [person(f"invented {index}") for index in (1, 2)]
    signatories = [
        {"person": hex16(f"invented {index}"), "jwk": signer.jwk.model_dump()} for index, signer in enumerate(invented)
    ]
    attestation = f.sign_attestation(f.attestation_claims(signatories=signatories), person("gateway's own"))
    return f.bundle(attestation=attestation, consent=f.sign_consent(signers=invented))


def _attestation_of_other_company(f: Federation) -> EvidenceBundle:
    """The second company's people consent in the first one's name; their attestation is genuine."""
    attestation = f.sign_attestation(f.attestation_claims(f.second_company))
    return f.bundle(attestation=attestation, consent=f.sign_consent(signers=f.second_company.signers[:2]))


def _attestation_of_other_people(f: Federation) -> EvidenceBundle:
    """A genuine attestation of the same company from another time: its people had changed."""
    signatories = [
        {"person": hex16(f"successor {index}"), "jwk": person(f"successor {index}").jwk.model_dump()}
        for index in range(2)
    ]
    return f.bundle(attestation=f.sign_attestation(f.attestation_claims(signatories=signatories)))


# Consents.


def _consent_by(choose: Callable[[Federation], Sequence[PersonSigner]]) -> Build:
    return lambda f: f.bundle(consent=f.sign_consent(signers=choose(f)))


def _consenting(**changes: object) -> Build:
    return lambda f: f.bundle(consent=f.sign_consent(f.consent_claims(**changes)))


def _two_keys_of_one_person(f: Federation) -> EvidenceBundle:
    """One natural person with two attested keys is still one person."""
    company = f.company
    second_key = person("second key")
    one, two = company.persons[0], company.persons[1]
    signatories = [
        {"person": one, "jwk": company.signers[0].jwk.model_dump()},
        {"person": one, "jwk": second_key.jwk.model_dump()},
        {"person": two, "jwk": company.signers[1].jwk.model_dump()},
    ]
    return f.bundle(
        attestation=f.sign_attestation(f.attestation_claims(signatories=signatories)),
        consent=f.sign_consent(signers=[company.signers[0], second_key]),
    )


def _one_bad_signature_among_enough(f: Federation) -> EvidenceBundle:
    value = raw_jws.general(f.sign_consent(signers=f.company.signers))
    value["signatures"][2]["signature"] = raw_jws.b64(bytes(64))
    return f.bundle(consent=canonical.encode(value))


def _altered_payload(f: Federation) -> EvidenceBundle:
    """The gateway widens the categories and keeps the signatures."""
    value = raw_jws.general(f.sign_consent())
    categories = [*sorted(f.scorecard.header.categories()), "courts.enforcement"]
    value["payload"] = raw_jws.b64(f.consent_claims(categories=categories).payload())
    return f.bundle(consent=canonical.encode(value))


def _general(**changes: object) -> Build:
    """Other members beside or inside the general serialization."""

    def build(f: Federation) -> EvidenceBundle:
        value = raw_jws.general(f.sign_consent()) | changes
        return f.bundle(consent=canonical.encode(value))

    return build


def _unprotected_header(f: Federation) -> EvidenceBundle:
    value = raw_jws.general(f.sign_consent())
    value["signatures"][0]["header"] = {"kid": f.company.signers[0].kid}
    return f.bundle(consent=canonical.encode(value))


def _compact_by_one(f: Federation) -> EvidenceBundle:
    return f.bundle(consent=f.company.signers[0].sign(StatementKind.CONSENT, f.consent_claims()))


def _kid_of_other_person(f: Federation) -> EvidenceBundle:
    """The first person signs twice and calls itself the second once."""
    first, second = f.company.signers[:2]
    token = signing.signature_of(StatementKind.CONSENT, f.consent_claims().payload(), first)
    lie = raw_jws.with_header(token, first.key.private_key.sign, kid=second.kid)
    return f.bundle(consent=signing.join_signatures([token, lie]))


def _two_payload_members(f: Federation) -> EvidenceBundle:
    token = f.sign_consent()
    wider = raw_jws.b64(f.consent_claims(total_uses=1000).payload())
    return f.bundle(consent=f'{{"payload":"{wider}",'.encode() + token[1:])


def _transition_as_consent(f: Federation) -> EvidenceBundle:
    return f.bundle(consent=f.sign_transition(f.transition_claims("RESUME")))


def _other_version(f: Federation) -> EvidenceBundle:
    """The leaf names version 1; the bundle shows version 2, which the company did sign, once, for wider
    use.
    """
    return replace(f.honest, consent_jws=f.sign_consent(f.consent_claims(version=2, total_uses=1000)))


def _other_version_with_leaf(f: Federation) -> EvidenceBundle:
    """The leaf commits to the shown consent's bytes, but says another version."""
    return f.bundle(body={"consent_version": 2})


COMPANY = (
    Forgery(
        "attestation signed by gateway",
        Code.ATTESTATION_SIGNATURE,
        _attested_by(lambda f: PersonSigner(f.gateway.signer.key)),
    ),
    Forgery("attestation signed by other department", Code.ATTESTATION_SIGNATURE, _attested_by_institution("tax")),
    Forgery(
        "attestation signed with registry certificate",
        Code.ATTESTATION_SIGNATURE,
        _attested_by_institution("market-regulation"),
    ),
    Forgery(
        "attestation signed by company itself",
        Code.ATTESTATION_SIGNATURE,
        _attested_by(lambda f: f.company.signers[0]),
    ),
    Forgery(
        "attestation signed by reviewer",
        Code.ATTESTATION_SIGNATURE,
        _attested_by(lambda f: f.reviewers["reviewer-1"]),
    ),
    Forgery("attestation of invented keys", Code.ATTESTATION_SIGNATURE, _invented_company),
    Forgery(
        "attestation of other company",
        Code.CONSENT_SIGNATURE,
        _attestation_of_other_company,
        "consent_jws.company",
    ),
    Forgery("attestation of other people of the company", Code.CONSENT_SIGNATURE, _attestation_of_other_people),
    Forgery(
        "attestation expired",
        Code.ATTESTATION_EXPIRED,
        lambda f: _attesting(valid_until=f.seconds(seconds=-2))(f),
    ),
    Forgery(
        "attestation not yet valid",
        Code.ATTESTATION_EXPIRED,
        lambda f: _attesting(valid_from=f.seconds(hours=1))(f),
    ),
    Forgery(
        "attestation aud of other federation",
        Code.ATTESTATION_SIGNATURE,
        _attesting(aud=StatementKind.COMPANY_ATTESTATION.audience("neighbour.test")),
        "attestation_jws.aud",
    ),
    Forgery(
        "attestation issued by other department",
        Code.ATTESTATION_SIGNATURE,
        _attesting(iss="spiffe://consentgate.test/department/tax"),
        "attestation_jws.iss",
    ),
    Forgery(
        "attestation typ of consent",
        Code.ATTESTATION_SIGNATURE,
        _attestation_header(typ=StatementKind.CONSENT.typ),
    ),
    Forgery(
        "attestation header jwk",
        Code.ATTESTATION_SIGNATURE,
        lambda f: _attestation_header(jwk=f.registry_key.jwk.model_dump())(f),
    ),
    Forgery(
        "attestation truncated",
        Code.ATTESTATION_SIGNATURE,
        lambda f: f.bundle(attestation=f.sign_attestation()[:-2]),
    ),
    Forgery(
        "attestation non-canonical base64url",
        Code.ATTESTATION_SIGNATURE,
        lambda f: f.bundle(attestation=raw_jws.lenient_base64(f.sign_attestation())),
    ),
    # Too few, or the wrong, people.
    Forgery("consent signed by nobody", Code.CONSENT_SIGNATURE, _general(signatures=[])),
    Forgery(
        "consent signed by single signatory",
        Code.CONSENT_SIGNATURE,
        _consent_by(lambda f: f.company.signers[:1]),
    ),
    Forgery(
        "consent signed by one signatory twice",
        Code.CONSENT_SIGNATURE,
        _consent_by(lambda f: [f.company.signers[0]] * 2),
    ),
    Forgery("consent signed with two keys of one person", Code.CONSENT_SIGNATURE, _two_keys_of_one_person),
    Forgery("consent signed by one signatory as another", Code.CONSENT_SIGNATURE, _kid_of_other_person),
    Forgery(
        "consent signed by other company",
        Code.CONSENT_SIGNATURE,
        _consent_by(lambda f: f.second_company.signers[:2]),
    ),
    Forgery(
        "consent signed by reviewers",
        Code.CONSENT_SIGNATURE,
        _consent_by(lambda f: list(f.reviewers.values())[:2]),
    ),
    Forgery(
        "consent signed by signatory and gateway",
        Code.CONSENT_SIGNATURE,
        _consent_by(lambda f: [f.company.signers[0], PersonSigner(f.gateway.signer.key)]),
    ),
    Forgery(
        "consent signed by bank",
        Code.CONSENT_SIGNATURE,
        lambda f: f.bundle(consent=f.bank_a.signer.sign(StatementKind.CONSENT, f.consent_claims())),
    ),
    Forgery("consent signed by enough and a bad one", Code.CONSENT_SIGNATURE, _one_bad_signature_among_enough),
    Forgery(
        "consent signed by enough and a stranger",
        Code.CONSENT_SIGNATURE,
        _consent_by(lambda f: [*f.company.signers[:2], person("stranger")]),
    ),
    Forgery("consent compact by one signatory", Code.CONSENT_SIGNATURE, _compact_by_one),
    # Altered.
    Forgery("consent payload altered", Code.CONSENT_SIGNATURE, _altered_payload),
    Forgery("consent payload twice", Code.CONSENT_SIGNATURE, _two_payload_members),
    Forgery("consent with unprotected header", Code.CONSENT_SIGNATURE, _unprotected_header),
    Forgery("consent with unknown member", Code.CONSENT_SIGNATURE, _general(header={"alg": "none"})),
    Forgery("consent truncated", Code.CONSENT_SIGNATURE, lambda f: f.bundle(consent=f.sign_consent()[:-1])),
    Forgery("consent is a transition", Code.CONSENT_SIGNATURE, _transition_as_consent),
    Forgery(
        "consent aud of other federation",
        Code.CONSENT_SIGNATURE,
        _consenting(aud=StatementKind.CONSENT.audience("neighbour.test")),
        "consent_jws.aud",
    ),
    Forgery("consent version swapped", Code.RECEIPT_MISMATCH, _other_version, "decision.leaf.consent_version"),
    Forgery(
        "consent version misstated in leaf",
        Code.RECEIPT_MISMATCH,
        _other_version_with_leaf,
        "decision.leaf.consent_version",
    ),
    # Genuine, but not for this.
    Forgery(
        "consent of other company",
        Code.CONSENT_AUDIENCE,
        lambda f: f.bundle(
            attestation=f.sign_attestation(f.attestation_claims(f.second_company)),
            consent=f.sign_consent(f.consent_claims(f.second_company), f.second_company.signers[:2]),
        ),
        "consent_jws.company",
    ),
    Forgery(
        "consent for other bank",
        Code.CONSENT_AUDIENCE,
        lambda f: _consenting(grantee=str(f.bank_b.identity))(f),
        "consent_jws.grantee",
    ),
    Forgery("consent for other purpose", Code.CONSENT_PURPOSE, _consenting(purpose="marketing")),
    Forgery("consent for other use", Code.CONSENT_SCOPE, _consenting(use="MATCH"), "consent_jws.use"),
    Forgery(
        "consent without a category",
        Code.CONSENT_SCOPE,
        _consenting(categories=["tax.declarations"]),
        "consent_jws.categories",
    ),
    Forgery(
        "consent for earlier periods",
        Code.CONSENT_SCOPE,
        _consenting(data_range={"first": "2025-01", "last": "2026-09"}),
        "consent_jws.data_range",
    ),
    Forgery(
        "consent for later periods",
        Code.CONSENT_SCOPE,
        _consenting(data_range={"first": "2026-11", "last": "2026-12"}),
        "consent_jws.data_range",
    ),
    Forgery("consent expired", Code.CONSENT_EXPIRED, lambda f: _consenting(valid_until=f.seconds(seconds=-1))(f)),
    Forgery(
        "consent not yet valid",
        Code.CONSENT_NOT_YET_VALID,
        lambda f: _consenting(valid_from=f.seconds(seconds=1))(f),
    ),
    Forgery(
        "consent not yet valid and leaf postdated",
        Code.CLOCK_SKEW,
        lambda f: f.bundle(
            request=f.sign_request(f.request_claims(iat=f.seconds(days=30))),
            consent=f.sign_consent(f.consent_claims(valid_from=f.seconds(days=29))),
            decided_at=f.now + timedelta(days=30),
        ),
        "decision.leaf.ts",
    ),
    Forgery(
        "consent expired and leaf backdated",
        Code.RECEIPT_EXPIRED,
        lambda f: f.bundle(
            request=f.sign_request(f.request_claims(iat=f.seconds(minutes=-5))),
            consent=f.sign_consent(f.consent_claims(valid_until=f.seconds(minutes=-4))),
            decided_at=f.now - timedelta(minutes=5),
        ),
        "decision.leaf.not_after",
    ),
)
