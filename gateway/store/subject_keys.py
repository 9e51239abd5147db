"""Data keys of companies: made, found by company code or entity id, wrapped anew, and destroyed for ever.

One key per company and scope (grantee group, or bank without a group), which is one per subject token. Keys are
unwrapped for one transaction and not kept: an erasure by another process is in force with the next transaction.

Durability, isolation and concurrency are `consentgate.database`'s; this is a database of its own. Its transactions are
short and may run inside one of the store's, never the other way round, so that the two cannot wait for each other. A
key that was made for a transaction of the store that then failed stays: it leads nowhere, and the next one uses it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from consentgate.database import Database
from consentgate.errors import ConsentgateError, ErrorCode
from gateway.store import key_encryption_key as kek
from gateway.store.key_encryption_key import KeyEncryptionKey
from gateway.store.key_models import CompanyRow, EntityRow, KeyStoreRow, SubjectKeyRow
from gateway.store.sealing import KEY_BYTES, DataKey
from ledger.durable_files import sync_folder

ENTRY = "subject_keys.database"
"""How the configuration calls the key database."""
ID_BYTES = 16
KEYS_AT_ONCE = 500
"""Keys in one statement."""

Result = TypeVar("Result")

_OTHER_KEY = "The key database is wrapped under another key: name the file with that one, or restore it."
_NO_KEYS = "The key database is not there yet, or is of an older program: run `gateway migrate` first."


class SubjectKeys:
    """The key database, opened with the key-encryption key in `key_file`."""

    def __init__(self, database: Database, key_file: Path) -> None:
        """Raises CONFIG_INVALID when the file has no usable key."""
        self.database = database
        self._key_file = key_file
        self._key = kek.load(key_file)

    # The database itself.

    def initialise(self) -> str:
        """Writes the one row about a new database; returns the database's id. Raises CONFIG_INVALID for another key."""

        def work(session: Session) -> str:
            if session.execute(select(KeyStoreRow)).scalar_one_or_none() is None:
                index_key = self._key.wrap(secrets.token_bytes(KEY_BYTES), "index")
                row = KeyStoreRow(id=secrets.token_hex(ID_BYTES), key_encryption_key=self._key.id, index_key=index_key)
                session.add(row)
                session.flush()
            return self._opened(session).row.id

        return self.database.transact(work)

    def check(self) -> str:
        """The database's id; raises CONFIG_INVALID unless it is there and wrapped under the key in the file."""
        return self._run(lambda opened: opened.row.id)

    @property
    def key_id(self) -> str:
        """Id of the key-encryption key in use."""
        return self._key.id

    def close(self) -> None:
        """Closes all connections."""
        self.database.close()

    # Keys.

    def obtain(self, company: str, scope: str) -> DataKey:
        """The key for rows about this company towards this scope, made when there is none."""

        def work(opened: _Opened) -> DataKey:
            row = opened.company(company) or opened.add_company(company)
            found = opened.key_of(row.id, scope)
            return opened.unwrapped(found if found is not None else opened.add_key(row.id, scope))

        return self._run(work)

    def get(self, key_id: str) -> DataKey | None:
        """The key with this id; None once it was destroyed."""

        def work(opened: _Opened) -> DataKey | None:
            row = opened.session.get(SubjectKeyRow, key_id)
            return None if row is None else opened.unwrapped(row)

        return self._run(work)

    def existing(self, key_ids: Iterable[str]) -> set[str]:
        """Those of the ids that still have a key."""

        def work(opened: _Opened) -> set[str]:
            found: set[str] = set()
            for ids in _chunks(key_ids):
                query = select(SubjectKeyRow.id).where(SubjectKeyRow.id.in_(ids))
                found.update(opened.session.execute(query).scalars())
            return found

        return self._run(work)

    def of_company(self, company: str) -> dict[str, str]:
        """scope → key id of everything kept about a company code."""

        def work(opened: _Opened) -> dict[str, str]:
            row = opened.company(company)
            return {} if row is None else opened.keys_of(row.id)

        return self._run(work)

    def of_entity(self, entity: str) -> dict[str, str]:
        """scope → key id of everything kept about the company with this entity id."""

        def work(opened: _Opened) -> dict[str, str]:
            row = opened.entity(entity)
            return {} if row is None else opened.keys_of(row.company_id)

        return self._run(work)

    def siblings(self, key_id: str) -> Mapping[str, str]:
        """scope → key id of the company that this key belongs to; empty once the key was destroyed."""

        def work(opened: _Opened) -> Mapping[str, str]:
            row = opened.session.get(SubjectKeyRow, key_id)
            return {} if row is None else opened.keys_of(row.company_id)

        return self._run(work)

    def bind(self, company: str, entity: str) -> None:
        """Remembers code and entity id as one company's; raises INVALID_ARGUMENT_FIELD when the registry gave either
        to another one before.
        """

        def work(opened: _Opened) -> None:
            row = opened.company(company) or opened.add_company(company)
            known, own = opened.entity(entity), opened.session.get(EntityRow, row.id)
            if known is None and own is None:
                opened.session.add(EntityRow(company_id=row.id, entity=opened.index("entity", entity)))
            elif known is None or known is not own:
                raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="attestation_jws.entity")

        self._run(work)

    # The end of keys.

    def destroy(self, key_ids: Iterable[str]) -> int:
        """Destroys the keys, and what is kept of companies that have no other; returns how many there were."""

        def work(session: Session) -> int:
            return sum(_destroy(session, ids) for ids in chunks)

        chunks = _chunks(key_ids)
        return self.database.transact(work) if chunks else 0

    def rewrap(self) -> int:
        """Wraps all keys under a new key-encryption key, which takes the file's place; returns how many keys.

        Interrupted anywhere it is finished by the next call: the new key stands beside the old one until no wrapped key
        needs the old one any more, and whoever opens the database meanwhile finds the right one of both.
        """
        coming = kek.successor(self._key_file)
        new = kek.load(coming) if coming.exists() else kek.create(coming)

        def work(session: Session) -> int:
            opened = self._opened(session)
            if opened.key.id == new.id:
                return 0
            index_key = opened.key.unwrap(opened.row.index_key, "index")
            opened.row.index_key, opened.row.key_encryption_key = new.wrap(index_key, "index"), new.id
            query = select(SubjectKeyRow).execution_options(yield_per=KEYS_AT_ONCE)
            count = 0
            for row in session.execute(query).scalars():
                row.wrapped = new.wrap(opened.unwrapped(row).secret, _name(row))
                count += 1
            return count

        done = self.database.transact(work)
        self.database.scrub()
        os.replace(coming, self._key_file)
        sync_folder(self._key_file.parent)
        self._key = new
        return done

    def _run(self, work: Callable[[_Opened], Result]) -> Result:
        return self.database.transact(lambda session: work(self._opened(session)))

    def _opened(self, session: Session) -> _Opened:
        row = session.execute(select(KeyStoreRow)).scalar_one_or_none()
        if row is None:
            raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=ENTRY, hint=_NO_KEYS)
        if row.key_encryption_key != self._key.id:
            self._key = self._changed_key(row.key_encryption_key)
        return _Opened(session, row, self._key)

    def _changed_key(self, key_id: str) -> KeyEncryptionKey:
        """The key that the database was wrapped under in the meantime, from the file or from beside it."""
        for path in (self._key_file, kek.successor(self._key_file)):
            if path.exists() and (found := kek.load(path)).id == key_id:
                return found
        raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=kek.ENTRY, hint=_OTHER_KEY)


