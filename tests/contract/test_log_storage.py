"""What `ledger.storage.interface` promises, for every storage."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from ledger.chain import Chain
from ledger.errors import HeadConflict, LedgerError, NotFound
from ledger.merkle import consistency_proof, inclusion_proof, root
from ledger.storage.interface import Batch, Head, LogStorage
from ledger.storage.searchable import TIME_BLOCK_BITS, SearchFilters
from ledger.tree import NodeId, load_frontier, stored_consistency_proof, stored_inclusion_proof
from tests.contract.log_storages import StorageKind, unlocked
from tests.support.log_batches import NOW, Wanted, batch_after, head_of, opened
from tests.support.witnessed_log import ORIGIN

EMPTY = Chain(ORIGIN)


def fill(storage: LogStorage, chain: Chain, wanted: list[Wanted]) -> tuple[Chain, list[bytes]]:
    batch, grown = batch_after(chain, wanted)
    storage.append(head_of(chain), batch)
    return grown, [record.leaf for record in batch.records]


def test_a_new_storage_is_empty(storage: LogStorage) -> None:
    assert storage.head() == Head()
    assert storage.leaves(0, 10) == []
    assert storage.find_keys(["key"]) == {}
    assert storage.search(SearchFilters(), None, 10) == []
    assert storage.checkpoint() is None


def test_leaves_come_back_byte_for_byte_and_in_order(storage: LogStorage) -> None:
    chain, first = fill(storage, EMPTY, opened(3))
    chain, second = fill(storage, chain, opened(2, 3))
    assert storage.head() == head_of(chain)
    assert storage.leaves(0, 100) == first + second
    assert storage.leaves(2, 4) == [first[2], second[0]]
    assert storage.leaves(5, 9) == []


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 20])
def test_stored_nodes_give_root_and_proofs_of_the_tree(storage: LogStorage, size: int) -> None:
    chain, hashes = EMPTY, []
    for start in range(0, size, 3):
        batch, grown = batch_after(chain, opened(min(3, size - start), start))
        storage.append(head_of(chain), batch)
        chain, hashes = grown, hashes + [record.leaf_hash for record in batch.records]
    assert load_frontier(size, storage.nodes).root() == root(hashes)
    for index in range(size):
        assert stored_inclusion_proof(index, size, storage.nodes) == inclusion_proof(index, hashes)
        assert stored_consistency_proof(index, size, storage.nodes) == consistency_proof(index, hashes)


def test_a_node_that_is_not_there_is_not_found(storage: LogStorage) -> None:
    fill(storage, EMPTY, opened(3))
    for missing in (NodeId(0, 3), NodeId(1, 1), NodeId(2, 0)):
        with pytest.raises(NotFound):
            storage.nodes([NodeId(0, 0), missing])


def test_keys_are_found_where_they_were_recorded(storage: LogStorage) -> None:
    wanted = [*opened(2), Wanted("log.opened", {}, None), Wanted("log.opened", {}, "a key")]
    fill(storage, EMPTY, wanted)
    assert storage.find_keys(["a key", "key 0", "unknown"]) == {"a key": 3, "key 0": 0}
    assert storage.find_keys([]) == {}
    assert storage.find_keys([f"key {number}" for number in range(1500)]) == {"key 0": 0, "key 1": 1}


def test_a_key_that_was_just_recorded_is_found_whoever_recorded_it(
    kind: StorageKind, storage: LogStorage, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the index has not reached it, and where another process appended in spite of all locks. That is what
    keeps a key from being recorded twice: an append to any later history than the one looked at is a conflict.
    """
    unlocked(monkeypatch)
    chain, _ = fill(storage, EMPTY, opened(2))
    other = kind.open(place)
    chain, _ = fill(other, chain, opened(2, 2))
    assert storage.find_keys(["key 0", "key 2", "key 3", "key 4"]) == {"key 0": 0, "key 2": 2, "key 3": 3}
    fill(storage, chain, opened(2, 4))
    assert other.find_keys(["key 1", "key 3", "key 5"]) == {"key 1": 1, "key 3": 3, "key 5": 5}
    other.close()


