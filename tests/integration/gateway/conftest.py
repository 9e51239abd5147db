"""The gateway's services behind a real mTLS port, over the in-process house, and members who call them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import grpc.aio
import pytest

from consentgate.channel import open_aio_channel
from consentgate.server import MemberServer, build_server
from consentgate.tls import TlsFiles
from gateway.server import Truth, build_services
from tests.support.federation import Federation, Institution, institution
from tests.support.gateway_house import House
from tests.support.member_ca import certificate_pem, private_pem


@dataclass
class Port:
    """The gateway at its address; `channel` opens a connection as any member."""

    house: House
    server: MemberServer
    folder: Path
    channels: dict[str, grpc.aio.Channel] = field(default_factory=dict)

    @property
    def federation(self) -> Federation:
        return self.house.federation

    def files(self, member: Institution) -> TlsFiles:
        """The member's TLS files, written."""
        return write_tls(self.folder, member, self.federation)

    def channel(self, role: str, name: str) -> grpc.aio.Channel:
        """A connection as `role/name`."""
        known = f"{role}/{name}"
        if known not in self.channels:
            files = self.files(institution(self.federation.ca, role, name))
            self.channels[known] = open_aio_channel(self.server.address, self.federation.gateway.identity, files)
        return self.channels[known]

    @property
    def bank(self) -> grpc.aio.Channel:
        return self.channel("bank", "bank-a")

    @property
    def other_bank(self) -> grpc.aio.Channel:
        return self.channel("bank", "bank-b")

    @property
    def reviewer(self) -> grpc.aio.Channel:
        return self.channel("reviewer", "reviewer-1")

    @property
    def company(self) -> grpc.aio.Channel:
        return self.channel("company", self.federation.company.entity)


def write_tls(folder: Path, member: Institution, federation: Federation) -> TlsFiles:
    """A member's TLS certificate and key as files."""
    stem = f"{member.identity.role}-{member.identity.id}"
    certificate, key = folder / f"{stem}.pem", folder / f"{stem}.key"
    certificate.write_bytes(certificate_pem(member.tls_certificate))
    key.touch(mode=0o600)
    key.write_bytes(private_pem(member.tls_key))
    return TlsFiles(certificate, key, federation.ca.certificate)


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[Port]:
    """A settled house behind a port."""
    house = House(tmp_path)
    await house.settle()
    services = build_services(house.parts(), house.consents, house.scorecards, house.ledger)
    files = write_tls(tmp_path, house.federation.gateway, house.federation)
    truth = Truth(house.database, house.ledger).check
    server = await build_server(files, "127.0.0.1:0", services, truth=truth)
    await server.start()
    made = Port(house, server, tmp_path)
    yield made
    for channel in made.channels.values():
        await channel.close()
    await server.stop()
    house.close()
