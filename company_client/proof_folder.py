"""What a company hands on: its ledger entries and departments' words about them, as a folder that anybody verifies
offline with anchors of his own.

    entries/7.leaf, 7.proof             a receipt for each entry; `ledger verify --receipt` takes it alone
    histories/tax.<token>.jws, .note    how many entries bear a token, signed by a department; the checkpoint it names

It proves the entries, and that up to that checkpoint no other bears one of the tokens. Left out: whose the tokens are,
which the company's signed consents say, and whether the company has further ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from company_client.accesses import Access, verify_accesses
from company_client.completeness import CompleteAccesses, check_complete
from consentgate.anchors import Anchors
from consentgate.errors import ConsentgateError, ErrorCode, judging_answer
from consentgate.history import HistoryStatement, VerifiedHistory, verify_history
from ledger.durable_files import READABLE, new_folder, write_new
from ledger.note import MAX_NOTE
from ledger_service.receipt_files import LEAF_SUFFIX, PROOF_SUFFIX, read_receipt, write_receipt

ENTRIES_FOLDER, HISTORIES_FOLDER = "entries", "histories"
STATEMENT_SUFFIX, NOTE_SUFFIX = ".jws", ".note"
MAX_STATEMENT_BYTES = 65536
"""bytes of a statement with its certificates; some 3,000 are usual."""

_PARTNERS = {LEAF_SUFFIX: PROOF_SUFFIX, STATEMENT_SUFFIX: NOTE_SUFFIX}
"""Which file is read together with which."""
_ENTRY = re.compile(r"[0-9]{1,16}")
_HISTORY = re.compile(r"([a-z0-9][a-z0-9._-]{0,63})\.([0-9a-f]{32})")
_NO_PROOFS = "A company's proofs are the folder that `company accesses --proofs` made, and nothing else in it."
_TAKEN = "Proofs are never overwritten. Name a new folder."


def refuse_taken(directory: Path) -> None:
    """Raises INVALID_ARGUMENT_FIELD when there is something: before anybody is asked for nothing."""
    if directory.exists():
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=str(directory), hint=_TAKEN)


def write_proofs(directory: Path, accesses: Sequence[Access], histories: Sequence[VerifiedHistory]) -> None:
    """Makes the folder, whole or not at all. Raises OSError."""
    with new_folder(directory) as partial:
        entries, words = partial / ENTRIES_FOLDER, partial / HISTORIES_FOLDER
        entries.mkdir()
        words.mkdir()
        for access in accesses:
            write_receipt(entries / str(access.seq), access.receipt)
        for stated in histories:
            name = f"{stated.department}.{stated.subject}"
            write_new(words / (name + STATEMENT_SUFFIX), stated.statement.statement_jws, READABLE)
            write_new(words / (name + NOTE_SUFFIX), stated.statement.checkpoint, READABLE)


def read_proofs(directory: Path, anchors: Anchors) -> CompleteAccesses:
    """What a folder proves to whoever has these anchors; raises AnswerRefused naming what does not hold.

    1. each department signed its words, as of a checkpoint that the quorum cosigned;
    2. each entry is recorded;
    3. for every token that is spoken of, the entries are all that the departments counted.

    Without any department's words there are no vouchers: then the entries are proven, and not that they are all.
    """
    with judging_answer():
        # 1.
        histories = list(_histories(directory / HISTORIES_FOLDER, anchors))
        # 2.
        accesses = _entries(directory / ENTRIES_FOLDER, anchors)
        # 3.
        found = CompleteAccesses(accesses, [], histories)
        return check_complete(accesses, histories, {token: token for token in found.tokens}) if histories else found


def _entries(folder: Path, anchors: Anchors) -> list[Access]:
    paths = sorted(_named(folder, LEAF_SUFFIX, _ENTRY), key=lambda path: int(path.stem))
    accesses = verify_accesses(map(read_receipt, paths), anchors, None, -1)
    for path, access in zip(paths, accesses, strict=True):
        if int(path.stem) != access.seq:
            raise ConsentgateError(ErrorCode.RECEIPT_MISMATCH, field=str(path))
    return accesses


def _histories(folder: Path, anchors: Anchors) -> Iterator[VerifiedHistory]:
    for path in _named(folder, STATEMENT_SUFFIX, _HISTORY):
        department, _, token = path.stem.rpartition(".")
        note = path.with_suffix(NOTE_SUFFIX)
        if not note.is_file():
            raise ConsentgateError(ErrorCode.HISTORY_INVALID, field=f"{note} is missing")
        statement = HistoryStatement(_read(path, MAX_STATEMENT_BYTES), _read(note, MAX_NOTE))
        stated = verify_history(statement, token, anchors, None)
        if stated.department != department:
            raise ConsentgateError(ErrorCode.HISTORY_INVALID, field=f"{path}: iss")
        yield stated


def _named(folder: Path, suffix: str, form: re.Pattern[str]) -> list[Path]:
    """The files with this suffix. Whatever else is there is refused: nobody shall think that it was verified."""
    if not folder.is_dir():
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=f"{folder} is missing", hint=_NO_PROOFS)
    found = {path for path in folder.iterdir() if path.suffix == suffix and form.fullmatch(path.stem)}
    known = found | {path.with_suffix(_PARTNERS[suffix]) for path in found}
    for path in folder.iterdir():
        if path not in known:
            raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=str(path), hint=_NO_PROOFS)
    return sorted(found)


def _read(path: Path, limit: int) -> bytes:
    """One byte more than allowed at most: verification then refuses it."""
    with path.open("rb") as file:
        return file.read(limit + 1)
