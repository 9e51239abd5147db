"""Columns of a batch as binary arrays (array_send in PostgreSQL's sources): what `unnest` makes rows of again.

Packed here and not by psycopg, whose general adaptation of lists costs more than the server needs to store the rows.
A value is taken as it is: no value is ever part of a statement's text.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

from psycopg.abc import AdaptContext
from psycopg.adapt import Buffer, Dumper
from psycopg.pq import Format

_HEADER = struct.Struct(">iiIii")
"""Dimensions, whether there are nulls, element type, elements, index of the first."""
_LENGTH = struct.Struct(">i")
_BIGINT = struct.Struct(">iq")
_INTEGER = struct.Struct(">ii")
_NULL = _LENGTH.pack(-1)
_BYTEA_OID, _BIGINT_OID, _INTEGER_OID, _TEXT_OID = 17, 20, 23, 25


class ByteaArray(bytes):
    """A packed bytea[]."""


class BigintArray(bytes):
    """A packed bigint[]."""


class IntegerArray(bytes):
    """A packed integer[]."""


class TextArray(bytes):
    """A packed text[]."""


class _PackedDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: bytes) -> Buffer:
        """As it is."""
        return obj


_ARRAY_OIDS: dict[type[bytes], int] = {ByteaArray: 1001, BigintArray: 1016, IntegerArray: 1007, TextArray: 1009}
_DUMPERS = {
    packed: type(f"{packed.__name__}Dumper", (_PackedDumper,), {"oid": oid}) for packed, oid in _ARRAY_OIDS.items()
}


def register(context: AdaptContext) -> None:
    """Makes a session take packed arrays as parameters."""
    for packed, dumper in _DUMPERS.items():
        context.adapters.register_dumper(packed, dumper)


def byteas(values: Sequence[bytes | None]) -> ByteaArray:
    """bytea[], with nulls."""
    return ByteaArray(_packed(_BYTEA_OID, len(values), map(_bytes, values), nulls=None in values))


def texts(values: Sequence[str | None]) -> TextArray:
    """text[], with nulls."""
    return TextArray(_packed(_TEXT_OID, len(values), map(_text, values), nulls=None in values))


def bigints(values: Sequence[int]) -> BigintArray:
    """bigint[]."""
    return BigintArray(_packed(_BIGINT_OID, len(values), (_BIGINT.pack(8, value) for value in values)))


def integers(values: Sequence[int]) -> IntegerArray:
    """integer[]."""
    return IntegerArray(_packed(_INTEGER_OID, len(values), (_INTEGER.pack(4, value) for value in values)))


def _text(value: str | None) -> bytes:
    return _bytes(None if value is None else value.encode())


def _bytes(value: bytes | None) -> bytes:
    return _NULL if value is None else _LENGTH.pack(len(value)) + value


def _packed(oid: int, count: int, elements: Iterable[bytes], *, nulls: bool = False) -> bytes:
    if count == 0:
        return struct.pack(">iiI", 0, 0, oid)
    return _HEADER.pack(1, nulls, oid, count, 1) + b"".join(elements)
