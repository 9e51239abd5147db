"""Step 5: every check with its own error, and a use that is counted once."""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from consentgate import canonical
from consentgate.database import Database
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.evidence import EvidenceBundle, ReleaseOrder
from consentgate.statements import TransitionAction
from department_adapter.projection import ApprovalHead, ConsentState, RegisteredKey
from department_adapter.reservation import reserve
from department_adapter.state import answers, restrictions
from department_adapter.state.restrictions import DirectRestriction
from department_adapter.uses import CalendarUnit
from tests.support.federation import NOW, Federation, hex16
from tests.unit.department_adapter.standing import Standing

EVER = CalendarUnit(0, 2**40)


def attempt(state: Database, order: ReleaseOrder, now: datetime = NOW) -> None:
    state.transact(lambda session: reserve(session, order, now))


def refusal(state: Database, order: ReleaseOrder, now: datetime = NOW) -> ConsentgateError:
    before = uses(state, order)
    with pytest.raises(ConsentgateError) as caught:
        attempt(state, order, now)
    assert uses(state, order) == before
    return caught.value


def uses(state: Database, order: ReleaseOrder) -> int:
    consent = order.consent
    return state.transact(lambda session: answers.uses_of(session, consent.consent_id, consent.version, EVER)).total


@pytest.fixture
def standing(federation: Federation) -> Standing:
    return Standing.of(federation)


def test_honest_order_is_counted_once(state: Database, standing: Standing) -> None:
    standing.learn(state)
    attempt(state, standing.order)
    attempt(state, standing.order)
    assert uses(state, standing.order) == 1


def test_consent_unknown_to_the_ledger(state: Database, standing: Standing) -> None:
    assert refusal(state, standing.order).code == ErrorCode.CONSENT_NOT_FOUND


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"state": ConsentState.PAUSED}, ErrorCode.CONSENT_PAUSED),
        ({"state": ConsentState.REVOKED}, ErrorCode.CONSENT_REVOKED),
        ({"state": ConsentState.EXPIRED}, ErrorCode.CONSENT_EXPIRED),
        ({"version": 2}, ErrorCode.CONSENT_VERSION),
        ({"digest": "0" * 64}, ErrorCode.CONSENT_VERSION),
    ],
)
def test_consent_not_in_force(state: Database, standing: Standing, changes: dict[str, object], code: ErrorCode) -> None:
    standing.changed(**changes).learn(state)
    assert refusal(state, standing.order).code == code


@pytest.mark.parametrize("head", [None, ApprovalHead(2, "0" * 64)])
def test_approval_is_not_the_head(state: Database, standing: Standing, head: ApprovalHead | None) -> None:
    head = head or ApprovalHead(1, "1" * 64)
    replace(standing, approval=head).learn(state)
    assert refusal(state, standing.order).code == ErrorCode.SCORECARD_NOT_APPROVED


@pytest.mark.parametrize("owner", ["bank-b", "bank-a"])
def test_key_is_not_registered(state: Database, standing: Standing, owner: str) -> None:
    key = RegisteredKey(owner, standing.key.key_id if owner == "bank-b" else "0" * 64)
    replace(standing, key=key).learn(state)
    assert refusal(state, standing.order).code == ErrorCode.KEY_UNKNOWN


def test_second_token(state: Database, standing: Standing) -> None:
    standing.learn(state)
    consent = standing.order.consent
    state.transact(lambda session: restrictions.pin_subject(session, consent.company, consent.group, hex16("earlier")))
    error = refusal(state, standing.order)
    assert error.code == ErrorCode.SUBJECT_MISMATCH
    assert hex16("earlier") not in f"{error}{error.hint}{error.private}"


def test_refused_order_pins_no_token(state: Database, federation: Federation, standing: Standing) -> None:
    """Otherwise a gateway could fix a token by a request that never had a chance."""
    standing.learn(state)
    exhausted = replace(standing.order, consent=standing.order.consent.model_copy(update={"total_uses": 0}))
    refusal(state, exhausted)
    consent = standing.order.consent
    pin = state.transact(lambda session: restrictions.pin_subject(session, consent.company, consent.group, "new"))
    assert pin == "new"


def test_life_of_the_decision_is_looked_at_again(state: Database, standing: Standing) -> None:
    standing.learn(state)
    attempt(state, standing.order, standing.order.not_after)
    late = standing.order.not_after + timedelta(microseconds=1)
    assert refusal(state, standing.order, late).code == ErrorCode.RECEIPT_EXPIRED


