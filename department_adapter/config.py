"""The adapter's configuration: `adapter.toml`, read into one frozen object (docs/operations.md).

What all such files have in common says `consentgate.config`. Left out: the columns, which stand in the mapping file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from consentgate.config import SQLITE_FILE, Address, Endpoint, KeyPair, NoteName, Table, database_in, read_config
from consentgate.statements import Identifier
from ledger.witness import REFUSED_SUFFIX


class WitnessTable(Table):
    """This department as a witness: the name of its key in the policy, the key, and the file that remembers what it
    cosigned last.
    """

    name: NoteName
    signing_key: Path
    state: Path


class RegistryTable(Table):
    """Only for the company registry: the key that attests signatories. `serve` never reads it."""

    signing_key: Path


class EncryptionTable(Table):
    """Memory and readiness of encryption: `active_keys` banks' keys keep tables of at most `table_megabytes` and
    `pool` randomizers each, made by a process per key where `process` is true. Eight megabytes hold the smallest tables
    of the largest key.
    """

    active_keys: Annotated[int, Field(ge=1, le=256)] = 4
    table_megabytes: Annotated[int, Field(ge=8, le=4096)] = 80
    pool: Annotated[int, Field(ge=1, le=100_000)] = 256
    process: bool = True


class AdapterConfig(Table):
    """Everything an adapter's process is told. A department that is no witness leaves `witness` out."""

    listen: Address
    department: Identifier
    anchors: Path
    mapping: Path
    state: str
    tls: KeyPair
    signing: KeyPair
    ledger: Endpoint
    """The ledger's own process, or a gateway with an embedded ledger."""
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
        return read_config(cls, path)._relative_to(path.parent.absolute())

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
