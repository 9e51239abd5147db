"""A department's own database through SQLAlchemy: read-only, the named columns only, one query per company.

The table is reflected once, and only the mapped columns and the key of it, so that a column that the adapter has no
business with is never even named in a query. Values are taken as the driver gives them (SQLAlchemy would send SQLite's
NUMERIC through ten binary digits) and become exact decimals in `interface.exact`.

Read-only is enforced where the database can: SQLite is opened with mode=ro, PostgreSQL in read-only transactions. For
others give the adapter a role that may only select; `department-adapter check` says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import (
    URL,
    Column,
    Engine,
    Label,
    MetaData,
    Select,
    Table,
    bindparam,
    create_engine,
    event,
    func,
    inspect,
    select,
    type_coerce,
)
from sqlalchemy.exc import NoSuchTableError, SQLAlchemyError
from sqlalchemy.pool import NullPool
from sqlalchemy.types import NullType, String

from consentgate.errors import ConsentgateError, ErrorCode
from department_adapter.mapping import Mapping, SqlTable
from department_adapter.sources.interface import Row, exact, missing_row

CONNECT_SECONDS = 5
"""seconds for a new connection: a request must not hang on a database that is gone."""
READ_ONLY_ENFORCED = frozenset({"sqlite", "postgresql"})
"""Backends on which a statement that writes fails even if this program were wrong."""

_log = structlog.get_logger("department_adapter.sources.sql")


class SqlSource:
    """Rows of one table or view."""

    def __init__(self, mapping: Mapping, table: SqlTable) -> None:
        """Raises CONFIG_INVALID naming the entry when the driver, table or a column is absent, STORE_UNAVAILABLE when
        the database is.
        """
        self._mapping = mapping
        self._names = mapping.source_columns()
        self.engine = _engine(mapping, table.url)
        try:
            self._table = _reflect(self.engine, mapping, table)
        except ConsentgateError:
            self.close()
            raise
        self._by_company = _query(self._table, table.key_column, self._names)
        self._any = select(*_raw(self._table, self._names)).limit(1)
        self._repeated = _repeated_query(self._table, table.key_column)

    def read(self, company: str) -> Row:
        """As in the protocol. Two rows for one company are ambiguous and count as missing."""
        rows = self._execute(self._by_company, {"company": company})
        if len(rows) != 1:
            if rows:
                _log.warning("a company has more than one row, its values count as missing")
            return missing_row(self._names)
        return {name: exact(value) for name, value in zip(self._names, rows[0], strict=True)}

    def check(self) -> None:
        """A real query on the mapped table, with every mapped column."""
        self._execute(self._any, {})

    def count_repeated_keys(self) -> int:
        """As in the protocol; reads the whole key column."""
        return int(self._execute(self._repeated, {})[0][0])

    def close(self) -> None:
        """Closes all connections."""
        self.engine.dispose()

    def _execute(self, query: Select[Any], parameters: dict[str, str]) -> Sequence[Any]:
        try:
            with self.engine.connect() as connection:
                return connection.execute(query, parameters).fetchall()
        except (SQLAlchemyError, ValueError, OverflowError) as error:
            # Named by its kind only: a driver's text may quote the statement's parameters.
            raise ConsentgateError(ErrorCode.STORE_UNAVAILABLE, private=type(error).__name__) from None


def _query(table: Table, key: str, names: Sequence[str]) -> Select[Any]:
    """The company's rows, at most two: the second only shows that the key is not unique."""
    return select(*_raw(table, names)).where(table.c[key] == bindparam("company", type_=String())).limit(2)


def _raw(table: Table, names: Sequence[str]) -> list[Label[Any]]:
    return [type_coerce(table.c[name], NullType()).label(f"value_{index}") for index, name in enumerate(names)]


def _repeated_query(table: Table, key: str) -> Select[Any]:
    repeated = select(table.c[key]).group_by(table.c[key]).having(func.count() > 1).subquery()
    return select(func.count()).select_from(repeated)


def _engine(mapping: Mapping, url: URL) -> Engine:
    backend = url.get_backend_name()
    options: dict[str, Any] = {"hide_parameters": True}
    if backend == "sqlite":
        # A connection that is kept open goes on reading a file that was deleted or replaced.
        options["poolclass"] = NullPool
        url = url.set(database=Path(url.database or "").as_uri(), query={"mode": "ro", "uri": "true"})
    else:
        options["pool_pre_ping"] = True
    if backend == "postgresql":
        options["execution_options"] = {"postgresql_readonly": True}
        options["connect_args"] = {"connect_timeout": CONNECT_SECONDS}
    try:
        engine = create_engine(url, **options)
    except (SQLAlchemyError, ImportError) as error:
        raise ConsentgateError(
            ErrorCode.CONFIG_INVALID,
            field=f"{mapping.path}: source.url",
            hint="The database's Python driver is not installed beside the adapter, or the address names none.",
        ) from error
    if backend == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    """Bytes that are no UTF-8 become a text that is no number: an error would depend on the company's data."""
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")


def _reflect(engine: Engine, mapping: Mapping, table: SqlTable) -> Table:
    """The table with the mapped columns and the key, found in the database under exactly these names."""
    try:
        found = {column["name"]: column["type"] for column in inspect(engine).get_columns(table.table, table.schema)}
    except NoSuchTableError as error:
        raise _absent(mapping, "source.table", "The database has no table or view of this name.") from error
    except SQLAlchemyError as error:
        raise ConsentgateError(ErrorCode.STORE_UNAVAILABLE, private=type(error).__name__) from None
    if not found:
        raise _absent(mapping, "source.table", "The database has no table or view of this name.")
    if table.key_column not in found:
        raise _absent(mapping, "source.key_column", "The table has no column of this name.")
    for index, entry in enumerate(mapping.columns):
        if entry.source not in found:
            raise _absent(mapping, f"columns[{index}].source", "The table has no column of this name.")
    wanted = dict.fromkeys([table.key_column, *mapping.source_columns()])
    columns = [Column(name, found[name]) for name in wanted]
    return Table(table.table, MetaData(), *columns, schema=table.schema)


def _absent(mapping: Mapping, entry: str, hint: str) -> ConsentgateError:
    return ConsentgateError(ErrorCode.CONFIG_INVALID, field=f"{mapping.path}: {entry}", hint=hint)
