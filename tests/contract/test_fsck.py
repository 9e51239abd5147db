"""fsck finds the same in both databases: every altered row is named, all that follows from leaves is derived again."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from ledger.checkpoint import Checkpoint
from ledger.entry import leaf_hash
from ledger.errors import NotFound
from ledger.fsck import Finding, FsckReport, fsck
from ledger.merkle import root
from ledger.storage.audit import Audit
from ledger.storage.postgres import PostgresStorage
from ledger.storage.postgres_audit import PostgresAudit
from ledger.storage.postgres_connection import connect_reader
from ledger.storage.postgres_schema import EXPECTED, described
from ledger_service.storages import open_audit
from tests.contract.ledger_tables import Change, alter, leaf_of, note_of
from tests.contract.log_storages import SQLITE, StorageKind
from tests.support.sample_log import COSIGNED_AT, fill_storage, sample_log
from tests.support.witnessed_log import ORIGIN

LOG = sample_log()
SIZE = len(LOG.leaves)
ZEROS = bytes(32)
MAX = 2**63 - 1


@pytest.fixture
def filled(kind: StorageKind, place: str) -> str:
    """Ten entries, all of them witnessed."""
    fill_storage(LOG, kind.open(place))
    return place


def examined(place: str, signed: Checkpoint | None = None) -> FsckReport:
    with open_audit(place) as audit:
        return fsck(audit, signed)


def places(report: FsckReport) -> set[str]:
    return {finding.place for finding in report.findings}


def test_a_sound_log(kind: StorageKind, place: str) -> None:
    fill_storage(sample_log(repeat=150), kind.open(place), witnessed=4)
    steps: list[tuple[int, int]] = []
    with open_audit(place) as audit:
        report = fsck(audit, progress=lambda *step: steps.append(step))
    assert report == FsckReport(1351, 1351, 4, (), 0)
    assert steps == [(1024, 1351)]


def test_beside_a_log_that_grows_it_sees_one_state(kind: StorageKind, filled: str) -> None:
    """What is stored after the audit was opened is not half of what it sees."""
    running = kind.open(filled)
    with open_audit(filled) as audit:
        alter(kind, filled, ("UPDATE head SET size = ?", [SIZE + 1]))
        assert fsck(audit) == FsckReport(SIZE, SIZE, SIZE, (), 0)
    assert places(examined(filled)) == {"head"}
    running.close()


def note_replacing(old: bytes, new: bytes) -> Callable[[StorageKind, str], Change]:
    return lambda kind, place: ("UPDATE checkpoint SET note = ?", [note_of(kind, place).replace(old, new)])


def leaf_replacing(seq: int, old: bytes, new: bytes) -> Callable[[StorageKind, str], Change]:
    return lambda kind, place: (
        "UPDATE entry SET leaf = ? WHERE seq = ?",
        [leaf_of(kind, place, seq).replace(old, new, 1), seq],
    )


def another_node(level: int, position: int) -> Callable[[StorageKind, str], Change]:
    """At the place where SQLite would have it, as far as numbers go."""
    return lambda kind, _: (_ANOTHER_NODE_IN_PLACE if kind is SQLITE else _ANOTHER_NODE, [level, position, ZEROS])


_ANOTHER_NODE = "INSERT INTO node VALUES (?, ?, ?)"
_ANOTHER_NODE_IN_PLACE = "INSERT INTO node SELECT (((?2 + 1) << ?1) << 6) + ?1, ?1, ?2, ?3"
_ANOTHER_KEY = "INSERT INTO idempotency VALUES ('another', 5)"
_ANOTHER_KEY_IN_BLOCK = "INSERT INTO idempotency VALUES (0, 'another', 5)"

ALTERATIONS: dict[str, tuple[Change | Callable[[StorageKind, str], Change], set[str]]] = {
    "a leaf says another bank": (leaf_replacing(4, b"bank-b", b"bank-a"), {"entry 4", "entry 5"}),
    "a leaf is not canonical": (leaf_replacing(9, b"{", b" {"), {"entry 9"}),
    "a leaf stands twice": (
        lambda kind, place: ("UPDATE entry SET leaf = ? WHERE seq = 9", [leaf_of(kind, place, 5)]),
        {"entry 9"},
    ),
    "a leaf hash": (("UPDATE entry SET leaf_hash = ? WHERE seq = 4", [ZEROS]), {"entry 4"}),
    "the last entry is gone": (
        ("DELETE FROM entry WHERE seq = 9", []),
        {"head", "checkpoint"},
    ),
    "an entry in the middle is gone": (
        ("DELETE FROM entry WHERE seq = 3", []),
        {"entry 3", "searchable 3", "idempotency 3"},
    ),
    "an entry has another number": (
        ("UPDATE entry SET seq = 12 WHERE seq = 9", []),
        {"entry 9", "entry 12"},
    ),
    "a node": (("UPDATE node SET hash = ? WHERE level = 1 AND position = 2", [ZEROS]), {"node 1/2"}),
    "the topmost node is gone": (("DELETE FROM node WHERE level = 3", []), {"node 3/0"}),
    "a node that no leaves complete": (another_node(1, 5), {"node 1/5"}),
    "a node of an impossible level": (another_node(60, 0), {"node 60/0"}),
    "a node so far out that its end has no number": (another_node(3, MAX), {f"node 3/{MAX}"}),
    "the head is too small": (("UPDATE head SET size = 9", []), {"head"}),
    "the head is too large": (("UPDATE head SET size = 11", []), {"head"}),
    "the head names another leaf": (("UPDATE head SET last = ?", ["a" * 64]), {"head"}),
    "no head": (("DELETE FROM head", []), {"head"}),
    "the checkpoint's column": (("UPDATE checkpoint SET size = 9", []), {"checkpoint"}),
    "a checkpoint that is no note": (("UPDATE checkpoint SET note = ?", [b"x"]), {"checkpoint"}),
    "a checkpoint of another size": (note_replacing(b"\n10\n", b"\n9\n"), {"checkpoint"}),
    "a checkpoint beyond the log": (note_replacing(b"\n10\n", b"\n99\n"), {"checkpoint"}),
    "a checkpoint of another log": (note_replacing(b"consentgate.test/", b"other.test/"), {"checkpoint"}),
    "searchable: bank": (("UPDATE searchable SET institution = 'bank-b' WHERE seq = 5", []), {"searchable 5"}),
    "searchable: token": (("UPDATE searchable SET subject = NULL WHERE seq = 5", []), {"searchable 5"}),
    "searchable: verdict": (("UPDATE searchable SET verdict = 'deny' WHERE seq = 5", []), {"searchable 5"}),
    "searchable: reason": (("UPDATE searchable SET reason = 'X' WHERE seq = 1", []), {"searchable 1"}),
    "searchable: purpose": (("UPDATE searchable SET purpose = 'x' WHERE seq = 3", []), {"searchable 3"}),
    "searchable: kind": (("UPDATE searchable SET kind = 'log.closed' WHERE seq = 0", []), {"searchable 0"}),
    "searchable: time": (("UPDATE searchable SET ts = 'x' WHERE seq = 0", []), {"searchable 0"}),
    "searchable: row gone": (("DELETE FROM searchable WHERE seq = 6", []), {"searchable 6"}),
    "searchable: row of no entry": (
        ("INSERT INTO searchable (seq, kind, ts) VALUES (77, 'log.opened', 'x')", []),
        {"searchable 77"},
    ),
    "a category gone": (("DELETE FROM category WHERE seq = 3 AND category = 'tax.basic'", []), {"category 3"}),
    "a category more": (("INSERT INTO category VALUES ('tax.basic', 5)", []), {"category 5"}),
    "a category of no entry": (("INSERT INTO category VALUES ('tax.basic', 99)", []), {"category 99"}),
    "a key gone": (("UPDATE entry SET key = NULL, binding = NULL WHERE seq = 5", []), {"entry 5", "idempotency 5"}),
    "an empty key": (("UPDATE entry SET key = '' WHERE seq = 5", []), {"entry 5", "idempotency 5"}),
    "another key": (("UPDATE entry SET key = 'key-77' WHERE seq = 5", []), {"entry 5", "idempotency 5"}),
    "a key's binding": (("UPDATE entry SET binding = ? WHERE seq = 5", [ZEROS]), {"entry 5"}),
    "idempotency: row gone": (("DELETE FROM idempotency WHERE seq = 5", []), {"idempotency 5"}),
    "idempotency: a key at another entry": (
        ("UPDATE idempotency SET seq = 6 WHERE seq = 5", []),
        {"idempotency 5", "idempotency 6"},
    ),
    "idempotency: a key of no entry": (
        ("UPDATE idempotency SET seq = 99 WHERE seq = 5", []),
        {"idempotency 5", "idempotency 99"},
    ),
    "idempotency: another key": (("UPDATE idempotency SET key = 'key-77' WHERE seq = 5", []), {"idempotency 5"}),
    "idempotency: two keys changed places": (
        ("UPDATE idempotency SET seq = 11 - seq WHERE seq IN (5, 6)", []),
        {"idempotency 5", "idempotency 6"},
    ),
    "idempotency: two keys of one entry": (
        lambda kind, _: (_ANOTHER_KEY_IN_BLOCK if kind is SQLITE else _ANOTHER_KEY, []),
        {"idempotency 5"},
    ),
    "an index is gone": (("DROP INDEX searchable_kind", []), {"schema"}),
    "a table more": (("CREATE TABLE extra (x int)", []), {"schema"}),
}


@pytest.mark.parametrize("name", ALTERATIONS)
def test_an_altered_row_is_named(kind: StorageKind, filled: str, name: str) -> None:
    change, expected = ALTERATIONS[name]
    alter(kind, filled, change(kind, filled) if callable(change) else change)
    assert expected <= places(examined(filled))


@pytest.mark.parametrize(("size", "expected"), [(7, {"searchable 7", "searchable 8", "searchable 9"}), (99, {"index"})])
def test_the_size_of_the_index_is_examined(kind: StorageKind, filled: str, size: int, expected: set[str]) -> None:
    """In a file it says with its size which leaf was the last; where that does not fit, it is no index of this log."""
    alter(kind, filled, ("UPDATE indexed SET size = ?", [size]))
    if kind is SQLITE:
        assert examined(filled) == FsckReport(SIZE, 0, SIZE, (), 0)
        alter(kind, filled, ("UPDATE indexed SET last = ?", [leaf_hash(LOG.leaves[min(size, SIZE) - 1]).hex()]))
    if kind is not SQLITE or size < SIZE:
        assert places(examined(filled)) == expected


def test_only_what_differs_is_named(kind: StorageKind, filled: str) -> None:
    alter(kind, filled, ("UPDATE entry SET leaf_hash = ? WHERE seq = 4", [ZEROS]))
    assert examined(filled).findings == (Finding("entry 4", "leaf bytes do not have the stored leaf hash"),)


def test_no_finding_bears_a_value(kind: StorageKind, filled: str) -> None:
    alter(
        kind,
        filled,
        ("UPDATE searchable SET institution = 'SECRET', subject = 'SECRET', reason = 'SECRET'", []),
        ("UPDATE idempotency SET key = 'SECRET' || key", []),
        ("INSERT INTO category VALUES ('SECRET', 3)", []),
    )
    assert "SECRET" not in str(examined(filled))


def test_the_second_place_tells_an_old_copy_and_a_fork(filled: str) -> None:
    hashes = [leaf_hash(leaf) for leaf in sample_log(repeat=2).leaves]
    assert examined(filled, Checkpoint(ORIGIN, 3, root(hashes[:3]))).clean
    ahead = Finding("second place", "the database is an old copy: the log signed further")
    assert examined(filled, Checkpoint(ORIGIN, SIZE + 1, root(hashes[: SIZE + 1]))).findings == (ahead,)
    assert places(examined(filled, Checkpoint(ORIGIN, 3, ZEROS))) == {"second place"}


def test_a_log_without_checkpoint(kind: StorageKind, filled: str) -> None:
    alter(kind, filled, ("DELETE FROM checkpoint", []))
    assert examined(filled) == FsckReport(SIZE, SIZE, None, (), 0)


def test_no_ledger_is_another_answer_than_a_broken_one(place: str) -> None:
    with pytest.raises(NotFound):
        open_audit(place)


# PostgreSQL in particular.


def test_the_schema_is_the_one_that_the_migrations_make(address: str) -> None:
    """When it fails after a new migration: copy what the server says into EXPECTED."""
    PostgresStorage.open(address).close()
    with connect_reader(address) as session:
        assert described(session) == list(EXPECTED)


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE entry DISABLE TRIGGER entry_no_update",
        "DROP TRIGGER head_only_grows ON head",
        "ALTER TABLE entry ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE entry DROP CONSTRAINT entry_leaf_size",
        "ALTER TABLE searchable ALTER kind DROP NOT NULL",
        'ALTER TABLE idempotency ALTER key TYPE text COLLATE "default"',
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "CREATE RULE nothing AS ON INSERT TO category DO INSTEAD NOTHING",
        "CREATE VIEW seen AS SELECT * FROM entry",
    ],
)
def test_an_altered_schema_is_named(address: str, statement: str) -> None:
    fill_storage(LOG, PostgresStorage.open(address))
    with psycopg.connect(address, autocommit=True, options="-c search_path=ledger") as session:
        session.execute(statement)  # type: ignore[call-overload,unused-ignore]
    assert places(examined(address)) == {"schema"}


def test_it_cannot_write(address: str) -> None:
    PostgresStorage.open(address).close()
    audit: Audit = PostgresAudit(address)
    assert isinstance(audit, PostgresAudit)
    with audit, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        audit._session.execute("INSERT INTO category VALUES ('x', 1)")


def test_a_role_that_may_only_read_can_examine(address: str) -> None:
    fill_storage(LOG, PostgresStorage.open(address))
    with psycopg.connect(address, autocommit=True) as session:
        session.execute("CREATE ROLE ledger_auditor LOGIN")
        session.execute("GRANT USAGE ON SCHEMA ledger TO ledger_auditor")
        session.execute("GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO ledger_auditor")
        try:
            assert examined(address.replace("postgres@", "ledger_auditor@")).clean
        finally:
            session.execute("DROP OWNED BY ledger_auditor")
            session.execute("DROP ROLE ledger_auditor")


def test_an_index_that_disagrees_with_its_table_is_found_where_amcheck_is(address: str) -> None:
    fill_storage(LOG, PostgresStorage.open(address))
    with psycopg.connect(address, autocommit=True, options="-c search_path=ledger") as session:
        try:
            session.execute("CREATE EXTENSION amcheck SCHEMA public")
        except psycopg.Error:
            pytest.skip("this server has no amcheck")
        try:
            assert examined(address).clean
            # Without its condition the index claims to hold every row, and holds those with a reason.
            session.execute("SET allow_system_table_mods = on")
            session.execute("UPDATE pg_index SET indpred = NULL WHERE indexrelid = 'searchable_reason'::regclass")
            assert "database" in places(examined(address))
        finally:
            session.execute("DROP EXTENSION amcheck")


def test_the_stored_note_may_be_of_a_shorter_history(kind: StorageKind, place: str) -> None:
    fill_storage(LOG, kind.open(place), witnessed=SIZE - 1)
    note = sample_log(repeat=2).note(COSIGNED_AT, size=SIZE - 1)
    alter(kind, place, ("UPDATE checkpoint SET note = ?", [note]))
    assert examined(place).clean
