"""Asking a timestamp authority over HTTP (RFC 3161 section 3.4).

Plain `http` is as good as `https`: the answer is signed, repeats the nonce, and the query holds one hash. Bounded in
size and time. Redirects are not followed: whoever moves an authority changes the configuration.
"""

from __future__ import annotations

import http.client
from collections.abc import Sequence
from urllib.parse import urlsplit

from cryptography.x509 import Certificate

from ledger.errors import TimestampUnavailable
from ledger.timestamp import MAX_TOKEN, timestamp_query, token_in

TIMEOUT_SECONDS = 15.0
QUERY_TYPE, REPLY_TYPE = "application/timestamp-query", "application/timestamp-reply"

_NO_ADDRESS = "the authority's address is not of the form http(s)://host[:port]/path"


def timestamp(note: bytes, url: str, roots: Sequence[Certificate]) -> bytes:
    """A verified token over the note; raises TimestampUnavailable or TimestampInvalid."""
    query = timestamp_query(note)
    return token_in(_post(url, query.der), query, roots)


def _post(url: str, body: bytes) -> bytes:
    connection, target = _connection(url)
    try:
        connection.request("POST", target, body, {"Content-Type": QUERY_TYPE, "Accept": REPLY_TYPE})
        answer = connection.getresponse()
        content = answer.read(MAX_TOKEN + 1)
    except (OSError, ValueError, http.client.HTTPException) as error:  # ValueError: names that no host can have
        raise TimestampUnavailable(f"the timestamp authority does not answer: {type(error).__name__}") from error
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise TimestampUnavailable(f"the timestamp authority answers with HTTP status {answer.status}")
    return content


def _connection(url: str) -> tuple[http.client.HTTPConnection, str]:
    """Not open yet, and what to ask for there."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise TimestampUnavailable(_NO_ADDRESS) from error
    if not host or parts.scheme not in ("http", "https") or not url.isascii():
        raise TimestampUnavailable(_NO_ADDRESS)
    connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return connect(host, port, timeout=TIMEOUT_SECONDS), target
