"""LedgerService over a real server: what each RPC answers, and to whom."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from datetime import timedelta
from typing import Any

import grpc
import grpc.aio
import pytest

from consentgate import convert
from consentgate.error_status import from_rpc_error
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.v1 import ledger_pb2, ledger_pb2_grpc
from ledger.entry import canonical_json, parse
from ledger.merkle import verify_consistency
from ledger.note import MAX_NOTE
from ledger.published import MAX_ANSWER_BYTES
from ledger.verify import verify_inclusions, verify_receipt
from ledger.witness import utc_now
from ledger_service import servicer as servicer_module
from ledger_service.cli_search import MAX_PAGE as MAX_SEARCH_PAGE
from ledger_service.servicer import question_of
from tests.support.ledger_server import BANK, DEPARTMENT, GATEWAY, OFFICER, ServedLedger
from tests.support.running_log import KIND, POLICY, transition


def stub(channel: grpc.aio.Channel) -> Any:
    return ledger_pb2_grpc.LedgerServiceStub(channel)


async def fill(served: ServedLedger, count: int) -> None:
    await asyncio.gather(*(served.log.append(KIND, transition(number), f"key {number}") for number in range(count)))


async def refusal(call: object) -> ConsentgateError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call  # type: ignore[misc]
    return from_rpc_error(caught.value)


async def test_append_returns_a_receipt_that_verifies_and_a_repeat_the_same_leaf(served: ServedLedger) -> None:
    request = ledger_pb2.AppendRequest(kind=KIND, body=canonical_json(transition()), key="key")
    async with served.as_member(GATEWAY) as channel:
        first = await stub(channel).Append(request)
        again = await stub(channel).Append(request)
    assert verify_receipt(convert.receipt_from_message(first.receipt), POLICY).entry.body == transition()
    assert (first.existing, again.existing) == (False, True)
    assert again.receipt.leaf == first.receipt.leaf


@pytest.mark.parametrize("kind", sorted(servicer_module.OWN_KINDS))
async def test_the_ledgers_own_kinds_cannot_be_appended(served: ServedLedger, kind: str) -> None:
    body = {"officer": "o", "query": "0" * 64, "returned": 0} if kind == "access.read" else {}
    async with served.as_member(GATEWAY) as channel:
        request = ledger_pb2.AppendRequest(kind=kind, body=canonical_json(body), key="key")
        error = await refusal(stub(channel).Append(request))
    assert (error.code, error.field) == (ErrorCode.INVALID_ARGUMENT_FIELD, "kind")
    assert served.log.published.current().checkpoint.size == 1


async def test_only_the_gateway_appends_and_only_officers_search(served: ServedLedger) -> None:
    for member in (DEPARTMENT, OFFICER, BANK):
        async with served.as_member(member) as channel:
            request = ledger_pb2.AppendRequest(kind=KIND, body=canonical_json(transition()), key="key")
            assert (await refusal(stub(channel).Append(request))).code is ErrorCode.ROLE_NOT_ALLOWED
    async with served.as_member(GATEWAY) as channel:
        error = await refusal(stub(channel).SearchEntries(ledger_pb2.SearchEntriesRequest()))
        assert error.code is ErrorCode.ROLE_NOT_ALLOWED


async def test_the_checkpoint_is_cosigned_and_anybody_who_relies_on_proofs_gets_it(served: ServedLedger) -> None:
    async with served.as_member(BANK) as channel:
        answer = await stub(channel).GetCheckpoint(ledger_pb2.GetCheckpointRequest())
    witnessed = POLICY.check(answer.checkpoint)
    assert witnessed.checkpoint.size == 1
    assert witnessed.cosigned_at is not None
    assert utc_now() - witnessed.cosigned_at < timedelta(seconds=3)


async def test_leaves_are_listed_as_stored_and_cut_off_at_the_tree(
    served: ServedLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(served, 5)
    async with served.as_member(DEPARTMENT) as channel:
        ledger = stub(channel)
        some = await ledger.ListEntries(ledger_pb2.ListEntriesRequest(start=2, end=4))
        rest = await ledger.ListEntries(ledger_pb2.ListEntriesRequest(start=4, end=1_000_000))
        beyond = await ledger.ListEntries(ledger_pb2.ListEntriesRequest(start=6, end=9))
        monkeypatch.setattr(servicer_module, "MAX_LIST", 2)
        bounded = await ledger.ListEntries(ledger_pb2.ListEntriesRequest(start=0, end=6))
    assert [parse(leaf).seq for leaf in some.leaves] == [2, 3]
    assert [parse(leaf).seq for leaf in rest.leaves] == [4, 5]
    assert list(beyond.leaves) == []
    assert len(bounded.leaves) == 2


async def test_a_receipt_of_any_leaf_verifies_and_beyond_the_tree_is_not_found(served: ServedLedger) -> None:
    await fill(served, 4)
    async with served.as_member(DEPARTMENT) as channel:
        for index in range(5):
            answer = await stub(channel).GetReceipt(ledger_pb2.GetReceiptRequest(index=index))
            found = verify_receipt(convert.receipt_from_message(answer.receipt), POLICY)
            assert (found.index, found.checkpoint.size) == (index, 5)
        error = await refusal(stub(channel).GetReceipt(ledger_pb2.GetReceiptRequest(index=5)))
    assert error.code is ErrorCode.NOT_FOUND


async def test_consistency_proofs_verify_between_any_two_checkpoints(served: ServedLedger) -> None:
    notes = {}
    async with served.as_member(BANK) as channel:
        for number in range(6):
            note = (await stub(channel).GetCheckpoint(ledger_pb2.GetCheckpointRequest())).checkpoint
            checkpoint = POLICY.check(note).checkpoint
            notes[checkpoint.size] = checkpoint.root
            await served.log.append(KIND, transition(number), f"key {number}")
        for old_size, old_root in notes.items():
            for new_size, new_root in notes.items():
                if old_size <= new_size:
                    request = ledger_pb2.GetConsistencyProofRequest(old_size=old_size, new_size=new_size)
                    answer = await stub(channel).GetConsistencyProof(request)
                    verify_consistency(old_size, new_size, old_root, new_root, list(answer.hashes))
        beyond = ledger_pb2.GetConsistencyProofRequest(old_size=1, new_size=99)
        error = await refusal(stub(channel).GetConsistencyProof(beyond))
    assert len(notes) == 6
    assert error.code is ErrorCode.NOT_FOUND


async def test_a_search_is_on_the_record_before_its_result_leaves(served: ServedLedger) -> None:
    await fill(served, 14)
    request = ledger_pb2.SearchEntriesRequest(subject=f"{3:032x}", from_start=True)
    async with served.as_member(OFFICER) as channel:
        answer = await stub(channel).SearchEntries(request)
    entries = [parse(leaf) for leaf in await served.log.published.leaves(0, 100)]
    assert answer.complete
    assert {json.loads(leaf)["body"]["subject"] for leaf in answer.leaves} == {f"{3:032x}"}
    assert len(answer.leaves) == 2
    recorded = entries[-1]
    assert (recorded.kind, recorded.body["officer"], recorded.body["returned"]) == ("access.read", "officer-1", 2)


async def test_the_operator_can_confirm_what_was_asked_and_a_reader_cannot_guess_it(served: ServedLedger) -> None:
    question = question_of(ledger_pb2.SearchEntriesRequest(kind=KIND, from_start=True))
    await served.access_record.record("officer-1", question, 0)
    await served.access_record.record("officer-1", question, 0)
    entries = [parse(leaf) for leaf in await served.log.published.leaves(1, 3)]
    assert entries[0].body["query"] != entries[1].body["query"]
    database = sqlite3.connect(served.folder.database)
    keys = [row[0] for row in database.execute("SELECT key FROM entry WHERE seq > 0 ORDER BY seq")]
    database.close()
    assert [served.access_record.commitment(key, question) for key in keys] == [
        entry.body["query"] for entry in entries
    ]


async def test_without_its_record_a_search_returns_nothing(
    served: ServedLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(served, 1)
    monkeypatch.setattr("ledger.log.QUORUM_SECONDS", 0.2)
    for witness in served.folder.witnesses.values():
        witness.dead = True
    async with served.as_member(OFFICER) as channel:
        error = await refusal(stub(channel).SearchEntries(ledger_pb2.SearchEntriesRequest(from_start=True)))
    assert error.code is ErrorCode.LEDGER_QUORUM


@pytest.mark.parametrize("rpc", ["ListEntries", "GetReceipt", "Tail"])
async def test_whatever_an_officer_reads_is_on_the_record(served: ServedLedger, rpc: str) -> None:
    async with served.as_member(OFFICER) as channel:
        if rpc == "Tail":
            call = stub(channel).Tail(ledger_pb2.TailRequest(start=0))
            await call.read()
            call.cancel()
        elif rpc == "ListEntries":
            await stub(channel).ListEntries(ledger_pb2.ListEntriesRequest(start=0, end=1))
        else:
            await stub(channel).GetReceipt(ledger_pb2.GetReceiptRequest(index=0))
    leaves = await served.log.published.leaves(1, 10)
    assert [parse(leaf).kind for leaf in leaves] == ["access.read"]


async def test_searches_page_through_everything_once(served: ServedLedger) -> None:
    await fill(served, 7)
    found: list[int] = []
    request = ledger_pb2.SearchEntriesRequest(kind=KIND, from_start=True, page_size=3)
    async with served.as_member(OFFICER) as channel:
        while True:
            answer = await stub(channel).SearchEntries(request)
            found += [parse(leaf).seq for leaf in answer.leaves]
            if answer.complete:
                break
            request = ledger_pb2.SearchEntriesRequest(kind=KIND, after_seq=found[-1], page_size=3)
    assert found == list(range(1, 8))


async def test_one_checkpoint_proves_a_page(served: ServedLedger) -> None:
    await fill(served, 9)
    request = ledger_pb2.SearchEntriesRequest(kind=KIND, from_start=True, page_size=4, with_proofs=True)
    async with served.as_member(OFFICER) as channel:
        answer = await stub(channel).SearchEntries(request)
        request.with_proofs = False
        plain = await stub(channel).SearchEntries(request)
        nothing = await stub(channel).SearchEntries(
            ledger_pb2.SearchEntriesRequest(kind="log.closed", from_start=True, with_proofs=True)
        )
    paths = [list(proof.hashes) for proof in answer.proofs]
    proven = verify_inclusions(list(answer.leaves), paths, answer.checkpoint, POLICY)
    assert [found.index for found in proven] == [1, 2, 3, 4]
    assert (list(plain.proofs), plain.checkpoint) == ([], b"")
    assert list(plain.leaves) == list(answer.leaves)
    assert (len(nothing.leaves), len(nothing.proofs)) == (0, 0)
    assert POLICY.check(nothing.checkpoint).checkpoint.size == 12  # with the searches before it


def test_a_page_with_proofs_fits_a_message() -> None:
    hashes = (2**53 - 1).bit_length() * (32 + 2) + 4
    assert MAX_ANSWER_BYTES + MAX_SEARCH_PAGE * hashes + MAX_NOTE < 4 * 1024 * 1024


async def test_times_bound_a_search(served: ServedLedger) -> None:
    await fill(served, 2)
    request = ledger_pb2.SearchEntriesRequest(kind=KIND, from_start=True)
    request.not_before.FromDatetime(utc_now() + timedelta(minutes=1))
    async with served.as_member(OFFICER) as channel:
        later = await stub(channel).SearchEntries(request)
        request.ClearField("not_before")
        request.not_after.FromDatetime(utc_now() + timedelta(minutes=1))
        earlier = await stub(channel).SearchEntries(request)
    assert (len(later.leaves), len(earlier.leaves)) == (0, 2)


async def test_the_queue_being_full_is_told_by_code(served: ServedLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.sequencer.QUEUE_LIMIT", 0)
    async with served.as_member(GATEWAY) as channel:
        request = ledger_pb2.AppendRequest(kind=KIND, body=canonical_json(transition()), key="key")
        error = await refusal(stub(channel).Append(request))
    assert (error.code, error.status) == (ErrorCode.LEDGER_FULL, grpc.StatusCode.RESOURCE_EXHAUSTED)
