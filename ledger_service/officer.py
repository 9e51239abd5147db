"""An officer of supervision reads the ledger over gRPC: every search and every leaf fetched is recorded there first
(`access.read`), and every receipt is verified here with the officer's own anchors.

`officer.toml` says where and as whom; paths inside it are relative to the file.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Self

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from consentgate.anchors import Anchors
from consentgate.channel import open_channel
from consentgate.config import Endpoint, KeyPair, Table, read_config
from consentgate.convert import receipt_from_message
from consentgate.error_status import from_rpc_error
from consentgate.identity import SpiffeId
from consentgate.tls import TlsFiles
from consentgate.v1 import ledger_pb2, ledger_pb2_grpc
from ledger.receipt import Receipt
from ledger.storage.searchable import SearchFilters
from ledger_service.search_page import SearchAnswer

_TEXTS = ("subject", "institution", "kind", "purpose", "category", "verdict", "reason")


class OfficerConfig(Table):
    """Everything an officer's command is told."""

    anchors: Path
    tls: KeyPair
    ledger: Endpoint
    signing: KeyPair | None = None

    @classmethod
    def load(cls, path: Path) -> OfficerConfig:
        """Reads `officer.toml`; raises CONFIG_INVALID naming file and entry, never a value."""
        content = read_config(cls, path)
        folder = path.parent.absolute()
        files = {
            "anchors": folder / content.anchors,
            "tls": content.tls.inside(folder),
            "signing": None if content.signing is None else content.signing.inside(folder),
        }
        return content.model_copy(update=files)


class OfficerLedger:
    """The ledger as an officer may ask it; use as a context."""

    def __init__(self, channel: grpc.Channel, anchors: Anchors) -> None:
        self._channel = channel
        self._stub = ledger_pb2_grpc.LedgerServiceStub(channel)
        self.anchors = anchors

    @classmethod
    def open(cls, config: OfficerConfig, address: str | None = None, *, allow_development_ca: bool = False) -> Self:
        """Connects with the first question; `address` replaces the configured one, but never whom it must be."""
        anchors = Anchors.load(config.anchors)
        files = TlsFiles(config.tls.certificate, config.tls.private_key, anchors.member_ca)
        peer = SpiffeId.parse(config.ledger.peer)
        where = address or config.ledger.address
        return cls(open_channel(where, peer, files, allow_development_ca=allow_development_ca), anchors)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def receipt(self, index: int) -> Receipt:
        """One leaf with its proof, unverified."""
        with _named_errors():
            answer = self._stub.GetReceipt(ledger_pb2.GetReceiptRequest(index=index))
        return receipt_from_message(answer.receipt)

    def search(
        self, filters: SearchFilters, after_seq: int | None, limit: int, *, with_proofs: bool = True
    ) -> SearchAnswer:
        """One page, unverified."""
        request = ledger_pb2.SearchEntriesRequest(
            after_seq=after_seq or 0,
            from_start=after_seq is None,
            page_size=limit,
            with_proofs=with_proofs,
            **_given(filters),
        )
        with _named_errors():
            answer = self._stub.SearchEntries(request)
        paths = [tuple(proof.hashes) for proof in answer.proofs]
        return SearchAnswer(list(answer.leaves), answer.complete, paths, bytes(answer.checkpoint))

    def checkpoint(self) -> bytes:
        """The newest cosigned note, unverified. Notes say nothing about anybody, so this is not recorded."""
        with _named_errors():
            answer = self._stub.GetCheckpoint(ledger_pb2.GetCheckpointRequest())
        return bytes(answer.checkpoint)

    def history(self) -> Generator[tuple[list[bytes], bytes], None, None]:
        """All leaves from the first on, some at a time, unverified; with the last of them the note that counts them.

        One entry on the record, however long the log is, and that entry is the last of what is read.
        """
        with closing(self.follow(0)) as messages:
            for leaves, checkpoint in messages:
                yield leaves, checkpoint
                if checkpoint:
                    return

    def follow(self, start: int) -> Generator[tuple[list[bytes], bytes], None, None]:
        """Leaves from an index on, unverified, and the notes that count them; never ends by itself. One entry on the
        record.
        """
        with _named_errors():
            call = self._stub.Tail(ledger_pb2.TailRequest(start=start))
            try:
                for message in call:
                    yield list(message.leaves), bytes(message.checkpoint)
            finally:
                call.cancel()


def _given(filters: SearchFilters) -> dict[str, Any]:
    given: dict[str, Any] = {name: getattr(filters, name) for name in _TEXTS if getattr(filters, name) is not None}
    for name in ("not_before", "not_after"):
        moment = getattr(filters, name)
        if moment is not None:
            given[name] = Timestamp()
            given[name].FromDatetime(moment)
    return given


@contextmanager
def _named_errors() -> Iterator[None]:
    try:
        yield
    except grpc.RpcError as error:
        raise from_rpc_error(error) from error
