"""Whole logs: any entries, exported, stored, altered."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.entry import parse
from ledger.errors import LedgerError
from ledger.export import read_leaves
from ledger.fsck import fsck
from ledger.search import matches
from ledger.storage.searchable import SearchFilters, searchable
from ledger.storage.sqlite_audit import SqliteAudit
from ledger.storage.sqlite_reader import SqliteReader
from ledger.verify import verify_export, verify_receipt
from tests.property.ledger.strategies import KIND_AND_BODY
from tests.support.sample_log import COSIGNED_AT, OPENED_AT, export_log, store_log
from tests.support.witnessed_log import WitnessedLog, policy_text
from tests.vectors.ledger import independent
from tests.vectors.ledger.log import export_files


def log_of(entries: list[tuple[str, dict]]) -> WitnessedLog:
    log = WitnessedLog(OPENED_AT)
    for number, (kind, body) in enumerate(entries):
        log.append(kind, body, OPENED_AT + timedelta(seconds=number))
    return log


LOGS = st.lists(KIND_AND_BODY, max_size=12).map(log_of)


@given(LOGS)
@settings(max_examples=25)
def test_export_holds_for_both_implementations(log: WitnessedLog) -> None:
    assert independent.verify_export(export_files(log), policy_text()) == len(log.leaves)
    with tempfile.TemporaryDirectory() as folder:
        directory = export_log(log, Path(folder) / "export")
        assert verify_export(directory, log.policy).checkpoint.size == len(log.leaves)
        assert list(read_leaves(directory)) == log.leaves


@given(LOGS, st.data())
@settings(max_examples=25)
def test_one_replaced_byte_of_the_leaves_is_found_and_located(log: WitnessedLog, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(log.leaves) - 1))
    position = data.draw(st.integers(0, len(log.leaves[index]) - 1))
    new = data.draw(st.integers(0, 255).filter(lambda byte: byte not in (log.leaves[index][position], 10)))
    altered = list(log.leaves)
    altered[index] = altered[index][:position] + bytes([new]) + altered[index][position + 1 :]
    with tempfile.TemporaryDirectory() as folder:
        directory = export_log(log, Path(folder) / "export")
        entries = directory / "entries" / "000000000000.jsonl"
        entries.write_bytes(b"".join(leaf + b"\n" for leaf in altered))
        with pytest.raises(LedgerError) as raised:
            verify_export(directory, log.policy)
    assert raised.value.__notes__ == [f"Leaf {index} is not the leaf that was recorded."]


@given(LOGS, st.data())
@settings(max_examples=25)
def test_every_entry_has_a_receipt_for_both(log: WitnessedLog, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(log.leaves) - 1))
    receipt = log.receipt(index, COSIGNED_AT)
    verified = verify_receipt(receipt, log.policy)
    assert independent.verify_receipt(receipt.leaf, receipt.proof, policy_text()) == verified.cosigned_at.timestamp()


@given(LOGS, st.data())
@settings(max_examples=15)
def test_a_stored_log_is_sound_and_searched_as_its_leaves_are(log: WitnessedLog, data: st.DataObject) -> None:
    entries = [parse(leaf) for leaf in log.leaves]
    like = searchable(data.draw(st.sampled_from(entries)))
    names = ("subject", "institution", "kind", "purpose", "verdict", "reason")
    chosen = data.draw(st.sets(st.sampled_from(names)))
    filters = SearchFilters(**{name: getattr(like, name) for name in chosen})
    with tempfile.TemporaryDirectory() as folder:
        path = store_log(log, Path(folder) / "ledger.db")
        with SqliteAudit(path) as audit:
            assert fsck(audit).clean
        reader = SqliteReader(path)
        found = reader.search(filters, None, 100)
        reader.close()
    assert found == [leaf for leaf, entry in zip(log.leaves, entries, strict=True) if matches(entry, filters)]
