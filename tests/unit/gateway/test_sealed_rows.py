"""Rows of the store: nothing in them names a company, and no row that was changed or moved is believed."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from consentgate import traces
from consentgate.errors import ConsentgateError, ErrorCode
from gateway.consent import Move
from gateway.store import consents, erasures, requests
from gateway.store.models import SEALED_COLUMNS, Base, ConsentRow, SubjectRow
from gateway.store.sealed_rows import data_key, opened
from tests.support.federation import hex16
from tests.support.gateway_house import House, store_in


@pytest.fixture
async def used(settled: House) -> House:
    """Two companies with consents; two scores and a denial of the first, one denial of a company without consent."""
    other = settled.federation.second_company
    await settled.score(settled.request("one"))
    await settled.score(settled.request("two"))
    await settled.refused(settled.request("denied", purpose="credit.monitoring"))
    await settled.refused(settled.request("stranger", company=other.code))
    await settled.grant(other, consent_id=hex16("other consent"))
    await settled.consents.move(settled.transition("PAUSE"), Move.PAUSE, settled.company())
    return settled


def execute(house: House, statement: str, **values: object) -> Sequence[object]:
    def work(session: object) -> Sequence[object]:
        result = session.execute(text(statement), values)  # type: ignore[attr-defined]
        return list(result.scalars()) if result.returns_rows else []

    return house.database.transact(work)


def broken(work: object) -> ConsentgateError:
    with pytest.raises(ConsentgateError) as caught:
        work()  # type: ignore[operator]
    assert caught.value.code is ErrorCode.STORE_INTEGRITY
    return caught.value


def in_force(house: House) -> list[consents.StoredConsent]:
    code, bank = house.federation.company.code, str(house.bank)
    return house.database.transact(lambda session: consents.in_force(session, code, bank))


async def test_no_table_names_a_company_in_clear(used: House) -> None:
    for company in (used.federation.company, used.federation.second_company):
        for needle in (company.code, company.entity):
            found = used.database.transact(lambda session, needle=needle: traces.places_of(session, needle))
            assert found == {}
    for path in [*used.database.files(), *used.database.keys.database.files()]:
        content = path.read_bytes()
        for company in (used.federation.company, used.federation.second_company):
            assert not traces.is_in(content, company.code)
            assert not traces.is_in(content, company.entity)


def test_every_column_of_signed_statements_is_sealed() -> None:
    """A new column with a statement or salt that nobody seals is found here."""
    sealed = {f"{model.__tablename__}.{column}" for model, columns in SEALED_COLUMNS.items() for column in columns}
    names = {f"{table.name}.{column.name}" for table in Base.metadata.sorted_tables for column in table.columns}
    statements = {name for name in names if name.endswith(("_jws", "salt", ".ciphertext", ".mapping"))}
    public = {"approvals.approval_jws", "recipient_keys.registration_jws"}
    assert statements - public == sealed


@pytest.mark.parametrize("column", ["consent_jws", "attestation_jws"])
async def test_a_consent_in_another_ones_place(used: House, column: str) -> None:
    """The other company's, and an older version of the same one."""
    first, second = execute(used, "SELECT id FROM consents ORDER BY id")
    execute(
        used,
        f"UPDATE consents SET {column} = (SELECT {column} FROM consents WHERE id = :a) WHERE id = :b",  # noqa: S608
        a=second,
        b=first,
    )
    assert broken(lambda: in_force(used)).field == f"consents.{column}"


async def test_an_older_version_in_the_place_of_the_newer(settled: House) -> None:
    await settled.grant(version=2)
    execute(
        settled,
        "UPDATE consents SET consent_jws = (SELECT consent_jws FROM consents WHERE version = 1) WHERE version = 2",
    )
    broken(lambda: in_force(settled))
    assert (await settled.refused()).code is ErrorCode.STORE_INTEGRITY


async def test_columns_of_one_row_swapped(used: House) -> None:
    execute(used, "UPDATE consents SET consent_jws = attestation_jws, attestation_jws = consent_jws")
    broken(lambda: in_force(used))


async def test_a_row_put_to_another_companys_key(used: House) -> None:
    """Whole rows, keys and all: consents, requests and the mapping itself."""
    ids = execute(used, "SELECT key_id FROM subjects ORDER BY id")
    execute(used, "UPDATE consents SET key_id = :other WHERE key_id = :own", own=ids[0], other=ids[1])
    code, bank = used.federation.second_company.code, str(used.bank)
    broken(lambda: used.database.transact(lambda session: consents.in_force(session, code, bank)))
    execute(used, "UPDATE requests SET key_id = :other WHERE key_id = :own", own=ids[0], other=ids[1])
    broken(lambda: used.database.transact(lambda session: requests.find(session, bank, hex16("one"))))
    with pytest.raises(ConsentgateError, match="STORE_INTEGRITY"):
        await used.stored("two")


