"""Erasure: the gateway forgets the company behind a token, and the ledger says that it did (design 3).

Destroyed, in one transaction: the mapping, consents and moves, requests of the group's banks about the company with
their salts and answers, and the company's own row with its last token. In the same transaction stands the intent of
`erasure.performed`, so whatever crashes afterwards, the ledger learns of it: from the running gateway's next round, or
at its next start. The log stays as it is and verifies: its leaves name nobody, and without mapping lead to nobody.

Refused while it would cut something off: a consent that could still be used, an entry that the ledger does not have
yet, a decision whose life is not over.

What stays elsewhere: departments keep the link of company, group and token, and banks their own evidence, until their
retention ends. So a token is never pinned again: the company's old statements would undo the erasure. Copies of the
database, too, end with their own retention: rows are not encrypted under keys of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from consentgate.anchors import Anchors
from consentgate.database import Database
from consentgate.errors import ConsentgateError, ErrorCode
from gateway.consent import ConsentState
from gateway.store import erasures as store
from gateway.store import records
from ledger.errors import LedgerError
from ledger.receipt import Receipt
from ledger.verify import verify_receipt

KIND = "erasure.performed"
ENDED = frozenset({ConsentState.REVOKED, ConsentState.EXPIRED})
ELSEWHERE = (
    "departments keep the link of company, group and token until their own retention ends",
    "banks keep their requests, evidence and scores until their own retention ends",
    "copies of this database keep what they held until they are destroyed",
)
"""What no erasure here reaches."""


def erasure_key(token: str) -> str:
    """Idempotency key of the leaf."""
    return f"erasure:{token}"


@dataclass(frozen=True)
class Erased:
    """What was deleted: numbers only. All zero when it had been done before."""

    consents: int
    requests: int
    company: bool


@dataclass(frozen=True)
class Proof:
    """What a search of the whole store found: `remaining` is table.column → rows."""

    remaining: dict[str, int]
    files: tuple[str, ...]
    """SQLite files that hold the company code, when one was searched for."""
    seq: int | None
    """Index of `erasure.performed` on the ledger, verified with the gateway's anchors."""

    @property
    def complete(self) -> bool:
        """Nothing readable is left and the ledger says so."""
        return not self.remaining and not self.files and self.seq is not None


def erase(database: Database, token: str, clock: Callable[[], datetime]) -> Erased:
    """Forgets the company behind this token; harmless to repeat.

    Raises NOT_FOUND, CONSENT_STATE, REQUEST_IN_PROGRESS; then nothing was deleted.
    """
    done = database.transact(lambda session: _erase(session, token, clock()))
    database.scrub()
    return done


def _erase(session: Session, token: str, now: datetime) -> Erased:
    if store.erasure_of(session, token) is not None:
        return Erased(0, 0, False)
    found = store.holdings(session, token)
    if found is None:
        raise ConsentgateError(ErrorCode.NOT_FOUND, field="token")
    _check_over(session, found, now)
    counted = Erased(len(found.consents), len(found.requests), found.is_last)
    store.destroy(session, found)
    record = records.intend(session, erasure_key(token), KIND, {"subject": token}, now)
    store.add_erasure(session, token, record)
    return counted


def _check_over(session: Session, found: store.Holdings, now: datetime) -> None:
    """Nothing of it is in use any more, and the ledger has all of it."""
    if any(consent.state(now) not in ENDED for consent in found.newest_consents(session)):
        raise ConsentgateError(ErrorCode.CONSENT_STATE, field="consents", hint=_REVOKE_FIRST)
    if not all(record.recorded for record in found.records()):
        raise ConsentgateError(ErrorCode.REQUEST_IN_PROGRESS, field="records", hint=_NOT_YET_RECORDED)
    if any(datetime.fromtimestamp(allowance.not_after, UTC) >= now for allowance in found.allowances()):
        raise ConsentgateError(ErrorCode.REQUEST_IN_PROGRESS, field="requests", hint=_WAIT_A_MINUTE)


def prove(database: Database, token: str, company: str | None, anchors: Anchors) -> Proof:
    """Searches every table (and SQLite's files) for the token, and for the company code when it is given."""
    remaining, receipt = database.transact(lambda session: _search(session, token, company))
    holding = [
        path.name for path in database.files() if company is not None and store.is_in(path.read_bytes(), company)
    ]
    return Proof(remaining, tuple(holding), None if receipt is None else _verified(receipt, token, anchors))


def _search(session: Session, token: str, company: str | None) -> tuple[dict[str, int], Receipt | None]:
    allowed = store.erasure_places(session, token)
    found = {
        place: count - allowed.get(place, 0)
        for place, count in store.places_of(session, token).items()
        if count > allowed.get(place, 0)
    }
    if company is not None:
        for place, count in store.places_of(session, company).items():
            found[place] = found.get(place, 0) + count
    known = store.erasure_of(session, token)
    return found, None if known is None else known[1]


def _verified(receipt: Receipt, token: str, anchors: Anchors) -> int:
    """Raises RECEIPT_INVALID or RECEIPT_MISMATCH."""
    try:
        leaf = verify_receipt(receipt, anchors.log_policy)
    except LedgerError as error:
        raise ConsentgateError(ErrorCode.RECEIPT_INVALID, field="erasure") from error
    if leaf.entry.kind != KIND or leaf.entry.body != {"subject": token}:
        raise ConsentgateError(ErrorCode.RECEIPT_MISMATCH, field="erasure")
    return leaf.entry.seq


_REVOKE_FIRST = "A consent under this token can still be used: the company revokes it first."
_NOT_YET_RECORDED = "The ledger does not have all entries about it yet: run the gateway, then repeat."
_WAIT_A_MINUTE = "A decision about it may still be answered: repeat in a minute."
