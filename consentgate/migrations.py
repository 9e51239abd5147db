"""Bringing a database to the newest schema (alembic, run from code: no ini file).

A schema lives with the package that owns its tables: a folder with `env.py` and `versions/`. Raised errors name the
configuration entry that the database stands in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from consentgate.errors import ConsentgateError, ErrorCode


@dataclass(frozen=True)
class Migrations:
    """The schema in `folder`, for the database that the configuration calls `entry`."""

    folder: Path
    entry: str

    def config(self, engine: Engine, attributes: Mapping[str, object] | None = None) -> Config:
        """alembic's configuration for this schema on `engine`; migrations find `attributes` beside it."""
        config = Config()
        config.set_main_option("script_location", str(self.folder).replace("%", "%%"))
        config.attributes.update(attributes or {})
        config.attributes["engine"] = engine
        return config

    def upgrade(self, engine: Engine, attributes: Mapping[str, object] | None = None) -> None:
        """Applies every migration that is missing.

        Raises STORE_UNAVAILABLE when the database refuses, CONFIG_INVALID when it is of a newer program than this one.
        """
        try:
            command.upgrade(self.config(engine, attributes), "head")
        except CommandError as error:
            raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=self.entry, private=type(error).__name__) from error
        except SQLAlchemyError as error:
            raise ConsentgateError(ErrorCode.STORE_UNAVAILABLE, private=type(error).__name__) from error

    def revisions(self, engine: Engine) -> tuple[str | None, str | None]:
        """(revision of the database, newest revision of this program)."""
        newest = ScriptDirectory.from_config(self.config(engine)).get_current_head()
        try:
            with engine.connect() as connection:
                return MigrationContext.configure(connection).get_current_revision(), newest
        except SQLAlchemyError as error:
            raise ConsentgateError(ErrorCode.STORE_UNAVAILABLE, private=type(error).__name__) from error
