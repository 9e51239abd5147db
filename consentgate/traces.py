"""Looking for what should not be there any more: in every table that a database has, and in bytes of any kind.

For proofs of erasure. Nothing is assumed of the program that deleted: tables it does not know are looked at, too, and
texts are found in clear and inside base64url, as signed statements hold them. Left out: what is compressed or sealed.
"""

from __future__ import annotations

import base64
import re

from sqlalchemy import inspect, text
from sqlalchemy.orm import Session

_BASE64URL = re.compile(rb"[A-Za-z0-9_-]{16,}")


def places_of(session: Session, needle: str) -> dict[str, int]:
    """`table.column` → rows whose bytes hold the text."""
    found: dict[str, int] = {}
    inspector = inspect(session.connection())
    for table in sorted(inspector.get_table_names()):
        for row in session.execute(text(f'SELECT * FROM "{table}"')).mappings():  # noqa: S608 - a name of the schema
            for column, value in row.items():
                if is_in(_bytes(value), needle):
                    place = f"{table}.{column}"
                    found[place] = found.get(place, 0) + 1
    return found


def is_in(data: bytes, needle: str) -> bool:
    """Whether bytes hold the text in clear or inside base64url, wherever that begins."""
    plain = needle.encode()
    return plain in data or any(
        plain in _decoded(run[0][offset:]) for run in _BASE64URL.finditer(data) for offset in range(4)
    )


def _decoded(run: bytes) -> bytes:
    """What a run of base64url says; a character that completes no byte is left out."""
    whole = run[:-1] if len(run) % 4 == 1 else run
    return base64.urlsafe_b64decode(whole + b"=" * (-len(whole) % 4))


def _bytes(value: object) -> bytes:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    return str(value).encode()
