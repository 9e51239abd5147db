"""docs/wire.md says what the code does: errors, identities, kinds of statements, claims, leaf fields."""

from __future__ import annotations

import pytest

from consentgate import evidence, statements
from consentgate.identity import Role
from consentgate.statements import Claims, StatementKind
from tests.support import wire_document
from tests.support.federation import Federation

CLAIMS: dict[str, type[Claims]] = {
    "5.1": statements.ScoreRequestClaims,
    "5.2": statements.ConsentClaims,
    "5.4": statements.CompanyAttestationClaims,
    "5.5": statements.ScorecardApprovalClaims,
    "5.6": statements.KeyRegistrationClaims,
    "5.7": statements.FeatureAnswerClaims,
    "5.8": statements.SubjectHistoryClaims,
    "5.9": statements.LedgerReportClaims,
}
EVERYWHERE = {"aud", "iat"}
"""Claims of every kind, which the head of section 5 explains."""


def test_errors_equal_the_catalogue():
    found = wire_document.ERRORS.search(wire_document.PAGE.read_text("utf-8"))
    assert found is not None
    assert found[2].strip() == wire_document.error_table().strip(), "run: python -m tests.support.wire_document"


def test_roles():
    assert {wire_document.names(row[0])[0] for row in wire_document.rows("2")} == set(Role)


def test_kinds_with_their_typ_and_audience():
    documented = {wire_document.names(row[1])[0]: wire_document.names(row[2])[0] for row in wire_document.rows("4")}
    actual = {kind.typ: kind.audience("<trust-domain>") for kind in StatementKind}
    assert documented == actual


@pytest.mark.parametrize("number", CLAIMS)
def test_claims(number: str):
    documented = {name for row in wire_document.rows(number) for name in wire_document.names(row[0])}
    assert documented | EVERYWHERE == set(CLAIMS[number].model_fields)


def test_claims_of_a_transition():
    text = wire_document.section("5.3")
    for name in set(statements.ConsentTransitionClaims.model_fields) - EVERYWHERE:
        assert f"`{name}`" in text
    for action in statements.TransitionAction:
        assert f"`{action}`" in text


def test_fields_of_the_decision_leaf(federation: Federation):
    documented = {name for row in wire_document.rows("9.2") for name in wire_document.names(row[0])}
    order = federation.order()
    derived = evidence.leaf_fields(order.request, order.bank, order.consent, order.header)
    assert documented == {*derived, "request", "consent_digest", "approval", "verdict", "not_after"}


def test_parts_of_the_bundle():
    documented = [wire_document.names(row[0])[0] for row in wire_document.rows("9.1")]
    assert documented == list(evidence.EvidenceBundle.__dataclass_fields__)


def test_the_example_request_is_one():
    """The example's names and its order are those of a real payload."""
    text = wire_document.section("5.1").split("```json\n")[1].split("\n```")[0]
    names = [pair.split(":")[0].strip('{"') for pair in text.split(',"')]
    assert names == sorted(statements.ScoreRequestClaims.model_fields)
