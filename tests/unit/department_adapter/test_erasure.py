"""A department forgets a company only when nothing of it can be used, and then all of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from consentgate.database import Database
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.statements import TransitionAction
from department_adapter.erasure import Erased, Proof, erase, prove
from department_adapter.ledger_feed import Extension
from department_adapter.state import answers, restrictions, subjects
from department_adapter.state.answers import Answer, Reservation
from department_adapter.state.erasures import Held
from department_adapter.state.restrictions import DirectRestriction
from department_adapter.state.tail import Position
from department_adapter.subject_record import STALE_CHECKPOINTS, SubjectRecord, read_record
from ledger.chain import Chain
from ledger.entry import leaf_hash
from tests.support.federation import NOW, Federation, company_code, hex16
from tests.support.witnessed_log import WitnessedLog
from tests.unit.department_adapter.ledger_entries import CONSENT, GROUP, SUBJECT, LogFeed, decided, granted, moved

CODE, STRANGER = company_code(1), company_code(2)
OTHER = hex16("other consent")
RETENTION = timedelta(days=30)
REVOKED = moved("revoked")


def use(at_label: str = "use") -> tuple[str, dict[str, object]]:
    """A release under the token."""
    return "query.release", {
        "decision": hex16(at_label) * 2,
        "request_id": hex16(at_label),
        "institution": "bank-a",
        "subject": SUBJECT,
        "answers": [],
        "missing": [],
        "output": hex16("output") * 2,
    }


def log_of(*entries: tuple[str, dict[str, object]], days_ago: int = 60) -> WitnessedLog:
    log = WitnessedLog(NOW - timedelta(days=days_ago, minutes=1))
    for kind, body in entries:
        log.append(kind, body, NOW - timedelta(days=days_ago))
    return log


async def record_of(log: WitnessedLog, federation: Federation, known: Position | None = None) -> SubjectRecord:
    return await read_record(LogFeed(log, lambda: NOW, batch=2), known, federation.anchors, SUBJECT, lambda: NOW)


def restriction(consent_id: str, company: str = CODE) -> DirectRestriction:
    return DirectRestriction(consent_id, hex16("nonce"), company, 1, TransitionAction.REVOKE, 3)


@pytest.fixture
def used(state: Database) -> Database:
    """A state in which the company was answered, once, and said something; and another company's pin."""

    def work(session: object) -> None:
        restrictions.pin_subject(session, CODE, GROUP, SUBJECT)  # type: ignore[arg-type]
        restrictions.pin_subject(session, STRANGER, GROUP, hex16("stranger"))  # type: ignore[arg-type]
        restrictions.add(session, restriction(CONSENT), b"statement")  # type: ignore[arg-type]
        answers.reserve(session, Reservation("1" * 64, CONSENT, 1, 1))  # type: ignore[arg-type]
        answers.reserve(session, Reservation("2" * 64, OTHER, 1, 1))  # type: ignore[arg-type]
        answers.store(session, "1" * 64, Answer(b"answer", b"ciphertexts"), 1)  # type: ignore[arg-type]

    state.transact(work)
    return state


def rows(state: Database) -> dict[str, int]:
    tables = ("pinned_subjects", "direct_restrictions", "reservations", "answers")
    with state.engine.connect() as connection:
        return {name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar() or 0 for name in tables}  # noqa: S608


def erased(state: Database, record: SubjectRecord, retention: timedelta = RETENTION) -> Erased:
    return erase(state, SUBJECT, record, retention, NOW)


def refusal(state: Database, record: SubjectRecord, retention: timedelta = RETENTION) -> ConsentgateError:
    before = rows(state)
    with pytest.raises(ConsentgateError) as caught:
        erased(state, record, retention)
    assert rows(state) == before
    return caught.value


async def test_everything_of_the_token_goes_and_nothing_else(used: Database, federation: Federation) -> None:
    record = await record_of(log_of(granted(), use(), REVOKED), federation)
    before = prove(used, SUBJECT, CODE)
    assert before.remaining == {
        "pinned_subjects.token": 1,
        "pinned_subjects.company": 1,
        "direct_restrictions.company": 1,
    }
    assert not before.complete
    assert erased(used, record) == Erased(Held(pins=1, restrictions=1, uses=1), kept_restrictions=0)
    assert rows(used) == {"pinned_subjects": 1, "direct_restrictions": 0, "reservations": 1, "answers": 0}
    assert prove(used, SUBJECT, CODE) == Proof({}, ())
    assert prove(used, hex16("stranger"), STRANGER).remaining != {}
    pinned = used.transact(lambda session: restrictions.pin_subject(session, CODE, GROUP, hex16("new token")))
    assert pinned == hex16("new token"), "the company may begin anew"
    with pytest.raises(ConsentgateError, match="NOT_FOUND"):
        erased(used, record)


@pytest.mark.parametrize(
    "entries",
    [
        [granted()],
        [granted(), moved("paused")],
        [granted(), moved("paused"), moved("resumed")],
        [granted(), REVOKED, granted(consent_id=OTHER)],
        [granted(), granted(2), moved("expired", version=1)],
    ],
)
async def test_a_consent_that_can_still_be_used(used: Database, federation: Federation, entries: list) -> None:  # type: ignore[type-arg]
    record = await record_of(log_of(*entries), federation)
    assert refusal(used, record, timedelta(0)).code is ErrorCode.CONSENT_STATE


