"""Reservations and answers: one leaf, one use, one answer."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from department_adapter.state.models import AnswerRow, ReservationRow
from department_adapter.uses import CalendarUnit, Uses


@dataclass(frozen=True)
class Answer:
    """What leaves the department, exactly as it was signed."""

    answer_jws: bytes
    ciphertexts: bytes


@dataclass(frozen=True)
class Reservation:
    """One use of one version of a consent."""

    leaf: str
    consent_id: str
    version: int
    decided_at: int


def answer_to(session: Session, leaf: str) -> Answer | None:
    """The stored answer to a leaf."""
    row = session.get(AnswerRow, leaf)
    return None if row is None else Answer(row.answer_jws, row.ciphertexts)


def is_reserved(session: Session, leaf: str) -> bool:
    """Whether this leaf's use was counted already."""
    return session.get(ReservationRow, leaf) is not None


def uses_of(session: Session, consent_id: str, version: int, unit: CalendarUnit) -> Uses:
    """Uses so far, by the time of the decision."""
    version_uses = (
        select(func.count())
        .select_from(ReservationRow)
        .where(ReservationRow.consent_id == consent_id, ReservationRow.version == version)
    )
    in_unit = version_uses.where(ReservationRow.decided_at >= unit.start, ReservationRow.decided_at < unit.end)
    return Uses(in_unit=session.scalar(in_unit) or 0, total=session.scalar(version_uses) or 0)


def reserve(session: Session, reservation: Reservation) -> None:
    """Counts the use. It is never handed back."""
    session.add(
        ReservationRow(
            leaf=reservation.leaf,
            consent_id=reservation.consent_id,
            version=reservation.version,
            decided_at=reservation.decided_at,
        )
    )
    session.flush()


def store(session: Session, leaf: str, answer: Answer, not_after: int) -> Answer:
    """The one answer to this leaf: what another process stored before, else this."""
    known = answer_to(session, leaf)
    if known is not None:
        return known
    session.add(AnswerRow(leaf=leaf, answer_jws=answer.answer_jws, ciphertexts=answer.ciphertexts, not_after=not_after))
    session.flush()
    return answer


def forget_answers(session: Session, not_after: int) -> None:
    """Deletes answers whose decisions ended before; their uses stay counted."""
    session.execute(delete(AnswerRow).where(AnswerRow.not_after < not_after))
