"""The ledger as gateway.toml says: another process, or embedded in this one (design 1, "Scale")."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from consentgate.anchors import Anchors
from consentgate.channel import open_aio_channel
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.identity import SpiffeId
from consentgate.server import Service
from consentgate.tls import TlsFiles
from gateway.config import LedgerTable
from ledger_service.client import GrpcLedger, LedgerPort
from ledger_service.embedded import EmbeddedLedger


@dataclass(frozen=True)
class LedgerAccess:
    """The port to the ledger, and what an embedded one needs: services on this server, work beside it."""

    port: LedgerPort
    services: tuple[Service, ...] = ()
    work: tuple[Callable[[], Coroutine[Any, Any, None]], ...] = ()

    def background(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """The work, begun: each coroutine is to be awaited once."""
        return tuple(begin() for begin in self.work)


@asynccontextmanager
async def open_ledger(
    table: LedgerTable, anchors: Anchors, tls: TlsFiles, *, allow_development_ca: bool
) -> AsyncIterator[LedgerAccess]:
    """The ledger for as long as the context lasts; an embedded one closes when its work ends."""
    if table.embedded is not None:
        embedded = EmbeddedLedger.open(table.embedded, anchors, tls, allow_development_ca=allow_development_ca)
        yield LedgerAccess(embedded, tuple(embedded.services()), (embedded.run,))
        return
    if table.address is None or table.peer is None:
        raise ConsentgateError(ErrorCode.CONFIG_INVALID, field="ledger")
    channel = open_aio_channel(
        table.address, SpiffeId.parse(table.peer), tls, allow_development_ca=allow_development_ca
    )
    async with channel:
        yield LedgerAccess(GrpcLedger(channel))
