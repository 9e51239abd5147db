"""What is looked up follows the log: at no moment, and whatever fails, does a search or a key miss an entry."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from ledger.chain import Chain
from ledger.entry import parse
from ledger.errors import StorageFailed
from ledger.fsck import FsckReport, fsck
from ledger.kinds import KINDS
from ledger.storage import indexing
from ledger.storage.interface import MAX_KEY, LogReader, LogStorage
from ledger.storage.postgres import PostgresStorage
from ledger.storage.postgres_audit import PostgresAudit
from ledger.storage.postgres_migrations import VERSIONS
from ledger.storage.searchable import SearchFilters, searchable_leaf
from tests.contract.log_storages import StorageKind, unlocked
from tests.contract.test_postgres import OPERATIONS
from tests.property.ledger.strategies import bodies
from tests.support.log_batches import Wanted, batch_after, head_of, opened
from tests.support.postgresql import PostgresqlServer
from tests.support.searched_log import add, answers_rightly, entries
from tests.support.witnessed_log import ORIGIN

EMPTY = Chain(ORIGIN)
NEVER = 3600.0
WAIT = 20.0
"""Seconds that any wait here may last; all of them end by an event."""


@pytest.fixture
def held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is indexed by itself, but for what is there when a storage is opened."""
    monkeypatch.setattr(indexing, "PAUSE_SECONDS", NEVER)
    monkeypatch.setattr(indexing, "ROUND", 10**9)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few entries are indexed soon, in small rounds."""
    monkeypatch.setattr(indexing, "PAUSE_SECONDS", 0.002)
    monkeypatch.setattr(indexing, "ROUND", 8)
    monkeypatch.setattr(indexing, "MAX_ROUND", 32)


def indexing_of(storage: LogStorage) -> Any:
    found = storage._indexing  # type: ignore[attr-defined]
    assert isinstance(found, indexing.Indexing)
    return found


def examined(kind: StorageKind, place: str) -> FsckReport:
    with kind.open_audit(place) as audit:
        return fsck(audit)


def eventually(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + WAIT
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.002)


@pytest.mark.usefixtures("held_back")
@pytest.mark.parametrize("indexed", [0, 13, 40])
def test_searches_and_keys_are_the_same_before_and_after_entries_are_indexed(
    kind: StorageKind, place: str, indexed: int
) -> None:
    with closing(kind.open(place)) as storage, closing(kind.open_reader(place)) as reader:
        chain = add(storage, EMPTY, entries(0, indexed)) if indexed else EMPTY
        indexing_of(storage)._catch_up()
        chain = add(storage, chain, entries(indexed, 40)) if indexed < 40 else chain
        assert examined(kind, place) == FsckReport(40, indexed, None, (), 0)
        for each in (storage, reader):
            assert answers_rightly(each, 40)
        indexing_of(storage)._catch_up()
        assert examined(kind, place) == FsckReport(40, 40, None, (), 0)
        for each in (storage, reader):
            assert answers_rightly(each, 40)


@pytest.mark.usefixtures("held_back")
def test_a_page_goes_on_from_what_is_indexed_into_what_is_not(storage: LogStorage) -> None:
    chain = add(storage, EMPTY, entries(0, 20))
    indexing_of(storage)._catch_up()
    add(storage, chain, entries(20, 40))
    leaves = storage.leaves(0, 40)
    for limit in (1, 4, 19, 20, 21, 50):
        found: list[bytes] = []
        while page := storage.search(SearchFilters(), parse(found[-1]).seq if found else None, limit):
            assert len(page) <= limit
            found += page
        assert found == leaves


class Watcher:
    """Reads a log again and again while it grows."""

    def __init__(self, reader: LogReader, *, with_keys: bool) -> None:
        """`with_keys`: not of a storage that appends, which is asked for keys by the thread that does."""
        self.acknowledged = 0
        """Entries whose append has returned."""
        self.faults: list[str] = []
        self.looks = 0
        self._reader, self._with_keys = reader, with_keys
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._look()
                self.looks += 1
        except Exception as error:
            self.faults.append(repr(error))

    def _look(self) -> None:
        size = self.acknowledged
        if self._with_keys and self._reader.find_keys(list(newest(size))) != newest(size):
            self.faults.append(f"keys missed of {size}")
        # The fifth of every nine is what is searched for.
        found, after = [], None
        while page := self._reader.search(SearchFilters(reason="ALLOWED"), after, 7):
            found += [parse(leaf).seq for leaf in page]
            after = found[-1]
        if found != list(range(4, max([size, *(seq + 1 for seq in found)]), 9)):
            self.faults.append(f"of {size} entries: {found}")


def newest(size: int) -> dict[str, int]:
    """Keys of the last twenty entries."""
    return {f"key {seq}": seq for seq in range(max(0, size - 20), size)}


@pytest.mark.usefixtures("hurried")
def test_while_a_log_grows_no_reader_misses_what_was_acknowledged(kind: StorageKind, place: str) -> None:
    """No page has a gap either, and nothing comes twice."""
    with closing(kind.open(place)) as storage, closing(kind.open_reader(place)) as reader:
        with Watcher(storage, with_keys=False) as inside, Watcher(reader, with_keys=True) as outside:
            chain, until = EMPTY, time.monotonic() + WAIT
            while chain.size < 600 or min(inside.looks, outside.looks) < 10 or indexing_of(storage)._size <= 300:
                chain = add(storage, chain, entries(chain.size, chain.size + 5))
                inside.acknowledged = outside.acknowledged = chain.size
                assert storage.find_keys(list(newest(chain.size))) == newest(chain.size)
                assert time.monotonic() < until
        assert inside.faults == outside.faults == []
    assert examined(kind, place) == FsckReport(chain.size, chain.size, None, (), 0)


@pytest.mark.usefixtures("held_back")
def test_keys_of_a_process_that_died_are_found_at_once_by_the_next(
    kind: StorageKind, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlocked(monkeypatch)
    with closing(kind.open(place)) as died:
        chain = add(died, EMPTY, entries(0, 40))
        assert examined(kind, place).indexed == 0
        with closing(kind.open(place)) as storage:
            assert answers_rightly(storage, 40)
            add(storage, chain, entries(40, 45))
            assert answers_rightly(storage, 45)
    assert examined(kind, place) == FsckReport(45, 45, None, (), 0)


@pytest.mark.usefixtures("held_back")
def test_what_is_left_is_indexed_when_a_log_is_closed(kind: StorageKind, place: str) -> None:
    with closing(kind.open(place)) as storage:
        add(storage, EMPTY, entries(0, 40))
    assert examined(kind, place) == FsckReport(40, 40, None, (), 0)


KEYS = st.lists(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=MAX_KEY).filter(str.isprintable),
    min_size=len(KINDS),
    max_size=len(KINDS),
    unique=True,
)


@given(st.tuples(*map(bodies, sorted(KINDS))), KEYS)
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_databases_read_of_entries_of_every_kind_what_we_read(
    storage: LogStorage, kind: StorageKind, place: str, contents: tuple[dict[str, Any], ...], keys: list[str]
) -> None:
    """One log for all examples: it grows by an entry of every kind."""
    head = storage.head()
    chain, _ = EMPTY.extend(storage.leaves(0, head.size))
    names = [f"{head.size} {key}"[:MAX_KEY] for key in keys]
    wanted = [Wanted(*each) for each in zip(sorted(KINDS), map(with_repeats, contents), names, strict=True)]
    chain = add(storage, chain, wanted)
    indexing_of(storage)._catch_up()
    assert examined(kind, place) == FsckReport(chain.size, chain.size, None, (), 0)
    assert storage.find_keys(names) == {name: seq for seq, name in enumerate(names, head.size)}


def with_repeats(body: dict[str, Any]) -> dict[str, Any]:
    """Where there are categories, each is there twice."""
    return {**body, "categories": body["categories"] * 2} if "categories" in body else body


# PostgreSQL in particular.


@pytest.fixture
def admin(address: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(address, autocommit=True) as session:
        yield session


@pytest.fixture
def owner(address: str, admin: psycopg.Connection[Any]) -> Iterator[str]:
    """The same database as somebody who may make the ledger's schema, and nothing else."""
    name = address.partition("@/")[2].partition("?")[0]
    admin.execute("CREATE ROLE index_owner LOGIN")
    admin.execute(f"GRANT CREATE ON DATABASE {name} TO index_owner")
    yield address.replace("postgres@", "index_owner@")
    admin.execute("DROP OWNED BY index_owner")
    admin.execute("DROP ROLE index_owner")


