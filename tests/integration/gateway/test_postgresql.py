"""The same store on PostgreSQL: migrated schema, the whole flow, and races that SQLite serialises by its lock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from alembic import autogenerate
from alembic.migration import MigrationContext
from sqlalchemy import select, text

from consentgate import traces
from consentgate.database import Database
from consentgate.errors import ConsentgateError, ErrorCode
from gateway.consent import Move
from gateway.erasure import Erased, erase, prove
from gateway.store import erasures, migrate
from gateway.store.models import Base, RequestRow
from gateway.store.sealed_database import SealedDatabase
from tests.support.federation import company_code, hex16
from tests.support.gateway_house import KEY_FILE, House, furnish, store_in
from tests.support.postgresql import postgresql_server
from tests.unit.gateway.test_sealing_migration import in_clear, used


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgresql_server() as url:
        yield url


@pytest.fixture
def url(tmp_path: Path, server: str) -> str:
    """The server's database, emptied and migrated."""
    furnish(tmp_path)
    database = store_in(tmp_path, server)
    database.transact(lambda session: session.execute(text("DROP SCHEMA public CASCADE; CREATE SCHEMA public")))
    migrate.upgrade(database)
    database.close()
    return server


@pytest.fixture
async def house(tmp_path: Path, url: str) -> House:  # type: ignore[misc]
    """A settled gateway on PostgreSQL."""
    made = House(tmp_path, database_url=url)
    await made.settle()
    yield made
    made.close()


def test_a_migrated_database_equals_the_metadata(url: str) -> None:
    database = Database(url)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert autogenerate.compare_metadata(context, Base.metadata) == []
    assert migrate.revisions(database.engine) == ("0003", "0003")
    database.close()


async def test_transactions_are_serializable(house: House) -> None:
    level = await house.database.run(lambda session: session.execute(text("SHOW transaction_isolation")).scalar())
    assert level == "serializable"


async def test_a_score_a_retry_and_a_denial(house: House) -> None:
    token = house.request()
    answered = await house.score(token)
    assert house.open_score(answered) == house.federation.plaintext_score()
    assert (await house.score(token)).ciphertext == answered.ciphertext
    error = await house.refused(house.request("denied", purpose="credit.monitoring"))
    assert error.code is ErrorCode.CONSENT_PURPOSE
    await house.consents.move(house.transition("REVOKE"), Move.REVOKE, house.company())
    assert (await house.refused(house.request("revoked"))).code is ErrorCode.CONSENT_REVOKED
    house.clock.forward(days=2)
    assert await house.upkeep.round()


async def test_processes_that_race_give_one_answer(house: House) -> None:
    token = house.request()
    answers = await asyncio.gather(*(house.score(token, flow=house.new_flow()) for _ in range(4)))
    assert len({answered.ciphertext for answered in answers}) == 1
    assert len(house.ledger.entries("query.decision")) == len(house.ledger.entries("query.release")) == 1


async def test_racing_requests_never_exceed_the_frequency(house: House) -> None:
    """Two transactions that both count one use left: PostgreSQL lets one of them fail, and it counts again."""
    await house.grant(version=2, frequency={"count": 2, "per": "DAY"})
    flows = [house.score(house.request(f"racer {number}"), flow=house.new_flow()) for number in range(5)]
    results = await asyncio.gather(*flows, return_exceptions=True)
    denied = [result for result in results if isinstance(result, ConsentgateError)]
    assert [error.code for error in denied] == [ErrorCode.CONSENT_FREQUENCY] * 3
    verdicts = [entry.body["verdict"] for entry in house.ledger.entries("query.decision")]
    assert sorted(map(str, verdicts)) == ["allow"] * 2 + ["deny"] * 3


async def test_racing_grants_are_one_entry(house: House) -> None:
    consent, attestation = house.consent(house.federation.second_company)
    caller = house.company(house.federation.second_company)
    receipts = await asyncio.gather(*(house.consents.grant(consent, attestation, caller) for _ in range(4)))
    assert len({receipt.leaf for receipt in receipts}) == 1


