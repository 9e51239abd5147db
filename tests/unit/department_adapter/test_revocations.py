"""A company's direct word: who may say it, what holds, and how a pause ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from consentgate.database import Database
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.identity import Role, SpiffeId
from consentgate.signing import PersonSigner
from consentgate.statements import StatementKind, TransitionAction
from department_adapter.projection import ConsentFact, ConsentState
from department_adapter.revocations import Revocations, check_unrestricted
from department_adapter.state import restrictions
from department_adapter.state.restrictions import DirectRestriction
from department_adapter.tail import Tail
from tests.support.federation import NOW, TRUST_DOMAIN, Federation, person
from tests.unit.department_adapter.ledger_entries import LogFeed

PAUSE, REVOKE = TransitionAction.PAUSE, TransitionAction.REVOKE


class Counter:
    """A department that listens."""

    def __init__(self, federation: Federation, state: Database) -> None:
        tail = Tail(LogFeed(federation.log, lambda: NOW), state, federation.anchors, lambda: NOW)
        self.federation = federation
        self.state = state
        self.revocations = Revocations(federation.anchors, state, tail, lambda: NOW)
        self.caller = SpiffeId(TRUST_DOMAIN, Role.COMPANY, federation.company.entity)

    async def hear(
        self,
        action: str = "REVOKE",
        *,
        signers: Sequence[PersonSigner] | None = None,
        transition: bytes | None = None,
        attestation: bytes | None = None,
        caller: SpiffeId | None = None,
        **claims: object,
    ) -> None:
        f = self.federation
        token = transition or f.sign_transition(f.transition_claims(action, **claims), signers)
        await self.revocations.submit(token, attestation or f.sign_attestation(), caller or self.caller)

    def said(self) -> list[DirectRestriction]:
        consent = self.federation.consent_claims()
        return self.state.transact(
            lambda session: restrictions.of_consent(session, consent.consent_id, consent.company)
        )


@pytest.fixture
def counter(federation: Federation, state: Database) -> Counter:
    return Counter(federation, state)


@pytest.mark.parametrize("action", ["REVOKE", "PAUSE"])
async def test_enough_signatories_are_heard(counter: Counter, action: str) -> None:
    await counter.hear(action)
    (said,) = counter.said()
    assert (said.action.value, said.version, said.tail_size) == (action, 1, 0)


async def test_the_same_statement_again_changes_nothing(counter: Counter) -> None:
    await counter.hear("PAUSE")
    before = counter.said()
    await counter.hear("PAUSE")
    assert counter.said() == before


def _signed(*choose: int) -> Callable[[Federation], dict[str, Any]]:
    return lambda f: {"signers": [f.company.signers[index] for index in choose]}


def _invented(f: Federation) -> dict[str, Any]:
    return {"attestation": f.sign_attestation(signer=person("gateway's own"))}


def _of_another_company(f: Federation) -> dict[str, Any]:
    """Company two ends company one's consent, with its own good attestation and connection."""
    return {
        "attestation": f.sign_attestation(f.attestation_claims(f.second_company)),
        "caller": SpiffeId(TRUST_DOMAIN, Role.COMPANY, f.second_company.entity),
        "signers": f.second_company.signers[:2],
    }


