"""Consent states as a state machine: any history of moves, recorded or not, obeys the rules of gateway.consent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from consentgate.errors import ConsentgateError
from gateway.consent import RESTRICTIONS, ConsentState, Move, Transition, after, state_of, unit_start

NOW = datetime(2026, 11, 24, tzinfo=UTC)
LATER = int((NOW + timedelta(days=1)).timestamp())
TERMINAL = (ConsentState.REVOKED, ConsentState.EXPIRED)
moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))


@st.composite
def histories(draw: st.DrawFn) -> list[Transition]:
    """What the gateway can hold: each move was possible when it came, a recorded prefix, then intents."""
    moves: list[Move] = []
    state = ConsentState.ACTIVE
    for move in draw(st.lists(st.sampled_from(Move), max_size=8)):
        try:
            state = after(state, move)
        except ConsentgateError:
            continue
        moves.append(move)
    recorded = draw(st.integers(0, len(moves)))
    # Only the newest move can be unrecorded, and a revocation behind it: others wait (gateway.consents).
    recorded = max(recorded, len(moves) - 1)
    return [Transition(move, index < recorded) for index, move in enumerate(moves)]


@given(histories())
def test_a_restriction_counts_at_once_and_nothing_else_does(history: list[Transition]) -> None:
    state = state_of(history, LATER, NOW)
    recorded = state_of([each for each in history if each.recorded], LATER, NOW)
    if history and not history[-1].recorded and history[-1].move in RESTRICTIONS:
        assert state in (ConsentState.PAUSED, ConsentState.REVOKED)
    else:
        assert state is recorded


@given(histories(), st.sampled_from(Move))
def test_terminal_states_stay(history: list[Transition], move: Move) -> None:
    state = state_of(history, LATER, NOW)
    if state not in TERMINAL:
        return
    assert state_of(history, LATER, NOW + timedelta(days=9)) is state
    try:
        after(state, move)
    except ConsentgateError:
        return
    raise AssertionError("something left a terminal state")


@given(histories())
def test_recording_more_never_makes_a_revoked_consent_usable(history: list[Transition]) -> None:
    revoked = any(each.move is Move.REVOKE for each in history)
    everything = [Transition(each.move, True) for each in history]
    if revoked:
        assert state_of(history, LATER, NOW) is ConsentState.REVOKED
        assert state_of(everything, LATER, NOW) is ConsentState.REVOKED


@given(moments, st.sampled_from(["HOUR", "DAY", "MONTH", "YEAR"]))
def test_units_partition_time(moment: datetime, per: str) -> None:
    start = unit_start(moment, per)
    assert start <= moment
    assert unit_start(start, per) == start
    assert unit_start(start - timedelta(microseconds=1), per) < start