def audited(address: str) -> FsckReport:
    with PostgresAudit(address) as audit:
        return fsck(audit)


@pytest.mark.usefixtures("hurried")
def test_an_index_session_that_ends_is_replaced(address: str, admin: psycopg.Connection[Any]) -> None:
    with capture_logs() as journal, closing(PostgresStorage.open(address)) as storage:
        chain = EMPTY
        for _ in range(3):
            chain = add(storage, chain, entries(chain.size, chain.size + 20))
            eventually(lambda: indexing_of(storage)._size == storage.head().size)
            pid = indexing_of(storage)._index._session.info.backend_pid
            admin.execute("SELECT pg_terminate_backend(%s)", [pid])
            chain = add(storage, chain, entries(chain.size, chain.size + 20))
            assert answers_rightly(storage, chain.size)
            eventually(lambda: indexing_of(storage)._size == storage.head().size)
    assert audited(address) == FsckReport(120, 120, None, (), 0)
    assert "key" not in str(journal)


@pytest.mark.usefixtures("held_back")
def test_an_index_session_that_ends_in_the_middle_of_a_round_leaves_nothing_of_it(
    address: str, admin: psycopg.Connection[Any]
) -> None:
    with closing(PostgresStorage.open(address)) as storage:
        add(storage, EMPTY, entries(0, 40))
        pid = indexing_of(storage)._index._session.info.backend_pid
        with psycopg.connect(address) as holder:
            holder.execute("LOCK TABLE ledger.category IN SHARE MODE")
            round_ = threading.Thread(target=lambda: suppress_failure(indexing_of(storage)._extend))
            round_.start()
            waiting = "SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s"
            eventually(lambda: admin.execute(waiting, [pid]).fetchone() == ("Lock",))
            assert answers_rightly(storage, 40)
            admin.execute("SELECT pg_terminate_backend(%s)", [pid])
            round_.join()
        assert audited(address) == FsckReport(40, 0, None, (), 0)
        assert answers_rightly(storage, 40)
    assert audited(address) == FsckReport(40, 40, None, (), 0)


