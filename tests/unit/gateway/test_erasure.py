"""Erasure: everything that leads from a token to its company goes, nothing else does, and the ledger says so."""

from __future__ import annotations

import base64
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from consentgate import traces
from consentgate.errors import ConsentgateError, ErrorCode
from gateway.consent import Move
from gateway.erasure import Erased, erase, prove
from gateway.store import erasures, requests
from gateway.store.consents import subjects_of
from gateway.store.subject_keys import SubjectKeys
from ledger.chain import Chain
from ledger.verify import check_head
from tests.support.federation import company_code, hex16
from tests.support.gateway_house import House
from tests.support.witnessed_log import ORIGIN


async def used_up(house: House) -> House:
    """Two scores, a denial, a revocation; an hour later."""
    await house.score(house.request("one"))
    await house.score(house.request("two"))
    await house.refused(house.request("denied", purpose="credit.monitoring"))
    await house.grant(house.federation.second_company)
    await house.consents.move(house.transition("REVOKE"), Move.REVOKE, house.company())
    house.clock.forward(hours=1)
    return house


@pytest.fixture
async def ended(settled: House) -> House:
    return await used_up(settled)


def subject(house: House) -> str:
    return house.federation.company.subject


def erased(house: House) -> Erased:
    return erase(house.database, subject(house), house.clock)


def keys_of(house: House) -> dict[str, str]:
    return house.database.keys.of_company(house.federation.company.code)


