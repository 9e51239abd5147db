"""Bad exports, named by their defect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from ledger.entry import leaf_hash
from tests.support.sample_log import COSIGNED_AT, OPENED_AT
from tests.support.witnessed_log import QUORUM, WitnessedLog, policy_text
from tests.vectors.ledger.log import (
    ENTRIES,
    LEAVES_FILE,
    Files,
    export_files,
    foreign_note,
    signed_tree,
    vector_log,
    with_sums,
)

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
        return lines(chosen)

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
    sums = good["SHA256SUMS"]
    yield case("sums-without-last-newline", "ExportInvalid", sums=False, sums_file=sums[:-1])
    yield case("sums-with-carriage-returns", "ExportInvalid", sums=False, sums_file=sums.replace(b"\n", b"\r\n"))
    yield case("sums-with-one-blank", "ExportInvalid", sums=False, sums_file=sums.replace(b"  ", b" "))
    yield case("sums-in-capitals", "ExportInvalid", sums=False, sums_file=_in_capitals(sums))
    yield case("sums-of-a-file-that-is-not-there", "ExportInvalid", sums=False, sums_file=sums + sums[:64] + b"  x\n")
    yield case("sums-twice", "ExportInvalid", sums=False, sums_file=sums + sums.splitlines(keepends=True)[-1])
    yield from _bad_files(good, leaves)
    yield from _of_bad_logs(leaves)


def _bad_files(good: Files, leaves: Sequence[bytes]) -> Iterator[ExportCase]:
    """Files that no export of this log has, or that have another name; all of them are listed."""
    tile = good[_FILES["tile"]]
    more = {
        "entries-missing": {LEAVES_FILE: None},
        "entries-misnamed": {LEAVES_FILE: None, "entries/000000000001.jsonl": good[LEAVES_FILE]},
        "entries-with-another-suffix": {LEAVES_FILE: None, "entries/000000000000.json": good[LEAVES_FILE]},
        "entries-divided-elsewhere": {
            LEAVES_FILE: lines(leaves[:10]),
            "entries/000000000010.jsonl": lines(leaves[10:]),
        },
        "entries-file-beyond-the-size": {"entries/000000065536.jsonl": b""},
        "entries-folder-with-a-stranger": {"entries/notes.txt": b""},
        "listed-stranger": {"NOTES.txt": b"hello\n"},
        "full-tile-beside-the-partial": {"tile/0/000": tile},
        "shorter-tile-beside-the-true-one": {"tile/0/000.p/19": tile[:-32]},
        "tile-of-a-level-too-many": {"tile/1/000.p/1": tile[:32]},
        "stranger-among-timestamps": {"timestamps/notes.txt": b""},
        "timestamp-of-a-short-name": {"timestamps/20.tst": b""},
    }
    for name, changed in more.items():
        files = {name: content for name, content in {**good, **changed}.items() if content is not None}
        yield ExportCase(name, "ExportInvalid", with_sums(files))


def _of_bad_logs(leaves: Sequence[bytes]) -> Iterator[ExportCase]:
    """The root is signed and right, and so are tiles and sums: only reading the leaves finds the defect."""
    zeros, other = b"0" * 64, b"ab" * 32
    entry = leaves[1].replace(b'"seq":1,', b'"seq":2,')
    first = leaves[0].replace(zeros, other)
    linked = leaves[1].replace(leaf_hash(leaves[0]).hex().encode(), leaf_hash(first).hex().encode())
    for name, error, chosen in (
        (
            "signed-prev-wrong",
            "ConsistencyInvalid",
            [leaves[0], leaves[1].replace(leaf_hash(leaves[0]).hex().encode(), other)],
        ),
        ("signed-first-prev-not-zeros", "ConsistencyInvalid", [first, linked]),
        ("signed-seq-wrong", "ConsistencyInvalid", [leaves[0], entry]),
        ("signed-leaf-of-another-log", "LogMismatch", [leaves[0].replace(b".test/", b".evil/")]),
        ("signed-leaf-is-not-canonical", "EntryInvalid", [b" " + leaves[0]]),
    ):
        yield ExportCase(name, error, export_of(chosen, signed_tree(chosen)))
    pair = leaves[:2]
    for size in (1, 3):
        yield ExportCase(
            f"signed-root-of-2-with-size-{size}", "ConsistencyInvalid", export_of(pair, signed_tree(pair, size))
        )
    yield ExportCase("leaf-beside-an-empty-tree", "ConsistencyInvalid", export_of(leaves[:1], signed_tree([])))


def good_exports(log: WitnessedLog) -> Iterator[tuple[str, Files, str]]:
    """Name, files and policy, at the edge of a rule."""
    good, policy = export_files(log), policy_text()
    pair = {"timestamps/000000000007.note": b"any", "timestamps/000000000007.tst": b"any"}
    yield "policy-without-quorum", good, policy.replace("quorum departments", "quorum none")
    yield "timestamps-that-nobody-vouches-for", with_sums({**good, **pair}), policy
    yield "no-entries", export_of([], signed_tree([])), policy
    yield "one-entry", export_of(log.leaves[:1], signed_tree(log.leaves[:1])), policy


def export_of(leaves: Sequence[bytes], note: bytes) -> Files:
    """Whatever leaves, with their tile and true sums."""
    tile = b"".join(map(leaf_hash, leaves))
    files = {"checkpoint": note, LEAVES_FILE: lines(leaves)}
    return with_sums({**files, f"tile/0/000.p/{len(leaves)}": tile} if leaves else files)


def lines(leaves: Sequence[bytes]) -> bytes:
    """As in a file of entries."""
    return b"".join(leaf + b"\n" for leaf in leaves)


def _in_capitals(sums: bytes) -> bytes:
    return sums[:64].upper() + sums[64:]


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
