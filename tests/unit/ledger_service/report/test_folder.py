"""Writing a report: rows from verified leaves only, whole or not at all, nothing that a leaf does not say."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consentgate.errors import ConsentgateError, ErrorCode
from ledger.entry import leaf_hash, parse
from ledger.errors import ConsistencyInvalid, EntryInvalid, LedgerError, StorageFailed
from ledger_service.report.columns import NAMES
from ledger_service.report.folder import ALL_FILES
from tests.support.ledger_server import BANK, LEDGER
from tests.support.report_files import ReportHouse, log_key_signer, make_report, officer_signer
from tests.support.sample_log import export_log, sample_log, store_log

LOG = sample_log(repeat=3)
INTEGERS = {"seq", "consent_version", "version", "returned"}
TIMES = {"time", "valid_from", "valid_until", "not_after"}
LISTS = {"categories", "rules", "departments", "missing"}


def csv_rows(directory: Path) -> list[dict[str, str]]:
    with (directory / "entries.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_entry_has_its_row(house: ReportHouse) -> None:
    rows = csv_rows(house.report)
    assert [int(row["seq"]) for row in rows] == list(range(28))
    assert [row["leaf_hash"] for row in rows] == [leaf_hash(leaf).hex() for leaf in LOG.leaves]
    for row, leaf in zip(rows, LOG.leaves, strict=True):
        entry = parse(leaf)
        assert (row["time"], row["kind"]) == (entry.ts, entry.kind)
        for name in ("institution", "subject", "purpose", "verdict", "reason", "scorecard", "consent_id", "officer"):
            assert row[name] == entry.body.get(name, "")
        assert row["categories"].split() == entry.body.get("categories", [])
    assert rows[5]["departments"] == "tax"


def test_parquet_read_back_equals_csv_and_is_typed(house: ReportHouse) -> None:
    table = pq.read_table(house.report / "entries.parquet")
    assert table.column_names == list(NAMES)
    for name in NAMES:
        expected = {name in INTEGERS: pa.int64(), name in TIMES: pa.timestamp("us", "UTC")}.get(True, pa.string())
        assert table.schema.field(name).type == (pa.list_(pa.string()) if name in LISTS else expected)
    for typed, text in zip(table.to_pylist(), csv_rows(house.report), strict=True):
        assert {name: written(value) for name, value in typed.items()} == text


def written(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        assert value.utcoffset() == datetime.now(UTC).utcoffset()
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return " ".join(value) if isinstance(value, list) else str(value)


def test_the_summary_names_the_tree_and_every_file(house: ReportHouse) -> None:
    summary = json.loads((house.report / "summary.json").read_text())
    checkpoint = house.anchors.log_policy.check((house.report / "checkpoint").read_bytes()).checkpoint
    assert summary["log"] == checkpoint.origin
    assert (summary["tree"]["size"], summary["tree"]["root"]) == (checkpoint.size, checkpoint.root.hex())
    assert summary["tree"]["cosigned_at"] == "2026-11-24T05:00:00.000000Z"
    assert summary["files"].keys() == ALL_FILES - {"summary.json", "summary.jws"}
    assert {path.name for path in house.report.iterdir()} == ALL_FILES


def test_nothing_but_columns_leaves_the_leaf(house: ReportHouse) -> None:
    """Commitments, digests of statements, nonces and the chain's hashes are of no use in a table, and in none."""
    secrets = set()
    for leaf in LOG.leaves:
        entry = parse(leaf)
        secrets |= {
            entry.nonce,
            *(str(entry.body[name]) for name in ("request", "digest", "query") if name in entry.body),
        }
    assert len(secrets) > 30
    for path in house.report.iterdir():
        content = path.read_bytes()
        assert not [secret for secret in secrets if secret.encode() in content], path.name


@pytest.mark.parametrize("period", ["2026-11-25", "2020"])
def test_an_empty_period(house: ReportHouse, tmp_path: Path, period: str) -> None:
    summary = make_report(tmp_path / "report", house.export, house.anchors, house.officer, period)
    assert (summary.figures.entries, summary.figures.tokens, summary.tree.size) == (0, 0, 28)
    assert csv_rows(tmp_path / "report") == []
    assert (tmp_path / "report" / "entries.csv").read_text().strip() == ",".join(NAMES)
    assert pq.read_table(tmp_path / "report" / "entries.parquet").num_rows == 0


