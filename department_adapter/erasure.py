"""A department forgets which company is behind a subject token, when nobody needs the link any more.

Deleted, in one transaction: the pin of company, group and token, and of the token's consents what the company said
directly, the counted uses and the answers. What the ledger shows stays: consents, and how many entries bear the token.
The department's own records about the company are another law's affair, and are not touched.

Refused (numbered as checked):

 0. LEDGER_STALE when an adapter beside has read more entries of the token than the record tells;
 1. CONSENT_STATE while a consent under the token can still be used, by the ledger as it is now: without pin and counts
    a gateway could stretch it, or show the company another token's entries only.
 2. RETENTION_RUNNING while what was released under the token must still be accounted for (`retention_days` after the
    last decision or release).

Afterwards the company may consent to the same group under a new token. Nothing is appended to the ledger: departments
do not write there, and the gateway's `erasure.performed` is about the gateway.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from consentgate import traces
from consentgate.database import Database
from consentgate.errors import ConsentgateError, ErrorCode
from department_adapter.state import erasures as store
from department_adapter.state import subjects
from department_adapter.state.erasures import Held
from department_adapter.subject_record import SubjectRecord

PUBLIC = frozenset({"ledger_subjects.token"})
"""Where a token may stand: how many ledger entries bear it, which everybody can count who reads the log."""
ELSEWHERE = (
    "the department's own records about the company are not Consentgate's, and stay",
    "copies of this state keep what they held until they are destroyed",
    "the gateway has its own command, banks theirs",
)
"""What no erasure here reaches."""

_REPEAT = "Something was recorded under this token while the ledger was read: repeat."
_REVOKE_FIRST = "A consent under this token can still be used: the company revokes it first."
_STILL_KEPT = "What was released under this token must be accounted for until retention_days after it."


@dataclass(frozen=True)
class Erased:
    """What was deleted, and how many words of the company stay, because a consent of it has not ended."""

    deleted: Held
    kept_restrictions: int


@dataclass(frozen=True)
class Proof:
    """What a search of the whole state found: `remaining` is table.column → rows; `files` hold the company code."""

    remaining: dict[str, int]
    files: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Nothing is left that leads from the token to the company."""
        return not self.remaining and not self.files


def erase(database: Database, token: str, record: SubjectRecord, retention: timedelta, now: datetime) -> Erased:
    """Forgets the company behind this token; raises NOT_FOUND, LEDGER_STALE, CONSENT_STATE or
    RETENTION_RUNNING.
    """
    done = database.transact(lambda session: _erase(session, token, record, retention, now))
    database.scrub()
    return done


def _erase(session: Session, token: str, record: SubjectRecord, retention: timedelta, now: datetime) -> Erased:
    consents = record.ended(now)
    found = store.held(session, token, record.consents)
    if not found:
        raise ConsentgateError(ErrorCode.NOT_FOUND, field="token")

    # 0. Between the reading and now a consent may have been granted, and used.
    if subjects.history_of(session, token).entries > record.entries:
        raise ConsentgateError(ErrorCode.LEDGER_STALE, field="ledger", hint=_REPEAT)

    # 1. Nothing of it can be used.
    if consents != set(record.consents):
        raise ConsentgateError(ErrorCode.CONSENT_STATE, field="consents", hint=_REVOKE_FIRST)

    # 2. Nothing of it must be kept.
    if record.last_use is not None and now < record.last_use + retention:
        raise ConsentgateError(ErrorCode.RETENTION_RUNNING, field="retention_days", hint=_STILL_KEPT)

    kept = store.unended_restrictions(session, token, consents)
    store.destroy(session, token, consents)
    return Erased(found, kept)


def prove(database: Database, token: str, company: str | None) -> Proof:
    """Searches every table (and SQLite's files) for the token, and for the company code when it is given."""
    remaining = database.transact(lambda session: _search(session, token, company))
    holding = [path for path in database.files() if company is not None and traces.is_in(path.read_bytes(), company)]
    return Proof(remaining, tuple(path.name for path in holding))


def _search(session: Session, token: str, company: str | None) -> dict[str, int]:
    found = {place: count for place, count in traces.places_of(session, token).items() if place not in PUBLIC}
    if company is not None:
        for place, count in traces.places_of(session, company).items():
            found[place] = found.get(place, 0) + count
    return found
