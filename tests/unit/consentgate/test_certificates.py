"""Certificates: whose chain, for what, of which kind of key, when. Every refusal has its own code."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from consentgate.certificates import (
    CLIENT_AUTH,
    DEVELOPMENT_ORGANIZATION,
    DOCUMENT_SIGNING,
    SERVER_AUTH,
    check_usages,
    refuse_development_ca,
    verify_signing_chain,
    verify_tls_chain,
)
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.identity import SpiffeId
from dev.ca import DevelopmentCa
from tests.support.member_ca import (
    NOT_AFTER,
    NOT_BEFORE,
    TLS_USAGES,
    MemberCa,
    ed25519_key,
    p256_key,
    p384_key,
)

AT = datetime(2026, 11, 24, tzinfo=UTC)
BANK = "spiffe://consentgate.test/bank/bank-a"
DNS = ["bank-a.bank.consentgate.test"]
CA = MemberCa.create("member ca")
OTHER = MemberCa.create("other ca")
KEY = ed25519_key("bank")
TLS_KEY = p256_key("bank tls")

Chain = list[x509.Certificate]


def _refused(code: ErrorCode, verify: Callable[[], object]) -> ConsentgateError:
    with pytest.raises(ConsentgateError) as caught:
        verify()
    assert caught.value.code is code
    return caught.value


def _signing(chain: Chain, at: datetime = AT, ca: MemberCa = CA) -> tuple[SpiffeId, object]:
    return verify_signing_chain([one.public_bytes(Encoding.DER) for one in chain], ca.certificate, at)


def _tls(chain: Chain, usage: x509.ObjectIdentifier = SERVER_AUTH, at: datetime = AT) -> SpiffeId:
    return verify_tls_chain(chain, CA.certificate, at, usage)


# Signing certificates.


@pytest.mark.parametrize("key", [KEY, p256_key("bank")], ids=["Ed25519", "P-256"])
def test_signing_chain_names_signer_and_key(key):
    identity, public = _signing([CA.issue(BANK, key)])
    assert str(identity) == BANK
    assert public == key.public_key()


def test_signing_chain_through_an_intermediate():
    intermediate = CA.intermediate("region")
    assert _signing([intermediate.issue(BANK, KEY), intermediate.certificate])[0].id == "bank-a"


def test_signing_chain_without_its_intermediate():
    _refused(ErrorCode.CERTIFICATE_UNTRUSTED, lambda: _signing([CA.intermediate("region").issue(BANK, KEY)]))


def test_signing_chain_of_another_ca():
    _refused(ErrorCode.CERTIFICATE_UNTRUSTED, lambda: _signing([OTHER.issue(BANK, KEY)]))


def test_signing_chain_that_brings_its_own_root():
    """The CA in the chain is a candidate for the path, never an anchor."""
    _refused(ErrorCode.CERTIFICATE_UNTRUSTED, lambda: _signing([OTHER.issue(BANK, KEY), OTHER.certificate]))


def test_signing_chain_under_a_ca_of_the_same_name_and_another_key():
    """Names bind nothing."""
    builder = MemberCa("member ca", p256_key("impostor"), CA.certificate)
    _refused(ErrorCode.CERTIFICATE_UNTRUSTED, lambda: _signing([builder.issue(BANK, KEY)]))


def test_member_cannot_play_ca():
    member = MemberCa("bank-b", TLS_KEY, CA.issue("spiffe://consentgate.test/bank/bank-b", TLS_KEY))
    chain = [member.issue(BANK, KEY), member.certificate]
    _refused(ErrorCode.CERTIFICATE_UNTRUSTED, lambda: _signing(chain))


@pytest.mark.parametrize(("ca", "key_cert_sign"), [(True, True), (True, False), (False, True)])
def test_ca_certificate_cannot_play_member(ca: bool, key_cert_sign: bool):
    """Neither by its constraints nor by its key usage."""
    chain = [CA.issue(BANK, KEY, ca=ca, key_cert_sign=key_cert_sign)]
    _refused(ErrorCode.CERTIFICATE_UNTRUSTED, lambda: _signing(chain))


def test_key_that_may_not_sign():
    chain = [CA.issue(BANK, KEY, digital_signature=False)]
    _refused(ErrorCode.CERTIFICATE_UNTRUSTED, lambda: _signing(chain))


def test_chain_empty_and_too_long():
    _refused(ErrorCode.CERTIFICATE_UNTRUSTED, lambda: _signing([]))
    _refused(ErrorCode.CERTIFICATE_UNTRUSTED, lambda: _signing([CA.issue(BANK, KEY)] * 5))


@pytest.mark.parametrize("der", [b"", b"\x30\x03abc", b"-----BEGIN CERTIFICATE-----"])
def test_what_is_no_certificate(der: bytes):
    _refused(ErrorCode.CERTIFICATE_UNTRUSTED, lambda: verify_signing_chain([der], CA.certificate, AT))


@pytest.mark.parametrize(
    ("change", "at"),
    [
        ({"not_after": AT - timedelta(seconds=1)}, AT),
        ({"not_before": AT + timedelta(seconds=1)}, AT),
        ({}, NOT_BEFORE - timedelta(seconds=1)),
        ({}, NOT_AFTER + timedelta(seconds=1)),
    ],
    ids=["expired", "not yet valid", "before its time", "after its time"],
)
def test_signing_chain_outside_its_dates(change: dict[str, datetime], at: datetime):
    _refused(ErrorCode.CERTIFICATE_EXPIRED, lambda: _signing([CA.issue(BANK, KEY, **change)], at))


@pytest.mark.parametrize("at", [NOT_BEFORE, NOT_AFTER])
def test_dates_include_both_ends(at: datetime):
    assert _signing([CA.issue(BANK, KEY)], at)[0].id == "bank-a"


def test_expired_ca_certifies_nobody():
    ca = MemberCa.create("old ca", not_after=AT - timedelta(days=1))
    _refused(ErrorCode.CERTIFICATE_EXPIRED, lambda: _signing([ca.issue(BANK, KEY)], AT, ca))


@pytest.mark.parametrize(
    "usages",
    [
        TLS_USAGES,
        (*TLS_USAGES, DOCUMENT_SIGNING),
        (CLIENT_AUTH, DOCUMENT_SIGNING),
        (),
        (ExtendedKeyUsageOID.CODE_SIGNING,),
    ],
    ids=["TLS", "all", "client and signing", "none", "code signing"],
)
def test_signing_certificate_is_for_signing_only(usages: tuple[x509.ObjectIdentifier, ...]):
    _refused(ErrorCode.CERTIFICATE_USAGE, lambda: _signing([CA.issue(BANK, KEY, usages=usages)]))


def test_signing_key_on_another_curve():
    _refused(ErrorCode.CERTIFICATE_KEY, lambda: _signing([CA.issue(BANK, p384_key("bank"))]))


@pytest.mark.parametrize("uris", [[], [BANK, BANK.replace("-a", "-b")], ["https://bank-a.test/"]])
def test_signing_certificate_names_exactly_one_member(uris: list[str]):
    chain = [CA.issue(uris, KEY, dns=DNS)]
    _refused(ErrorCode.CERTIFICATE_ROLE, lambda: _signing(chain))


# TLS certificates.


@pytest.mark.parametrize("usage", [CLIENT_AUTH, SERVER_AUTH])
def test_tls_chain_names_the_member(usage: x509.ObjectIdentifier):
    assert str(_tls([CA.issue(BANK, TLS_KEY, usages=TLS_USAGES, dns=DNS)], usage)) == BANK


def test_a_client_needs_no_dns_name_and_a_server_does():
    chain = [CA.issue(BANK, TLS_KEY, usages=TLS_USAGES)]
    assert _tls(chain, CLIENT_AUTH).id == "bank-a"
    _refused(ErrorCode.CERTIFICATE_ROLE, lambda: _tls(chain, SERVER_AUTH))


def test_dns_name_of_another_member():
    chain = [CA.issue(BANK, TLS_KEY, usages=TLS_USAGES, dns=["bank-b.bank.consentgate.test"])]
    _refused(ErrorCode.CERTIFICATE_ROLE, lambda: _tls(chain, SERVER_AUTH))


@pytest.mark.parametrize(
    ("usages", "usage"),
    [
        ((CLIENT_AUTH,), SERVER_AUTH),
        ((SERVER_AUTH,), CLIENT_AUTH),
        ((*TLS_USAGES, DOCUMENT_SIGNING), SERVER_AUTH),
        ((DOCUMENT_SIGNING,), CLIENT_AUTH),
        ((), CLIENT_AUTH),
    ],
    ids=["client serves", "server calls", "signs too", "signing certificate", "none"],
)
def test_tls_certificate_is_for_its_end_only(usages: tuple[x509.ObjectIdentifier, ...], usage: x509.ObjectIdentifier):
    chain = [CA.issue(BANK, TLS_KEY, usages=usages, dns=DNS)]
    _refused(ErrorCode.CERTIFICATE_USAGE, lambda: _tls(chain, usage))


@pytest.mark.parametrize("key", [KEY, p384_key("bank")], ids=["Ed25519", "P-384"])
def test_tls_key_is_on_p256(key):
    chain = [CA.issue(BANK, key, usages=TLS_USAGES, dns=DNS)]
    _refused(ErrorCode.CERTIFICATE_KEY, lambda: _tls(chain))


def test_tls_chain_expired_or_of_another_ca():
    old = CA.issue(BANK, TLS_KEY, usages=TLS_USAGES, dns=DNS, not_after=AT - timedelta(days=1))
    _refused(ErrorCode.CERTIFICATE_EXPIRED, lambda: _tls([old]))
    _refused(ErrorCode.CERTIFICATE_UNTRUSTED, lambda: _tls([OTHER.issue(BANK, TLS_KEY, usages=TLS_USAGES, dns=DNS)]))


def test_errors_name_no_member():
    error = _refused(ErrorCode.CERTIFICATE_UNTRUSTED, lambda: _signing([OTHER.issue(BANK, KEY)]))
    assert "bank-a" not in f"{error} {error.private}"


# Usages, and the CA that anybody can make.


def test_check_usages_wants_all_needed_and_nothing_else():
    certificate = CA.issue(BANK, KEY, usages=(CLIENT_AUTH,))
    check_usages(certificate, {CLIENT_AUTH, SERVER_AUTH}, {CLIENT_AUTH})
    for allowed, needed in (({SERVER_AUTH}, set()), ({CLIENT_AUTH, SERVER_AUTH}, {SERVER_AUTH})):
        _refused(ErrorCode.CERTIFICATE_USAGE, lambda a=allowed, n=needed: check_usages(certificate, a, n))


def test_development_ca_is_recognised(tmp_path):
    made = DevelopmentCa.create(tmp_path, "consentgate.test").certificate
    organization = made.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0]
    assert organization.value == DEVELOPMENT_ORGANIZATION
    _refused(ErrorCode.DEVELOPMENT_CA, lambda: refuse_development_ca(made))
    refuse_development_ca(CA.certificate)
