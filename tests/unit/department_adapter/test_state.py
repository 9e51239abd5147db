"""The adapter's state: the schema is what the models say, and each kind of memory keeps its promise."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.command import downgrade
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from consentgate.database import Database
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.statements import TransitionAction
from department_adapter.projection import (
    ApprovalHead,
    ConsentFact,
    ConsentState,
    DecisionFact,
    Projection,
    RegisteredKey,
    Touched,
)
from department_adapter.state import answers, migrate, restrictions, tail
from department_adapter.state.answers import Answer, Reservation
from department_adapter.state.models import Base
from department_adapter.state.restrictions import DirectRestriction
from department_adapter.state.tail import Position
from department_adapter.uses import CalendarUnit, Uses
from ledger.chain import Chain
from tests.support.federation import NOW
from tests.support.witnessed_log import ORIGIN, WitnessedLog

LEAF = "1" * 64
CONSENT = "c" * 32


# Schema.


def test_migrations_equal_the_models(state: Database) -> None:
    with state.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []
        assert set(inspect(connection).get_table_names()) == {*Base.metadata.tables, "alembic_version"}


def test_every_column_is_required_and_every_constraint_named(state: Database) -> None:
    with state.engine.connect() as connection:
        inspector = inspect(connection)
        for table in Base.metadata.tables:
            assert not [column for column in inspector.get_columns(table) if column["nullable"]], table
            assert inspector.get_pk_constraint(table)["name"] == f"pk_{table}"
            assert all(key["name"] for key in inspector.get_foreign_keys(table))


def test_upgrade_again_changes_nothing_and_down_leaves_nothing(state: Database) -> None:
    migrate.upgrade(state.engine)
    assert migrate.revisions(state.engine) == ("0003", "0003")
    downgrade(migrate.MIGRATIONS.config(state.engine), "base")
    with state.engine.connect() as connection:
        assert inspect(connection).get_table_names() == ["alembic_version"]


# Transactions.


def test_failed_work_leaves_nothing(state: Database) -> None:
    def work(session: object) -> None:
        restrictions.pin_subject(session, "company", "group", "token")  # type: ignore[arg-type]
        raise ConsentgateError(ErrorCode.CONSENT_REVOKED)

    with pytest.raises(ConsentgateError, match="CONSENT_REVOKED"):
        state.transact(work)
    assert state.transact(lambda session: restrictions.pin_subject(session, "company", "group", "other")) == "other"


def test_durable_settings(state: Database) -> None:
    with state.engine.connect() as connection:
        settings = [connection.execute(text(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "synchronous")]
    assert settings == ["wal", 2]


async def test_lost_database_is_named(tmp_path: Path) -> None:
    lost = Database(f"sqlite:///{tmp_path}/absent/state.db", "state")
    with pytest.raises(ConsentgateError, match="STORE_UNAVAILABLE"):
        await lost.check()
    with pytest.raises(ConsentgateError, match="CONFIG_INVALID"):
        Database("nosuch://db", "state")


# Answers and uses.


def reserved(state: Database, leaf: str, decided_at: int = 100, version: int = 1) -> None:
    state.transact(lambda session: answers.reserve(session, Reservation(leaf, CONSENT, version, decided_at)))


def test_one_leaf_one_answer(state: Database) -> None:
    reserved(state, LEAF)
    first, second = Answer(b"first", b"c1"), Answer(b"second", b"c2")
    assert state.transact(lambda session: answers.store(session, LEAF, first, 200)) == first
    assert state.transact(lambda session: answers.store(session, LEAF, second, 200)) == first
    assert state.transact(lambda session: answers.answer_to(session, LEAF)) == first


def test_one_leaf_one_answer_among_racing_threads(state: Database) -> None:
    reserved(state, LEAF)
    found: list[Answer] = []

    def store(number: int) -> None:
        own = Answer(b"%d" % number, b"c")
        found.append(state.transact(lambda session: answers.store(session, LEAF, own, 200)))

    threads = [threading.Thread(target=store, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_answer_without_a_counted_use_is_impossible(state: Database) -> None:
    with pytest.raises(ConsentgateError, match="STORE_UNAVAILABLE"):
        state.transact(lambda session: answers.store(session, LEAF, Answer(b"a", b"c"), 200))


def test_uses_count_by_version_and_unit(state: Database) -> None:
    for number, (decided_at, version) in enumerate([(99, 1), (100, 1), (199, 1), (200, 1), (150, 2)]):
        reserved(state, f"{number:064x}", decided_at, version)
    found = state.transact(lambda session: answers.uses_of(session, CONSENT, 1, CalendarUnit(100, 200)))
    assert found == Uses(in_unit=2, total=4)


def test_forgotten_answers_stay_counted(state: Database) -> None:
    for leaf, not_after in (("1" * 64, 200), ("2" * 64, 300)):
        reserved(state, leaf)
        state.transact(
            lambda session, leaf=leaf, not_after=not_after: answers.store(session, leaf, Answer(b"a", b"c"), not_after)
        )
    state.transact(lambda session: answers.forget_answers(session, 300))
    assert state.transact(lambda session: answers.answer_to(session, "1" * 64)) is None
    assert state.transact(lambda session: answers.answer_to(session, "2" * 64)) is not None
    assert state.transact(lambda session: answers.is_reserved(session, "1" * 64))


# Tokens and direct restrictions.


def test_first_token_stays_pinned_per_company_and_group(state: Database) -> None:
    def pin(company: str, group: str, token: str) -> str:
        return state.transact(lambda session: restrictions.pin_subject(session, company, group, token))

    assert pin("a", "g", "1") == "1"
    assert pin("a", "g", "2") == "1"
    assert pin("a", "h", "2") == "2"
    assert pin("b", "g", "3") == "3"


def test_direct_restrictions_by_company(state: Database) -> None:
    said = DirectRestriction(CONSENT, "n" * 32, "company", 1, TransitionAction.PAUSE, 7)
    for later in (said, DirectRestriction(CONSENT, "n" * 32, "company", 1, TransitionAction.PAUSE, 99)):
        state.transact(lambda session, later=later: restrictions.add(session, later, b"jws"))
    assert state.transact(lambda session: restrictions.of_consent(session, CONSENT, "company")) == [said]
    assert state.transact(lambda session: restrictions.of_consent(session, CONSENT, "other")) == []


# Tail.


def test_position_comes_back_whole(state: Database) -> None:
    log = WitnessedLog(NOW)
    for _ in range(4):
        log.append("log.opened", {}, NOW)
    chain, _ = Chain(ORIGIN).extend(log.leaves)
    position = Position(chain, log.note(NOW))
    assert state.transact(tail.load_position) is None
    for _ in range(2):
        state.transact(lambda session: tail.save_position(session, position))
    assert state.transact(tail.load_position) == position


def test_facts_come_back_as_they_were_saved(state: Database) -> None:
    consents = {f"{number:032x}": ConsentFact(2, "d" * 64, ConsentState.PAUSED, 5) for number in range(1200)}
    facts = Projection(
        consents,
        {"group-a": ApprovalHead(3, "e" * 64)},
        frozenset({RegisteredKey("bank-a", "f" * 64)}),
        {4: DecisionFact("a" * 64, "2026-11-24T04:01:02.000000Z"), 5: DecisionFact("b" * 64, "2020")},
    )
    state.transact(lambda session: tail.save_facts(session, Projection(), facts, "2026"))
    wanted = Touched(frozenset({*consents, "unknown"}), frozenset({"group-a", "group-b"}))
    found = state.transact(lambda session: tail.load_facts(session, wanted))
    assert (found.consents, found.approvals) == (facts.consents, facts.approvals)
    assert state.transact(lambda session: tail.consent_of(session, "unknown")) is None
    assert state.transact(lambda session: tail.approval_head(session, "group-a")) == ApprovalHead(3, "e" * 64)
    assert state.transact(lambda session: tail.approval_head(session, "group-b")) is None
    assert state.transact(lambda session: tail.is_registered(session, RegisteredKey("bank-a", "f" * 64)))
    assert not state.transact(lambda session: tail.is_registered(session, RegisteredKey("bank-b", "f" * 64)))
    assert state.transact(lambda session: tail.decision_at(session, 4)) == facts.decisions[4]
