"""docs/ledger-format.md says exactly what ledger/kinds.py allows."""

from __future__ import annotations

from ledger.entry import MAX_LEAF, ZERO_HASH
from ledger.export import ENTRIES_PER_FILE
from ledger.kinds import KINDS
from ledger.note import MAX_NOTE, MAX_SIGNATURES, MAX_TIMESTAMP
from ledger.policy import MAX_LINES
from ledger.proof import MAX_PROOF_BYTES
from tests.vectors.ledger.independent import DOCUMENT, kinds_of_page


def test_tables_list_every_kind_and_field() -> None:
    of_code = {
        kind: {
            **{name: (form.text, True) for name, form in fields.required.items()},
            **{name: (form.text, False) for name, form in fields.optional.items()},
        }
        for kind, fields in KINDS.items()
    }
    assert kinds_of_page() == of_code


def test_page_names_the_limits() -> None:
    page = DOCUMENT.read_text("utf-8")
    for number in (MAX_LEAF, MAX_NOTE, MAX_PROOF_BYTES, ENTRIES_PER_FILE):
        assert f"{number:,}" in page
    assert f"{MAX_SIGNATURES} signature lines" in page
    assert f"at most {MAX_LINES} lines" in page
    assert f"{len(ZERO_HASH)} zeros" in page
    assert f"at most {MAX_TIMESTAMP}," in page
