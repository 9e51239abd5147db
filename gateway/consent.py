"""States and terms of a consent: pure rules, no I/O, no clock (design 4, "Consent artefact").

States and the only moves between them:

    ACTIVE ──pause──▶ PAUSED          by the company, signed
    PAUSED ──resume─▶ ACTIVE          by the company, signed
    ACTIVE, PAUSED ──revoke─▶ REVOKED by the company, signed; terminal
    ACTIVE, PAUSED ──expire─▶ EXPIRED by time (`valid_until`), noted by the gateway; terminal

Rules:
 1. Any other move raises CONSENT_STATE; nothing leaves REVOKED or EXPIRED.
 2. A restriction (pause, revoke) bites from the moment the gateway holds it; everything else counts only once the
    ledger has recorded it.
 3. Time alone expires a consent, whether or not the expiry is on the ledger yet.
 4. A version is never edited. The newest recorded version of a consent id is the one in force; the ones before it
    are superseded and can be neither used nor moved.
 5. Uses are counted per version, at the moment of the reservation, and a reservation is never handed back.
 6. Frequency is counted in calendar units of UTC (the hour, day, month or year that contains the moment), as the
    adapters count it.

Left out: purpose templates (a later issue); what a consent covers is `consentgate.evidence.check_consent_covers`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.statements import ConsentClaims, Frequency


class ConsentState(StrEnum):
    """Where a version of a consent stands."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"


class Move(StrEnum):
    """What can happen to a consent; the first three are `consentgate.statements.TransitionAction`."""

    PAUSE = "PAUSE"
    RESUME = "RESUME"
    REVOKE = "REVOKE"
    EXPIRE = "EXPIRE"


RESTRICTIONS = frozenset({Move.PAUSE, Move.REVOKE})
"""Moves that bite before the ledger has them (rule 2)."""

_MOVES: dict[tuple[ConsentState, Move], ConsentState] = {
    (ConsentState.ACTIVE, Move.PAUSE): ConsentState.PAUSED,
    (ConsentState.PAUSED, Move.RESUME): ConsentState.ACTIVE,
    (ConsentState.ACTIVE, Move.REVOKE): ConsentState.REVOKED,
    (ConsentState.PAUSED, Move.REVOKE): ConsentState.REVOKED,
    (ConsentState.ACTIVE, Move.EXPIRE): ConsentState.EXPIRED,
    (ConsentState.PAUSED, Move.EXPIRE): ConsentState.EXPIRED,
}

_UNUSABLE = {
    ConsentState.PAUSED: ErrorCode.CONSENT_PAUSED,
    ConsentState.REVOKED: ErrorCode.CONSENT_REVOKED,
    ConsentState.EXPIRED: ErrorCode.CONSENT_EXPIRED,
}


@dataclass(frozen=True)
class Transition:
    """One move, and whether the ledger has it."""

    move: Move
    recorded: bool


@dataclass(frozen=True)
class Uses:
    """How often a version was used: in the current calendar unit of its frequency, and altogether."""

    in_unit: int
    total: int


def after(state: ConsentState, move: Move) -> ConsentState:
    """The state after `move`; raises CONSENT_STATE when the move does not exist."""
    try:
        return _MOVES[state, move]
    except KeyError:
        raise ConsentgateError(ErrorCode.CONSENT_STATE, private=f"{move} from {state}") from None


def state_of(transitions: Iterable[Transition], valid_until: int, now: datetime) -> ConsentState:
    """State at `now` after `transitions`, oldest first (rules 2 and 3)."""
    state = ConsentState.ACTIVE
    for transition in transitions:
        if transition.recorded or transition.move in RESTRICTIONS:
            state = after(state, transition.move)
    if state in (ConsentState.ACTIVE, ConsentState.PAUSED) and now.timestamp() >= valid_until:
        return ConsentState.EXPIRED
    return state


def check_usable(state: ConsentState) -> None:
    """Raises CONSENT_PAUSED, CONSENT_REVOKED or CONSENT_EXPIRED unless the consent is ACTIVE."""
    if state is not ConsentState.ACTIVE:
        raise ConsentgateError(_UNUSABLE[state], field="consent_jws")


def check_uses(consent: ConsentClaims, uses: Uses) -> None:
    """Raises CONSENT_FREQUENCY when one more use would exceed the frequency or the total."""
    if uses.total >= consent.total_uses:
        raise ConsentgateError(ErrorCode.CONSENT_FREQUENCY, field="consent_jws.total_uses")
    if uses.in_unit >= consent.frequency.count:
        raise ConsentgateError(ErrorCode.CONSENT_FREQUENCY, field="consent_jws.frequency")


def unit_start(now: datetime, per: str) -> datetime:
    """Beginning of the calendar unit (UTC) that contains `now` (rule 6)."""
    start = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    if per == "HOUR":
        return start
    if per == "DAY":
        return start.replace(hour=0)
    if per == "MONTH":
        return start.replace(hour=0, day=1)
    return start.replace(hour=0, day=1, month=1)


def unit_start_of(frequency: Frequency, now: datetime) -> int:
    """The same in seconds since 1970, for counting."""
    return int(unit_start(now, frequency.per).timestamp())


def check_supersedes(newer: ConsentClaims, older: ConsentClaims, state: ConsentState) -> None:
    """`newer` may replace `older`: same parties, group and token, a higher version, and `older` not at its end."""
    for name in ("company", "grantee", "group", "subject"):
        if getattr(newer, name) != getattr(older, name):
            raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=f"consent_jws.{name}")
    if newer.version <= older.version:
        raise ConsentgateError(ErrorCode.CONSENT_VERSION, field="consent_jws.version")
    if state in (ConsentState.REVOKED, ConsentState.EXPIRED):
        raise ConsentgateError(ErrorCode.CONSENT_STATE, field="consent_jws.version")
