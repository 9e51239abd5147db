"""LedgerService (protos/consentgate/v1/ledger.proto) over `ledger.log.Log`.

Nothing is shown that is not under a cosigned checkpoint. What an officer reads is recorded before it leaves.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from consentgate import canonical, convert
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.identity import Role
from consentgate.interceptors import Context, caller
from consentgate.server import Service
from consentgate.v1 import ledger_pb2, ledger_pb2_grpc
from ledger.log import Log
from ledger.storage.searchable import SearchFilters
from ledger_service.access_record import AccessRecord
from ledger_service.client import LEDGER_SERVICE

DEFAULT_PAGE = 50
"""Entries of a page when the request says 0 (the proto promises it)."""
MAX_LIST = 1000
"""Leaves in one answer of ListEntries and in one message of Tail."""
OWN_KINDS = frozenset({"log.opened", "log.closed", "access.read", "anchor.tsa"})
"""What the ledger says of itself; nobody else may."""


class LedgerServicer(ledger_pb2_grpc.LedgerServiceServicer):
    """Thin: decode, ask the log, encode."""

    def __init__(self, log: Log, access_record: AccessRecord) -> None:
        self._log = log
        self._published = log.published
        self._access_record = access_record

    async def Append(  # noqa: N802 - the name is the RPC's
        self, request: ledger_pb2.AppendRequest, _context: Context
    ) -> ledger_pb2.AppendResponse:
        """One entry, durable and witnessed."""
        receipt = await self._log.append(appendable(request.kind), canonical.parse(request.body, "body"), request.key)
        return ledger_pb2.AppendResponse(receipt=convert.receipt_to_message(receipt), existing=receipt.existing)

    async def GetCheckpoint(  # noqa: N802
        self, _request: ledger_pb2.GetCheckpointRequest, _context: Context
    ) -> ledger_pb2.GetCheckpointResponse:
        """Newest checkpoint, cosigned."""
        return ledger_pb2.GetCheckpointResponse(checkpoint=self._published.current().note)

    async def ListEntries(  # noqa: N802
        self, request: ledger_pb2.ListEntriesRequest, _context: Context
    ) -> ledger_pb2.ListEntriesResponse:
        """Whole leaves."""
        if request.end < request.start:
            raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="end")
        leaves = await self._published.leaves(request.start, min(request.end, request.start + MAX_LIST))
        await self._on_record(request, len(leaves))
        return ledger_pb2.ListEntriesResponse(leaves=leaves)

    async def GetReceipt(  # noqa: N802
        self, request: ledger_pb2.GetReceiptRequest, _context: Context
    ) -> ledger_pb2.GetReceiptResponse:
        """One leaf with its proof."""
        receipts = await self._published.receipts([request.index])
        await self._on_record(request, len(receipts))
        return ledger_pb2.GetReceiptResponse(receipt=convert.receipt_to_message(receipts[0]))

    async def GetConsistencyProof(  # noqa: N802
        self, request: ledger_pb2.GetConsistencyProofRequest, _context: Context
    ) -> ledger_pb2.GetConsistencyProofResponse:
        """Between two sizes up to the newest."""
        if request.old_size > request.new_size:
            raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="old_size")
        hashes = await self._published.consistency_proof(request.old_size, request.new_size)
        return ledger_pb2.GetConsistencyProofResponse(hashes=hashes)

    async def Tail(  # noqa: N802
        self, request: ledger_pb2.TailRequest, _context: Context
    ) -> AsyncIterator[ledger_pb2.TailResponse]:
        """Leaves up to each newest checkpoint, and that checkpoint with the last of them."""
        await self._on_record(request, 0)
        number, sent = 0, request.start
        while True:
            number, publication = await self._published.after(number)
            size = publication.checkpoint.size
            if sent == size:
                yield ledger_pb2.TailResponse(checkpoint=publication.note)
            while sent < size:
                leaves = await self._published.leaves(sent, min(size, sent + MAX_LIST))
                sent += len(leaves)
                yield ledger_pb2.TailResponse(leaves=leaves, checkpoint=publication.note if sent == size else b"")

    async def SearchEntries(  # noqa: N802
        self, request: ledger_pb2.SearchEntriesRequest, _context: Context
    ) -> ledger_pb2.SearchEntriesResponse:
        """Officers' search, recorded before the first result leaves."""
        after = None if request.from_start else request.after_seq
        leaves, complete = await self._published.search(_filters(request), after, request.page_size or DEFAULT_PAGE)
        answer = ledger_pb2.SearchEntriesResponse(leaves=leaves, complete=complete)
        if request.with_proofs:
            answer.checkpoint, paths = await self._published.inclusion_paths(leaves)
            answer.proofs.extend(ledger_pb2.InclusionPath(hashes=path) for path in paths)
        await self._on_record(request, len(leaves))
        return answer

    async def ListSubjectEntries(  # noqa: N802
        self, request: ledger_pb2.ListSubjectEntriesRequest, _context: Context
    ) -> ledger_pb2.ListSubjectEntriesResponse:
        """Everything about a company's tokens, with proofs."""
        after = None if request.from_start else request.after_seq
        receipts, tree_size = await self._published.subject_receipts(
            list(request.subjects), after, request.page_size or DEFAULT_PAGE
        )
        entries = [convert.receipt_to_message(receipt) for receipt in receipts]
        return ledger_pb2.ListSubjectEntriesResponse(entries=entries, tree_size=tree_size)

    async def _on_record(self, request: Message, returned: int) -> None:
        """An officer's reading becomes an entry; departments and gateway must read every leaf anyway."""
        reader = caller()
        if reader.role is Role.OFFICER:
            await self._access_record.record(reader.id, question_of(request), returned)


def ledger_service(log: Log, access_record: AccessRecord) -> Service:
    """For `build_server`."""
    servicer = LedgerServicer(log, access_record)
    return Service(LEDGER_SERVICE, ledger_pb2_grpc.add_LedgerServiceServicer_to_server, servicer)


def appendable(kind: str) -> str:
    """The kind, unless it is one that only the ledger itself writes."""
    if kind in OWN_KINDS:
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="kind")
    return kind


def question_of(request: Message) -> Mapping[str, object]:
    """The request as an officer's entry commits to it: its name and the fields that were given."""
    fields = MessageToDict(request, preserving_proto_field_name=True)
    return {"rpc": request.DESCRIPTOR.name, **fields}


def _filters(request: ledger_pb2.SearchEntriesRequest) -> SearchFilters:
    return SearchFilters(
        subject=request.subject or None,
        institution=request.institution or None,
        kind=request.kind or None,
        purpose=request.purpose or None,
        category=request.category or None,
        verdict=request.verdict or None,
        reason=request.reason or None,
        not_before=_moment(request, "not_before"),
        not_after=_moment(request, "not_after"),
    )


def _moment(request: ledger_pb2.SearchEntriesRequest, field: str) -> datetime | None:
    if not request.HasField(field):  # type: ignore[arg-type]  # one of two literal names
        return None
    moment: Timestamp = getattr(request, field)
    try:
        return moment.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=field) from error
