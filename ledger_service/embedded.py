"""The ledger inside a process: the gateway's (the default), or its own (`ledger serve`), which is nothing more than
this and a server around it.

    ledger = EmbeddedLedger.open(config, anchors, tls)
    server = await build_server(tls, address, [*ledger.services(), ...], truth=ledger.check)
    await serve_until_signal(server, background=[ledger.run()])

The embedding process offers `services()` on its own server, because departments follow the log there, and calls its
witnesses with its own certificate.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import TypeVar

import grpc.aio

from consentgate.anchors import Anchors
from consentgate.channel import open_aio_channel
from consentgate.error_status import translate
from consentgate.identity import SpiffeId
from consentgate.server import Service
from consentgate.tls import TlsFiles
from ledger.errors import LedgerError
from ledger.log import Log, LogParts
from ledger.note import SignatureType
from ledger.receipt import AppendReceipt, Receipt
from ledger_service.access_record import AccessRecord
from ledger_service.config import LogConfig
from ledger_service.keys import load_signer
from ledger_service.servicer import appendable, ledger_service
from ledger_service.storages import open_storage
from ledger_service.timestamp_recorder import TimestampRecorder
from ledger_service.timestamp_requester import TimestampRequester
from ledger_service.witness_client import GrpcWitness

Answer = TypeVar("Answer")


class EmbeddedLedger:
    """Implements LedgerPort in process."""

    def __init__(
        self,
        log: Log,
        access_record: AccessRecord,
        channels: Sequence[grpc.aio.Channel] = (),
        timestamps: Sequence[TimestampRecorder | TimestampRequester] = (),
    ) -> None:
        """`channels` to the witnesses are closed with the log."""
        self._log = log
        self._access_record = access_record
        self._channels = channels
        self._timestamps = timestamps

    @classmethod
    def open(
        cls, config: LogConfig, anchors: Anchors, tls: TlsFiles, *, allow_development_ca: bool = False
    ) -> EmbeddedLedger:
        """To be called inside the running loop, as channels are.

        Raises CONFIG_INVALID when keys, witnesses and the anchors' policy do not belong together, LEDGER_UNAVAILABLE
        when the database cannot be opened. An old or altered database is found by `run`, and shows in `check`.
        """
        signer = load_signer(config.signing_key, config.origin, SignatureType.ED25519)
        channels = {
            witness.name: open_aio_channel(
                witness.address, SpiffeId.parse(witness.peer), tls, allow_development_ca=allow_development_ca
            )
            for witness in config.witnesses
        }
        witnesses = {name: GrpcWitness(channel) for name, channel in channels.items()}
        try:
            storage = open_storage(config.database)
            log = Log(LogParts(signer, anchors.log_policy, storage, config.second_place, witnesses))
        except LedgerError as error:
            raise translate(error) from error
        timestamps: list[TimestampRecorder | TimestampRequester] = []
        if config.timestamps is not None:
            recorder = TimestampRecorder(log, anchors.log_policy, config.timestamps.folder)
            timestamps = [TimestampRequester(log.published, config.timestamps), recorder]
        return cls(log, AccessRecord(log, signer), list(channels.values()), timestamps)

    def services(self) -> list[Service]:
        """For the server of the embedding process."""
        return [ledger_service(self._log, self._access_record)]

    async def run(self) -> None:
        """The log's work; never ends by itself."""
        beside = [asyncio.create_task(part.run()) for part in self._timestamps]
        try:
            await self._log.run()
        finally:
            for task in beside:
                task.cancel()
            for channel in self._channels:
                await channel.close()

    async def append(self, kind: str, body: Mapping[str, object], key: str) -> AppendReceipt:
        """As LedgerPort."""
        return await _translated(self._log.append(appendable(kind), body, key))

    async def subject_entries(
        self, subjects: Sequence[str], after_seq: int | None, limit: int
    ) -> tuple[list[Receipt], int]:
        """As LedgerPort."""
        return await _translated(self._log.published.subject_receipts(subjects, after_seq, limit))

    async def check(self) -> None:
        """As LedgerPort; also the `truth` of a server's health."""
        try:
            self._log.check()
        except LedgerError as error:
            raise translate(error) from error


async def _translated(work: Awaitable[Answer]) -> Answer:
    try:
        return await work
    except LedgerError as error:
        raise translate(error) from error
