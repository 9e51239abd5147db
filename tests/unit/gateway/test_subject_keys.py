"""The key database: made once, found again, wrapped anew, destroyed; and every way in which its key can be wrong."""

from __future__ import annotations

import os
import shutil
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import autogenerate
from alembic.migration import MigrationContext
from sqlalchemy import text

from consentgate.errors import ConsentgateError, ErrorCode
from gateway.store import key_encryption_key as kek
from gateway.store import migrate
from gateway.store.key_models import KeyBase
from gateway.store.sealed_database import SealedDatabase
from gateway.store.sealing import Place
from gateway.store.subject_keys import SubjectKeys
from tests.support.federation import company_code
from tests.support.gateway_house import KEY_FILE, furnish, store_in

CODE, OTHER = company_code(1), company_code(2)
PLACE = Place("consents", "consent_jws", ("c" * 32, "1"))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SealedDatabase]:
    furnish(tmp_path)
    made = store_in(tmp_path)
    yield made
    made.close()


@pytest.fixture
def keys(database: SealedDatabase) -> SubjectKeys:
    return database.keys


def error_of(work: object) -> ConsentgateError:
    with pytest.raises(ConsentgateError) as caught:
        work()  # type: ignore[operator]
    return caught.value


def test_a_key_is_made_once_and_found_again(keys: SubjectKeys) -> None:
    made = keys.obtain(CODE, "group-a")
    assert keys.obtain(CODE, "group-a") == made == keys.get(made.id)
    assert len(made.secret) == 32
    others = [keys.obtain(CODE, "group-b"), keys.obtain(OTHER, "group-a")]
    assert len({made.secret, *(other.secret for other in others)}) == 3
    assert keys.of_company(CODE) == {"group-a": made.id, "group-b": others[0].id}
    assert keys.siblings(made.id) == keys.of_company(CODE)


def test_asking_makes_nothing(keys: SubjectKeys) -> None:
    assert keys.of_company(CODE) == keys.of_entity("e" * 32) == keys.siblings("0" * 32) == {}
    assert keys.get("0" * 32) is None
    assert keys.database.transact(lambda session: session.execute(text("SELECT * FROM companies")).all()) == []


def test_threads_that_race_get_one_key(keys: SubjectKeys) -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(keys.obtain(CODE, "group-a").id)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1


def test_the_registry_cannot_give_one_entity_id_twice(keys: SubjectKeys) -> None:
    for _ in range(2):
        keys.bind(CODE, "e" * 32)
    for code, entity in ((OTHER, "e" * 32), (CODE, "f" * 32)):
        refused = error_of(lambda code=code, entity=entity: keys.bind(code, entity))
        assert (refused.code, refused.field) == (ErrorCode.INVALID_ARGUMENT_FIELD, "attestation_jws.entity")


def test_destroyed_is_destroyed(keys: SubjectKeys) -> None:
    ended, kept = keys.obtain(CODE, "group-a"), keys.obtain(CODE, "group-b")
    keys.bind(CODE, "e" * 32)
    assert keys.destroy([ended.id, "0" * 32]) == 1
    assert keys.destroy([ended.id]) == keys.destroy([]) == 0
    assert (keys.get(ended.id), keys.of_entity("e" * 32)) == (None, {"group-b": kept.id})
    assert keys.existing([ended.id, kept.id]) == {kept.id}
    keys.destroy([kept.id])
    assert keys.of_entity("e" * 32) == {}
    for table in ("companies", "entities", "subject_keys"):
        query = text(f"SELECT * FROM {table}")  # noqa: S608
        assert keys.database.transact(lambda session, query=query: session.execute(query).all()) == []
    assert keys.obtain(CODE, "group-a").id != ended.id