def suppress_failure(step: Callable[[], object]) -> None:
    with suppress(StorageFailed):
        step()


@pytest.mark.usefixtures("held_back")
def test_no_key_is_forgotten_when_the_server_dies_right_after_a_round(
    postgresql: PostgresqlServer, address: str
) -> None:
    """The ledger lives on, and takes what it knows to be indexed out of its memory."""
    with closing(PostgresStorage.open(address)) as storage:
        chain = add(storage, EMPTY, entries(0, 40))
        indexing_of(storage)._extend()
        postgresql.kill()
        postgresql.start()
        until = time.monotonic() + WAIT
        while storage_fails(lambda: (storage.head(), add(storage, chain, entries(40, 41)))):
            assert time.monotonic() < until
        assert answers_rightly(storage, 41)


def storage_fails(step: Callable[[], object]) -> bool:
    try:
        step()
    except StorageFailed:
        return True
    return False


def test_an_index_commit_waits_for_the_disk(address: str) -> None:
    """Or a key would leave memory for an index that a crash takes back."""
    with closing(PostgresStorage.open(address)) as storage:
        session = indexing_of(storage)._index._connected()
        assert session.execute("SHOW synchronous_commit").fetchone() == ("on",)


def test_an_index_that_the_owner_emptied_is_made_anew(address: str, owner: str) -> None:
    """By what the operations page says, word for word."""
    with closing(PostgresStorage.open(owner)) as storage:
        add(storage, EMPTY, entries(0, 40))
    (emptying,) = re.findall(r"`(TRUNCATE [^`]*)`", OPERATIONS.read_text())
    with psycopg.connect(owner, autocommit=True) as session:
        for statement in emptying.strip(";").split(";"):
            session.execute(statement)
    assert audited(address) == FsckReport(40, 0, None, (), 0)
    with closing(PostgresStorage.open(owner)) as storage:
        assert answers_rightly(storage, 40)
        assert audited(address) == FsckReport(40, 40, None, (), 0)


