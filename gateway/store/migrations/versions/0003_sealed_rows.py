"""Whatever names a company is sealed under per-subject keys; the table of companies in clear is gone.

Rows that an older program left are sealed here, 500 at a time, in the one transaction of the migration: interrupted, it
leaves the old schema, and keys that the next attempt uses. SQLite's file is written anew afterwards (`store.migrate`);
copies made before keep what they held.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.engine import Connection, RowMapping

from consentgate import canonical, signing
from gateway.store.sealed_rows import SUBJECT_KEYS
from gateway.store.sealing import DataKey, Place
from gateway.store.subject_keys import SubjectKeys

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
BATCH = 500
"""Rows read at a time."""
CHANGED = {
    "answers": "request_row_id",
    "allowances": "request_row_id",
    "consent_transitions": "id",
    "requests": "id",
    "consents": "id",
    "subjects": "id",
    "companies": "id",
}
"""Tables that are made anew, with their primary key, in the order in which references allow to drop them."""


def upgrade() -> None:
    """Moves the old tables aside, creates the new ones, copies what they held, sealed."""
    connection = op.get_bind()
    for table, key in CHANGED.items():
        op.execute(f"CREATE TABLE old_{table} AS SELECT * FROM {table}")  # noqa: S608 - names of this file
        op.execute(f"CREATE UNIQUE INDEX ix_old_{table} ON old_{table} ({key})")
    for table in CHANGED:
        op.drop_table(table)
    _create_tables()
    _Sealing(connection, context.config.attributes[SUBJECT_KEYS]).copy_all()
    for table in CHANGED:
        op.drop_table(f"old_{table}")


def downgrade() -> None:
    """Refused: it would write in clear what was sealed."""
    raise NotImplementedError("sealed rows are not opened again")


class _Sealing:
    """Copies rows from the old tables."""

    def __init__(self, connection: Connection, keys: SubjectKeys) -> None:
        self._connection = connection
        self._keys = keys
        members = connection.execute(sa.text("SELECT bank, grantee_group FROM group_members"))
        self._groups: dict[str, str] = {row.bank: row.grantee_group for row in members}
        self._known: dict[tuple[str, str], DataKey] = {}

    def copy_all(self) -> None:
        """In the order that references allow."""
        self._copy("subjects", self._subject)
        self._copy("consents", self._consent)
        self._copy("consent_transitions", self._transition)
        self._copy("requests", self._request)
        self._copy("allowances", dict)
        self._copy("answers", self._answer)
        for table in ("subjects", "consents", "consent_transitions", "requests"):
            self._continue_numbers(table)

    def _copy(self, table: str, sealed: Callable[[RowMapping], Mapping[str, Any]]) -> None:
        columns = sa.inspect(self._connection).get_columns(table)
        target = sa.table(table, *(sa.column(column["name"], column["type"]) for column in columns))
        for row in self._old(table):
            self._connection.execute(target.insert(), dict(sealed(row)))

    def _old(self, table: str) -> Iterator[RowMapping]:
        key, last = CHANGED[table], -1
        query = sa.text(f"SELECT * FROM old_{table} WHERE {key} > :last ORDER BY {key} LIMIT {BATCH}")  # noqa: S608
        while rows := self._connection.execute(query, {"last": last}).mappings().all():
            yield from rows
            last = rows[-1][key]

    def _continue_numbers(self, table: str) -> None:
        """A database server counts by a sequence of its own, which copied numbers do not move."""
        if self._connection.dialect.name == "postgresql":
            self._connection.execute(
                sa.text(
                    f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), "  # noqa: S608 - names of this file
                    f"(SELECT coalesce(max(id), 0) + 1 FROM {table}), false)"
                )
            )

    def _one(self, table: str, key: int) -> RowMapping:
        query = sa.text(f"SELECT * FROM old_{table} WHERE {CHANGED[table]} = :key")  # noqa: S608 - names of this file
        return self._connection.execute(query, {"key": key}).mappings().one()

    def _key(self, company: str, scope: str) -> DataKey:
        if (company, scope) not in self._known:
            self._known[company, scope] = self._keys.obtain(company, scope)
        return self._known[company, scope]

    def _subject(self, row: RowMapping) -> Mapping[str, Any]:
        company = self._one("companies", row["company_id"])
        key = self._key(company["code"], row["grantee_group"])
        self._keys.bind(company["code"], company["entity"])
        mapping = canonical.encode({"company": company["code"], "entity": company["entity"]})
        name = (row["token"], row["grantee_group"])
        kept = {column: row[column] for column in ("id", "grantee_group", "token")}
        return {**kept, "key_id": key.id, "mapping": key.seal(Place("subjects", "mapping", name), mapping)}

    def _consent(self, row: RowMapping) -> Mapping[str, Any]:
        key, name = self._consent_key(row), (row["consent_id"], str(row["version"]))
        kept = {column: value for column, value in row.items() if column != "company_id"}
        return {**kept, "key_id": key.id, **_sealed(key, "consents", name, row, "consent_jws", "attestation_jws")}

    def _consent_key(self, row: RowMapping) -> DataKey:
        return self._key(str(_claim(row["consent_jws"], "company")), str(_claim(row["consent_jws"], "group")))

    def _transition(self, row: RowMapping) -> Mapping[str, Any]:
        consent = self._one("consents", row["consent_row_id"])
        name = (consent["consent_id"], str(consent["version"]), row["action"], row["nonce"])
        return {**row, **_sealed(self._consent_key(consent), "consent_transitions", name, row, "transition_jws")}

    def _request(self, row: RowMapping) -> Mapping[str, Any]:
        key, name = self._request_key(row), (row["bank"], row["request_id"])
        kept = {column: value for column, value in row.items() if column != "request_digest"}
        return {**kept, "key_id": key.id, **_sealed(key, "requests", name, row, "request_jws", "request_salt")}

    def _request_key(self, row: RowMapping) -> DataKey:
        bank = str(row["bank"])
        return self._key(str(_claim(row["request_jws"], "company")), self._groups.get(bank, bank))

    def _answer(self, row: RowMapping) -> Mapping[str, Any]:
        if not row["ciphertext"]:
            return {**row, "ciphertext": b"", "answer_jws": b""}
        request = self._one("requests", row["request_row_id"])
        tokens = row["answer_jws"]
        listed = json.loads(tokens) if isinstance(tokens, str | bytes) else tokens
        parts = {"ciphertext": row["ciphertext"], "answer_jws": "\n".join(listed).encode()}
        name = (request["bank"], request["request_id"])
        return {**row, **_sealed(self._request_key(request), "answers", name, parts, *parts)}


def _sealed(key: DataKey, table: str, name: tuple[str, ...], row: Mapping[Any, Any], *columns: str) -> dict[str, bytes]:
    return {column: key.seal(Place(table, column, name), bytes(row[column])) for column in columns}


def _claim(token: bytes, name: str) -> object:
    """A claim of a statement that was verified when it came in."""
    return canonical.parse(signing.unverified_payload(bytes(token), "statement"), "statement")[name]


def _create_tables() -> None:
    op.create_table(
        "destroyed_keys",
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("token", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["token"], ["erasures.token"], name=op.f("fk_destroyed_keys_token_erasures")),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_destroyed_keys")),
    )
    op.create_index(op.f("ix_destroyed_keys_token"), "destroyed_keys", ["token"])
    op.create_table(
        "key_database",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_key_database")),
    )
    op.create_table(
        "subjects",
        sa.Column("id", KEY, nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("grantee_group", sa.String(length=64), nullable=False),
        sa.Column("token", sa.String(length=32), nullable=False),
        sa.Column("mapping", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subjects")),
        sa.UniqueConstraint("key_id", name=op.f("uq_subjects_key_id")),
        sa.UniqueConstraint("token", name=op.f("uq_subjects_token")),
    )
    _create_consents()
    _create_requests()


def _create_consents() -> None:
    op.create_table(
        "consents",
        sa.Column("id", KEY, nullable=False),
        sa.Column("consent_id", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("grantee", sa.String(length=400), nullable=False),
        sa.Column("valid_until", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("consent_jws", sa.LargeBinary(), nullable=False),
        sa.Column("attestation_jws", sa.LargeBinary(), nullable=False),
        sa.Column("record_id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["record_id"], ["records.id"], name=op.f("fk_consents_record_id_records")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
        sa.UniqueConstraint("consent_id", "version", name=op.f("uq_consents_consent_id_version")),
        sa.UniqueConstraint("record_id", name=op.f("uq_consents_record_id")),
    )
    op.create_index(op.f("ix_consents_key_id_grantee"), "consents", ["key_id", "grantee"])
    op.create_index(op.f("ix_consents_valid_until"), "consents", ["valid_until"])
    op.create_table(
        "consent_transitions",
        sa.Column("id", KEY, nullable=False),
        sa.Column("consent_row_id", KEY, nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("nonce", sa.String(length=32), nullable=False),
        sa.Column("transition_jws", sa.LargeBinary(), nullable=False),
        sa.Column("record_id", KEY, nullable=False),
        sa.ForeignKeyConstraint(
            ["consent_row_id"], ["consents.id"], name=op.f("fk_consent_transitions_consent_row_id_consents")
        ),
        sa.ForeignKeyConstraint(["record_id"], ["records.id"], name=op.f("fk_consent_transitions_record_id_records")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_transitions")),
        sa.UniqueConstraint("consent_row_id", "nonce", name=op.f("uq_consent_transitions_consent_row_id_nonce")),
        sa.UniqueConstraint("record_id", name=op.f("uq_consent_transitions_record_id")),
    )


def _create_requests() -> None:
    op.create_table(
        "requests",
        sa.Column("id", KEY, nullable=False),
        sa.Column("bank", sa.String(length=400), nullable=False),
        sa.Column("request_id", sa.String(length=32), nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("request_jws", sa.LargeBinary(), nullable=False),
        sa.Column("request_salt", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("verdict", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("field", sa.String(length=200), nullable=False),
        sa.Column("failed_step", sa.Integer(), nullable=False),
        sa.Column("decision_id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["decision_id"], ["records.id"], name=op.f("fk_requests_decision_id_records")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_requests")),
        sa.UniqueConstraint("bank", "request_id", name=op.f("uq_requests_bank_request_id")),
        sa.UniqueConstraint("decision_id", name=op.f("uq_requests_decision_id")),
    )
    op.create_index(op.f("ix_requests_key_id"), "requests", ["key_id"])
    references = {
        "approval_row_id": "approvals",
        "consent_row_id": "consents",
        "key_row_id": "recipient_keys",
        "request_row_id": "requests",
        "scorecard_row_id": "scorecards",
    }
    op.create_table(
        "allowances",
        *(sa.Column(f"{name}_row_id", KEY, nullable=False) for name in _NUMBERED),
        sa.Column("used_at", sa.BigInteger(), nullable=False),
        sa.Column("not_after", sa.BigInteger(), nullable=False),
        *(
            sa.ForeignKeyConstraint([column], [f"{table}.id"], name=op.f(f"fk_allowances_{column}_{table}"))
            for column, table in references.items()
        ),
        sa.PrimaryKeyConstraint("request_row_id", name=op.f("pk_allowances")),
    )
    op.create_index(op.f("ix_allowances_consent_row_id_used_at"), "allowances", ["consent_row_id", "used_at"])
    op.create_table(
        "answers",
        sa.Column("request_row_id", KEY, nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("answer_jws", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("release_id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["release_id"], ["records.id"], name=op.f("fk_answers_release_id_records")),
        sa.ForeignKeyConstraint(["request_row_id"], ["requests.id"], name=op.f("fk_answers_request_row_id_requests")),
        sa.PrimaryKeyConstraint("request_row_id", name=op.f("pk_answers")),
        sa.UniqueConstraint("release_id", name=op.f("uq_answers_release_id")),
    )
    op.create_index(op.f("ix_answers_expires_at"), "answers", ["expires_at"])


_NUMBERED = ("request", "consent", "approval", "scorecard", "key")