def test_neither_code_nor_entity_nor_secret_stands_on_the_disk(database: SealedDatabase) -> None:
    key = database.keys.obtain(CODE, "group-a")
    database.keys.bind(CODE, "e" * 32)
    for path in database.keys.database.files():
        content = path.read_bytes()
        for secret in (CODE.encode(), b"e" * 32, key.secret, key.secret.hex().encode()):
            assert secret not in content
    assert key.secret.hex() not in repr(key)
    assert str(key.secret) not in repr(key)


def test_a_wrapped_key_in_another_keys_place_does_not_unwrap(keys: SubjectKeys) -> None:
    """Whoever writes into the key database could otherwise have one company's rows sealed for another."""
    first, second = keys.obtain(CODE, "group-a"), keys.obtain(OTHER, "group-a")
    statement = text("UPDATE subject_keys SET wrapped = (SELECT wrapped FROM subject_keys WHERE id = :a) WHERE id = :b")
    keys.database.transact(lambda session: session.execute(statement, {"a": first.id, "b": second.id}))
    assert keys.get(first.id) == first
    assert error_of(lambda: keys.get(second.id)).code is ErrorCode.STORE_INTEGRITY
    moved = text("UPDATE subject_keys SET scope = 'group-b' WHERE id = :a")
    keys.database.transact(lambda session: session.execute(moved, {"a": first.id}))
    assert error_of(lambda: keys.get(first.id)).code is ErrorCode.STORE_INTEGRITY


# The key-encryption key.


def test_the_file_is_its_owners_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "new.key"
    made = kek.create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert kek.load(path) == made
    before = path.read_bytes()
    refused = error_of(lambda: kek.create(path))
    assert (refused.code, "never overwritten" in refused.hint) == (ErrorCode.CONFIG_INVALID, True)
    assert path.read_bytes() == before
    assert before.decode().strip().rsplit(":", 1)[1] not in repr(made)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "nonsense",
        "consentgate-key-encryption-key-v1:" + "0" * 63,
        "consentgate-key-encryption-key-v1:" + "0" * 64 + "\n\n",
        "consentgate-key-encryption-key-v1:" + "G" * 64,
        "consentgate-key-encryption-key-v2:" + "0" * 64,
        "é" * 9,
        None,
    ],
)
def test_a_file_that_is_no_key(tmp_path: Path, content: str | None) -> None:
    furnish(tmp_path)
    path = tmp_path / KEY_FILE
    if content is None:
        path.unlink()
    else:
        path.write_text(content, encoding="utf-8")
    refused = error_of(lambda: store_in(tmp_path))
    assert (refused.code, refused.field) == (ErrorCode.CONFIG_INVALID, "subject_keys.key_encryption_key")
    assert "gateway keygen" in refused.hint


def test_a_file_that_others_may_read(tmp_path: Path) -> None:
    furnish(tmp_path)
    (tmp_path / KEY_FILE).chmod(0o640)
    assert error_of(lambda: store_in(tmp_path)).field == "subject_keys.key_encryption_key"


def test_another_key_opens_nothing(tmp_path: Path) -> None:
    furnish(tmp_path)
    (tmp_path / KEY_FILE).unlink()
    kek.create(tmp_path / KEY_FILE)
    database = store_in(tmp_path)
    for use in (
        lambda: migrate.upgrade(database),
        lambda: migrate.check(database),
        lambda: database.keys.obtain(CODE, "group-a"),
        database.keys.rewrap,
    ):
        refused = error_of(use)
        assert (refused.code, refused.field) == (ErrorCode.CONFIG_INVALID, "subject_keys.key_encryption_key")
        assert "another key" in refused.hint
    database.close()


def test_a_forged_key_id_opens_nothing_either(tmp_path: Path) -> None:
    """The id in the database is only for a better message: unwrapping is what decides."""
    furnish(tmp_path)
    store = store_in(tmp_path)
    store.keys.obtain(CODE, "group-a")
    (tmp_path / KEY_FILE).unlink()
    other = kek.create(tmp_path / KEY_FILE)
    statement = text("UPDATE key_store SET key_encryption_key = :id")
    store.keys.database.transact(lambda session: session.execute(statement, {"id": other.id}))
    forged = store_in(tmp_path)
    assert error_of(lambda: forged.keys.of_company(CODE)).code is ErrorCode.STORE_INTEGRITY
    store.close()
    forged.close()


