"""The bank's configuration: `bank.toml`, read into one frozen object (docs/operations.md).

    anchors = "anchors.toml"
    archive = "archive"                          # optional: without it nothing is kept

    [tls]
    certificate = "tls.pem"
    private_key = "tls.key"

    [signing]
    certificate = "signing.pem"
    private_key = "signing.key"

    [gateway]
    address = "127.0.0.1:7443"
    peer = "spiffe://consentgate.example/gateway/gateway-1"

    [paillier]
    private_key = "paillier.key.json"            # made by `bank keygen`, encrypted
    registration = "registration.jws"            # made by `bank keygen`, to be shown to anybody
    passphrase_file = "passphrase"               # optional: without it the command asks; mode 0600

Paths inside the file are relative to the file. Unknown entries are refused: a misspelt bound that is silently ignored
is worse than a start that fails. Left out: anything from the environment, and secrets themselves (only their files).
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.statements import Spiffe


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


class PaillierFiles(_Table):
    """The recipient key: encrypted file, passphrase file (else the CLI asks), and the signed registration."""

    private_key: Path
    registration: Path
    passphrase_file: Path | None = None


class BankConfig(_Table):
    """Everything a bank's process is told. `archive` is where evidence is kept; without it nothing is kept."""

    anchors: Path
    tls: KeyPair
    signing: KeyPair
    gateway: Gateway
    paillier: PaillierFiles
    archive: Path | None = None

    @classmethod
    def load(cls, path: Path) -> BankConfig:
        """Reads `bank.toml`; raises CONFIG_INVALID naming file and entry, never a value."""
        try:
            content = cls.model_validate(tomllib.loads(path.read_text()))
        except ValidationError as error:
            where = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
            raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=f"{path}: {where}") from None
        except (OSError, ValueError) as error:
            raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=str(path)) from error
        return content._relative_to(path.parent)

    def _relative_to(self, folder: Path) -> BankConfig:
        paillier = self.paillier
        files = PaillierFiles(
            private_key=folder / paillier.private_key,
            registration=folder / paillier.registration,
            passphrase_file=None if paillier.passphrase_file is None else folder / paillier.passphrase_file,
        )
        return BankConfig(
            anchors=folder / self.anchors,
            tls=_pair_in(folder, self.tls),
            signing=_pair_in(folder, self.signing),
            gateway=self.gateway,
            paillier=files,
            archive=None if self.archive is None else folder / self.archive,
        )


def _pair_in(folder: Path, pair: KeyPair) -> KeyPair:
    return KeyPair(certificate=folder / pair.certificate, private_key=folder / pair.private_key)
