"""SPIFFE ids: one spelling each, and one per certificate."""

from __future__ import annotations

import pytest
from cryptography import x509

from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.identity import SAN_PROPERTY, IdentityInvalid, Role, SpiffeId
from tests.support.member_ca import MemberCa, p256_key

BANK = "spiffe://consentgate.test/bank/bank-a"

NO_IDS = {
    "empty": "",
    "scheme absent": "consentgate.test/bank/bank-a/x",
    "other scheme": "https://consentgate.test/bank/bank-a",
    "upper-case scheme": "SPIFFE://consentgate.test/bank/bank-a",
    "scheme twice": "spiffe://spiffe://consentgate.test/bank/bank-a",
    "upper-case domain": "spiffe://Consentgate.test/bank/bank-a",
    "domain empty": "spiffe:///bank/bank-a",
    "domain with port": "spiffe://consentgate.test:1/bank/bank-a",
    "domain with user": "spiffe://x@consentgate.test/bank/bank-a",
    "role unknown": "spiffe://consentgate.test/admin/bank-a",
    "role in upper case": "spiffe://consentgate.test/Bank/bank-a",
    "id empty": "spiffe://consentgate.test/bank/",
    "id absent": "spiffe://consentgate.test/bank",
    "id in upper case": "spiffe://consentgate.test/bank/Bank-A",
    "id begins with a dot": "spiffe://consentgate.test/bank/.a",
    "id of 65 characters": "spiffe://consentgate.test/bank/" + "a" * 65,
    "id with escape": "spiffe://consentgate.test/bank/bank%2da",
    "id outside ascii": "spiffe://consentgate.test/bank/bänk",
    "path longer": "spiffe://consentgate.test/bank/bank-a/x",
    "trailing slash": "spiffe://consentgate.test/bank/bank-a/",
    "double slash": "spiffe://consentgate.test//bank/bank-a",
    "query": "spiffe://consentgate.test/bank/bank-a?x=1",
    "fragment": "spiffe://consentgate.test/bank/bank-a#x",
    "trailing newline": BANK + "\n",
    "leading space": " " + BANK,
}


@pytest.mark.parametrize("role", Role)
def test_reads_back_to_the_same_text(role: Role):
    text = f"spiffe://consentgate.test/{role}/a.b_c-1"
    assert str(SpiffeId.parse(text)) == text
    assert SpiffeId.parse(text) == SpiffeId("consentgate.test", role, "a.b_c-1")


def test_dns_name_follows_from_the_id():
    assert SpiffeId.parse(BANK).dns_name == "bank-a.bank.consentgate.test"


@pytest.mark.parametrize("text", NO_IDS.values(), ids=NO_IDS.keys())
def test_other_spellings_are_refused(text: str):
    with pytest.raises(IdentityInvalid) as caught:
        SpiffeId.parse(text)
    assert caught.value.code is ErrorCode.INVALID_ARGUMENT_FIELD


@pytest.mark.parametrize(("domain", "name"), [("A.test", "a"), ("a.test", "A"), ("", "a"), ("a.test", "a\n")])
def test_construction_is_as_strict_as_parsing(domain: str, name: str):
    with pytest.raises(IdentityInvalid):
        SpiffeId(domain, Role.BANK, name)


def test_is_also_a_value_error_for_parsers():
    with pytest.raises(ValueError, match="INVALID_ARGUMENT_FIELD"):
        SpiffeId.parse("x")


# Certificates.


@pytest.fixture(scope="module")
def ca() -> MemberCa:
    return MemberCa.create("identity ca")


def test_certificate_names_its_member(ca: MemberCa):
    certificate = ca.issue(BANK, p256_key("bank"), dns=["other.example"])
    assert str(SpiffeId.from_certificate(certificate)) == BANK


@pytest.mark.parametrize(
    "uris",
    [[], [BANK, BANK], [BANK, "spiffe://consentgate.test/bank/bank-b"], [BANK, "https://x.test/"], ["https://x.test/"]],
    ids=["none", "twice the same", "two members", "a member and a page", "a page"],
)
def test_certificate_with_another_number_of_uris_names_nobody(ca: MemberCa, uris: list[str]):
    with pytest.raises(ConsentgateError) as caught:
        SpiffeId.from_certificate(ca.issue(uris, p256_key("bank"), dns=["bank-a.bank.consentgate.test"]))
    assert caught.value.code is ErrorCode.CERTIFICATE_ROLE


def test_certificate_without_alternative_names_names_nobody(ca: MemberCa):
    with pytest.raises(ConsentgateError) as caught:
        SpiffeId.from_certificate(ca.certificate)
    assert caught.value.code is ErrorCode.CERTIFICATE_ROLE
    with pytest.raises(x509.ExtensionNotFound):
        ca.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)


# gRPC's auth context.


def test_auth_context_names_the_peer_among_other_names():
    context = {SAN_PROPERTY: [b"bank-a.bank.consentgate.test", BANK.encode(), b"127.0.0.1"]}
    assert str(SpiffeId.from_auth_context(context)) == BANK


@pytest.mark.parametrize(
    "context",
    [
        {},
        {SAN_PROPERTY: []},
        {SAN_PROPERTY: [b"bank-a.bank.consentgate.test"]},
        {SAN_PROPERTY: [BANK.encode(), b"spiffe://consentgate.test/gateway/g"]},
        {SAN_PROPERTY: [BANK.encode(), b"https://x.test"]},
        {SAN_PROPERTY: ["spiffe://consentgate.test/bank/bänk".encode()]},
        {"x509_common_name": [BANK.encode()]},
    ],
)
def test_auth_context_without_exactly_one_member(context: dict[str, list[bytes]]):
    with pytest.raises(IdentityInvalid) as caught:
        SpiffeId.from_auth_context(context)
    assert caught.value.code is ErrorCode.CERTIFICATE_ROLE
