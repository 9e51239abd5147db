"""The adapter's configuration: `adapter.toml`, read into one frozen object (docs/operations.md).

Paths inside the file, and the file name inside a `sqlite:///` address, are relative to the file. Unknown entries are
refused: a misspelt bound that is silently ignored is worse than a start that fails. Left out: anything from the
environment, secrets themselves (only their files), and the columns, which stand in the mapping file.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.statements import Identifier, Spiffe
from ledger.witness import REFUSED_SUFFIX

SQLITE_FILE = "sqlite:///"

Address = Annotated[str, Field(pattern=r"^[^\s/]+:[0-9]{1,5}$")]
NoteName = Annotated[str, Field(pattern=r"^[!-*,-~]{1,255}$")]
"""Name of a note key (c2sp.org/signed-note): printable, no blank, no plus sign."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KeyPair(_Table):
    """A certificate (chain) and its private key, both PEM files."""

    certificate: Path
    private_key: Path

    def inside(self, folder: Path) -> KeyPair:
        """The same files, taken relative to `folder`."""
        return KeyPair(certificate=folder / self.certificate, private_key=folder / self.private_key)


class LedgerTable(_Table):
    """Where the ledger answers, and as whom it must identify itself there (its own process, or a gateway with an
    embedded ledger).
    """

    address: Address
    peer: Spiffe


class WitnessTable(_Table):
    """This department as a witness: the name of its key in the policy, the key, and the file that remembers what it
    cosigned last.
    """

    name: NoteName
    signing_key: Path
    state: Path


class RegistryTable(_Table):
    """Only for the company registry: the key that attests signatories. `serve` never reads it."""

    signing_key: Path


class EncryptionTable(_Table):
    """Memory and readiness of encryption: `active_keys` banks' keys keep tables of at most `table_megabytes` and
    `pool` randomizers each, made by a process per key where `process` is true. Eight megabytes hold the smallest tables
    of the largest key.
    """

    active_keys: Annotated[int, Field(ge=1, le=256)] = 4
    table_megabytes: Annotated[int, Field(ge=8, le=4096)] = 80
    pool: Annotated[int, Field(ge=1, le=100_000)] = 256
    process: bool = True


class AdapterConfig(_Table):
    """Everything an adapter's process is told. A department that is no witness leaves `witness` out."""

    listen: Address
    department: Identifier
    anchors: Path
    mapping: Path
    state: str
    tls: KeyPair
    signing: KeyPair
    ledger: LedgerTable
    witness: WitnessTable | None = None
    registry: RegistryTable | None = None
    encryption: EncryptionTable = EncryptionTable()
    refused: Path | None = None
    ready_file: Path | None = None
    retention_days: Annotated[int, Field(ge=0, le=36_500)] = 1095
    """Days after the last decision or release under a token, before which its company is not forgotten: three years, as
    records of processing are often kept; the department's lawyers know better."""

    @property
    def refused_folder(self) -> Path:
        """Where evidence against the log is kept: said, or beside a state file, whose name then begins it."""
        if self.refused is not None:
            return self.refused
        if self.state.startswith(SQLITE_FILE):
            return Path(self.state.removeprefix(SQLITE_FILE) + REFUSED_SUFFIX)
        return self.anchors.parent / f"{self.department}{REFUSED_SUFFIX}"

    @classmethod
    def load(cls, path: Path) -> AdapterConfig:
        """Reads `adapter.toml`; raises CONFIG_INVALID naming file and entry, never a value."""
        try:
            content = cls.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or str(first["msg"])
            raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=f"{path}: {where}") from None
        except (OSError, ValueError) as error:
            raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=str(path)) from error
        return content._relative_to(path.parent.absolute())

    def _relative_to(self, folder: Path) -> AdapterConfig:
        witness, registry = self.witness, self.registry
        if witness is not None:
            files = {"signing_key": folder / witness.signing_key, "state": folder / witness.state}
            witness = witness.model_copy(update=files)
        if registry is not None:
            registry = RegistryTable(signing_key=folder / registry.signing_key)
        return self.model_copy(
            update={
                "anchors": folder / self.anchors,
                "mapping": folder / self.mapping,
                "state": database_in(folder, self.state),
                "tls": self.tls.inside(folder),
                "signing": self.signing.inside(folder),
                "witness": witness,
                "registry": registry,
                "refused": None if self.refused is None else folder / self.refused,
                "ready_file": None if self.ready_file is None else folder / self.ready_file,
            }
        )


def database_in(folder: Path, url: str) -> str:
    """`url` with a SQLite file name taken relative to `folder`; other addresses unchanged."""
    if not url.startswith(SQLITE_FILE):
        return url
    return f"{SQLITE_FILE}{folder / url.removeprefix(SQLITE_FILE)}"
