"""Bodies of decisions and releases: the ledger's closed table takes them, evidence.verify finds what it compares."""

from __future__ import annotations

from datetime import timedelta

import pytest

from consentgate import answer, evidence
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.identity import SpiffeId
from gateway import decision
from gateway.consents import KINDS as MOVES
from gateway.consents import granted_body
from gateway.store import records
from ledger.errors import EntryInvalid
from ledger.kinds import KINDS
from tests.support.federation import Federation
from tests.support.gateway_house import House

FEDERATION = Federation()
BANK = FEDERATION.bank_a.identity
REQUEST = FEDERATION.request_claims()
CONSENT = FEDERATION.consent_claims()
DIGESTS = {"request": "1" * 64, "consent_digest": "2" * 64, "approval": "3" * 64, "policy": "4" * 64}


def allowance() -> dict[str, object]:
    not_after = FEDERATION.now + decision.DECISION_LIFE
    header = FEDERATION.scorecard.header
    return decision.allow_body(REQUEST, BANK, CONSENT, header, DIGESTS, ("score.public",), not_after)


def denial(bank: SpiffeId = BANK, *, with_consent: bool = True) -> dict[str, object]:
    consent = (CONSENT, b"consent statement") if with_consent else None
    return decision.deny_body(REQUEST, bank, "1" * 64, "4" * 64, "CONSENT_SCOPE", (), consent)


def test_the_ledger_takes_an_allowance() -> None:
    KINDS["query.decision"].check(allowance())
    assert allowance()["not_after"] == "2026-11-24T04:01:57.000000Z"


@pytest.mark.parametrize("with_consent", [True, False])
def test_the_ledger_takes_a_denial(with_consent: bool) -> None:
    KINDS["query.decision"].check(denial(with_consent=with_consent))


def test_a_denial_names_the_consent_to_its_grantee_only() -> None:
    named = {"group", "subject", "consent_id", "consent_version", "consent_digest"}
    assert named <= denial().keys()
    assert not named & denial(FEDERATION.bank_b.identity).keys()
    assert not named & denial(with_consent=False).keys()


@pytest.mark.parametrize("code", ErrorCode)
def test_every_code_can_be_a_recorded_reason(code: ErrorCode) -> None:
    body = decision.deny_body(REQUEST, BANK, "1" * 64, "4" * 64, str(code), (), None)
    KINDS["query.decision"].check(body)


def test_the_ledger_takes_a_release() -> None:
    order = FEDERATION.order()
    verified = [
        answer.verify_answer(token, order, FEDERATION.anchors) for token, _ in FEDERATION.answers(order).values()
    ]
    KINDS["query.release"].check(answer.release_body(order, verified, ["courts"], b"output"))


def test_the_ledger_takes_a_grant() -> None:
    KINDS["consent.granted"].check(granted_body(CONSENT, b"statement"))
    assert set(MOVES.values()) <= KINDS.keys()


def test_evidence_accepts_what_the_gateway_writes() -> None:
    """Every field that departments compare is the gateway's own, not the test federation's."""
    request, salt = FEDERATION.honest.request_jws, FEDERATION.honest.request_salt
    assert decision.request_commitment(request, salt) == FEDERATION.order().decision.entry.body["request"]
    fields = evidence.leaf_fields(REQUEST, BANK, CONSENT, FEDERATION.scorecard.header)
    assert fields.items() <= allowance().items()
    assert decision.DECISION_LIFE < evidence.DECISION_LIFE


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"note": "free text"}, "body.note"),
        ({"purpose": FEDERATION.company.code.lower()}, "body.purpose"),
        ({"verdict": "maybe"}, "body.verdict"),
        ({"rules": ["x" * 65]}, "body.rules[0]"),
    ],
)
async def test_what_the_ledger_would_refuse_is_not_even_intended(
    house: House, changes: dict[str, object], field: str
) -> None:
    body = {**denial(), **changes}
    with pytest.raises(EntryInvalid):
        KINDS["query.decision"].check(body)
    with pytest.raises(ConsentgateError) as caught:
        await house.database.run(
            lambda session: records.intend(session, "key", "query.decision", body, house.clock.now)
        )
    assert (caught.value.code, caught.value.field) == (ErrorCode.INVALID_ARGUMENT_FIELD, field)
    assert await house.database.run(lambda session: records.unrecorded(session, 9)) == []


async def test_a_body_too_large_for_a_leaf_is_not_intended(house: House) -> None:
    departments = [{"id": "tax", "columns": [f"column-{number:050}" for number in range(300)]}]
    body = {**allowance(), "departments": departments}
    with pytest.raises(ConsentgateError, match="body"):
        await house.database.run(
            lambda session: records.intend(session, "key", "query.decision", body, house.clock.now)
        )


def test_keys_tell_decisions_and_releases_of_all_banks_apart() -> None:
    keys = {
        make(bank, request)
        for make in (decision.decision_key, decision.release_key)
        for bank in (BANK, FEDERATION.bank_b.identity)
        for request in ("0" * 32, "1" * 32)
    }
    assert len(keys) == 8
    longest = SpiffeId(BANK.trust_domain, BANK.role, "b" * 64)
    assert len(decision.decision_key(longest, "0" * 32)) <= 128


def test_a_decision_lives_less_than_verifiers_accept() -> None:
    assert timedelta(0) < decision.DECISION_LIFE < evidence.DECISION_LIFE
