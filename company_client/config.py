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

`tokens` remembers the subject tokens this company chose, one per grantee group; whoever holds that file can find the
company in the ledger, so it is created 0600. What all such files have in common says `consentgate.config`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from consentgate.config import Endpoint, KeyPair, Table, read_config
from consentgate.statements import MAX_SIGNATORIES, CompanyCode, check_company


def _checked(code: str) -> str:
    check_company(code)
    return code


class CompanyConfig(Table):
    """Everything a company's process is told. `signatories` are the key files of the persons who sign *here*."""

    anchors: Path
    tls: KeyPair
    signatories: Annotated[tuple[Path, ...], Field(max_length=MAX_SIGNATORIES)]
    attestation: Path
    company: Annotated[CompanyCode, AfterValidator(_checked)]
    gateway: Endpoint
    tokens: Path = Path("tokens.json")

    @classmethod
    def load(cls, path: Path) -> CompanyConfig:
        """Reads `company.toml`; raises CONFIG_INVALID naming file and entry, never a value."""
        return read_config(cls, path)._relative_to(path.parent)

    def _relative_to(self, folder: Path) -> CompanyConfig:
        return self.model_copy(
            update={
                "anchors": folder / self.anchors,
                "tls": self.tls.inside(folder),
                "signatories": tuple(folder / path for path in self.signatories),
                "attestation": folder / self.attestation,
                "tokens": folder / self.tokens,
            }
        )
