"""A small witnessed log of many kinds of entries, as an export and as a database file."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ledger.chain import Chain
from ledger.entry import leaf_hash
from ledger.export import write_export
from ledger.storage.interface import Batch, Head, LogStorage, Record
from ledger.storage.sqlite import SqliteStorage
from ledger.storage.sqlite_index import index_of
from ledger.tree import Frontier
from tests.support.witnessed_log import ORIGIN, WitnessedLog

OPENED_AT = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
COSIGNED_AT = OPENED_AT + timedelta(hours=1)
SUBJECT, OTHER_SUBJECT = "5a" * 16, "b7" * 16


def granted(subject: str = SUBJECT, institution: str = "bank-a", **changed: object) -> dict[str, object]:
    """Body of `consent.granted`."""
    body: dict[str, object] = {
        "consent_id": "c0" * 16,
        "version": 1,
        "digest": "d1" * 32,
        "subject": subject,
        "group": f"group-{institution}",
        "institution": institution,
        "purpose": "credit.origination",
        "use": "SCORE",
        "categories": ["tax.basic", "customs.trade"],
        "valid_from": "2026-11-24T00:00:00.000000Z",
        "valid_until": "2027-11-24T00:00:00.000000Z",
    }
    return {**body, **changed}


def decided(
    verdict: str = "allow", reason: str = "ALLOWED", subject: str = SUBJECT, institution: str = "bank-a"
) -> dict[str, object]:
    """Body of `query.decision`."""
    return {
        "request_id": "e2" * 16,
        "request": "f3" * 32,
        "institution": institution,
        "scorecard": "a4" * 32,
        "purpose": "credit.origination",
        "use": "SCORE",
        "verdict": verdict,
        "reason": reason,
        "rules": ["consent-active"],
        "subject": subject,
        "departments": [{"id": "tax", "columns": ["turnover", "growth"]}],
        "not_after": "2026-11-24T04:01:00.000000Z",
    }


def sample_entries() -> list[tuple[str, Mapping[str, object]]]:
    """What follows `log.opened`."""
    return [
        ("key.registered", {"key_id": "17" * 32, "institution": "bank-a", "digest": "28" * 32}),
        ("scorecard.registered", {"scorecard": "a4" * 32, "institution": "bank-a"}),
        ("consent.granted", granted()),
        ("consent.granted", granted(OTHER_SUBJECT, "bank-b", categories=["tax.basic"])),
        ("query.decision", decided()),
        ("query.decision", decided("deny", "CONSENT_REVOKED", OTHER_SUBJECT, "bank-b")),
        ("consent.revoked", {"consent_id": "c0" * 16, "version": 2, "digest": "d2" * 32, "subject": SUBJECT}),
        ("access.read", {"officer": "officer-1", "query": "39" * 32, "returned": 2}),
        ("erasure.performed", {"subject": OTHER_SUBJECT}),
    ]


def sample_log(repeat: int = 1) -> WitnessedLog:
    """Ten entries, or `repeat` times the nine after the first."""
    log = WitnessedLog(OPENED_AT)
    for number, (kind, body) in enumerate(sample_entries() * repeat, start=1):
        log.append(kind, body, OPENED_AT + timedelta(seconds=number))
    return log


def export_log(log: WitnessedLog, directory: Path) -> Path:
    """The log as an export."""
    write_export(directory, log.note(COSIGNED_AT), log.leaves)
    return directory


def store_log(log: WitnessedLog, path: Path, *, witnessed: int | None = None) -> Path:
    """The log as a database file; `witnessed` is the size of the stored checkpoint (all)."""
    fill_storage(log, SqliteStorage.open(path), witnessed=witnessed)
    return path


def fill_storage(log: WitnessedLog, storage: LogStorage, *, witnessed: int | None = None) -> None:
    """The log in an empty storage, in two batches; then it is closed."""
    size = len(log.leaves) if witnessed is None else witnessed
    try:
        half = (len(log.leaves) + 1) // 2
        _append(storage, log.leaves[:half], Chain(ORIGIN))
        _append(storage, log.leaves[half:], Chain(ORIGIN).extend(log.leaves[:half])[0])
        storage.put_checkpoint(size, log.note(COSIGNED_AT, size=size))
    finally:
        storage.close()


def alter(path: Path, *statements: str) -> None:
    """Somebody with the file: past the triggers, which are put back as they were."""
    connection = sqlite3.connect(path, isolation_level=None)
    if index_of(path).exists():
        connection.execute("ATTACH ? AS found", (str(index_of(path)),))
    triggers = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        connection.execute(statement)
    for _, sql in triggers:
        connection.execute(sql)
    connection.close()


def _append(storage: LogStorage, leaves: list[bytes], before: Chain) -> None:
    if not leaves:
        return
    after, entries = before.extend(leaves)
    hashes = [leaf_hash(leaf) for leaf in leaves]
    nodes = Frontier(before.size, before.frontier.hashes).extend(hashes)[1]
    records = [
        Record(leaf, digest, f"key-{entry.seq}" if entry.seq else None)
        for leaf, digest, entry in zip(leaves, hashes, entries, strict=True)
    ]
    storage.append(Head(before.size, before.last), Batch(records, nodes, Head(after.size, after.last)))
