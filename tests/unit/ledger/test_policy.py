"""Quorums: which witnesses suffice, and when they had all seen a checkpoint. Malformed files are in the vectors."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ledger.errors import PolicyInvalid, QuorumNotMet, SignatureInvalid
from ledger.note import Note
from ledger.policy import MAX_LINES, LogPolicy
from tests.support.sample_log import COSIGNED_AT, sample_log
from tests.support.witnessed_log import ORIGIN, WITNESSES, log_signer, policy_text, with_signatures, witness_signer
from tests.vectors.ledger.policies import GOOD_POLICIES

LOG = sample_log()
TIMES = {name: COSIGNED_AT + timedelta(seconds=n) for n, name in enumerate(WITNESSES)}


def test_accepts_what_log_and_quorum_signed() -> None:
    witnessed = LOG.policy.check(LOG.note(COSIGNED_AT))
    assert (witnessed.checkpoint.origin, witnessed.checkpoint.size) == (ORIGIN, len(LOG.leaves))
    assert witnessed.cosigned_at == COSIGNED_AT
    assert set(witnessed.cosignatures) == set(WITNESSES[:3])


def test_quorum_is_reached_when_the_last_needed_member_cosigned() -> None:
    """Three of four: the third newest time counts, so a late fourth makes it newer and never older."""
    three = LOG.policy.check(LOG.note(TIMES, witnesses=WITNESSES[:3]))
    four = LOG.policy.check(LOG.note(TIMES, witnesses=WITNESSES))
    assert three.cosigned_at == TIMES["tax"]
    assert four.cosigned_at == TIMES["customs"]
    assert four.cosignatures == TIMES


@pytest.mark.parametrize("count", range(3))
def test_too_few(count: int) -> None:
    with pytest.raises(QuorumNotMet, match=f"{count} known"):
        LOG.policy.check(LOG.note(TIMES, witnesses=WITNESSES[:count]))


def test_strangers_do_not_count_and_do_no_harm() -> None:
    times = {**TIMES, "stranger": COSIGNED_AT}
    with pytest.raises(QuorumNotMet):
        LOG.policy.check(LOG.note(times, witnesses=[*WITNESSES[:2], "stranger"]))
    assert LOG.policy.check(LOG.note(times, witnesses=[*WITNESSES[:3], "stranger"])).cosigned_at == TIMES["tax"]


def test_one_false_cosignature_by_a_known_witness_spoils_all() -> None:
    note = Note.parse(LOG.note(TIMES, witnesses=WITNESSES[:3]))
    false = witness_signer("regulator").cosign(b"another text\n", COSIGNED_AT)
    with pytest.raises(SignatureInvalid):
        LOG.policy.check(Note(note.text, (*note.signatures, false)).encode())


def test_nested_groups() -> None:
    """Any ministry, and both others."""
    policy = LogPolicy.parse(GOOD_POLICIES["groups-of-groups"])
    for names, met in (
        ({"tax", "courts", "regulator"}, True),
        ({"customs", "courts", "regulator"}, True),
        (set(WITNESSES), True),
        ({"tax", "customs", "courts"}, False),
        ({"courts", "regulator"}, False),
        (set(), False),
    ):
        assert policy.is_met_by(frozenset(names)) is met
        note = LOG.note(TIMES, witnesses=[name for name in WITNESSES if name in names])
        if met:
            policy.check(note)
        else:
            with pytest.raises(QuorumNotMet):
                policy.check(note)
    # The newest ministry and the older of the two others.
    assert policy.check(LOG.note(TIMES, witnesses=WITNESSES)).cosigned_at == TIMES["customs"]
    early = {**TIMES, "regulator": COSIGNED_AT - timedelta(hours=1)}
    assert policy.check(LOG.note(early, witnesses=WITNESSES)).cosigned_at == early["regulator"]


def test_single_witness_as_quorum() -> None:
    policy = LogPolicy.parse(GOOD_POLICIES["urls"])
    assert policy.check(LOG.note(TIMES, witnesses=["tax"])).cosigned_at == TIMES["tax"]
    with pytest.raises(QuorumNotMet):
        policy.check(LOG.note(TIMES, witnesses=["customs"]))
    assert policy.urls == {ORIGIN: "https://log.test/", "tax": "https://tax.test/"}


def test_no_quorum_knows_no_time() -> None:
    policy = LogPolicy.parse(GOOD_POLICIES["no-quorum"])
    assert policy.check(LOG.note(TIMES, witnesses=[])).cosigned_at is None
    assert policy.is_met_by(frozenset())


def test_another_log_key_under_the_same_name() -> None:
    with pytest.raises(SignatureInvalid):
        LogPolicy.parse(policy_text("somebody else")).check(LOG.note(TIMES, witnesses=WITNESSES))


def test_several_log_keys() -> None:
    """A change of key: checkpoints of both are accepted."""
    former = f"log {log_signer('former').verifier_key}\n"
    policy = LogPolicy.parse(former + policy_text())
    assert policy.check(LOG.note(COSIGNED_AT)).checkpoint.size == len(LOG.leaves)
    with pytest.raises(SignatureInvalid):
        LogPolicy.parse(former + "quorum none\n").check(LOG.note(COSIGNED_AT))


def test_every_listed_log_key_that_signed_must_verify() -> None:
    """In whatever order they are listed: what a note bears is no key's word before it verifies."""
    former, present = log_signer("former"), log_signer("the log")
    keys = [f"log {signer.verifier_key}\n" for signer in (former, present)]
    note = Note.parse(LOG.note(COSIGNED_AT))
    both = with_signatures(note, former.sign(note.text).line()).encode()
    false = with_signatures(note, former.sign(b"another text\n").line()).encode()
    for lines in (keys, keys[::-1]):
        policy = LogPolicy.parse("".join(lines) + "quorum none\n")
        assert policy.check(both).checkpoint.size == len(LOG.leaves)
        with pytest.raises(SignatureInvalid):
            policy.check(false)


def test_name_of_a_key() -> None:
    assert LOG.policy.witness_of(witness_signer("tax").verifier_key) == "tax"
    assert LOG.policy.witness_of(witness_signer("stranger").verifier_key) is None


def test_lines_are_bounded() -> None:
    lines = [f"witness w{n} {witness_signer(f'w{n}').verifier_key}" for n in range(MAX_LINES)]
    end = [f"group all all {' '.join(f'w{n}' for n in range(MAX_LINES))}", "quorum all"]
    policy = LogPolicy.parse("\n".join([*lines, *end]))
    assert policy.groups["all"].threshold == len(policy.witnesses) == MAX_LINES
    surplus = f"witness x {witness_signer('x').verifier_key}"
    with pytest.raises(PolicyInvalid, match="line 65: too many witnesses"):
        LogPolicy.parse("\n".join([*lines, surplus, *end]))


def test_cosignature_before_1970_or_far_away() -> None:
    """What a clock may say: the first second, and the last that a calendar shows."""
    for moment in (datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)):
        assert LOG.policy.check(LOG.note(moment)).cosigned_at == moment
