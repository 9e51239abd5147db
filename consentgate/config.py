"""What all configuration files have in common: TOML, read into one frozen object (docs/operations.md).

Paths inside a file are relative to it, and so is the file name in a `sqlite:///` address. Unknown entries are refused:
a misspelt bound that is silently ignored is worse than a start that fails. An error names file and entry, never a
value. Left out: anything from the environment, and secrets themselves (only their files).
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.statements import Spiffe

SQLITE_FILE = "sqlite:///"
"""Begins the address of a database that is a file."""
NO_HINTS: Mapping[str, str] = MappingProxyType({})

Address = Annotated[str, Field(pattern=r"^[^\s/]+:[0-9]{1,5}$")]
NoteName = Annotated[str, Field(pattern=r"^[!-*,-~]{1,255}$")]
"""Name of a note key (c2sp.org/signed-note): printable, no blank, no plus sign."""


class Table(BaseModel):
    """Base of all files and of the tables in them."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Content = TypeVar("Content", bound=BaseModel)


class KeyPair(Table):
    """A certificate (chain) and its private key, both PEM files."""

    certificate: Path
    private_key: Path

    def inside(self, folder: Path) -> KeyPair:
        """The same files, taken relative to `folder`."""
        return KeyPair(certificate=folder / self.certificate, private_key=folder / self.private_key)


class Endpoint(Table):
    """Where a server answers, and as whom it must identify itself there."""

    address: Address
    peer: Spiffe


def first_entry(error: ValidationError) -> str:
    """The entry that is named: the first that is wrong, or what is wrong with all of them together."""
    first = error.errors(include_input=False)[0]
    return ".".join(str(part) for part in first["loc"]) or str(first["msg"])


def read_config(
    model: type[Content],
    path: Path,
    named: Callable[[ValidationError], str] = first_entry,
    hints: Mapping[str, str] = NO_HINTS,
) -> Content:
    """A file's content as it stands there; raises CONFIG_INVALID. `hints` say more about entries by their names."""
    try:
        return model.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        entry = named(error)
        raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=f"{path}: {entry}", hint=hints.get(entry)) from None
    except (OSError, ValueError) as error:
        raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=str(path)) from error


def database_in(folder: Path, url: str) -> str:
    """`url` with a SQLite file name taken relative to `folder`; other addresses unchanged."""
    if not url.startswith(SQLITE_FILE):
        return url
    return f"{SQLITE_FILE}{folder / url.removeprefix(SQLITE_FILE)}"
