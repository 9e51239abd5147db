"""RFC 3161 timestamps over checkpoint notes: somebody who is no party says that a note existed at a moment.

A witness's cosignature already names a time; a token by a public timestamp authority outlives the witnesses' keys, and
nobody in the federation can date it back. What is kept and recorded (`anchor.tsa`) is the token itself, the DER of the
CMS message, as `openssl ts -verify -token_in` reads it. Imprints are SHA-256. Needs the extra `anchor`
(rfc3161-client). Left out: how a query travels (`ledger_service.timestamp_authority`), and revocation of the
authority's certificate.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography.x509 import Certificate, ObjectIdentifier, load_pem_x509_certificates

from ledger.errors import KeyInvalid, TimestampInvalid, TimestampUnavailable

try:
    import rfc3161_client
except ImportError:
    rfc3161_client = None  # type: ignore[assignment]

MAX_TOKEN = 64 * 1024
"""Largest token in bytes: some authorities send their whole chain."""
_SHA256 = ObjectIdentifier("2.16.840.1.101.3.4.2.1")
_GRANTED = bytes.fromhex("3003020100")
"""PKIStatusInfo { granted }, which makes a response of a token again."""


@dataclass(frozen=True)
class TimestampQuery:
    """A query for one note: its DER, and the nonce that the answer must repeat."""

    note: bytes
    der: bytes
    nonce: int


def read_roots(pem: bytes) -> tuple[Certificate, ...]:
    """The certificates a reader trusts for timestamps; raises KeyInvalid."""
    try:
        return tuple(load_pem_x509_certificates(pem))
    except ValueError as error:
        raise KeyInvalid("not certificates in PEM") from error


def timestamp_query(note: bytes) -> TimestampQuery:
    """Asks for a token over the note, with a nonce and the authority's certificate."""
    _require_client()
    builder = rfc3161_client.TimestampRequestBuilder(data=note, hash_algorithm=rfc3161_client.HashAlgorithm.SHA256)
    request = builder.build()
    if request.nonce is None:
        raise TimestampUnavailable("the query has no nonce")
    return TimestampQuery(note, request.as_bytes(), request.nonce)


def token_in(response: bytes, query: TimestampQuery, roots: Sequence[Certificate]) -> bytes:
    """The token in an authority's answer to `query`, verified; raises TimestampInvalid."""
    _require_client()
    try:
        token = bytes(rfc3161_client.decode_timestamp_response(response).time_stamp_token())
    except ValueError as error:
        raise TimestampInvalid("the authority refused, or its answer is malformed") from error
    _verify(token, query.note, roots, query.nonce)
    return token


def verify_token(token: bytes, note: bytes, roots: Sequence[Certificate]) -> datetime:
    """When the note existed, says an authority that one of `roots` vouches for; raises TimestampInvalid."""
    _require_client()
    return _verify(token, note, roots, None)


def token_digest(token: bytes) -> str:
    """What `anchor.tsa` names: SHA-256 of the token, hex."""
    return hashlib.sha256(token).hexdigest()


def _verify(token: bytes, note: bytes, roots: Sequence[Certificate], nonce: int | None) -> datetime:
    if len(token) > MAX_TOKEN:
        raise TimestampInvalid("the token is too long")
    verifier = rfc3161_client.VerifierBuilder(roots=list(roots), nonce=nonce).build()
    try:
        response = rfc3161_client.decode_timestamp_response(_sequence(_GRANTED + token))
        if bytes(response.time_stamp_token()) != token or response.tst_info.message_imprint.hash_algorithm != _SHA256:
            raise TimestampInvalid("the token is not in DER, or not over a SHA-256")
        verifier.verify(response, hashlib.sha256(note).digest())
        return response.tst_info.gen_time
    except (ValueError, rfc3161_client.VerificationError) as error:
        raise TimestampInvalid("the token does not verify") from error


def _sequence(content: bytes) -> bytes:
    """DER SEQUENCE."""
    length = len(content)
    if length < 0x80:
        return bytes([0x30, length]) + content
    size = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes([0x30, 0x80 | len(size)]) + size + content


def _require_client() -> None:
    if rfc3161_client is None:
        raise TimestampUnavailable("rfc3161-client is not installed")