def test_another_gateways_key_database(tmp_path: Path, database: SealedDatabase) -> None:
    """With it everything would look erased."""
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(tmp_path / KEY_FILE, other / KEY_FILE)
    fresh = store_in(other)
    migrate.upgrade(fresh)
    fresh.close()
    mixed = store_in(other, str(database.engine.url))
    for use in (migrate.upgrade, migrate.check):
        refused = error_of(lambda use=use: use(mixed))
        assert (refused.code, refused.field) == (ErrorCode.CONFIG_INVALID, "subject_keys.database")
    mixed.close()


def test_a_command_before_the_first_migration(tmp_path: Path) -> None:
    kek.create(tmp_path / KEY_FILE)
    database = store_in(tmp_path)
    refused = error_of(lambda: migrate.check(database))
    assert (refused.code, "gateway migrate" in refused.hint) == (ErrorCode.CONFIG_INVALID, True)
    database.close()


def test_one_database_for_both_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'gateway.db'}"
    kek.create(tmp_path / KEY_FILE)
    refused = error_of(lambda: SealedDatabase(url, url, tmp_path / KEY_FILE))
    assert (refused.code, refused.field) == (ErrorCode.CONFIG_INVALID, "subject_keys.database")


def test_the_migrated_key_database_equals_the_metadata(database: SealedDatabase) -> None:
    with database.keys.database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert autogenerate.compare_metadata(context, KeyBase.metadata) == []


# Wrapping anew.


def test_wrapping_anew_changes_no_data_key(tmp_path: Path, database: SealedDatabase) -> None:
    before = [database.keys.obtain(CODE, scope) for scope in ("group-a", "group-b")]
    sealed = before[0].seal(PLACE, b"value")
    old = tmp_path / "old.key"
    shutil.copy2(tmp_path / KEY_FILE, old)
    running = store_in(tmp_path)
    assert running.keys.get(before[0].id) == before[0]
    assert database.keys.rewrap() == 2
    assert sorted(path.name for path in tmp_path.glob("*.key*")) == ["old.key", KEY_FILE]
    assert [database.keys.get(key.id) for key in before] == before
    assert running.keys.obtain(CODE, "group-a").open(PLACE, sealed) == b"value", "a running gateway finds the new key"
    running.close()
    shutil.copy2(old, tmp_path / KEY_FILE)
    outdated = store_in(tmp_path)
    assert error_of(lambda: outdated.keys.of_company(CODE)).field == "subject_keys.key_encryption_key"
    outdated.close()


@pytest.mark.parametrize("step", ["before the commit", "after the commit"])
def test_interrupted_wrapping_is_finished(
    tmp_path: Path, database: SealedDatabase, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    made = database.keys.obtain(CODE, "group-a")
    with monkeypatch.context() as patch:
        if step == "before the commit":
            patch.setattr(kek.KeyEncryptionKey, "wrap", _dying)
        else:
            patch.setattr(os, "replace", _dying)
        with pytest.raises(_Died):
            database.keys.rewrap()
    assert (tmp_path / f"{KEY_FILE}.new").exists()
    again = store_in(tmp_path)
    assert again.keys.get(made.id) == made, "a start in between finds the right one of both keys"
    again.keys.rewrap()
    assert not (tmp_path / f"{KEY_FILE}.new").exists()
    again.close()
    last = store_in(tmp_path)
    assert last.keys.get(made.id) == made
    last.close()


class _Died(Exception):
    """Stands for SIGKILL."""


def _dying(*_: object, **__: object) -> None:
    raise _Died
