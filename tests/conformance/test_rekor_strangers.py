"""sigstore (Python) and @sigstore/verify (Node) judge the published entries of tests/vectors/rekor as our parts do, and
the log's key in there is the one that sigstore publishes.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from ledger.errors import LedgerError
from ledger.note import Note
from ledger.proof import TlogProof
from tests.conformance.published_rekor import KEY_ID, LOG_ID, NAME, SPKI, Refused, judge, load
from tests.conformance.rekor_oracles import RekorLog, published_logs
from tests.support.flipped_bits import flipped

pytestmark = pytest.mark.oracles

LOG = RekorLog(NAME, SPKI, LOG_ID, "PKIX_ECDSA_P256_SHA_256")
ENTRIES = load()
SMALL = ENTRIES[0]


def we_accept(body: bytes, proof: TlogProof) -> bool:
    try:
        judge(body, proof)
    except Refused:
        return False
    return True


def mutations() -> Iterator[tuple[bytes, TlogProof, dict[str, Any]]]:
    """Each flipped bit of the smallest entry's written proof and of its body's first 64 bytes, if Rekor's form can
    express it.
    """
    head, rest = SMALL.body[:64], SMALL.body[64:]
    for body in flipped(head):
        yield body + rest, SMALL.proof, LOG.as_entry(body + rest, SMALL.proof)
    for written in flipped(SMALL.proof.encode()):
        try:
            proof = TlogProof.parse(written)
            yield SMALL.body, proof, LOG.as_entry(SMALL.body, proof)
        except (LedgerError, ValueError):
            continue


def test_published_entries_are_accepted_by_all() -> None:
    entries = [LOG.as_entry(entry.body, entry.proof) for entry in ENTRIES]
    assert all(we_accept(entry.body, entry.proof) for entry in ENTRIES)
    assert all(LOG.python_accepts(entry) for entry in entries)
    assert LOG.node_accepts(entries) == [True] * len(entries)


def test_flipped_bits_are_refused_by_all() -> None:
    """But, by both of them, in the name of the signature's line and in the padding at its end; as in test_sigstore.py.
    We refuse these too.
    """
    cases = list(mutations())
    assert len(cases) > 5000
    note = SMALL.proof.note
    line = note.rindex("— ".encode()) + len("— ".encode())
    unseen = {*range(line, line + len(NAME)), len(note) - 2}
    for (body, proof, entry), by_node in zip(cases, LOG.node_accepts([entry for *_, entry in cases]), strict=True):
        assert not we_accept(body, proof)
        if by_node or LOG.python_accepts(entry):
            assert (body, replace(proof, note=note)) == (SMALL.body, SMALL.proof)
            assert {at for at, (new, old) in enumerate(zip(proof.note, note, strict=True)) if new != old} <= unseen


def test_key_is_the_one_that_sigstore_publishes() -> None:
    """And its first four bytes of SHA-256 are the key id of every one of these notes (signature type 0x02)."""
    (published,) = [log for log in published_logs() if log["baseUrl"].removeprefix("https://") == NAME]
    assert base64.b64decode(published["publicKey"]["rawBytes"]) == SPKI
    assert published["publicKey"]["keyDetails"] == LOG.details
    assert base64.b64decode(published["logId"]["keyId"]) == LOG_ID
    for entry in ENTRIES:
        (line,) = Note.parse(entry.proof.note).signatures
        assert (line.name, line.key_id) == (NAME, KEY_ID)
