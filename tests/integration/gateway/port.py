"""The gateway's services behind a port, and members' TLS files: what the tests of this folder share."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import grpc.aio

from consentgate.channel import open_aio_channel
from consentgate.identity import SpiffeId
from consentgate.tls import TlsFiles
from tests.support.federation import Federation, Institution, institution
from tests.support.gateway_house import House
from tests.support.member_ca import certificate_pem, private_pem


def write_tls(folder: Path, member: Institution, federation: Federation) -> TlsFiles:
    """A member's TLS certificate and key as files."""
    stem = f"{member.identity.role}-{member.identity.id}"
    certificate, key = folder / f"{stem}.pem", folder / f"{stem}.key"
    certificate.write_bytes(certificate_pem(member.tls_certificate))
    key.touch(mode=0o600)
    key.write_bytes(private_pem(member.tls_key))
    return TlsFiles(certificate, key, federation.ca.certificate)


@dataclass
class Members:
    """Connections to the gateway at `address` as any member; closed together."""

    federation: Federation
    folder: Path
    address: str
    channels: dict[str, grpc.aio.Channel] = field(default_factory=dict)

    def channel(self, role: str, name: str) -> grpc.aio.Channel:
        """A connection as `role/name`."""
        known = f"{role}/{name}"
        if known not in self.channels:
            files = write_tls(self.folder, institution(self.federation.ca, role, name), self.federation)
            self.channels[known] = open_aio_channel(self.address, self.peer, files)
        return self.channels[known]

    @property
    def peer(self) -> SpiffeId:
        """The gateway."""
        return self.federation.gateway.identity

    @property
    def bank(self) -> grpc.aio.Channel:
        """As bank-a."""
        return self.channel("bank", "bank-a")

    @property
    def other_bank(self) -> grpc.aio.Channel:
        """As bank-b."""
        return self.channel("bank", "bank-b")

    @property
    def reviewer(self) -> grpc.aio.Channel:
        """As a reviewer."""
        return self.channel("reviewer", "reviewer-1")

    @property
    def company(self) -> grpc.aio.Channel:
        """As the first company."""
        return self.channel("company", self.federation.company.entity)

    async def close(self) -> None:
        """Ends all connections."""
        for channel in self.channels.values():
            await channel.close()


@dataclass
class Port(Members):
    """The same, with the house that answers there."""

    house: House = field(kw_only=True)