@pytest.mark.parametrize("role", ["postgres", "index_owner"])
def test_a_database_of_the_first_version_keeps_its_keys_and_searches(address: str, owner: str, role: str) -> None:
    there = owner if role == "index_owner" else address
    chain = store_version_1(there)
    with closing(PostgresStorage.open(there)) as storage:
        assert storage.head() == head_of(chain)
        assert answers_rightly(storage, 40)
        add(storage, chain, entries(40, 45))
        assert answers_rightly(storage, 45)
        with pytest.raises(psycopg.Error):
            storage._connected().execute("UPDATE entry SET key = 'x'")
    assert audited(address) == FsckReport(45, 45, None, (), 0)


def store_version_1(address: str) -> Chain:
    """As the first version stored a log; what can be searched was in the same transaction."""
    batch, chain = batch_after(EMPTY, entries(0, 40))
    with psycopg.connect(address, options="-c search_path=ledger") as session:
        run: Any = session.execute
        run("CREATE SCHEMA ledger")
        run("CREATE TABLE schema_version (version integer NOT NULL)")
        run("INSERT INTO schema_version VALUES (1)")
        for statement in VERSIONS[0]:
            run(statement)
        for seq, record in enumerate(batch.records):
            run("INSERT INTO entry VALUES (%s, %s, %s)", [seq, record.leaf, record.leaf_hash])
            run("INSERT INTO idempotency VALUES (%s, %s, %s)", [record.key, seq, record.binding])
            *columns, categories = searchable_leaf(record.leaf)
            run("INSERT INTO searchable VALUES (%s, %s, %s, %s, %s, %s, %s, %s)", [seq, *columns])
            for category in categories:
                run("INSERT INTO category VALUES (%s, %s)", [category, seq])
        for node in batch.nodes:
            run("INSERT INTO node VALUES (%s, %s, %s)", [*node.id, node.hash])
        run("UPDATE head SET size = %s, last = %s", [batch.head.size, batch.head.last])
    return chain


@pytest.mark.usefixtures("hurried")
def test_a_log_that_begins_empty_is_not_slowed_by_plans_made_for_empty_tables(
    address: str, admin: psycopg.Connection[Any]
) -> None:
    """A server reads small tables whole rather than by their index. In a statement planned then that would go on while
    they grow, a little more slowly with every entry.
    """
    with closing(PostgresStorage.open(address)) as storage:
        chain = EMPTY
        for count in [1] * 40 + [50] * 40:
            wanted = opened(count, chain.size)
            assert storage.find_keys([str(each.key) for each in wanted]) == {}
            chain = add(storage, chain, wanted)
    read = "SELECT relname, seq_tup_read FROM pg_stat_user_tables WHERE relname IN ('idempotency', 'entry', 'node')"
    assert dict(admin.execute(read).fetchall()) == {"idempotency": 0, "entry": 0, "node": 0}
