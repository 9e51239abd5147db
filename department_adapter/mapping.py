"""The mapping: which column of a department's own table becomes which column of the catalogue (`mapping.toml`).

    [source]                            [source]
    kind = "sql"                        kind = "csv"
    url = "sqlite:///records.db"        path = "records.csv"
    table = "records"                   key_column = "uscc"
    key_column = "uscc"

    [[columns]]                         [[columns]]
    name = "turnover"                   name = "margin"
    category = "tax.declarations"       category = "tax.declarations"
    source = "turnover_total"           source = "margin"
    kind = "numeric"                    kind = "binned"
    scale = 2                           scale = 4
    lo = 0                              edges = [-500, 0, 2500]
    hi = 1000000000
    transform = "ln"                    high_risk = true

Bounds and edges are integers in units of 10^-scale (docs/wire.md, "Columns"). Paths, and the file name inside a
`sqlite:///` address, are relative to the file. Every error names the entry at fault and never its value. Left out:
passwords in the address (`password_file` holds one), joins and expressions: a department offers a view instead.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError
from sqlalchemy import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from consentgate.config import SQLITE_FILE, Table, database_in
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.statements import Identifier
from paillier.columns import Column, column_from_json
from paillier.errors import ColumnInvalid

MAX_COLUMNS = 1024
"""Most columns of one department: as many as a scorecard can read."""

SourceName = Annotated[str, Field(min_length=1, max_length=128)]
Integers = Annotated[list[Annotated[int, Field(strict=True)]], Field(max_length=1024)]


class _SqlEntry(Table):
    kind: Literal["sql"]
    url: str
    table: SourceName
    key_column: SourceName
    database_schema: Annotated[str | None, Field(alias="schema")] = None
    password_file: Path | None = None


class _CsvEntry(Table):
    kind: Literal["csv"]
    path: Path
    key_column: SourceName
    delimiter: Annotated[str, Field(pattern=r"^[,;|\t]$")] = ","


class _ColumnEntry(Table):
    name: Identifier
    category: Identifier
    source: SourceName
    kind: Literal["binned", "numeric"]
    scale: Annotated[int, Field(strict=True)]
    edges: Integers | None = None
    lo: Annotated[int | None, Field(strict=True)] = None
    hi: Annotated[int | None, Field(strict=True)] = None
    transform: Literal["identity", "ln"] | None = None
    high_risk: Annotated[bool, Field(strict=True)] = False


class _MappingFile(Table):
    source: Annotated[_SqlEntry | _CsvEntry, Field(discriminator="kind")]
    columns: Annotated[list[_ColumnEntry], Field(min_length=1, max_length=MAX_COLUMNS)]


@dataclass(frozen=True)
class SqlTable:
    """A table or view of the department's own database."""

    url: URL
    table: str
    key_column: str
    schema: str | None = None


@dataclass(frozen=True)
class CsvFile:
    """A file with a header line, one line per company."""

    path: Path
    key_column: str
    delimiter: str = ","


@dataclass(frozen=True)
class MappedColumn:
    """A column of the catalogue, and the column of the table that it is made from."""

    column: Column
    category: str
    source: str
    high_risk: bool


@dataclass(frozen=True)
class Mapping:
    """The whole file; names of columns are unique."""

    path: Path
    source: SqlTable | CsvFile
    columns: tuple[MappedColumn, ...]

    @classmethod
    def load(cls, path: Path) -> Mapping:
        """Reads `mapping.toml`; raises CONFIG_INVALID naming file and entry."""
        try:
            content = _MappingFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        except ValidationError as error:
            raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=f"{path}: {_place(error)}") from None
        except (OSError, ValueError) as error:
            raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=str(path)) from error
        columns = tuple(_column(path, index, entry) for index, entry in enumerate(content.columns))
        names = [entry.column.name for entry in columns]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise ConsentgateError(
                    ErrorCode.CONFIG_INVALID,
                    field=f"{path}: columns[{index}].name",
                    hint="Two columns have this name; give each its own.",
                )
        return cls(path, _source(path, content.source), columns)

    def source_columns(self) -> list[str]:
        """Names of the table's columns that are read, each once, in the file's order."""
        return list(dict.fromkeys(entry.source for entry in self.columns))


