"""The gateway's configuration: `gateway.toml`, read into one frozen object (docs/operations.md).

What all such files have in common says `consentgate.config`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from consentgate.config import Address, KeyPair, Table, database_in, read_config
from consentgate.statements import Identifier, Spiffe
from gateway.disclosure import MINIMUM_DEPARTMENTS
from gateway.policy_bundle import PACKAGED
from gateway.store.sealed_database import SealedDatabase
from ledger_service.config import LogConfig

MAX_DEPARTMENT_DEADLINE_SECONDS = 50
"""Above it a department could answer when the decision (60 s) is over already."""


class LedgerTable(Table):
    """Where the ledger is: another process (`address`, `peer`), or inside this one (`embedded`)."""

    address: Address | None = None
    peer: Spiffe | None = None
    embedded: LogConfig | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        remote = self.address is not None and self.peer is not None
        if remote == (self.embedded is not None) or (self.address is None) != (self.peer is None):
            raise ValueError("either address and peer, or the table embedded")
        return self

    def inside(self, folder: Path) -> LedgerTable:
        """The same with the embedded ledger's paths taken relative to `folder`."""
        return self if self.embedded is None else LedgerTable(embedded=self.embedded.inside(folder))


class DepartmentTable(Table):
    """A department adapter; it must identify itself as `department/<id>` of the trust domain."""

    id: Identifier
    address: Address


class SubjectKeysTable(Table):
    """The key database, without which nothing in `database` that names a company can be read, and the file with the key
    that its keys are wrapped under (`gateway keygen`, mode 0600).
    """

    database: str
    key_encryption_key: Path


class GatewayConfig(Table):
    """Everything the gateway's process is told."""

    listen: Address
    anchors: Path
    database: str
    subject_keys: SubjectKeysTable
    institutions: Path
    tls: KeyPair
    ledger: LedgerTable
    departments: Annotated[tuple[DepartmentTable, ...], Field(max_length=1024)]
    ready_file: Path | None = None
    policies: Path = PACKAGED
    department_deadline_seconds: Annotated[int, Field(ge=1, le=MAX_DEPARTMENT_DEADLINE_SECONDS)] = 10
    minimum_departments: Annotated[int, Field(ge=1, le=64)] = MINIMUM_DEPARTMENTS
    compute_processes: Annotated[int, Field(ge=1, le=256)] = 1

    @model_validator(mode="after")
    def _departments_once(self) -> Self:
        if len({department.id for department in self.departments}) != len(self.departments):
            raise ValueError("a department is named twice")
        return self

    @classmethod
    def load(cls, path: Path) -> GatewayConfig:
        """Reads `gateway.toml`; raises CONFIG_INVALID naming file and entry, never a value."""
        return read_config(cls, path, hints={"subject_keys": _SUBJECT_KEYS})._relative_to(path.parent.absolute())

    def open_store(self) -> SealedDatabase:
        """The store with its keys, as it is; raises CONFIG_INVALID for an address or key that cannot be used."""
        return SealedDatabase(self.database, self.subject_keys.database, self.subject_keys.key_encryption_key)

    def _relative_to(self, folder: Path) -> GatewayConfig:
        return self.model_copy(
            update={
                "anchors": folder / self.anchors,
                "database": database_in(folder, self.database),
                "subject_keys": SubjectKeysTable(
                    database=database_in(folder, self.subject_keys.database),
                    key_encryption_key=folder / self.subject_keys.key_encryption_key,
                ),
                "institutions": folder / self.institutions,
                "policies": folder / self.policies,
                "ready_file": None if self.ready_file is None else folder / self.ready_file,
                "tls": self.tls.inside(folder),
                "ledger": self.ledger.inside(folder),
            }
        )


_SUBJECT_KEYS = (
    "Add the table [subject_keys] with `database` and `key_encryption_key`, then `gateway keygen`: docs/operations.md."
)
