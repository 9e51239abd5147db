"""A malformed request to any RPC: INVALID_ARGUMENT that names the field, and nothing is written."""

from __future__ import annotations

import grpc
import grpc.aio
import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from consentgate.error_status import from_rpc_error
from consentgate.errors import ErrorCode
from consentgate.identity import SpiffeId
from consentgate.v1 import ledger_pb2, ledger_pb2_grpc
from ledger.entry import canonical_json
from tests.support.ledger_server import DEPARTMENT, GATEWAY, OFFICER, ServedLedger
from tests.support.running_log import KIND, transition

BODY = canonical_json(transition())
TOO_LARGE = 2**53


def append(**changes: object) -> ledger_pb2.AppendRequest:
    return ledger_pb2.AppendRequest(**{"kind": KIND, "body": BODY, "key": "key", **changes})  # type: ignore[arg-type]


CASES: list[tuple[str, SpiffeId, Message, str]] = [
    ("Append", GATEWAY, append(kind="Consent"), "kind"),
    ("Append", GATEWAY, append(kind="consent.unheard"), "kind"),
    ("Append", GATEWAY, append(body=b"{"), "body"),
    ("Append", GATEWAY, append(body=b""), "body"),
    ("Append", GATEWAY, append(body=b"[]"), "body"),
    ("Append", GATEWAY, append(body=b'{"a":1,"a":2}'), "body"),
    ("Append", GATEWAY, append(body=b'{"a":1.5}'), "body"),
    ("Append", GATEWAY, append(body=b"\xff\xff"), "body"),
    ("Append", GATEWAY, append(body=canonical_json({**transition(), "subject": "x"})), "body.subject"),
    ("Append", GATEWAY, append(body=canonical_json({**transition(), "company": "x"})), "body.company"),
    ("Append", GATEWAY, append(body=canonical_json({})), "body.consent_id"),
    ("Append", GATEWAY, append(body=b" " * 16_000), "body"),
    ("Append", GATEWAY, append(key=""), "key"),
    ("Append", GATEWAY, append(key="k" * 129), "key"),
    ("ListEntries", DEPARTMENT, ledger_pb2.ListEntriesRequest(start=TOO_LARGE), "start"),
    ("ListEntries", DEPARTMENT, ledger_pb2.ListEntriesRequest(start=2, end=1), "end"),
    ("GetReceipt", DEPARTMENT, ledger_pb2.GetReceiptRequest(index=TOO_LARGE), "index"),
    ("GetConsistencyProof", DEPARTMENT, ledger_pb2.GetConsistencyProofRequest(old_size=TOO_LARGE), "old_size"),
    ("GetConsistencyProof", DEPARTMENT, ledger_pb2.GetConsistencyProofRequest(old_size=1, new_size=0), "old_size"),
    ("SearchEntries", OFFICER, ledger_pb2.SearchEntriesRequest(subject="xyz"), "subject"),
    ("SearchEntries", OFFICER, ledger_pb2.SearchEntriesRequest(institution="Bank A"), "institution"),
    ("SearchEntries", OFFICER, ledger_pb2.SearchEntriesRequest(kind="consent"), "kind"),
    ("SearchEntries", OFFICER, ledger_pb2.SearchEntriesRequest(purpose="'; --"), "purpose"),
    ("SearchEntries", OFFICER, ledger_pb2.SearchEntriesRequest(category="%"), "category"),
    ("SearchEntries", OFFICER, ledger_pb2.SearchEntriesRequest(verdict="maybe"), "verdict"),
    ("SearchEntries", OFFICER, ledger_pb2.SearchEntriesRequest(reason="because"), "reason"),
    ("SearchEntries", OFFICER, ledger_pb2.SearchEntriesRequest(page_size=501), "page_size"),
    (
        "SearchEntries",
        OFFICER,
        ledger_pb2.SearchEntriesRequest(not_before=Timestamp(seconds=2**60)),
        "not_before",
    ),
    ("SearchEntries", OFFICER, ledger_pb2.SearchEntriesRequest(not_after=Timestamp(nanos=-5)), "not_after"),
    ("ListSubjectEntries", GATEWAY, ledger_pb2.ListSubjectEntriesRequest(), "subjects"),
    ("ListSubjectEntries", GATEWAY, ledger_pb2.ListSubjectEntriesRequest(subjects=["0" * 31]), "subjects[0]"),
    ("ListSubjectEntries", GATEWAY, ledger_pb2.ListSubjectEntriesRequest(subjects=["0" * 32] * 1001), "subjects"),
    (
        "ListSubjectEntries",
        GATEWAY,
        ledger_pb2.ListSubjectEntriesRequest(subjects=["0" * 32], page_size=201),
        "page_size",
    ),
]


@pytest.mark.parametrize(("rpc", "member", "request_message", "field"), CASES)
async def test_the_field_at_fault_is_named_and_nothing_is_written(
    served: ServedLedger, rpc: str, member: SpiffeId, request_message: Message, field: str
) -> None:
    async with served.as_member(member) as channel:
        call = getattr(ledger_pb2_grpc.LedgerServiceStub(channel), rpc)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(request_message)
    error = from_rpc_error(caught.value)
    assert (error.code, error.field) == (ErrorCode.INVALID_ARGUMENT_FIELD, field)
    assert error.status is grpc.StatusCode.INVALID_ARGUMENT
    assert served.folder.stored_size() == 1


async def test_a_malformed_tail_is_refused(served: ServedLedger) -> None:
    async with served.as_member(DEPARTMENT) as channel:
        call = ledger_pb2_grpc.LedgerServiceStub(channel).Tail(ledger_pb2.TailRequest(start=TOO_LARGE))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
    assert from_rpc_error(caught.value).field == "start"