REFUSALS: dict[str, tuple[Callable[[Federation], dict[str, Any]], ErrorCode]] = {
    "one signatory of two": (_signed(0), ErrorCode.CONSENT_SIGNATURE),
    "one signatory twice": (_signed(0, 0), ErrorCode.CONSENT_SIGNATURE),
    "strangers": (lambda f: {"signers": f.second_company.signers[:2]}, ErrorCode.CONSENT_SIGNATURE),
    "enough and a stranger": (
        lambda f: {"signers": [*f.company.signers[:2], person("stranger")]},
        ErrorCode.CONSENT_SIGNATURE,
    ),
    "a consent": (lambda f: {"transition": f.sign_consent()}, ErrorCode.CONSENT_SIGNATURE),
    "altered": (
        lambda f: {"transition": f.sign_transition(f.transition_claims("REVOKE"))[:-2]},
        ErrorCode.CONSENT_SIGNATURE,
    ),
    "for another federation": (
        lambda _: {"aud": StatementKind.CONSENT_TRANSITION.audience("neighbour.test")},
        ErrorCode.CONSENT_SIGNATURE,
    ),
    "about another company": (
        lambda f: {"transition": f.sign_transition(f.transition_claims("REVOKE", f.second_company))},
        ErrorCode.CONSENT_SIGNATURE,
    ),
    "another company's signatories": (_of_another_company, ErrorCode.CONSENT_SIGNATURE),
    "attested by nobody": (_invented, ErrorCode.ATTESTATION_SIGNATURE),
    "attestation over": (
        lambda f: {"attestation": f.sign_attestation(f.attestation_claims(valid_until=f.seconds(seconds=-1)))},
        ErrorCode.ATTESTATION_EXPIRED,
    ),
    "carried by another company": (
        lambda f: {"caller": SpiffeId(TRUST_DOMAIN, Role.COMPANY, f.second_company.entity)},
        ErrorCode.CALLER_MISMATCH,
    ),
    "carried from another federation": (
        lambda f: {"caller": SpiffeId("neighbour.test", Role.COMPANY, f.company.entity)},
        ErrorCode.CALLER_MISMATCH,
    ),
    "from the future": (lambda f: {"iat": f.seconds(minutes=6)}, ErrorCode.CLOCK_SKEW),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_not_heard(counter: Counter, name: str) -> None:
    build, code = REFUSALS[name]
    with pytest.raises(ConsentgateError) as caught:
        await counter.hear(**build(counter.federation))
    assert caught.value.code == code
    assert counter.said() == []


async def test_resumption_is_not_accepted_here(counter: Counter) -> None:
    with pytest.raises(ConsentgateError) as caught:
        await counter.hear("RESUME")
    assert (caught.value.code, caught.value.field) == (ErrorCode.INVALID_ARGUMENT_FIELD, "transition_jws.action")


async def test_old_statements_are_heard(counter: Counter) -> None:
    """A revocation that lay in a drawer is still the company's word."""
    await counter.hear(iat=counter.federation.seconds(days=-300))
    assert len(counter.said()) == 1


# What holds.

FACT = ConsentFact(2, "0" * 64, ConsentState.ACTIVE)
SAID = DirectRestriction("c" * 32, "0" * 32, "company", 2, PAUSE, tail_size=10)


def held_back(said: DirectRestriction, version: int = 2, resumed_at: int = -1) -> ErrorCode | None:
    try:
        check_unrestricted([said], version, replace(FACT, resumed_at=resumed_at))
    except ConsentgateError as error:
        return error.code
    return None


@pytest.mark.parametrize("version", [1, 2, 3])
def test_revocation_ends_every_version(version: int) -> None:
    assert held_back(replace(SAID, action=REVOKE), version, resumed_at=99) == ErrorCode.CONSENT_REVOKED


def test_pause_holds_its_version_and_those_before() -> None:
    assert [held_back(SAID, version) for version in (1, 2, 3)] == [
        ErrorCode.CONSENT_PAUSED,
        ErrorCode.CONSENT_PAUSED,
        None,
    ]


def test_pause_ends_with_a_resumption_recorded_after_it() -> None:
    assert held_back(SAID, resumed_at=9) == ErrorCode.CONSENT_PAUSED
    assert held_back(SAID, resumed_at=10) is None


def test_revocation_beside_a_pause_counts() -> None:
    with pytest.raises(ConsentgateError, match="CONSENT_REVOKED"):
        check_unrestricted([replace(SAID, version=1), replace(SAID, action=REVOKE)], 2, FACT)