async def test_tokens_swapped_between_companies(used: House) -> None:
    """Else an erasure of one token would end the other company's rows, or a company would be shown foreign entries."""
    first, second = execute(used, "SELECT token FROM subjects ORDER BY id")
    for token, place in ((first, "x" * 32), (second, first), ("x" * 32, second)):
        execute(used, "UPDATE subjects SET token = :place WHERE token = :token", token=token, place=place)
    entity = used.federation.company.entity
    broken(lambda: used.database.transact(lambda session: consents.subjects_of(session, entity)))
    broken(lambda: used.database.transact(lambda session: erasures.holdings(session, str(first))))


@pytest.mark.parametrize("value", ["", "01", "01" + "00" * 12, "01" + "00" * 40, "7b7d"])
async def test_cut_or_made_up_values(used: House, value: str) -> None:
    execute(used, "UPDATE requests SET request_salt = :value", value=bytes.fromhex(value))
    with pytest.raises(ConsentgateError) as caught:
        await used.stored("one")
    assert (caught.value.code, caught.value.field) == (ErrorCode.STORE_INTEGRITY, "requests.request_salt")


async def test_a_move_under_another_name(used: House) -> None:
    execute(used, "UPDATE consent_transitions SET action = 'RESUME'")
    with pytest.raises(ConsentgateError) as caught:
        await used.consents.move(used.transition("PAUSE"), Move.PAUSE, used.company())
    assert caught.value.code is ErrorCode.STORE_INTEGRITY


async def test_answers_swapped_between_requests(used: House) -> None:
    """A bank would be handed another request's score."""
    first, second = execute(used, "SELECT request_row_id FROM answers ORDER BY request_row_id")
    values = {
        row: execute(used, "SELECT ciphertext FROM answers WHERE request_row_id = :row", row=row)[0]
        for row in (first, second)
    }
    for row, value in ((first, values[second]), (second, values[first])):
        execute(used, "UPDATE answers SET ciphertext = :value WHERE request_row_id = :row", row=row, value=value)
    assert (await used.refused(used.request("one"))).code is ErrorCode.STORE_INTEGRITY


async def test_requests_before_the_group_is_known_have_a_key_of_their_own(house: House) -> None:
    """And go with the token of the group that the bank then joins."""
    await house.refused(house.request("early"))
    code = house.federation.company.code
    (scope,) = house.database.keys.of_company(code)
    assert scope == str(house.bank)
    await house.settle()
    await house.consents.move(house.transition("REVOKE"), Move.REVOKE, house.company())
    found = house.database.transact(lambda session: erasures.holdings(session, house.federation.company.subject))
    assert found is not None
    assert len(found.requests) == 1
    assert set(found.key_ids) == set(house.database.keys.of_company(code).values())


async def test_a_transaction_that_fails_leaves_a_key_that_the_next_one_uses(house: House) -> None:
    """The key database commits first: what is left leads nowhere, and nothing is made twice."""
    code = house.federation.company.code
    made: list[str] = []

    def failing(session: Session) -> None:
        made.append(data_key(session, code, "group-a").id)
        raise ConsentgateError(ErrorCode.CONSENT_STATE)

    with pytest.raises(ConsentgateError, match="CONSENT_STATE"):
        house.database.transact(failing)
    assert house.database.transact(lambda session: data_key(session, code, "group-a").id) == made[0]


async def test_an_erasure_that_is_under_way_gives_a_new_key(used: House) -> None:
    """A request between the erasure's transaction and the end of its keys is not sealed with what is about to go."""
    code = used.federation.second_company.code
    old = used.database.keys.of_company(code)["group-a"]
    execute(used, "INSERT INTO erasures SELECT :token, id FROM records LIMIT 1", token="0" * 32)
    execute(used, "INSERT INTO destroyed_keys VALUES (:key, :token)", key=old, token="0" * 32)
    key = used.database.transact(lambda session: data_key(session, code, "group-a"))
    assert key.id != old
    assert used.database.keys.get(old) is None
    assert used.database.keys.of_company(code)["group-a"] == key.id


async def test_without_its_keys_a_copy_says_nothing(used: House) -> None:
    """Whoever carries away the database alone: statements, salts and answers do not open with other keys."""
    elsewhere = used.folder / "elsewhere"
    elsewhere.mkdir()
    other = House(elsewhere)
    used.database.scrub()
    shutil.copy(used.folder / "gateway.db", elsewhere / "stolen.db")
    stolen = store_in(elsewhere, f"sqlite:///{elsewhere / 'stolen.db'}")
    rows = stolen.transact(lambda session: session.query(SubjectRow).all())
    assert [other.database.keys.get(row.key_id) for row in rows] == [None, None]
    assert stolen.transact(lambda session: consents.versions(session, hex16("consent"))) == []
    with pytest.raises(ConsentgateError, match="STORE_INTEGRITY"):
        stolen.transact(lambda session: opened(session, session.get_one(ConsentRow, 1), "consent_jws"))
    stolen.close()
    other.close()
