"""Bad exports, named by their defect."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from tests.support.sample_log import COSIGNED_AT, OPENED_AT
from tests.support.witnessed_log import QUORUM, WitnessedLog
from tests.vectors.ledger.log import ENTRIES, LEAVES_FILE, Files, export_files, foreign_note, vector_log, with_sums

_FILES = {
    "leaves": LEAVES_FILE,
    "checkpoint": "checkpoint",
    "tile": "tile/0/000.p/20",
    "stranger": "NOTES.txt",
    "sums_file": "SHA256SUMS",
}


@dataclass(frozen=True)
class ExportCase:
    """What is done to the export, and the error that finds it."""

    name: str
    error: str
    files: Files


def export_cases(log: WitnessedLog) -> Iterator[ExportCase]:
    """Bad exports by defect."""
    good = export_files(log)

    def case(name: str, error: str, *, sums: bool = True, **changed: bytes | None) -> ExportCase:
        renamed = {_FILES[key]: value for key, value in changed.items()}
        files = {name: content for name, content in {**good, **renamed}.items() if content is not None}
        return ExportCase(name, error, with_sums(files) if sums else files)

    leaves, size = log.leaves, len(log.leaves)
    tile = good[_FILES["tile"]]

    def entries(*chosen: bytes) -> bytes:
        return b"".join(leaf + b"\n" for leaf in chosen)

    altered = leaves[11].replace(b'"bank-a"', b'"bank-b"')
    yield case("leaf-altered", "ConsistencyInvalid", leaves=entries(*leaves[:11], altered, *leaves[12:]))
    last = leaves[-1].replace(b'"log.closed"', b'"log.opened"')
    yield case("last-leaf-altered", "ConsistencyInvalid", leaves=entries(*leaves[:-1], last))
    yield case("leaf-removed", "ConsistencyInvalid", leaves=entries(*leaves[:5], *leaves[6:]))
    yield case("last-leaf-removed", "ConsistencyInvalid", leaves=entries(*leaves[:-1]))
    yield case("leaf-repeated", "ConsistencyInvalid", leaves=entries(*leaves[:5], leaves[4], *leaves[5:]))
    yield case("leaves-swapped", "ConsistencyInvalid", leaves=entries(*leaves[:5], leaves[6], leaves[5], *leaves[7:]))
    yield case("leaf-appended", "ConsistencyInvalid", leaves=entries(*_longer(log).leaves))
    yield case("all-leaves-missing", "ConsistencyInvalid", leaves=b"")
    yield case("history-rewritten", "ConsistencyInvalid", leaves=entries(*_rewritten().leaves))
    yield case("leaf-not-canonical", "EntryInvalid", leaves=entries(*leaves[:5], b" " + leaves[5], *leaves[6:]))
    yield case("empty-line", "EntryInvalid", leaves=entries(*leaves[:5], b"", *leaves[5:]))
    yield case("last-newline-missing", "EntryInvalid", leaves=entries(*leaves)[:-1])
    yield case(
        "leaf-of-another-log", "LogMismatch", leaves=entries(leaves[0].replace(b".test/", b".evil/"), *leaves[1:])
    )
    yield case("checkpoint-of-fewer-entries", "ConsistencyInvalid", checkpoint=log.note(COSIGNED_AT, size=size - 1))
    yield case("checkpoint-unsigned", "SignatureInvalid", checkpoint=log.note(COSIGNED_AT, log_signs=False))
    yield case("checkpoint-by-another-key", "SignatureInvalid", checkpoint=foreign_note(log))
    yield case("one-cosignature-too-few", "QuorumNotMet", checkpoint=log.note(COSIGNED_AT, witnesses=QUORUM[:2]))
    yield case("strangers-cosign", "QuorumNotMet", checkpoint=log.note(COSIGNED_AT, witnesses=("x", "y", "z")))
    yield case("checkpoint-missing", "ExportInvalid", checkpoint=None)
    yield case("tile-altered", "ExportInvalid", tile=bytes([tile[0] ^ 1]) + tile[1:])
    yield case("tile-truncated", "ExportInvalid", tile=tile[:-32])
    yield case("tile-missing", "ExportInvalid", tile=None)
    yield case("file-not-listed", "ExportInvalid", sums=False, stranger=b"hello\n")
    yield case("sum-wrong", "ExportInvalid", sums=False, sums_file=good["SHA256SUMS"].replace(b"a", b"b", 1))
    yield case("sums-not-sorted", "ExportInvalid", sums=False, sums_file=_reversed(good["SHA256SUMS"]))
    yield case("sums-missing", "ExportInvalid", sums=False, sums_file=None)


def _reversed(lines: bytes) -> bytes:
    return b"".join(reversed(lines.splitlines(keepends=True)))


def _longer(log: WitnessedLog) -> WitnessedLog:
    longer = vector_log()
    longer.append("log.opened", {}, COSIGNED_AT)
    return longer


def _rewritten() -> WitnessedLog:
    """A whole other history under the true name: every leaf fits the one before it."""
    log = WitnessedLog(OPENED_AT)
    for number, (kind, body) in enumerate(ENTRIES, start=1):
        told = {**body, "institution": "bank-b"} if kind == "query.decision" else body
        log.append(kind, told, OPENED_AT + timedelta(seconds=number, microseconds=number))
    return log
