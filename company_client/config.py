"""The company's configuration: `company.toml`, read into one frozen object (docs/operations.md).

    anchors = "anchors.toml"
    company = "91350100M000100Y43"               # unified social credit code
    attestation = "attestation.jws"              # from the registry
    signatories = ["signatory-1.key"]            # of the persons who sign on this machine; may be empty
    tokens = "tokens.json"                       # optional: this is the default

    [tls]
    certificate = "tls.pem"
    private_key = "tls.key"

    [gateway]
    address = "127.0.0.1:7443"
    peer = "spiffe://consentgate.example/gateway/gateway-1"

Paths inside the file are relative to the file. Unknown entries are refused. `tokens` remembers the subject tokens this
company chose, one per grantee group; whoever holds that file can find the company in the ledger, so it is created
0600. Left out: anything from the environment.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from stdnum.cn import uscc

from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.statements import MAX_SIGNATORIES, Spiffe


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KeyPair(_Table):
    """A certificate (chain) and its private key, both PEM files."""

    certificate: Path
    private_key: Path


class Gateway(_Table):
    """Where the gateway answers, and as whom it must identify itself there."""

    address: Annotated[str, Field(pattern=r"^[^\s/]+:[0-9]{1,5}$")]
    peer: Spiffe


class CompanyConfig(_Table):
    """Everything a company's process is told. `signatories` are the key files of the persons who sign *here*."""

    anchors: Path
    tls: KeyPair
    signatories: Annotated[tuple[Path, ...], Field(max_length=MAX_SIGNATORIES)]
    attestation: Path
    company: Annotated[str, Field(pattern=r"^[0-9A-HJ-NPQRTUWXY]{18}$")]
    gateway: Gateway
    tokens: Path = Path("tokens.json")

    @model_validator(mode="after")
    def _valid_company(self) -> Self:
        if not uscc.is_valid(self.company) or uscc.compact(self.company) != self.company:
            raise ValueError("not a valid unified social credit code")
        return self

    @classmethod
    def load(cls, path: Path) -> CompanyConfig:
        """Reads `company.toml`; raises CONFIG_INVALID naming file and entry, never a value."""
        try:
            content = cls.model_validate(tomllib.loads(path.read_text()))
        except ValidationError as error:
            where = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
            raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=f"{path}: {where or 'company'}") from None
        except (OSError, ValueError) as error:
            raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=str(path)) from error
        return content._relative_to(path.parent)

    def _relative_to(self, folder: Path) -> CompanyConfig:
        return self.model_copy(
            update={
                "anchors": folder / self.anchors,
                "tls": KeyPair(certificate=folder / self.tls.certificate, private_key=folder / self.tls.private_key),
                "signatories": tuple(folder / path for path in self.signatories),
                "attestation": folder / self.attestation,
                "tokens": folder / self.tokens,
            }
        )
