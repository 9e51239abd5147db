"""The reverse: notes and keys that others published, read by ours.

The note and its key are the example in the documentation of Go's golang.org/x/mod/sumdb/note (BSD-3-Clause, The Go
Authors), which the signed-note specification took over; the other key is that of Go's checksum database.
"""

from __future__ import annotations

import pytest

from ledger.errors import LedgerError
from ledger.note import Note, SignatureType, VerifierKey
from tests.support.flipped_bits import flipped

pytestmark = pytest.mark.oracles

KEY = VerifierKey.parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
).encode()
CHECKSUM_DATABASE = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"


def signed_text(note: bytes) -> bytes:
    """The text that the published key signed; raises for any other note."""
    parsed = Note.parse(note)
    signature = KEY.find(parsed)
    if signature is None:
        raise LedgerError("not signed by the published key")
    KEY.verify(parsed.text, signature.signature)
    return parsed.text


def test_published_note_is_accepted_and_no_flipped_bit_of_it() -> None:
    assert signed_text(NOTE).startswith(b"If you think")
    for mutated in flipped(NOTE):
        with pytest.raises(LedgerError):
            signed_text(mutated)


def test_published_key_is_read_and_written() -> None:
    key = VerifierKey.parse(CHECKSUM_DATABASE)
    assert (key.name, key.type) == ("sum.golang.org", SignatureType.ED25519)
    assert str(key) == CHECKSUM_DATABASE
