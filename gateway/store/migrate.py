"""Bringing a database to the newest schema, and comparing the two (alembic, run from code: no ini file)."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from consentgate.errors import ConsentgateError, ErrorCode

MIGRATIONS = Path(__file__).parent / "migrations"


def _config(engine: Engine) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["engine"] = engine
    return config


def upgrade(engine: Engine) -> None:
    """Applies every migration that is missing.

    Raises STORE_UNAVAILABLE when the database refuses, CONFIG_INVALID when it is of a newer program than this one.
    """
    try:
        command.upgrade(_config(engine), "head")
    except CommandError as error:
        raise ConsentgateError(ErrorCode.CONFIG_INVALID, field="database", private=type(error).__name__) from error
    except SQLAlchemyError as error:
        raise ConsentgateError(ErrorCode.STORE_UNAVAILABLE, private=type(error).__name__) from error


def revisions(engine: Engine) -> tuple[str | None, str | None]:
    """(revision of the database, newest revision of this program)."""
    newest = ScriptDirectory.from_config(_config(engine)).get_current_head()
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision(), newest
    except SQLAlchemyError as error:
        raise ConsentgateError(ErrorCode.STORE_UNAVAILABLE, private=type(error).__name__) from error
