"""States and terms of a consent: every move from every state, time, calendar units, uses, versions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from consentgate.errors import ConsentgateError, ErrorCode
from gateway import consent as rules
from gateway.consent import ConsentState, Move, Transition, Uses
from tests.support.federation import Federation, hex16

FEDERATION = Federation()
NOW = FEDERATION.now
LATER = FEDERATION.seconds(days=180)

MOVES = {
    ("ACTIVE", "PAUSE"): "PAUSED",
    ("ACTIVE", "REVOKE"): "REVOKED",
    ("ACTIVE", "EXPIRE"): "EXPIRED",
    ("PAUSED", "RESUME"): "ACTIVE",
    ("PAUSED", "REVOKE"): "REVOKED",
    ("PAUSED", "EXPIRE"): "EXPIRED",
}
"""The whole machine, written down a second time."""


@pytest.mark.parametrize("state", ConsentState)
@pytest.mark.parametrize("move", Move)
def test_every_move_from_every_state(state: ConsentState, move: Move) -> None:
    wanted = MOVES.get((state.value, move.value))
    if wanted is None:
        with pytest.raises(ConsentgateError, match="CONSENT_STATE"):
            rules.after(state, move)
    else:
        assert rules.after(state, move) is ConsentState(wanted)


def history(*moves: str) -> list[Transition]:
    """ "PAUSE" is on the ledger, "PAUSE?" is not yet."""
    return [Transition(Move(move.rstrip("?")), not move.endswith("?")) for move in moves]


@pytest.mark.parametrize(
    ("moves", "state"),
    [
        ((), "ACTIVE"),
        (("PAUSE",), "PAUSED"),
        (("PAUSE?",), "PAUSED"),
        (("PAUSE", "RESUME"), "ACTIVE"),
        (("PAUSE", "RESUME?"), "PAUSED"),
        (("PAUSE?", "RESUME?"), "PAUSED"),
        (("PAUSE", "RESUME?", "REVOKE?"), "REVOKED"),
        (("PAUSE", "RESUME", "PAUSE?"), "PAUSED"),
        (("REVOKE?",), "REVOKED"),
        (("REVOKE",), "REVOKED"),
        (("PAUSE", "REVOKE"), "REVOKED"),
        (("EXPIRE",), "EXPIRED"),
    ],
)
def test_only_restrictions_bite_before_the_ledger(moves: tuple[str, ...], state: str) -> None:
    assert rules.state_of(history(*moves), LATER, NOW) is ConsentState(state)


@pytest.mark.parametrize(
    ("moves", "state"), [((), "EXPIRED"), (("PAUSE",), "EXPIRED"), (("REVOKE",), "REVOKED"), (("EXPIRE",), "EXPIRED")]
)
def test_time_alone_expires(moves: tuple[str, ...], state: str) -> None:
    end = int(NOW.timestamp())
    assert rules.state_of(history(*moves), end, NOW) is ConsentState(state)
    assert rules.state_of((), end, NOW - timedelta(seconds=1)) is ConsentState.ACTIVE


def test_a_history_that_never_was_raises() -> None:
    with pytest.raises(ConsentgateError, match="CONSENT_STATE"):
        rules.state_of(history("REVOKE", "RESUME"), LATER, NOW)


@pytest.mark.parametrize("state", ConsentState)
def test_only_active_is_usable(state: ConsentState) -> None:
    if state is ConsentState.ACTIVE:
        rules.check_usable(state)
        return
    with pytest.raises(ConsentgateError) as caught:
        rules.check_usable(state)
    assert caught.value.code is ErrorCode(f"CONSENT_{state}")


@pytest.mark.parametrize(
    ("in_unit", "total", "field"),
    [
        (0, 0, None),
        (3, 99, None),
        (4, 50, "consent_jws.frequency"),
        (9, 50, "consent_jws.frequency"),
        (0, 100, "consent_jws.total_uses"),
        (4, 100, "consent_jws.total_uses"),
    ],
)
def test_uses(in_unit: int, total: int, field: str | None) -> None:
    claims = FEDERATION.consent_claims(frequency={"count": 4, "per": "MONTH"}, total_uses=100)
    if field is None:
        rules.check_uses(claims, Uses(in_unit, total))
        return
    with pytest.raises(ConsentgateError) as caught:
        rules.check_uses(claims, Uses(in_unit, total))
    assert (caught.value.code, caught.value.field) == (ErrorCode.CONSENT_FREQUENCY, field)


@pytest.mark.parametrize(
    ("per", "start"),
    [
        ("HOUR", datetime(2028, 2, 29, 23, tzinfo=UTC)),
        ("DAY", datetime(2028, 2, 29, tzinfo=UTC)),
        ("MONTH", datetime(2028, 2, 1, tzinfo=UTC)),
        ("YEAR", datetime(2028, 1, 1, tzinfo=UTC)),
    ],
)
def test_calendar_units_are_those_of_utc(per: str, start: datetime) -> None:
    moment = datetime(2028, 2, 29, 23, 59, 59, 999999, tzinfo=UTC)
    assert rules.unit_start(moment, per) == start
    # The same moment, told in Beijing, where it is the first of March already.
    assert rules.unit_start(moment.astimezone(timezone(timedelta(hours=8))), per) == start
    assert rules.unit_start(start, per) == start
    assert rules.unit_start(start - timedelta(microseconds=1), per) < start


def test_unit_start_in_seconds() -> None:
    claims = FEDERATION.consent_claims(frequency={"count": 1, "per": "MONTH"})
    assert rules.unit_start_of(claims.frequency, NOW) == int(datetime(2026, 11, 1, tzinfo=UTC).timestamp())


OLDER = FEDERATION.consent_claims(version=2)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"grantee": str(FEDERATION.bank_b.identity)}, "grantee"),
        ({"group": "group-b"}, "group"),
        ({"subject": hex16("another")}, "subject"),
        ({"company": FEDERATION.second_company.code}, "company"),
        ({"version": 2}, "version"),
        ({"version": 1}, "version"),
    ],
)
def test_what_a_new_version_may_not_change(changes: dict[str, object], field: str) -> None:
    newer = OLDER.model_copy(update={"version": 3, **changes})
    with pytest.raises(ConsentgateError) as caught:
        rules.check_supersedes(newer, OLDER, ConsentState.ACTIVE)
    assert caught.value.field == f"consent_jws.{field}"


def test_a_new_version_may_change_the_rest() -> None:
    newer = FEDERATION.consent_claims(version=7, purpose="credit.monitoring", categories=["tax.payments"])
    for state in (ConsentState.ACTIVE, ConsentState.PAUSED):
        rules.check_supersedes(newer, OLDER, state)


@pytest.mark.parametrize("state", [ConsentState.REVOKED, ConsentState.EXPIRED])
def test_nothing_follows_an_ended_consent(state: ConsentState) -> None:
    with pytest.raises(ConsentgateError, match="CONSENT_STATE"):
        rules.check_supersedes(FEDERATION.consent_claims(version=3), OLDER, state)
