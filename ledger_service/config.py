"""The ledger's configuration: `ledger.toml`, read into frozen objects (docs/operations.md).

What all such files have in common says `consentgate.config`. `LogConfig` is the part that a gateway with an embedded
ledger repeats under `[ledger.embedded]`. Left out: the quorum, which is an anchor and stands in the policy file that
`anchors.toml` names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from consentgate.config import SQLITE_FILE, Address, KeyPair, NoteName, Table, database_in, read_config
from consentgate.statements import Spiffe
from ledger.storage.postgres_address import POSTGRESQL, parse_address

MAX_WITNESSES = 64
"""Most witnesses one log asks: each new checkpoint costs one call to each of them."""
MAX_HOURS_BETWEEN_TIMESTAMPS = 24 * 366


def _checked_database(address: str) -> str:
    if address.startswith(POSTGRESQL):
        parse_address(address)
    return address


Database = Annotated[
    str,
    Field(pattern=rf"^({SQLITE_FILE}[^\s?#]+|{POSTGRESQL}[^\s#]+)$"),
    AfterValidator(_checked_database),
]
"""Where a log is stored; ledger.storage.postgres_address says what an address of PostgreSQL may hold."""
Origin = Annotated[str, Field(pattern=r"^[!#-*,-\[\]-~]{1,255}$")]
"""Name of a log's key, which also stands in every leaf: without what JSON escapes."""


class WitnessTable(Table):
    """One witness: the name of its key in the policy, where it answers, and as whom it must identify itself there."""

    name: NoteName
    address: Address
    peer: Spiffe


class TimestampsTable(Table):
    """Timestamps by an authority that is no party: where they are kept, who gives them, who vouches for it, how often
    it is asked.
    """

    folder: Path
    url: Annotated[str, Field(pattern=r"^https?://[^\s]+$")]
    roots: Path
    every_hours: Annotated[int, Field(ge=0, le=MAX_HOURS_BETWEEN_TIMESTAMPS)] = 24

    def inside(self, folder: Path) -> TimestampsTable:
        """The same table with its paths taken relative to `folder`."""
        return self.model_copy(update={"folder": folder / self.folder, "roots": folder / self.roots})


class LogConfig(Table):
    """The log itself: its name, key, storage, second place, witnesses and timestamps."""

    origin: Origin
    signing_key: Path
    database: Database
    second_place: Path
    witnesses: Annotated[tuple[WitnessTable, ...], Field(max_length=MAX_WITNESSES)] = ()
    timestamps: TimestampsTable | None = None

    @model_validator(mode="after")
    def _witnesses_once(self) -> Self:
        if len({witness.name for witness in self.witnesses}) != len(self.witnesses):
            raise ValueError("witnesses: a name occurs twice")
        return self

    def inside(self, folder: Path) -> Self:
        """The same configuration with all paths taken relative to `folder`."""
        return self.model_copy(
            update={
                "signing_key": folder / self.signing_key,
                "database": database_in(folder, self.database),
                "second_place": folder / self.second_place,
                "timestamps": None if self.timestamps is None else self.timestamps.inside(folder),
            }
        )


class LedgerConfig(LogConfig):
    """Everything the ledger's own process is told."""

    listen: Address
    anchors: Path
    tls: KeyPair
    ready_file: Path | None = None

    @classmethod
    def load(cls, path: Path) -> LedgerConfig:
        """Reads `ledger.toml`; raises CONFIG_INVALID naming file and entry, never a value."""
        return read_config(cls, path, _misspelt_first).inside(path.parent.absolute())

    def inside(self, folder: Path) -> Self:
        """The same configuration with all paths taken relative to `folder`."""
        return (
            super()
            .inside(folder)
            .model_copy(
                update={
                    "anchors": folder / self.anchors,
                    "tls": self.tls.inside(folder),
                    "ready_file": None if self.ready_file is None else folder / self.ready_file,
                }
            )
        )


class WitnessKey(Table):
    """A witness itself: the name of its key in the policy, the key, and the file that remembers what it cosigned."""

    name: NoteName
    signing_key: Path
    state: Path


class WitnessConfig(Table):
    """Everything the process of `ledger witness serve` is told."""

    listen: Address
    anchors: Path
    tls: KeyPair
    witness: WitnessKey
    ready_file: Path | None = None

    @classmethod
    def load(cls, path: Path) -> WitnessConfig:
        """Reads `witness.toml`; raises CONFIG_INVALID naming file and entry, never a value."""
        folder, content = path.parent.absolute(), read_config(cls, path, _misspelt_first)
        files = {"signing_key": folder / content.witness.signing_key, "state": folder / content.witness.state}
        return content.model_copy(
            update={
                "anchors": folder / content.anchors,
                "tls": content.tls.inside(folder),
                "witness": content.witness.model_copy(update=files),
                "ready_file": None if content.ready_file is None else folder / content.ready_file,
            }
        )


def _misspelt_first(error: ValidationError) -> str:
    """A misspelt entry is both unknown and missing: the name that stands in the file helps more."""
    first = min(error.errors(include_input=False), key=lambda found: found["type"] != "extra_forbidden")
    where = ".".join(str(part) for part in first["loc"])
    if not where or first["type"] == "value_error":  # then the text is ours, and quotes nothing
        where = f"{where}: {first['msg']}".removeprefix(": ")
    return where
