"""A database of an older program, with everything in clear, becomes a sealed one that goes on where it stood."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any

import pytest
from alembic import command
from sqlalchemy import MetaData, Table, select, text
from sqlalchemy.orm import Session

from consentgate import canonical, traces
from consentgate.database import Database
from consentgate.errors import ConsentgateError, ErrorCode
from gateway.consent import Move
from gateway.erasure import Erased, erase, prove
from gateway.store import migrate
from gateway.store.migrate import MIGRATIONS
from gateway.store.models import SEALED_COLUMNS, ConsentRow, RequestRow, Sealed, SubjectRow
from gateway.store.sealed_rows import opened
from tests.support.federation import hex16
from tests.support.gateway_house import House

SHARED = (
    "records",
    "group_members",
    "approvals",
    "policies",
    "recipient_keys",
    "scorecards",
    "subjects",
    "consents",
    "consent_transitions",
    "requests",
    "allowances",
    "answers",
)
"""In an order that references allow."""


async def used(house: House) -> House:
    """Scores, denials of both companies, a move, an output that was emptied."""
    other = house.federation.second_company
    await house.score(house.request("old"))
    house.clock.forward(days=2)
    await house.upkeep.round()
    await house.score(house.request("one"))
    await house.refused(house.request("stranger", company=other.code))
    await house.grant(other, consent_id=hex16("other consent"))
    await house.consents.move(house.transition("PAUSE"), Move.PAUSE, house.company())
    return house


def in_clear(house: House, url: str) -> None:
    """What the program before would have in its database after the same."""
    old = Database(url)
    command.upgrade(MIGRATIONS.config(old.engine), "0002")
    tables = MetaData()
    tables.reflect(old.engine)
    rows = house.database.transact(lambda session: {name: _old_rows(session, name) for name in SHARED})
    companies = house.database.transact(_companies)
    with old.engine.begin() as connection:
        connection.execute(tables.tables["companies"].insert(), companies)
        for name in SHARED:
            if rows[name]:
                connection.execute(tables.tables[name].insert(), rows[name])
    old.close()


def _companies(session: Session) -> list[dict[str, Any]]:
    found = session.execute(select(SubjectRow).order_by(SubjectRow.id)).scalars()
    return [{"id": row.id, **_mapping(session, row)} for row in found]


def _mapping(session: Session, row: SubjectRow) -> dict[str, object]:
    named = canonical.parse(opened(session, row, "mapping"), "mapping")
    return {"code": named["company"], "entity": named["entity"]}


def _old_rows(session: Session, name: str) -> list[dict[str, Any]]:
    for model in SEALED_COLUMNS:
        if model.__tablename__ == name:
            return [_old_row(session, row) for row in session.execute(select(model)).scalars()]  # type: ignore[arg-type]
    table = Table(name, MetaData(), autoload_with=session.connection())
    return [dict(row) for row in session.execute(select(table)).mappings()]


def _old_row(session: Session, row: Sealed) -> dict[str, Any]:
    values = {column.name: getattr(row, column.name) for column in row.__table__.columns}
    for column in SEALED_COLUMNS[type(row)]:
        values[column] = opened(session, row, column) if values[column] else b""
    values.pop("key_id", None)
    if "answer_jws" in values:
        values["answer_jws"] = [token.decode() for token in values["answer_jws"].split(b"\n") if token]
    if isinstance(row, RequestRow):
        values["request_digest"] = canonical.digest(values["request_jws"])
    if isinstance(row, SubjectRow):
        values.pop("mapping")
    if isinstance(row, SubjectRow | ConsentRow):
        subject = select(SubjectRow.id).where(SubjectRow.key_id == row.key_id)
        values["company_id"] = session.execute(subject).scalar_one()
    return values


@pytest.fixture
async def old(settled: House) -> House:
    """The house, whose databases were replaced by one of the older program."""
    await used(settled)
    url = f"sqlite:///{settled.folder / 'old.db'}"
    in_clear(settled, url)
    settled.database.close()
    for path in settled.folder.glob("*.db*"):
        if not path.name.startswith("old"):
            path.unlink()
    settled.database_url = url
    settled.start()
    return settled


async def test_it_goes_on_where_it_stood(old: House) -> None:
    company, other = old.federation.company, old.federation.second_company
    assert company.code.encode() in (old.folder / "old.db").read_bytes()
    migrate.upgrade(old.database)
    for needle in (company.code, company.entity, other.code):
        assert old.database.transact(lambda session, needle=needle: traces.places_of(session, needle)) == {}
        for path in old.database.files():
            assert not traces.is_in(path.read_bytes(), needle), "free pages are written over"
    (own,) = await old.consents.own(old.company(), None, 9)
    assert (own.state.value, own.uses) == ("PAUSED", 2)
    assert (await old.stored("one")).answer is not None
    kept = (await old.stored("old")).answer
    assert kept is not None
    assert (kept.ciphertext, kept.answer_jws) == (b"", ())
    again = await old.score((await old.stored("one")).request_jws)
    assert old.open_score(again) == old.federation.plaintext_score()
    await old.consents.move(old.transition("RESUME"), Move.RESUME, old.company())
    assert old.open_score(await old.score(old.request("new"))) == old.federation.plaintext_score()
    assert await old.consents.subjects(old.company(other)) == [other.subject]


async def test_what_was_sealed_later_is_erased_like_the_rest(old: House) -> None:
    migrate.upgrade(old.database)
    company = old.federation.company
    await old.consents.move(old.transition("REVOKE"), Move.REVOKE, old.company())
    old.clock.forward(hours=1)
    assert erase(old.database, company.subject, old.clock) == Erased(consents=1, requests=2, company=True)
    await old.upkeep.round()
    assert prove(old.database, company.subject, company.code, old.federation.anchors).complete


async def test_a_copy_in_clear_is_called_so(old: House) -> None:
    copy = old.folder / "old-copy.db"
    shutil.copy(old.folder / "old.db", copy)
    migrate.upgrade(old.database)
    company = old.federation.company
    found = prove(old.database, company.subject, None, old.federation.anchors, str(copy)).copy
    assert found is not None
    assert found.readable["subjects.token (in clear)"] == 1
    assert not found.unreadable


def _dying(*_: object, **__: object) -> Mapping[str, object]:
    raise _Died


class _Died(Exception):
    """Stands for SIGKILL."""


async def test_an_interrupted_migration_leaves_the_old_schema(old: House, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("sqlalchemy.inspect", _dying)
        with pytest.raises(_Died):
            migrate.upgrade(old.database)
    assert migrate.revisions(old.database.engine)[0] == "0002"
    assert old.database.transact(lambda session: session.execute(text("SELECT count(*) FROM companies")).scalar()) == 2
    migrate.upgrade(old.database)
    assert migrate.revisions(old.database.engine) == ("0003", "0003")
    assert (await old.stored("one")).answer is not None


async def test_commands_on_the_old_schema_say_what_to_do(old: House) -> None:
    with pytest.raises(ConsentgateError) as caught:
        migrate.check(old.database)
    assert (caught.value.code, "gateway migrate" in caught.value.hint) == (ErrorCode.CONFIG_INVALID, True)
