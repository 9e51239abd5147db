"""Whoever signs is shown every term that binds, from the very bytes that are signed."""

from __future__ import annotations

import pytest

from company_client import render
from consentgate.statements import ConsentTransitionClaims, TransitionAction
from tests.support.federation import Federation, hex16


def test_every_binding_term_of_a_consent_is_shown(federation: Federation) -> None:
    claims = federation.consent_claims()
    shown = "\n".join(render.claims_lines(claims))
    terms = [claims.company, claims.grantee, claims.group, claims.purpose, *claims.categories, claims.consent_id]
    terms += [claims.data_range.first, claims.data_range.last, "4 per MONTH", "100 in all", "90 days", "version 1"]
    for term in terms:
        assert term in shown
    assert "2026-11-23" in shown
    assert "2027-05-23" in shown


@pytest.mark.parametrize("action", list(TransitionAction))
def test_a_transition_says_what_it_does_to_which_consent(federation: Federation, action: TransitionAction) -> None:
    claims = federation.transition_claims(action.value)
    assert isinstance(claims, ConsentTransitionClaims)
    first, second = render.claims_lines(claims)
    assert first == f"{action.value} consent {claims.consent_id} version 1"
    assert federation.company.code in second
    assert claims.consent_id == hex16(f"consent {federation.company.entity}")