async def test_pages_and_counts(house: House) -> None:
    for number in range(3):
        await house.grant(consent_id=hex16(f"consent {number}"), nonce=hex16(f"nonce {number}"))
    await house.score()
    own = await house.consents.own(house.company(), None, 2)
    rest = await house.consents.own(house.company(), own[-1].consent.row_id, 9)
    assert (len(own), len(rest)) == (2, 2)
    assert sum(each.uses for each in [*own, *rest]) == 1
    listed = await house.scorecards.list(house.bank, 0, 9)
    assert len(listed) == 1


async def test_erasure(house: House) -> None:
    await house.score()
    await house.consents.move(house.transition("REVOKE"), Move.REVOKE, house.company())
    house.clock.forward(hours=1)
    company = house.federation.company
    assert erase(house.database, company.subject, house.clock) == Erased(consents=1, requests=1, company=True)
    assert await house.upkeep.round()
    assert prove(house.database, company.subject, company.code, house.federation.anchors).complete


async def test_requests_that_race_an_erasure_are_not_sealed_with_its_keys(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two databases have no common transaction: what the one notes must hold in the other."""
    finish = erasures.finish

    def hesitating(database: SealedDatabase) -> int:
        time.sleep(0.5)
        return finish(database)

    monkeypatch.setattr("gateway.store.erasures.finish", hesitating)
    await house.consents.move(house.transition("REVOKE"), Move.REVOKE, house.company())
    house.clock.forward(hours=1)
    subject = house.federation.company.subject

    def erasing() -> int:
        for _ in range(50):
            with suppress(ConsentgateError):
                return erase(house.database, subject, house.clock).consents
        return 0

    async def racer(number: int) -> ConsentgateError:
        await asyncio.sleep(number * 0.1)
        return await house.refused(house.request(f"racer {number}"), flow=house.new_flow())

    racers = [racer(number) for number in range(8)]
    done, *refused = await asyncio.gather(asyncio.to_thread(erasing), *racers)
    if not done:
        erase(house.database, subject, house.clock)
    assert {error.code for error in refused} <= {ErrorCode.CONSENT_REVOKED, ErrorCode.CONSENT_NOT_FOUND}
    used = await house.database.run(lambda session: set(session.execute(select(RequestRow.key_id)).scalars()))
    assert house.database.keys.existing(used) == used
    await house.upkeep.round()
    assert prove(house.database, subject, None, house.federation.anchors).complete


async def test_keys_on_postgresql(tmp_path: Path, url: str) -> None:
    """The key database is any database: here on a server, where several gateways share it."""
    reset = Database(url)
    reset.transact(lambda session: session.execute(text("DROP SCHEMA public CASCADE; CREATE SCHEMA public")))
    reset.close()
    database = SealedDatabase(f"sqlite:///{tmp_path / 'main.db'}", url, tmp_path / KEY_FILE)
    migrate.upgrade(database)
    codes = [company_code(number) for number in range(3)] * 4
    made = await asyncio.gather(*(asyncio.to_thread(database.keys.obtain, code, "group-a") for code in codes))
    assert len({key.id for key in made}) == 3
    assert database.keys.rewrap() == 3
    assert database.keys.get(made[0].id) == made[0]
    assert database.keys.destroy([made[0].id]) == 1
    assert database.keys.get(made[0].id) is None
    migrate.check(database)
    database.close()


async def test_rows_of_an_older_program_are_sealed(tmp_path: Path, server: str) -> None:
    """Numbers go on where they stood, which here is a sequence's affair."""
    before, after = tmp_path / "before", tmp_path / "after"
    for folder in (before, after):
        folder.mkdir()
    old = House(before)
    await old.settle()
    await used(old)
    empty = Database(server)
    empty.transact(lambda session: session.execute(text("DROP SCHEMA public CASCADE; CREATE SCHEMA public")))
    empty.close()
    in_clear(old, server)
    furnish(after)
    new = House(after, old.federation, database_url=server)
    new.clock, new.ledger, new.departments = old.clock, old.ledger, old.departments
    new.restart()
    migrate.upgrade(new.database)
    code = old.federation.company.code
    assert new.database.transact(lambda session: traces.places_of(session, code)) == {}
    (own,) = await new.consents.own(new.company(), None, 9)
    assert (own.state.value, own.uses) == ("PAUSED", 2)
    await new.consents.move(new.transition("RESUME"), Move.RESUME, new.company())
    assert new.open_score(await new.score(new.request("new"))) == new.federation.plaintext_score()
    new.close()
    old.close()
