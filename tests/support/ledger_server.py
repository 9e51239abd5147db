"""The ledger's services on a real loopback server with mutual TLS, and channels of any member to it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc.aio

from consentgate.channel import open_aio_channel
from consentgate.identity import SpiffeId
from consentgate.server import MemberServer, ServerLimits, Service, build_server
from consentgate.tls import TlsFiles
from ledger.log import Log
from ledger_service.access_record import AccessRecord
from ledger_service.embedded import EmbeddedLedger
from tests.support.member_ca import TLS_USAGES, MemberCa, certificate_pem, p256_key, private_pem
from tests.support.running_log import LogFolder
from tests.support.witnessed_log import log_signer

DOMAIN = "consentgate.test"
LEDGER = SpiffeId.parse(f"spiffe://{DOMAIN}/ledger/ledger-1")
GATEWAY = SpiffeId.parse(f"spiffe://{DOMAIN}/gateway/gateway-1")
OFFICER = SpiffeId.parse(f"spiffe://{DOMAIN}/officer/officer-1")
DEPARTMENT = SpiffeId.parse(f"spiffe://{DOMAIN}/department/tax")
BANK = SpiffeId.parse(f"spiffe://{DOMAIN}/bank/bank-a")
CA = MemberCa.create("ledger tests")
STOP_SECONDS = 0.2
"""Grace of a test server: tails never end by themselves."""


def tls_files(folder: Path, member: SpiffeId) -> TlsFiles:
    """Certificate and key of a member, written to `folder`."""
    key = p256_key(str(member))
    certificate = CA.issue(str(member), key, usages=TLS_USAGES, dns=[member.dns_name])
    paths = folder / f"{member.id}.crt", folder / f"{member.id}.key"
    paths[0].write_bytes(certificate_pem(certificate))
    paths[1].write_bytes(private_pem(key))
    return TlsFiles(*paths, CA.certificate)


@contextlib.asynccontextmanager
async def serving(folder: Path, services: Sequence[Service], member: SpiffeId = LEDGER) -> AsyncIterator[MemberServer]:
    """The services at a free loopback port."""
    limits = ServerLimits(stop_grace_seconds=STOP_SECONDS)
    server = await build_server(tls_files(folder, member), "127.0.0.1:0", services, limits=limits)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@contextlib.asynccontextmanager
async def channel(
    folder: Path, address: str, caller: SpiffeId, peer: SpiffeId = LEDGER
) -> AsyncIterator[grpc.aio.Channel]:
    """As `caller`, to whoever is at the address and can prove to be `peer`."""
    async with open_aio_channel(address, peer, tls_files(folder, caller)) as opened:
        yield opened


@dataclass(frozen=True)
class ServedLedger:
    """A log at work behind a server."""

    folder: LogFolder
    log: Log
    ledger: EmbeddedLedger
    access_record: AccessRecord
    address: str

    def as_member(self, caller: SpiffeId) -> contextlib.AbstractAsyncContextManager[grpc.aio.Channel]:
        """A channel to the ledger."""
        return channel(self.folder.path, self.address, caller)


@contextlib.asynccontextmanager
async def served_ledger(folder: LogFolder) -> AsyncIterator[ServedLedger]:
    """Log, witnesses and server on the files of `folder`; with `log.opened` published."""
    async with folder.running() as log:
        access_record = AccessRecord(log, log_signer("the log"))
        ledger = EmbeddedLedger(log, access_record)
        async with asyncio.timeout(5):
            await log.published.after(0)
        limits = ServerLimits(stop_grace_seconds=STOP_SECONDS)
        server = await build_server(
            tls_files(folder.path, LEDGER), "127.0.0.1:0", ledger.services(), limits=limits, truth=ledger.check
        )
        await server.start()
        try:
            yield ServedLedger(folder, log, ledger, access_record, server.address)
        finally:
            await server.stop()