def test_a_period_cuts_out_its_entries(tmp_path: Path, house: ReportHouse) -> None:
    log = sample_log()
    log.append("erasure.performed", {"subject": "77" * 16}, datetime(2026, 12, 1, tzinfo=UTC))
    export = export_log(log, tmp_path / "export")
    november = make_report(tmp_path / "november", export, house.anchors, house.officer, "2026-11")
    december = make_report(tmp_path / "december", export, house.anchors, house.officer, "2026-12-01")
    assert (november.figures.entries, december.figures.entries) == (10, 1)
    assert [row["seq"] for row in csv_rows(tmp_path / "december")] == ["10"]
    assert november.tree == december.tree


@pytest.mark.parametrize("source", ["export", "database"])
def test_the_same_log_gives_the_same_bytes(house: ReportHouse, tmp_path: Path, source: str) -> None:
    again = house.export if source == "export" else store_log(LOG, tmp_path / "ledger.db")
    make_report(tmp_path / "report", again, house.anchors, house.officer)
    for name in ALL_FILES - {"summary.jws"}:
        assert (tmp_path / "report" / name).read_bytes() == (house.report / name).read_bytes(), name


def _damaged(tmp_path: Path, old: bytes, new: bytes) -> Path:
    export = export_log(LOG, tmp_path / "export")
    path = export / "entries" / "000000000000.jsonl"
    content = path.read_bytes()
    assert content.count(old) >= 1
    path.write_bytes(content.replace(old, new))
    return export


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        (b'"bank-b"', b'"bank-a"', ConsistencyInvalid),
        (b'"deny"', b'"DENY"', EntryInvalid),
        (b'"seq":27', b'"seq":28', ConsistencyInvalid),
    ],
)
def test_of_a_log_that_does_not_hold_nothing_is_written(
    house: ReportHouse, tmp_path: Path, old: bytes, new: bytes, error: type[LedgerError]
) -> None:
    export = _damaged(tmp_path, old, new)
    with pytest.raises(error):
        make_report(tmp_path / "report", export, house.anchors, house.officer)
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


def test_an_altered_last_entry_shows_only_in_the_root(house: ReportHouse, tmp_path: Path) -> None:
    """All rows are written by then; none of them may stay."""
    export = _damaged(tmp_path, parse(LOG.leaves[-1]).nonce.encode(), b"0" * 32)
    with pytest.raises(ConsistencyInvalid, match="do not hash to the checkpoint's root"):
        make_report(tmp_path / "report", export, house.anchors, house.officer)
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


def test_a_log_that_no_quorum_witnessed(house: ReportHouse, tmp_path: Path) -> None:
    export = export_log(LOG, tmp_path / "export")
    note = (export / "checkpoint").read_bytes().splitlines(keepends=True)
    (export / "checkpoint").write_bytes(b"".join(note[:-1]))
    with pytest.raises(LedgerError, match="quorum"):
        make_report(tmp_path / "report", export, house.anchors, house.officer)


def test_who_may_not_sign_gets_no_report(house: ReportHouse, tmp_path: Path) -> None:
    strangers = [
        log_key_signer(tmp_path, "a stranger"),
        officer_signer(tmp_path, BANK),
        officer_signer(tmp_path, LEDGER),
    ]
    for signer in strangers:
        with pytest.raises(ConsentgateError) as caught:
            make_report(tmp_path / "report", house.export, house.anchors, signer)
        assert caught.value.code is ErrorCode.REPORT_INVALID
        assert not (tmp_path / "report").exists()


def test_never_over_another_folder(house: ReportHouse, tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    with pytest.raises(ConsentgateError, match="INVALID_ARGUMENT_FIELD"):
        make_report(tmp_path / "report", house.export, house.anchors, house.officer)
    assert list((tmp_path / "report").iterdir()) == []


def test_a_place_that_cannot_be_written(house: ReportHouse, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageFailed, match="cannot write the report"):
        make_report(tmp_path / "file" / "report", house.export, house.anchors, house.officer)
