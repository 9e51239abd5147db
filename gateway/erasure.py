"""Erasure: the gateway forgets the company behind a token, and the ledger says that it did (design 3).

In this order; interrupted anywhere, the next call, round or start goes on where it stood:

 1. One transaction of the store deletes the mapping, consents and moves, requests of the group's banks about the
    company with their salts and answers; it notes the token as erased, the data keys that must go, and the intent of
    `erasure.performed`. From then on nothing is sealed with these keys.
 2. The data keys are destroyed in the key database: copies of the store from before are unreadable from here on.
 3. Both databases' files are written anew (SQLite).
 4. The ledger gets `erasure.performed`; the recorder itself repeats step 2 before. So the ledger never claims it while
    a key is there.

The log stays as it is and verifies: its leaves name nobody, and without mapping lead to nobody.

Refused while it would cut something off: a consent that could still be used, an entry that the ledger does not have
yet, a decision whose life is not over.

What stays elsewhere: departments keep the link of company, group and token, and banks their own evidence, until their
retention ends. So a token is never pinned again: the company's old statements would undo the erasure. A copy of the
key database from before undoes step 2 for whoever has the key-encryption key, too: such copies end within days.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from consentgate import traces
from consentgate.anchors import Anchors
from consentgate.errors import ConsentgateError, ErrorCode
from gateway.consent import ConsentState
from gateway.store import copies, records
from gateway.store import erasures as store
from gateway.store.copies import CopyFindings
from gateway.store.sealed_database import SealedDatabase
from gateway.store.sealed_rows import subject_keys
from ledger.errors import LedgerError
from ledger.receipt import Receipt
from ledger.verify import verify_receipt

ENDED = frozenset({ConsentState.REVOKED, ConsentState.EXPIRED})
ELSEWHERE = (
    "departments keep the link of company, group and token until their own retention ends",
    "banks keep their requests, evidence and scores until their own retention ends",
    "copies of the key database from before open copies of the database: destroy them, or wait until they are",
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
    """SQLite files that hold the company code, when one was searched for, or the id of a destroyed data key."""
    seq: int | None
    """Index of `erasure.performed` on the ledger, verified with the gateway's anchors."""
    copy: CopyFindings | None = None
    """What a copy of the store from before gives away, when one was shown."""

    @property
    def complete(self) -> bool:
        """Nothing readable is left, here and in the copy, and the ledger says so."""
        here = not self.remaining and not self.files and self.seq is not None
        return here and (self.copy is None or self.copy.unreadable)


def erase(database: SealedDatabase, token: str, clock: Callable[[], datetime]) -> Erased:
    """Forgets the company behind this token; harmless to repeat.

    Raises NOT_FOUND, CONSENT_STATE, REQUEST_IN_PROGRESS; then nothing was deleted.
    """
    # 1. Rows and intent.
    done = database.transact(lambda session: _erase(session, token, clock()))

    # 2. Keys.
    store.finish(database)

    # 3. Files.
    database.keys.database.scrub()
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
    store.destroy(session, [found.subject], found.consents, found.requests)
    record = records.intend(session, erasure_key(token), store.KIND, {"subject": token}, now)
    store.add_erasure(session, token, found.key_ids, record)
    return counted


def _check_over(session: Session, found: store.Holdings, now: datetime) -> None:
    """Nothing of it is in use any more, and the ledger has all of it."""
    if any(consent.state(now) not in ENDED for consent in found.newest_consents(session)):
        raise ConsentgateError(ErrorCode.CONSENT_STATE, field="consents", hint=_REVOKE_FIRST)
    if not all(record.recorded for record in found.records()):
        raise ConsentgateError(ErrorCode.REQUEST_IN_PROGRESS, field="records", hint=_NOT_YET_RECORDED)
    if any(datetime.fromtimestamp(allowance.not_after, UTC) >= now for allowance in found.allowances()):
        raise ConsentgateError(ErrorCode.REQUEST_IN_PROGRESS, field="requests", hint=_WAIT_A_MINUTE)


def prove(
    database: SealedDatabase, token: str, company: str | None, anchors: Anchors, copy: str | None = None
) -> Proof:
    """Searches every table of the store (and SQLite's files) for the token, and for the company code when it is given;
    looks for the destroyed keys, and with `copy` (a SQLite file or an address) tries to open what that holds.
    """
    remaining, receipt, key_ids = database.transact(lambda session: _search(session, token, company))
    holding = _files(database, company, key_ids)
    found = None if copy is None else copies.examine(copy, database.keys, token, key_ids, company)
    return Proof(remaining, holding, None if receipt is None else _verified(receipt, token, anchors), found)


def _search(session: Session, token: str, company: str | None) -> tuple[dict[str, int], Receipt | None, list[str]]:
    allowed = store.erasure_places(session, token)
    found = {
        place: count - allowed.get(place, 0)
        for place, count in traces.places_of(session, token).items()
        if count > allowed.get(place, 0)
    }
    keys, key_ids = subject_keys(session), store.destroyed_keys(session, token)
    left = len(keys.existing(key_ids))
    if company is not None:
        for place, count in traces.places_of(session, company).items():
            found[place] = found.get(place, 0) + count
        left += len(keys.of_company(company))
    if left:
        found["key database"] = left
    known = store.erasure_of(session, token)
    return found, None if known is None else known[1], key_ids


def _files(database: SealedDatabase, company: str | None, key_ids: Sequence[str]) -> tuple[str, ...]:
    """SQLite's files, read as they lie on the disk."""
    clear = [path.name for path in database.files() if company is not None and traces.is_in(path.read_bytes(), company)]
    contents = {path.name: path.read_bytes() for path in database.keys.database.files()}
    kept = [name for name, data in contents.items() if any(key_id.encode() in data for key_id in key_ids)]
    return (*clear, *kept)


def _verified(receipt: Receipt, token: str, anchors: Anchors) -> int:
    """Raises RECEIPT_INVALID or RECEIPT_MISMATCH."""
    try:
        leaf = verify_receipt(receipt, anchors.log_policy)
    except LedgerError as error:
        raise ConsentgateError(ErrorCode.RECEIPT_INVALID, field="erasure") from error
    if leaf.entry.kind != store.KIND or leaf.entry.body != {"subject": token}:
        raise ConsentgateError(ErrorCode.RECEIPT_MISMATCH, field="erasure")
    return leaf.entry.seq


_REVOKE_FIRST = "A consent under this token can still be used: the company revokes it first."
_NOT_YET_RECORDED = "The ledger does not have all entries about it yet: run the gateway, then repeat."
_WAIT_A_MINUTE = "A decision about it may still be answered: repeat in a minute."
