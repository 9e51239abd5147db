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

What all such files have in common says `consentgate.config`.
"""

from __future__ import annotations

from pathlib import Path

from consentgate.config import Endpoint, KeyPair, Table, read_config


class PaillierFiles(Table):
    """The recipient key: encrypted file, passphrase file (else the CLI asks), and the signed registration."""

    private_key: Path
    registration: Path
    passphrase_file: Path | None = None


class BankConfig(Table):
    """Everything a bank's process is told. `archive` is where evidence is kept; without it nothing is kept."""

    anchors: Path
    tls: KeyPair
    signing: KeyPair
    gateway: Endpoint
    paillier: PaillierFiles
    archive: Path | None = None

    @classmethod
    def load(cls, path: Path) -> BankConfig:
        """Reads `bank.toml`; raises CONFIG_INVALID naming file and entry, never a value."""
        return read_config(cls, path)._relative_to(path.parent)

    def _relative_to(self, folder: Path) -> BankConfig:
        paillier = self.paillier
        files = PaillierFiles(
            private_key=folder / paillier.private_key,
            registration=folder / paillier.registration,
            passphrase_file=None if paillier.passphrase_file is None else folder / paillier.passphrase_file,
        )
        return BankConfig(
            anchors=folder / self.anchors,
            tls=self.tls.inside(folder),
            signing=self.signing.inside(folder),
            gateway=self.gateway,
            paillier=files,
            archive=None if self.archive is None else folder / self.archive,
        )