async def test_a_consent_that_the_adapter_learns_of_while_the_ledger_is_read(
    used: Database, federation: Federation
) -> None:
    entries = [granted(), use(), REVOKED]
    record = await record_of(log_of(*entries), federation)
    newer = log_of(*entries, granted(consent_id=OTHER))
    hashes = bytearray(b"".join(leaf_hash(leaf) for leaf in newer.leaves[1:]))
    used.transact(lambda session: subjects.extend_histories(session, {SUBJECT: hashes}))
    refused = refusal(used, record)
    assert (refused.code, refused.field) == (ErrorCode.LEDGER_STALE, "ledger")
    assert refusal(used, await record_of(newer, federation)).code is ErrorCode.CONSENT_STATE


async def test_a_consent_whose_time_is_over_is_over(used: Database, federation: Federation) -> None:
    kind, body = granted()
    ended = (kind, {**body, "valid_until": "2026-02-01T00:00:00.000000Z"})
    record = await record_of(log_of(ended, days_ago=400), federation)
    assert erased(used, record).deleted.pins == 1


async def test_retention(used: Database, federation: Federation) -> None:
    record = await record_of(log_of(granted(), use(), REVOKED, days_ago=29), federation)
    refused = refusal(used, record)
    assert (refused.code, refused.field) == (ErrorCode.RETENTION_RUNNING, "retention_days")
    assert erased(used, record, timedelta(days=29)).deleted.uses == 1


async def test_a_decision_counts_as_a_use(federation: Federation) -> None:
    kind, body = decided("deny")
    log = log_of(granted(), (kind, {**body, "subject": SUBJECT}), days_ago=7)
    assert (await record_of(log, federation)).last_use == NOW - timedelta(days=7)


async def test_words_about_consents_that_have_not_ended_stay(used: Database, federation: Federation) -> None:
    """A gateway that hides a consent could otherwise bring it out later, without the revocation."""
    used.transact(lambda session: restrictions.add(session, restriction(hex16("hidden")), b"statement"))
    record = await record_of(log_of(granted(), REVOKED), federation)
    assert erased(used, record).kept_restrictions == 1
    assert prove(used, SUBJECT, CODE).remaining == {"direct_restrictions.company": 1}
    assert prove(used, SUBJECT, None).complete


async def test_an_unknown_token(state: Database, federation: Federation) -> None:
    record = await record_of(log_of(granted(), REVOKED), federation)
    with pytest.raises(ConsentgateError) as caught:
        erased(state, record)
    assert (caught.value.code, caught.value.field) == (ErrorCode.NOT_FOUND, "token")


# Reading the ledger.


async def test_only_the_tokens_entries_are_kept(federation: Federation) -> None:
    kind, body = granted(consent_id=OTHER)
    log = log_of(granted(), (kind, {**body, "subject": hex16("stranger")}), REVOKED)
    record = await record_of(log, federation)
    assert set(record.consents) == {CONSENT} == record.ended(NOW)


async def test_the_log_must_lead_through_what_was_verified(federation: Federation) -> None:
    """Another history, in which the consent was revoked, is not believed."""
    known = log_of(granted(), moved("paused"))
    position = Position(Chain(known.policy.logs[0].name).extend(known.leaves)[0], b"")
    assert (await record_of(known, federation, position)).consents
    with pytest.raises(ConsentgateError, match="LEDGER_INVALID"):
        await record_of(log_of(granted(), REVOKED), federation, position)


async def test_a_shorter_log_is_waited_out(federation: Federation) -> None:
    known = log_of(granted(), REVOKED)
    position = Position(Chain(known.policy.logs[0].name).extend(known.leaves)[0], b"")
    feed = LogFeed(known, lambda: NOW, extensions=[Extension(known.leaves[:2], known.note(NOW, size=2))])
    with pytest.raises(ConsentgateError, match="LEDGER_UNAVAILABLE"):
        await read_record(feed, position, federation.anchors, SUBJECT, lambda: NOW)


async def test_old_checkpoints_and_missing_witnesses(federation: Federation) -> None:
    log = log_of(granted(), REVOKED)
    old = [Extension([], log.note(NOW - timedelta(minutes=1)))] * STALE_CHECKPOINTS
    feed = LogFeed(log, lambda: NOW, extensions=[Extension(log.leaves, log.note(NOW - timedelta(minutes=1))), *old])
    with pytest.raises(ConsentgateError, match="LEDGER_STALE"):
        await read_record(feed, None, federation.anchors, SUBJECT, lambda: NOW)
    alone = LogFeed(log, lambda: NOW, witnesses=("tax",))
    with pytest.raises(ConsentgateError, match="LEDGER_QUORUM"):
        await read_record(alone, None, federation.anchors, SUBJECT, lambda: NOW)


async def test_a_gap_in_the_log(federation: Federation) -> None:
    log = log_of(granted(), REVOKED)
    feed = LogFeed(log, lambda: NOW, extensions=[Extension([*log.leaves[:1], *log.leaves[2:]], log.note(NOW))])
    with pytest.raises(ConsentgateError, match="LEDGER_INVALID"):
        await read_record(feed, None, federation.anchors, SUBJECT, lambda: NOW)