def _source(path: Path, entry: _SqlEntry | _CsvEntry) -> SqlTable | CsvFile:
    folder = path.parent.absolute()
    if isinstance(entry, _CsvEntry):
        return CsvFile(folder / entry.path, entry.key_column, entry.delimiter)
    return SqlTable(_url(path, folder, entry), entry.table, entry.key_column, entry.database_schema)


def _url(path: Path, folder: Path, entry: _SqlEntry) -> URL:
    try:
        url = make_url(database_in(folder, entry.url))
    except SQLAlchemyError as error:
        raise ConsentgateError(
            ErrorCode.CONFIG_INVALID,
            field=f"{path}: source.url",
            hint="A SQLAlchemy address is needed, e.g. sqlite:///records.db or postgresql+psycopg://reader@host/tax.",
        ) from error
    if url.password is not None:
        raise ConsentgateError(
            ErrorCode.CONFIG_INVALID,
            field=f"{path}: source.url",
            hint="Take the password out of the address; put it into a file and name that as source.password_file.",
        )
    if entry.url == SQLITE_FILE or (url.get_backend_name() == "sqlite" and not entry.url.startswith(SQLITE_FILE)):
        raise ConsentgateError(
            ErrorCode.CONFIG_INVALID, field=f"{path}: source.url", hint="A SQLite address is sqlite:///<file>."
        )
    if entry.password_file is None:
        return url
    try:
        return url.set(password=(folder / entry.password_file).read_text(encoding="utf-8").strip())
    except (OSError, ValueError) as error:
        raise ConsentgateError(
            ErrorCode.CONFIG_INVALID,
            field=f"{path}: source.password_file",
            hint="Check the path and that this user may read the file.",
        ) from error


def _column(path: Path, index: int, entry: _ColumnEntry) -> MappedColumn:
    """A column that obeys docs/wire.md; what does not fit its kind is refused, not ignored."""
    where = f"{path}: columns[{index}]"
    given = {name for name in ("edges", "lo", "hi", "transform") if getattr(entry, name) is not None}
    wanted = {"edges"} if entry.kind == "binned" else {"lo", "hi"}
    for name in sorted(wanted - given):
        raise ConsentgateError(
            ErrorCode.CONFIG_INVALID, field=f"{where}.{name}", hint=f"A {entry.kind} column needs this entry."
        )
    for name in sorted(given - wanted - ({"transform"} if entry.kind == "numeric" else set())):
        raise ConsentgateError(
            ErrorCode.CONFIG_INVALID, field=f"{where}.{name}", hint=f"A {entry.kind} column has no such entry."
        )
    try:
        column = column_from_json(_specification(entry))
    except ColumnInvalid as error:
        # ColumnInvalid says which rule is broken and, by its own contract, no value.
        raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=where, hint=f"{error}.") from error
    return MappedColumn(column, entry.category, entry.source, entry.high_risk)


def _specification(entry: _ColumnEntry) -> dict[str, Any]:
    specification: dict[str, Any] = {"kind": entry.kind, "name": entry.name, "scale": entry.scale}
    if entry.kind == "binned":
        return specification | {"edges": entry.edges}
    return specification | {"lo": entry.lo, "hi": entry.hi, "transform": entry.transform or "identity"}


def _place(error: ValidationError) -> str:
    """`columns[2].edges`: the entry at fault as the file spells it."""
    place = ""
    for part in error.errors(include_input=False)[0]["loc"]:
        if isinstance(part, int):
            place += f"[{part}]"
        elif part not in ("sql", "csv"):  # the branch of the union, which the file spells as `kind`
            place += f".{part}" if place else str(part)
    return place