class _Opened:
    """One transaction of the key database, with the key that it is wrapped under."""

    def __init__(self, session: Session, row: KeyStoreRow, key: KeyEncryptionKey) -> None:
        self.session = session
        self.row = row
        self.key = key

    def index(self, kind: str, value: str) -> str:
        """Keyed hash under which a code or entity id is found."""
        index_key = self.key.unwrap(self.row.index_key, "index")
        return hmac.new(index_key, f"{kind}\x00{value}".encode(), hashlib.sha256).hexdigest()

    def company(self, code: str) -> CompanyRow | None:
        query = select(CompanyRow).where(CompanyRow.code == self.index("company", code))
        return self.session.execute(query).scalar_one_or_none()

    def entity(self, entity: str) -> EntityRow | None:
        query = select(EntityRow).where(EntityRow.entity == self.index("entity", entity))
        return self.session.execute(query).scalar_one_or_none()

    def add_company(self, code: str) -> CompanyRow:
        row = CompanyRow(code=self.index("company", code))
        self.session.add(row)
        self.session.flush()
        return row

    def keys_of(self, company_id: int) -> dict[str, str]:
        query = select(SubjectKeyRow.scope, SubjectKeyRow.id).where(SubjectKeyRow.company_id == company_id)
        return {row.scope: row.id for row in self.session.execute(query)}

    def key_of(self, company_id: int, scope: str) -> SubjectKeyRow | None:
        query = select(SubjectKeyRow).where(SubjectKeyRow.company_id == company_id, SubjectKeyRow.scope == scope)
        return self.session.execute(query).scalar_one_or_none()

    def add_key(self, company_id: int, scope: str) -> SubjectKeyRow:
        row = SubjectKeyRow(id=secrets.token_hex(ID_BYTES), company_id=company_id, scope=scope)
        row.wrapped = self.key.wrap(secrets.token_bytes(KEY_BYTES), _name(row))
        self.session.add(row)
        self.session.flush()
        return row

    def unwrapped(self, row: SubjectKeyRow) -> DataKey:
        return DataKey(row.id, self.key.unwrap(row.wrapped, _name(row)))


def _name(row: SubjectKeyRow) -> str:
    """What a wrapped key is bound to: it cannot be put in another key's place."""
    return f"{row.id}\x00{row.company_id}\x00{row.scope}"


def _destroy(session: Session, key_ids: list[str]) -> int:
    rows = list(session.execute(select(SubjectKeyRow).where(SubjectKeyRow.id.in_(key_ids))).scalars())
    companies = sorted({row.company_id for row in rows})
    session.execute(delete(SubjectKeyRow).where(SubjectKeyRow.id.in_(key_ids)))
    for company in companies:
        if session.execute(select(SubjectKeyRow.id).where(SubjectKeyRow.company_id == company)).first() is None:
            session.execute(delete(EntityRow).where(EntityRow.company_id == company))
            session.execute(delete(CompanyRow).where(CompanyRow.id == company))
    return len(rows)


def _chunks(key_ids: Iterable[str]) -> list[list[str]]:
    """No statement has more parameters than every database accepts."""
    ids = list(key_ids)
    return [ids[start : start + KEYS_AT_ONCE] for start in range(0, len(ids), KEYS_AT_ONCE)]
