"""A page of a search is believed only with a proof for every entry, and if every entry was asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledger.entry import leaf_hash, parse
from ledger.errors import CheckpointInvalid, EntryInvalid, LedgerError, ProofInvalid, QuorumNotMet, SignatureInvalid
from ledger.merkle import inclusion_proof
from ledger.policy import LogPolicy
from ledger.search import matches
from ledger.storage.searchable import SearchFilters
from ledger.verify import verify_receipt
from ledger_service.search_page import SearchAnswer, verify_answer
from tests.support.flipped_bits import with_flipped_bit
from tests.support.sample_log import COSIGNED_AT, OTHER_SUBJECT, sample_log
from tests.support.witnessed_log import policy_text

LOG = sample_log(repeat=3)
FILTERS = SearchFilters(subject=OTHER_SUBJECT, kind="query.decision")


def answer(*seqs: int) -> SearchAnswer:
    """What an honest ledger answers with these entries."""
    hashes = [leaf_hash(leaf) for leaf in LOG.leaves]
    paths = [tuple(inclusion_proof(seq, hashes)) for seq in seqs]
    return SearchAnswer([LOG.leaves[seq] for seq in seqs], True, paths, LOG.note(COSIGNED_AT))


FOUND = [seq for seq, leaf in enumerate(LOG.leaves) if matches(parse(leaf), FILTERS)]


def refused(given: SearchAnswer, error: type[LedgerError], after_seq: int | None = None) -> None:
    with pytest.raises(error):
        verify_answer(given, FILTERS, after_seq, LOG.policy)


def test_a_page_that_holds() -> None:
    page = verify_answer(answer(*FOUND), FILTERS, None, LOG.policy)
    assert [found.index for found in page.entries] == FOUND == [6, 15, 24]
    assert (page.checkpoint.size, page.cosigned_at) == (28, COSIGNED_AT)
    assert [verify_receipt(receipt, LOG.policy) for receipt in page.receipts] == page.entries
    assert verify_answer(answer(15, 24), FILTERS, 6, LOG.policy).entries == page.entries[1:]


def test_also_an_empty_page_needs_a_witnessed_checkpoint() -> None:
    assert verify_answer(answer(), FILTERS, None, LOG.policy).entries == []
    refused(replace(answer(), note=b""), CheckpointInvalid)
    refused(replace(answer(), note=LOG.note(COSIGNED_AT, witnesses=["tax"])), QuorumNotMet)
    refused(replace(answer(), note=LOG.note(COSIGNED_AT, log_signs=False)), SignatureInvalid)
    with pytest.raises(QuorumNotMet):
        verify_answer(
            answer(), FILTERS, None, LogPolicy.parse(policy_text().replace("quorum departments", "quorum none"))
        )


def test_an_entry_that_was_not_asked_for() -> None:
    refused(answer(5), ProofInvalid)
    refused(answer(6), ProofInvalid, after_seq=6)
    refused(answer(15, 6), ProofInvalid)
    refused(answer(6, 6), ProofInvalid)


def test_proofs_that_are_missing_or_of_another_entry() -> None:
    good = answer(6, 15)
    refused(replace(good, paths=()), ProofInvalid)
    refused(replace(good, paths=good.paths[:1]), ProofInvalid)
    refused(replace(good, paths=good.paths[::-1]), ProofInvalid)
    refused(replace(good, paths=[good.paths[0], good.paths[1][:-1]]), ProofInvalid)


def test_an_altered_leaf() -> None:
    good = answer(6)
    refused(replace(good, leaves=[LOG.leaves[6].replace(b"deny", b"allow")]), ProofInvalid)
    refused(replace(good, leaves=[LOG.leaves[6].replace(b'"seq":6', b'"seq":7')]), ProofInvalid)
    refused(replace(good, leaves=[LOG.leaves[6] + b" "]), EntryInvalid)


@pytest.mark.parametrize("bit", range(0, 256, 8))
def test_every_hash_of_a_path_counts(bit: int) -> None:
    good = answer(6)
    path = list(good.paths[0])
    path[bit % len(path)] = with_flipped_bit(path[bit % len(path)], bit)
    refused(replace(good, paths=[tuple(path)]), ProofInvalid)