def rows(house: House) -> dict[str, int]:
    with house.database.engine.connect() as connection:
        names = [row[0] for row in connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'"))]
        return {name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar() or 0 for name in names}  # noqa: S608


async def test_before_an_erasure_the_search_finds_the_company_everywhere(ended: House) -> None:
    """A search that finds nothing would prove nothing."""
    code = ended.federation.company.code
    found = prove(ended.database, subject(ended), code, ended.federation.anchors)
    assert not found.complete
    assert found.seq is None
    assert found.remaining == {"subjects.token": 1, "records.body": 7, "records.leaf": 7, "key database": 1}
    assert found.files == (), "the code stands nowhere in clear"
    shown = prove(ended.database, subject(ended), code, ended.federation.anchors, str(ended.folder / "gateway.db"))
    assert shown.copy is not None
    assert shown.copy.readable == {
        "subjects.mapping": 1,
        "consents.consent_jws": 1,
        "consents.attestation_jws": 1,
        "consent_transitions.transition_jws": 1,
        "requests.request_jws": 3,
        "requests.request_salt": 3,
        "answers.ciphertext": 2,
        "answers.answer_jws": 2,
    }
    assert shown.copy.sealed == 0


async def test_after_it_nothing_leads_to_the_company(ended: House) -> None:
    company = ended.federation.company
    assert erased(ended) == Erased(consents=1, requests=3, company=True)
    for needle in (company.code, company.entity):
        assert ended.database.transact(lambda session, needle=needle: traces.places_of(session, needle)) == {}
    assert await ended.upkeep.round()
    found = prove(ended.database, company.subject, company.code, ended.federation.anchors)
    assert (found.remaining, found.files, found.complete) == ({}, (), True)
    assert (keys_of(ended), ended.database.keys.of_entity(company.entity)) == ({}, {})
    (entry,) = ended.ledger.entries("erasure.performed")
    assert (entry.seq, dict(entry.body)) == (found.seq, {"subject": company.subject})


async def test_the_log_verifies_as_before(ended: House) -> None:
    erased(ended)
    await ended.upkeep.round()
    log = ended.federation.log
    chain, entries = Chain(ORIGIN).extend(log.leaves)
    check_head(chain, log.policy.check(log.note(ended.clock.now)).checkpoint)
    assert [entry.kind for entry in entries].count("query.release") == 2


async def test_other_companies_and_everything_shared_stay(ended: House) -> None:
    other = ended.federation.second_company
    before = rows(ended)
    erased(ended)
    after = rows(ended)
    assert ended.database.transact(lambda session: subjects_of(session, other.entity)) == [other.subject]
    same = ("scorecards", "approvals", "group_members", "recipient_keys", "policies")
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    assert (after["subjects"], after["consents"], after["requests"], after["erasures"]) == (1, 1, 0, 1)
    answered = await ended.score(ended.request("other", company=other.code))
    assert ended.open_score(answered) == ended.federation.plaintext_score()


async def test_another_token_of_the_company_keeps_it(ended: House) -> None:
    """Two groups: what belongs to the other one stays, the company's row with it."""
    other = hex16("other token")
    bank_b = str(ended.federation.bank_b.identity)
    await ended.grant(
        consent_id=hex16("other consent"), subject=other, group="group-b", grantee=bank_b, valid_until=2_000_000_000
    )
    assert erased(ended) == Erased(consents=1, requests=3, company=False)
    found = prove(ended.database, subject(ended), None, ended.federation.anchors)
    assert found.remaining == {}
    company = ended.federation.company
    assert ended.database.transact(lambda session: subjects_of(session, company.entity)) == [other]
    assert set(keys_of(ended)) == {"group-b"}


async def test_twice_is_once(ended: House) -> None:
    erased(ended)
    assert erased(ended) == Erased(0, 0, False)
    for _ in range(2):
        await ended.upkeep.round()
    assert erased(ended) == Erased(0, 0, False)
    assert len(ended.ledger.entries("erasure.performed")) == 1


async def test_what_was_erased_cannot_be_brought_back(ended: House) -> None:
    """The company's old statements still exist: sent again, they would undo the erasure."""
    erased(ended)
    for changes in ({}, {"consent_id": hex16("new consent"), "nonce": hex16("new")}):
        with pytest.raises(ConsentgateError) as caught:
            await ended.grant(**changes)  # type: ignore[arg-type]
        assert (caught.value.code, caught.value.field) == (ErrorCode.SUBJECT_MISMATCH, "consent_jws.subject")
    assert rows(ended)["subjects"] == 1, "only the other company's"
    assert keys_of(ended) == {}
    assert (await ended.refused(ended.request("later"))).code is ErrorCode.CONSENT_NOT_FOUND


# What must not be cut off.


async def refusal(house: House) -> ConsentgateError:
    before = rows(house)
    with pytest.raises(ConsentgateError) as caught:
        erased(house)
    assert rows(house) == before
    return caught.value


async def test_an_unknown_token(settled: House) -> None:
    with pytest.raises(ConsentgateError) as caught:
        erase(settled.database, "0" * 32, settled.clock)
    assert caught.value.code is ErrorCode.NOT_FOUND


@pytest.mark.parametrize("move", [None, Move.PAUSE])
async def test_a_consent_that_can_still_be_used(settled: House, move: Move | None) -> None:
    if move is not None:
        await settled.consents.move(settled.transition("PAUSE"), move, settled.company())
    assert (await refusal(settled)).code is ErrorCode.CONSENT_STATE


async def test_a_consent_whose_time_is_over_is_over(settled: House) -> None:
    settled.clock.forward(days=4000)
    assert erased(settled).consents == 1


async def test_an_entry_that_the_ledger_has_not(ended: House) -> None:
    ended.ledger.down = ErrorCode.LEDGER_UNAVAILABLE
    await ended.refused(ended.request("unrecorded"))
    refused = await refusal(ended)
    assert (refused.code, refused.field) == (ErrorCode.REQUEST_IN_PROGRESS, "records")
    ended.ledger.down = None
    await ended.upkeep.round()
    assert erased(ended).requests == 4


async def test_a_decision_that_may_still_be_answered(settled: House) -> None:
    await settled.score()
    await settled.consents.move(settled.transition("REVOKE"), Move.REVOKE, settled.company())
    refused = await refusal(settled)
    assert (refused.code, refused.field) == (ErrorCode.REQUEST_IN_PROGRESS, "requests")
    settled.clock.forward(minutes=2)
    assert erased(settled).requests == 1


# Crashes.


class Died(Exception):
    """Stands for SIGKILL."""


async def test_a_crash_inside_the_transaction_leaves_all(ended: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def dying(*_: object) -> None:
        raise Died

    before = rows(ended)
    monkeypatch.setattr(erasures, "add_erasure", dying)
    with pytest.raises(Died):
        erased(ended)
    ended.restart()
    assert rows(ended) == before


async def test_a_crash_after_it_still_reaches_the_ledger(ended: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def dying() -> None:
        raise Died

    monkeypatch.setattr(ended.database, "scrub", dying)
    with pytest.raises(Died):
        erased(ended)
    ended.restart()
    assert await ended.upkeep.round()
    assert erased(ended) == Erased(0, 0, False), "repeated, for what the crash left in the files"
    company = ended.federation.company
    assert prove(ended.database, company.subject, company.code, ended.federation.anchors).complete


@pytest.mark.parametrize("fault", ["lost", "kept"])
async def test_a_lost_append_is_one_entry(ended: House, fault: str) -> None:
    erased(ended)
    getattr(ended.ledger, fault).append(ErrorCode.LEDGER_UNAVAILABLE)
    assert not await ended.upkeep.round()
    assert prove(ended.database, subject(ended), None, ended.federation.anchors).seq is None
    assert await ended.upkeep.round()
    assert prove(ended.database, subject(ended), None, ended.federation.anchors).complete
    assert len(ended.ledger.entries("erasure.performed")) == 1


async def test_a_crash_between_the_transaction_and_its_keys(ended: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows are gone, the keys are not yet: the ledger hears of it only after they are."""
    key_ids = set(keys_of(ended).values())
    with monkeypatch.context() as patch:
        patch.setattr(SubjectKeys, "destroy", dying)
        with pytest.raises(Died):
            erased(ended)
        ended.restart()
        with pytest.raises(Died):
            await ended.recorder.recover()
    assert ended.ledger.entries("erasure.performed") == []
    assert ended.database.keys.existing(key_ids) == key_ids
    found = prove(ended.database, subject(ended), None, ended.federation.anchors)
    assert (found.remaining, found.complete) == ({"key database": 1}, False)
    assert await ended.upkeep.round()
    assert ended.database.keys.existing(key_ids) == set()
    assert len(ended.ledger.entries("erasure.performed")) == 1
    assert erased(ended) == Erased(0, 0, False)
    assert prove(ended.database, subject(ended), None, ended.federation.anchors).complete


async def test_a_crash_between_the_keys_and_the_ledger(ended: House) -> None:
    ended.ledger.down = ErrorCode.LEDGER_UNAVAILABLE
    key_ids = set(keys_of(ended).values())
    erased(ended)
    assert not await ended.upkeep.round()
    assert ended.database.keys.existing(key_ids) == set()
    ended.restart()
    ended.ledger.down = None
    assert await ended.upkeep.round()
    assert prove(ended.database, subject(ended), None, ended.federation.anchors).complete


def dying(*_: object) -> None:
    raise Died


# Copies from before.


def copied(house: House, name: str = "gateway.db") -> Path:
    """A copy as an operator makes one: SQLite's own, of a running database."""
    target = house.folder / f"copy-of-{name}"
    target.unlink(missing_ok=True)
    with closing(sqlite3.connect(house.folder / name)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
    return target


async def test_a_copy_from_before_is_unreadable_with_todays_keys(ended: House) -> None:
    company, copy = ended.federation.company, copied(ended)
    anchors = ended.federation.anchors
    before = prove(ended.database, company.subject, company.code, anchors, str(copy)).copy
    assert before is not None
    assert (sum(before.readable.values()), before.sealed) == (14, 0), "so that the next sentence says something"
    erased(ended)
    await ended.upkeep.round()
    after = prove(ended.database, company.subject, company.code, anchors, str(copy))
    assert after.copy is not None
    assert (after.copy.readable, after.copy.sealed, after.complete) == ({}, 14, True)


async def test_a_copy_of_something_else_proves_nothing(ended: House) -> None:
    """One from after the erasure, and one of nothing."""
    erased(ended)
    await ended.upkeep.round()
    found = prove(ended.database, subject(ended), None, ended.federation.anchors, str(copied(ended)))
    assert found.copy is not None
    assert (found.copy.readable, found.copy.sealed, found.complete) == ({}, 0, False)
    with pytest.raises(ConsentgateError) as caught:
        prove(ended.database, subject(ended), None, ended.federation.anchors, str(ended.folder / "none.db"))
    assert (caught.value.code, caught.value.field) == (ErrorCode.CONFIG_INVALID, "--copy")


async def test_a_restored_copy_stays_unreadable_and_can_be_erased_again(ended: House) -> None:
    company, copy = ended.federation.company, copied(ended)
    erased(ended)
    await ended.upkeep.round()
    ended.database.close()
    for suffix in ("-wal", "-shm"):
        (ended.folder / f"gateway.db{suffix}").unlink(missing_ok=True)
    shutil.copy(copy, ended.folder / "gateway.db")
    ended.restart()
    assert await ended.consents.own(ended.company(), None, 9) == []
    assert (await ended.refused(ended.request("one"))).code is ErrorCode.STORE_INTEGRITY
    assert (await ended.refused(ended.request("new"))).code is ErrorCode.CONSENT_NOT_FOUND
    assert ended.database.transact(lambda session: requests.of_bank(session, str(ended.bank), None, 9)) != []
    ended.clock.forward(days=4000)
    assert await ended.upkeep.round(), "what cannot be read holds nothing up"
    assert erased(ended) == Erased(consents=1, requests=3, company=True)
    await ended.upkeep.round()
    assert len(ended.ledger.entries("erasure.performed")) == 1
    assert prove(ended.database, company.subject, None, ended.federation.anchors).complete


async def test_a_restored_key_database_is_cleansed(ended: House) -> None:
    copy = copied(ended, "keys.db")
    key_ids = set(keys_of(ended).values())
    erased(ended)
    await ended.upkeep.round()
    ended.database.close()
    shutil.copy(copy, ended.folder / "keys.db")
    ended.restart()
    assert ended.database.keys.existing(key_ids) == key_ids
    assert not prove(ended.database, subject(ended), None, ended.federation.anchors).complete
    assert await ended.upkeep.round()
    assert ended.database.keys.existing(key_ids) == set()
    assert prove(ended.database, subject(ended), None, ended.federation.anchors).complete


async def test_destroyed_keys_leave_no_trace_on_the_disk(ended: House) -> None:
    secrets = [key.secret for key_id in keys_of(ended).values() if (key := ended.database.keys.get(key_id))]
    wrapped = ended.database.keys.database.transact(
        lambda session: list(session.execute(text("SELECT wrapped FROM subject_keys")).scalars())
    )
    assert len(secrets) == 1
    erased(ended)
    (kept,) = ended.database.keys.database.transact(
        lambda session: list(session.execute(text("SELECT wrapped FROM subject_keys")).scalars())
    )
    (gone,) = set(wrapped) - {kept}
    for path in ended.database.keys.database.files():
        assert gone not in path.read_bytes()


# The search.


@pytest.mark.parametrize("before", range(6))
@pytest.mark.parametrize("after", range(4))
def test_a_code_is_found_inside_base64url_wherever_it_stands(before: int, after: int) -> None:
    code = company_code(7)
    hidden = base64.urlsafe_b64encode(b"x" * before + code.encode() + b"y" * after)
    assert traces.is_in(b"..." + hidden + b"...", code)
    assert not traces.is_in(base64.urlsafe_b64encode(b"x" * before + company_code(8).encode()), code)


async def test_one_row_left_behind_is_found(ended: House) -> None:
    erased(ended)
    await ended.upkeep.round()
    company = ended.federation.company
    hidden = base64.urlsafe_b64encode(f'{{"company":"{company.code}"}}'.encode()).decode()
    with ended.database.engine.begin() as connection:
        connection.execute(text("CREATE TABLE left_over (note TEXT)"))
        connection.execute(text("INSERT INTO left_over VALUES (:note)"), {"note": hidden})
    found = prove(ended.database, company.subject, company.code, ended.federation.anchors)
    assert found.remaining == {"left_over.note": 1}
    assert not found.complete


async def test_another_companys_erasure_record_is_no_proof(ended: House) -> None:
    erased(ended)
    await ended.upkeep.round()
    with ended.database.engine.begin() as connection:
        other = "SELECT leaf FROM records WHERE key LIKE 'consent:%' LIMIT 1"
        connection.execute(text(f"UPDATE records SET leaf = ({other}) WHERE key LIKE 'erasure:%'"))  # noqa: S608
    with pytest.raises(ConsentgateError, match="RECEIPT_INVALID"):
        prove(ended.database, subject(ended), None, ended.federation.anchors)
