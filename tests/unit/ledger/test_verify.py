"""Verification of receipts, extensions and whole logs; bad receipts are in the vectors."""

from __future__ import annotations

import pytest

from ledger.chain import Chain
from ledger.checkpoint import Checkpoint
from ledger.errors import ConsistencyInvalid, LedgerError, LogMismatch, QuorumNotMet, SignatureInvalid
from ledger.note import Note
from ledger.policy import LogPolicy
from ledger.receipt import AppendReceipt, Receipt
from ledger.verify import VERIFY_CHUNK, name_leaves, verify_leaves, verify_receipt
from tests.support.sample_log import COSIGNED_AT, OPENED_AT, sample_log
from tests.support.witnessed_log import ORIGIN, WitnessedLog, extended, log_signer, policy_text
from tests.vectors.ledger.policies import GOOD_POLICIES

LOG = sample_log()
NOTE = LOG.note(COSIGNED_AT)


@pytest.mark.parametrize("index", range(len(LOG.leaves)))
def test_every_entry_has_a_receipt(index: int) -> None:
    verified = verify_receipt(LOG.receipt(index, COSIGNED_AT), LOG.policy)
    assert (verified.index, verified.entry.seq) == (index, index)
    assert verified.checkpoint.size == len(LOG.leaves)
    assert verified.cosigned_at == COSIGNED_AT


def test_an_append_receipt_is_a_receipt() -> None:
    receipt = LOG.receipt(3, COSIGNED_AT)
    assert verify_receipt(AppendReceipt(receipt.leaf, receipt.proof, existing=True), LOG.policy).index == 3


def test_every_bit_of_a_receipt_counts() -> None:
    """Leaf and proof, bit by bit; only what no signature of the policy covers may differ, and there is none here."""
    good = LOG.receipt(3, COSIGNED_AT)
    for name in ("leaf", "proof"):
        data = bytearray(getattr(good, name))
        for position in range(len(data)):
            bit = 1 << (position % 8)
            data[position] ^= bit
            altered = Receipt(**{"leaf": good.leaf, "proof": good.proof, name: bytes(data)})
            with pytest.raises(LedgerError):
                verify_receipt(altered, LOG.policy)
            data[position] ^= bit


def test_without_quorum_a_receipt_proves_too_little() -> None:
    with pytest.raises(QuorumNotMet):
        verify_receipt(LOG.receipt(3, COSIGNED_AT), LogPolicy.parse(GOOD_POLICIES["no-quorum"]))


def test_extension_up_to_a_checkpoint() -> None:
    start, _ = Chain(ORIGIN).extend(LOG.leaves[:4])
    grown, entries, witnessed = extended(start, LOG.leaves[4:], NOTE, LOG.policy)
    assert (grown.size, len(entries)) == (len(LOG.leaves), len(LOG.leaves) - 4)
    assert witnessed.checkpoint.root == grown.root()
    unchanged, none, _ = extended(grown, [], LOG.note(COSIGNED_AT), LOG.policy)
    assert (unchanged, none) == (grown, [])


@pytest.mark.parametrize(
    ("leaves", "message"),
    [(LOG.leaves[4:-1], "but the checkpoint counts"), (LOG.leaves[5:], "leaf 4"), ([], "but the checkpoint counts")],
)
def test_extension_must_reach_exactly_the_checkpoint(leaves: list[bytes], message: str) -> None:
    start, _ = Chain(ORIGIN).extend(LOG.leaves[:4])
    with pytest.raises(ConsistencyInvalid, match=message):
        extended(start, leaves, NOTE, LOG.policy)


def test_a_fork_is_no_extension() -> None:
    """A checkpoint duly signed and cosigned, of a history that went another way."""
    fork = WitnessedLog(OPENED_AT)
    fork.append("erasure.performed", {"subject": "00" * 16}, OPENED_AT)
    start, _ = Chain(ORIGIN).extend(LOG.leaves[:1])
    with pytest.raises(ConsistencyInvalid, match="root"):
        extended(start, LOG.leaves[1:2], fork.note(COSIGNED_AT), LOG.policy)


def test_checkpoint_of_another_log() -> None:
    with pytest.raises(LogMismatch):
        extended(Chain("other.test/ledger"), [], NOTE, LOG.policy)


def test_report() -> None:
    report = verify_leaves(LOG.leaves, NOTE, LOG.policy)
    assert report.checkpoint.size == len(LOG.leaves)
    assert report.kinds["consent.granted"] == 2
    assert sum(report.kinds.values()) == len(LOG.leaves)
    assert report.first == "2026-11-24T04:00:00.000000Z"
    assert report.last == "2026-11-24T04:00:09.000000Z"
    assert report.clock_steps_back == 0


def test_a_clock_set_back_is_told() -> None:
    log = sample_log()
    log.append("log.closed", {}, OPENED_AT)
    assert verify_leaves(log.leaves, log.note(COSIGNED_AT), log.policy).clock_steps_back == 1