def test_of_two_that_start_from_one_head_the_second_stores_nothing(storage: LogStorage) -> None:
    start, _ = fill(storage, EMPTY, opened(1))
    first, grown = batch_after(start, opened(1, 1))
    second, _ = batch_after(start, opened(2, 5))
    storage.append(head_of(start), first)
    with pytest.raises(HeadConflict):
        storage.append(head_of(start), second)
    assert storage.head() == head_of(grown)
    assert len(storage.leaves(0, 10)) == 2
    assert storage.find_keys(["key 5"]) == {}
    fill(storage, grown, opened(1, 9))


def test_the_same_size_with_another_last_leaf_is_a_conflict(storage: LogStorage) -> None:
    chain, _ = fill(storage, EMPTY, opened(1))
    batch, _ = batch_after(chain, opened(1, 1))
    with pytest.raises(HeadConflict):
        storage.append(Head(1, "f" * 64), batch)
    assert storage.head().size == 1


def test_a_batch_with_one_bad_entry_is_stored_not_at_all(storage: LogStorage) -> None:
    chain, _ = fill(storage, EMPTY, opened(1))
    batch, _ = batch_after(chain, opened(3, 1))
    too_large = batch.records[2]._replace(leaf=bytes(16_385))
    bad = Batch([*batch.records[:2], too_large], batch.nodes, batch.head)
    with pytest.raises(LedgerError):
        storage.append(head_of(chain), bad)
    assert storage.head() == head_of(chain)
    assert len(storage.leaves(0, 10)) == 1
    fill(storage, chain, opened(3, 1))


def test_everything_survives_closing(kind: StorageKind, place: str) -> None:
    storage = kind.open(place)
    chain, leaves = fill(storage, EMPTY, opened(5))
    storage.put_checkpoint(5, b"note")
    storage.close()
    again = kind.open(place)
    assert again.head() == head_of(chain)
    assert again.leaves(0, 10) == leaves
    assert again.checkpoint() == b"note"
    fill(again, chain, opened(1, 5))
    again.close()


def test_a_reader_sees_every_batch_that_was_appended_before(kind: StorageKind, storage: LogStorage, place: str) -> None:
    chain, _ = fill(storage, EMPTY, opened(1))
    reader = kind.open_reader(place)
    for number in range(1, 6):
        chain, _ = fill(storage, chain, opened(2, 2 * number))
        assert reader.head() == head_of(chain)
        assert len(reader.leaves(0, 100)) == chain.size
    reader.close()


def test_readers_in_other_threads_see_whole_batches_only(storage: LogStorage) -> None:
    stop, odd = threading.Event(), []

    def watch() -> None:
        while not stop.is_set():
            size = storage.head().size
            leaves = len(storage.leaves(0, 10_000))
            if size % 4 or leaves % 4 or leaves < size:
                odd.append((size, leaves))

    watchers = [threading.Thread(target=watch) for _ in range(2)]
    for watcher in watchers:
        watcher.start()
    chain = EMPTY
    for number in range(25):
        chain, _ = fill(storage, chain, opened(4, 4 * number))
    stop.set()
    for watcher in watchers:
        watcher.join()
    assert odd == []


def test_the_newest_checkpoint_is_kept_and_an_older_one_ignored(storage: LogStorage) -> None:
    storage.put_checkpoint(3, b"three")
    storage.put_checkpoint(2, b"two")
    assert storage.checkpoint() == b"three"
    storage.put_checkpoint(3, b"three, cosigned again")
    assert storage.checkpoint() == b"three, cosigned again"
    storage.put_checkpoint(4, b"four")
    assert storage.checkpoint() == b"four"


TOKEN, OTHER = "a" * 32, "b" * 32


def decision(subject: str, institution: str, verdict: str, categories: list[str], second: int) -> Wanted:
    # A projection reads what is there; which fields a kind must have is not the storage's business.
    body: dict[str, object] = {
        "consent_id": "0" * 32,
        "version": 1,
        "digest": "0" * 64,
        "subject": subject,
        "group": "banks",
        "institution": institution,
        "purpose": "credit.origination" if verdict == "allow" else "credit.monitoring",
        "use": "SCORE",
        "categories": categories,
        "valid_from": "2026-01-01T00:00:00.000000Z",
        "valid_until": "2027-01-01T00:00:00.000000Z",
    }
    return Wanted("consent.granted", body, None, second)


