"""Asking a timestamp authority over HTTP (RFC 3161 section 3.4).

Plain `http` is as good as `https`: the answer is signed, repeats the nonce, and the query holds one hash. Bounded in
size and time: who answers a byte now and then keeps nobody, not even a process that wants to end. Redirects are not
followed: whoever moves an authority changes the configuration.
"""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import urlsplit

from cryptography.x509 import Certificate

from ledger.errors import TimestampUnavailable
from ledger.timestamp import MAX_TOKEN, timestamp_query, token_in

WHOLE_SECONDS = 8.0
"""Longest wait for the whole answer; a process that is to end waits so long, and supervisors usually kill after ten."""
QUERY_TYPE, REPLY_TYPE = "application/timestamp-query", "application/timestamp-reply"

_NO_ADDRESS = "the authority's address is not of the form http(s)://host[:port]/path"


def timestamp(note: bytes, url: str, roots: Sequence[Certificate]) -> bytes:
    """A verified token over the note; raises TimestampUnavailable or TimestampInvalid."""
    query = timestamp_query(note)
    return token_in(_post(url, query.der), query, roots)


def _post(url: str, body: bytes) -> bytes:
    asking = _Asking(*_place(url), body)
    asking.start()
    asking.join(WHOLE_SECONDS)
    if asking.is_alive():
        asking.cut()
        raise TimestampUnavailable("the timestamp authority does not come to an end")
    if asking.error is not None:
        told = f"the timestamp authority does not answer: {type(asking.error).__name__}"
        raise TimestampUnavailable(told) from asking.error
    if asking.status != http.client.OK:
        raise TimestampUnavailable(f"the timestamp authority answers with HTTP status {asking.status}")
    return asking.content


def _place(url: str) -> tuple[http.client.HTTPConnection, str]:
    """Not open yet, and what to ask for there."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise TimestampUnavailable(_NO_ADDRESS) from error
    if not host or parts.scheme not in ("http", "https") or not url.isascii():
        raise TimestampUnavailable(_NO_ADDRESS)
    connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return connect(host, port, timeout=WHOLE_SECONDS), (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


class _Asking(threading.Thread):
    """A thread that nobody has to wait for: each silence is bounded by the socket, their sum by nothing."""

    def __init__(self, connection: http.client.HTTPConnection, target: str, body: bytes) -> None:
        super().__init__(name="timestamp-authority", daemon=True)
        self._connection, self._target, self._body = connection, target, body
        self._socket: socket.socket | None = None
        self.status, self.content = 0, b""
        self.error: Exception | None = None

    def cut(self) -> None:
        """Ends it soon, when it is past the handshake."""
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def run(self) -> None:
        """One request."""
        try:
            self._connection.connect()
            self._socket = self._connection.sock
            headers = {"Content-Type": QUERY_TYPE, "Accept": REPLY_TYPE}
            self._connection.request("POST", self._target, self._body, headers)
            answer = self._connection.getresponse()
            self.status, self.content = answer.status, answer.read(MAX_TOKEN + 1)
        except (OSError, ValueError, http.client.HTTPException) as error:  # ValueError: names that no host can have
            self.error = error
        finally:
            self._connection.close()