@pytest.mark.parametrize(
    ("action", "code"),
    [(TransitionAction.REVOKE, ErrorCode.CONSENT_REVOKED), (TransitionAction.PAUSE, ErrorCode.CONSENT_PAUSED)],
)
def test_direct_restriction(state: Database, standing: Standing, action: TransitionAction, code: ErrorCode) -> None:
    standing.learn(state)
    consent = standing.order.consent
    said = DirectRestriction(consent.consent_id, "0" * 32, consent.company, 1, action, 5)
    state.transact(lambda session: restrictions.add(session, said, b"jws"))
    assert refusal(state, standing.order).code == code


def test_direct_word_of_another_company_does_not_count(state: Database, standing: Standing) -> None:
    """Consent ids are public."""
    standing.learn(state)
    said = DirectRestriction(
        standing.order.consent.consent_id, "0" * 32, "another company", 1, TransitionAction.REVOKE, 5
    )
    state.transact(lambda session: restrictions.add(session, said, b"jws"))
    attempt(state, standing.order)


# Counting.


def bundle_at(federation: Federation, moment: datetime, **consent: object) -> EvidenceBundle:
    """A decision at `moment` under a consent with these terms."""
    terms = {"valid_from": 0, "valid_until": 10**10, "total_uses": 100} | consent
    return federation.bundle(
        request=federation.sign_request(federation.request_claims(iat=int(moment.timestamp()))),
        consent=federation.sign_consent(federation.consent_claims(**terms)),
        decided_at=moment,
        cosigned_at=moment,
        salt=secrets.token_bytes(32),
    )


def decide(state: Database, moments: list[str], per: str, count: int) -> list[bool]:
    """For each decision whether it was allowed."""
    allowed = []
    for text in moments:
        federation = Federation(datetime.fromisoformat(text))
        bundle = bundle_at(federation, federation.now, frequency={"count": count, "per": per})
        standing = Standing.of(federation, bundle)
        standing.learn(state)
        before = uses(state, standing.order)
        with suppress(ConsentgateError):
            attempt(state, standing.order, federation.now)
        allowed.append(uses(state, standing.order) > before)
    return allowed


@pytest.mark.parametrize(
    ("per", "inside", "outside"),
    [
        ("HOUR", "2026-11-24T04:00:00+00:00", "2026-11-24T05:00:00+00:00"),
        ("DAY", "2026-11-24T00:00:00+00:00", "2026-11-25T00:00:00+00:00"),
        ("MONTH", "2026-11-01T00:00:00+00:00", "2026-12-01T00:00:00+00:00"),
        ("YEAR", "2026-02-01T00:00:00+00:00", "2027-01-01T00:00:00+00:00"),
    ],
)
def test_frequency_by_calendar_unit(state: Database, per: str, inside: str, outside: str) -> None:
    first = "2026-11-24T04:59:59+00:00"
    assert decide(state, [first, inside, inside, outside], per, 2) == [True, True, False, True]


def test_decisions_that_come_late_count_where_they_were_decided(state: Database) -> None:
    """Not when they arrive: an hour that is over may still be filled up, and no further."""
    moments = ["2026-11-24T05:00:00+00:00", "2026-11-24T04:59:59+00:00", "2026-11-24T04:59:58+00:00"]
    assert decide(state, moments, "HOUR", 1) == [True, True, False]


def test_total_uses(state: Database, federation: Federation) -> None:
    for number in range(3):
        standing = Standing.of(federation, bundle_at(federation, NOW, total_uses=2))
        standing.learn(state)
        if number < 2:
            attempt(state, standing.order)
        else:
            error = refusal(state, standing.order)
            assert (error.code, error.field) == (ErrorCode.CONSENT_FREQUENCY, "consent_jws.total_uses")


def test_retry_of_the_last_use_is_not_a_further_use(state: Database, federation: Federation) -> None:
    standing = Standing.of(federation, bundle_at(federation, NOW, total_uses=1))
    standing.learn(state)
    for _ in range(3):
        attempt(state, standing.order)
    assert uses(state, standing.order) == 1


def test_new_version_has_uses_of_its_own(state: Database, federation: Federation) -> None:
    for version in (1, 2):
        standing = Standing.of(federation, bundle_at(federation, NOW, total_uses=1, version=version))
        standing.learn(state)
        attempt(state, standing.order)


def test_consent_digest_is_of_the_signed_bytes(federation: Federation, standing: Standing) -> None:
    assert standing.order.decision.entry.body["consent_digest"] == canonical.digest(federation.honest.consent_jws)
