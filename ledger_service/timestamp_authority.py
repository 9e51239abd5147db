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


def timestamp(note: bytes, url: str, roots: Sequence[Certificate]) -> bytes:
    """A verified token over the note; raises TimestampUnavailable or TimestampInvalid."""
    query = timestamp_query(note)
    return token_in(_post(url, query.der), query, roots)


def _post(url: str, body: bytes) -> bytes:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise TimestampUnavailable("the authority's address is not of the form http(s)://host/path")
    connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = connect(parts.hostname, parts.port, timeout=TIMEOUT_SECONDS)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("POST", target, body, {"Content-Type": QUERY_TYPE, "Accept": REPLY_TYPE})
        answer = connection.getresponse()
        content = answer.read(MAX_TOKEN + 1)
    except (OSError, http.client.HTTPException) as error:
        raise TimestampUnavailable(f"the timestamp authority does not answer: {type(error).__name__}") from error
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise TimestampUnavailable(f"the timestamp authority answers with HTTP status {answer.status}")
    return content
