"""Statements about reports: who may sign, for whom, when."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from consentgate import signing
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.identity import SpiffeId
from consentgate.statements import LedgerReportClaims, StatementKind
from ledger_service.report.statement import ReportSigner, audience, verify_statement
from tests.support.ledger_server import BANK, DEPARTMENT, DOMAIN
from tests.support.report_files import NOW, ReportHouse, log_key_signer, officer_signer
from tests.support.witnessed_log import ORIGIN

DIGEST = "ab" * 32


def claims(issuer: str, **changed: object) -> LedgerReportClaims:
    members = {"aud": audience(DOMAIN), "iat": int(NOW.timestamp()), "iss": issuer, "log": ORIGIN, "size": 28}
    return LedgerReportClaims.model_validate({**members, "root": DIGEST, "entries": 28, "summary": DIGEST, **changed})


def refusal(house: ReportHouse, token: bytes) -> str:
    with pytest.raises(ConsentgateError) as caught:
        verify_statement(token, house.anchors, NOW)
    assert caught.value.code is ErrorCode.REPORT_INVALID
    return str(caught.value.field)


def test_an_officer_and_the_log_may_sign(house: ReportHouse) -> None:
    for signer in (house.officer, house.operator):
        assert verify_statement(signer.sign(claims(signer.name)), house.anchors, NOW) == claims(signer.name)


def test_nobody_else_may(house: ReportHouse, tmp_path: Path) -> None:
    for member in (BANK, DEPARTMENT):
        signer = officer_signer(tmp_path, member)
        assert refusal(house, signer.sign(claims(signer.name))) == "summary.jws.iss"
    assert refusal(house, log_key_signer(tmp_path, "a stranger").sign(claims(ORIGIN))) == "summary.jws.iss"


def test_nobody_signs_in_anothers_name(house: ReportHouse, tmp_path: Path) -> None:
    other = officer_signer(tmp_path, SpiffeId.parse(f"spiffe://{DOMAIN}/officer/officer-2"))
    assert refusal(house, other.sign(claims(house.officer.name))) == "summary.jws.iss"
    assert refusal(house, house.officer.sign(claims(ORIGIN))) == "summary.jws.iss"
    refusal(house, house.operator.sign(claims(house.officer.name)))
    foreign = officer_signer(tmp_path, SpiffeId.parse("spiffe://elsewhere.test/officer/officer-1"))
    assert refusal(house, foreign.sign(claims(foreign.name))) == "summary.jws.iss"


def test_a_log_key_signs_for_its_own_log_only(house: ReportHouse) -> None:
    other = ReportSigner("other.test/ledger", house.operator.key)
    token = other.sign(claims("other.test/ledger", log="other.test/ledger"))
    assert refusal(house, token) == "summary.jws.iss"


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"aud": audience("elsewhere.test")}, "summary.jws.aud"),
        ({"aud": StatementKind.SUBJECT_HISTORY.audience(DOMAIN)}, "summary.jws.aud"),
        ({"iat": int((NOW + timedelta(minutes=6)).timestamp())}, "summary.jws.iat"),
    ],
)
def test_for_this_federation_and_not_in_the_future(house: ReportHouse, changed: dict[str, object], field: str) -> None:
    for signer in (house.officer, house.operator):
        assert refusal(house, signer.sign(claims(signer.name, **changed))) == field


def test_a_certificate_must_have_been_valid_then(house: ReportHouse) -> None:
    refusal(house, house.officer.sign(claims(house.officer.name, iat=1_600_000_000)))


def test_another_kind_of_statement_is_none(house: ReportHouse) -> None:
    key = house.officer.key
    assert isinstance(key, signing.InstitutionSigner)
    refusal(house, key.sign(StatementKind.SUBJECT_HISTORY, claims(house.officer.name)))


@pytest.mark.parametrize("token", [b"", b"a.b.c", b"{}", b"\xff", b"..", b"e30.e30.e30"])
def test_what_is_no_statement(house: ReportHouse, token: bytes) -> None:
    refusal(house, token)
