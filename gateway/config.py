"""The gateway's configuration: `gateway.toml`, read into one frozen object (docs/operations.md).

Paths inside the file, and the file name inside a `sqlite:///` address, are relative to the file. Unknown entries are
refused: a misspelt bound that is silently ignored is worse than a start that fails. Left out: anything from the
environment, and secrets themselves (only their files).
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.statements import Identifier, Spiffe
from gateway.disclosure import MINIMUM_DEPARTMENTS
from gateway.policy_bundle import PACKAGED
from gateway.store.sealed_database import SealedDatabase
from ledger_service.config import LogConfig

MAX_DEPARTMENT_DEADLINE_SECONDS = 50
"""Above it a department could answer when the decision (60 s) is over already."""
SQLITE_FILE = "sqlite:///"

Address = Annotated[str, Field(pattern=r"^[^\s/]+:[0-9]{1,5}$")]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KeyPair(_Table):
    """A certificate (chain) and its private key, both PEM files."""

    certificate: Path
    private_key: Path


class LedgerTable(_Table):
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


class DepartmentTable(_Table):
    """A department adapter; it must identify itself as `department/<id>` of the trust domain."""

    id: Identifier
    address: Address


class SubjectKeysTable(_Table):
    """The key database, without which nothing in `database` that names a company can be read, and the file with the key
    that its keys are wrapped under (`gateway keygen`, mode 0600).
    """

    database: str
    key_encryption_key: Path


class GatewayConfig(_Table):
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
        try:
            content = cls.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or str(first["msg"])
            hint = _SUBJECT_KEYS if where == "subject_keys" else None
            raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=f"{path}: {where}", hint=hint) from None
        except (OSError, ValueError) as error:
            raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=str(path)) from error
        return content._relative_to(path.parent.absolute())

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
                "tls": KeyPair(certificate=folder / self.tls.certificate, private_key=folder / self.tls.private_key),
                "ledger": self.ledger.inside(folder),
            }
        )


_SUBJECT_KEYS = (
    "Add the table [subject_keys] with `database` and `key_encryption_key`, then `gateway keygen`: docs/operations.md."
)


def database_in(folder: Path, url: str) -> str:
    """`url` with a SQLite file name taken relative to `folder`; other addresses unchanged."""
    if not url.startswith(SQLITE_FILE):
        return url
    return f"{SQLITE_FILE}{folder / url.removeprefix(SQLITE_FILE)}"