@pytest.fixture
def searched(storage: LogStorage) -> LogStorage:
    wanted = [
        Wanted("log.opened", {}, None, 0),
        decision(TOKEN, "bank-a", "allow", ["tax.vat", "tax.income"], 10),
        decision(TOKEN, "bank-b", "deny", ["customs.duty"], 20),
        decision(OTHER, "bank-a", "allow", ["tax.vat"], 30),
        Wanted(
            "consent.revoked", {"consent_id": "0" * 32, "version": 1, "digest": "0" * 64, "subject": OTHER}, None, 40
        ),
    ]
    fill(storage, EMPTY, wanted)
    return storage


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (SearchFilters(), [0, 1, 2, 3, 4]),
        (SearchFilters(subject=TOKEN), [1, 2]),
        (SearchFilters(institution="bank-a"), [1, 3]),
        (SearchFilters(kind="consent.granted"), [1, 2, 3]),
        (SearchFilters(purpose="credit.monitoring"), [2]),
        (SearchFilters(category="tax.vat"), [1, 3]),
        (SearchFilters(category="tax"), []),
        (SearchFilters(subject=TOKEN, institution="bank-a"), [1]),
        (SearchFilters(subjects=[TOKEN, OTHER], kind="consent.revoked"), [4]),
        (SearchFilters(subjects=["c" * 32]), []),
        (SearchFilters(not_before=NOW + timedelta(seconds=20)), [2, 3, 4]),
        (SearchFilters(not_after=NOW + timedelta(seconds=20)), [0, 1, 2]),
        (SearchFilters(not_before=NOW + timedelta(seconds=11), not_after=NOW + timedelta(seconds=39)), [2, 3]),
        (SearchFilters(kind="' OR 1=1 --"), []),
        (SearchFilters(verdict="allow"), []),
        (SearchFilters(reason="ALLOWED"), []),
    ],
)
def test_a_search_returns_the_leaves_for_which_all_filters_hold(
    searched: LogStorage, filters: SearchFilters, found: list[int]
) -> None:
    leaves = searched.leaves(0, 10)
    assert searched.search(filters, None, 10) == [leaves[index] for index in found]


def test_a_search_goes_on_after_a_seq_and_ends_at_its_limit(searched: LogStorage) -> None:
    leaves = searched.leaves(0, 10)
    assert searched.search(SearchFilters(), None, 2) == leaves[:2]
    assert searched.search(SearchFilters(), 1, 2) == leaves[2:4]
    assert searched.search(SearchFilters(), 0, 10) == leaves[1:]
    assert searched.search(SearchFilters(subject=TOKEN), 1, 10) == [leaves[2]]
    assert searched.search(SearchFilters(), 4, 10) == []


def test_bounds_in_time_hold_also_when_the_clock_went_back(storage: LogStorage) -> None:
    """Times are looked up by blocks of entries, so there are several blocks, and entries that are out of order."""
    block = 1 << TIME_BLOCK_BITS
    seconds = [*range(block), *range(block - 40, 2 * block), 5, *range(2 * block, 2 * block + 60)]
    fill(storage, EMPTY, [Wanted("log.opened", {}, None, second) for second in seconds])
    leaves = storage.leaves(0, len(seconds))
    for low, high in [
        (0, 9),
        (block - 45, block - 35),
        (block + 7, block + 7),
        (2 * block - 2, 2 * block + 2),
        (9999999, 9999999),
    ]:
        filters = SearchFilters(not_before=NOW + timedelta(seconds=low), not_after=NOW + timedelta(seconds=high))
        expected = [leaf for leaf, second in zip(leaves, seconds, strict=True) if low <= second <= high]
        assert storage.search(filters, None, 100) == expected
        assert storage.search(filters, 3, 100) == [leaf for leaf in expected if leaf not in leaves[:4]]
    since = SearchFilters(not_before=NOW + timedelta(seconds=2 * block + 55))
    assert storage.search(since, None, 100) == leaves[-5:]


def test_a_thousand_tokens_can_be_asked_for_at_once(searched: LogStorage) -> None:
    subjects = [f"{number:032x}" for number in range(999)] + [TOKEN]
    assert len(searched.search(SearchFilters(subjects=subjects), None, 10)) == 2