def test_without_quorum_a_log_has_no_time() -> None:
    report = verify_leaves(LOG.leaves, LOG.note(COSIGNED_AT, witnesses=[]), LogPolicy.parse(GOOD_POLICIES["no-quorum"]))
    assert report.cosigned_at is None


def test_long_logs_are_verified_in_chunks() -> None:
    log = sample_log(repeat=VERIFY_CHUNK // 9 + 1)
    steps: list[tuple[int, int]] = []
    report = verify_leaves(iter(log.leaves), log.note(COSIGNED_AT), log.policy, lambda *step: steps.append(step))
    size = len(log.leaves)
    assert size > VERIFY_CHUNK
    assert steps == [(VERIFY_CHUNK, size), (size, size)]
    assert report.checkpoint.size == size


def test_empty_log() -> None:
    log = sample_log()
    report = verify_leaves([], log.note(COSIGNED_AT, size=0), log.policy)
    assert (report.checkpoint.size, report.first, report.last, report.kinds) == (0, None, None, {})


@pytest.mark.parametrize("size", [0, 1, 9, 10])
def test_a_log_continues_what_it_signed_earlier(size: int) -> None:
    """The log's signature is enough; the leaves may come in any chunks."""
    earlier = LOG.note(COSIGNED_AT, size=size, witnesses=[])
    assert verify_leaves(LOG.leaves, NOTE, LOG.policy, earlier=earlier).checkpoint.size == 10


@pytest.mark.parametrize("size", [VERIFY_CHUNK - 1, VERIFY_CHUNK, VERIFY_CHUNK + 1])
def test_earlier_checkpoint_at_the_edge_of_a_chunk(size: int) -> None:
    log = sample_log(repeat=VERIFY_CHUNK // 9 + 1)
    verify_leaves(log.leaves, log.note(COSIGNED_AT), log.policy, earlier=log.note(COSIGNED_AT, size=size))


def test_a_log_that_was_rolled_back() -> None:
    with pytest.raises(ConsistencyInvalid, match="rolled back: it counts 9 entries, and earlier 10"):
        verify_leaves(LOG.leaves[:9], LOG.note(COSIGNED_AT, size=9), LOG.policy, earlier=NOTE)


def test_a_log_that_forked() -> None:
    fork = WitnessedLog(OPENED_AT)
    fork.append("erasure.performed", {"subject": "00" * 16}, OPENED_AT)
    with pytest.raises(ConsistencyInvalid, match="forked: its first 2 entries"):
        verify_leaves(LOG.leaves, NOTE, LOG.policy, earlier=fork.note(COSIGNED_AT))


def test_an_earlier_checkpoint_that_the_log_never_signed_is_no_evidence() -> None:
    for earlier in (LOG.note(COSIGNED_AT, log_signs=False), sample_forgery()):
        with pytest.raises(SignatureInvalid):
            verify_leaves(LOG.leaves, NOTE, LOG.policy, earlier=earlier)


def test_every_listed_log_key_that_signed_the_earlier_checkpoint_must_verify() -> None:
    former = log_signer("former")
    policy = LogPolicy.parse(f"{policy_text()}log {former.verifier_key}\n")
    for signed in (Note.parse(NOTE).text, b"something else\n"):
        earlier = NOTE + former.sign(signed).line()
        if signed in NOTE:
            assert verify_leaves(LOG.leaves, NOTE, policy, earlier=earlier).checkpoint.size == 10
        else:
            with pytest.raises(SignatureInvalid):
                verify_leaves(LOG.leaves, NOTE, policy, earlier=earlier)


def test_an_empty_log_has_one_root() -> None:
    empty, other = LOG.note(COSIGNED_AT, size=0), Checkpoint(ORIGIN, 0, bytes(32)).sign(log_signer("the log")).encode()
    assert verify_leaves([], empty, LOG.policy, earlier=empty).checkpoint.size == 0
    with pytest.raises(ConsistencyInvalid, match="forked"):
        verify_leaves([], empty, LOG.policy, earlier=other)


def sample_forgery() -> bytes:
    return WitnessedLog(OPENED_AT, "another key").note(COSIGNED_AT)


def test_leaves_are_named_in_runs() -> None:
    assert name_leaves([], 5, 5) == []
    assert name_leaves([3], 5, 5) == ["Leaf 3 is not the leaf that was recorded."]
    assert name_leaves([1, 2, 3, 7], 9, 12) == [
        "Leaves 1 to 3 are not the leaves that were recorded.",
        "Leaf 7 is not the leaf that was recorded.",
        "3 leaves are missing: from leaf 9 on.",
    ]
    assert name_leaves(range(0, 100, 2), 100, 100)[-1] == "There are more such leaves, up to leaf 98."
