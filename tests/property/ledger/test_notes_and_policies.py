"""Notes and policies: whatever comes in, the two implementations read the same or refuse alike."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.checkpoint import Checkpoint
from ledger.errors import CheckpointInvalid, KeyInvalid, LedgerError, PolicyInvalid
from ledger.merkle import MAX_TREE
from ledger.note import Note, NoteSignature, VerifierKey
from ledger.policy import LogPolicy
from tests.support.flipped_bits import with_flipped_bit
from tests.support.sample_log import COSIGNED_AT, sample_log
from tests.support.witnessed_log import WITNESSES, log_signer, policy_text, witness_signer
from tests.vectors.ledger import independent
from tests.vectors.ledger.independent import Refused
from tests.vectors.ledger.policies import GOOD_POLICIES

LOG = sample_log()
NAMES = st.from_regex(r"[!-*,-~]{1,40}", fullmatch=True)
SIGNATURES = st.builds(NoteSignature, NAMES, st.binary(min_size=4, max_size=4), st.binary(min_size=1, max_size=80))
TEXTS = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]) | st.just("\n"), max_size=80).map(
    lambda text: text.encode() + b"\n"
)


@given(TEXTS, st.lists(SIGNATURES, min_size=1, max_size=5))
def test_note_round_trip(text: bytes, signatures: list[NoteSignature]) -> None:
    note = Note(text, tuple(signatures))
    assert Note.parse(note.encode()) == note
    assert independent.parse_note(note.encode()) == (
        text,
        [(item.name, item.key_id, item.signature) for item in signatures],
    )


@given(st.binary(max_size=200) | st.text("\n— abAB01+/=", max_size=120).map(str.encode))
def test_any_bytes_are_a_note_for_both_or_for_none(data: bytes) -> None:
    try:
        note = Note.parse(data)
    except CheckpointInvalid:
        with pytest.raises(Refused):
            independent.parse_note(data)
    else:
        assert note.encode() == data
        assert independent.parse_note(data)[0] == note.text


@given(NAMES, st.integers(0, MAX_TREE), st.binary(min_size=32, max_size=32))
def test_checkpoint_round_trip(origin: str, size: int, root: bytes) -> None:
    checkpoint = Checkpoint(origin, size, root)
    assert Checkpoint.parse(checkpoint.text()) == checkpoint


@given(st.data())
def test_a_flipped_bit_in_a_checkpoint_is_refused(data: st.DataObject) -> None:
    """With exactly the quorum's cosignatures on it, every bit counts."""
    note = LOG.note(COSIGNED_AT)
    position = data.draw(st.integers(0, 8 * len(note) - 1))
    with pytest.raises(LedgerError):
        LOG.policy.check(with_flipped_bit(note, position))


@given(st.text("abc+/=0123456789AQ", max_size=60))
def test_any_text_is_a_key_or_refused(text: str) -> None:
    try:
        assert str(VerifierKey.parse(text)) == text
    except KeyInvalid:
        with pytest.raises(Refused):
            independent.Key(text)


WORDS = st.sampled_from(
    [
        "log",
        "witness",
        "group",
        "quorum",
        "none",
        "any",
        "all",
        "0",
        "1",
        "2",
        "3",
        "tax",
        "courts",
        "g",
        "h",
        "#",
        "\n",
        "\n",
        "\n",
        str(log_signer("the log").verifier_key),
        f"witness tax {witness_signer('tax').verifier_key}\n",
        f"witness courts {witness_signer('courts').verifier_key}\n",
        "group g 2 tax courts\n",
        "quorum g\n",
        "quorum none\n",
    ]
)


@given(st.lists(WORDS, max_size=14).map(" ".join))
def test_any_text_is_a_policy_for_both_or_for_none(text: str) -> None:
    try:
        policy = LogPolicy.parse(text)
    except PolicyInvalid:
        with pytest.raises(Refused):
            independent.Policy(text)
    else:
        other = independent.Policy(text)
        assert (policy.quorum, len(policy.logs), set(policy.witnesses)) == (
            other.quorum,
            len(other.logs),
            set(other.witnesses),
        )


@given(
    st.sampled_from([policy_text(), GOOD_POLICIES["groups-of-groups"], GOOD_POLICIES["urls"]]),
    st.dictionaries(st.sampled_from([*WITNESSES, "stranger"]), st.integers(0, 10_000)),
)
def test_quorum_and_its_time(text: str, seconds: dict[str, int]) -> None:
    """For any witnesses at any times, both say the same; and `is_met_by` foretells it."""
    policy = LogPolicy.parse(text)
    times = {name: COSIGNED_AT + timedelta(seconds=value) for name, value in seconds.items()}
    note = LOG.note(times, witnesses=list(times))
    try:
        reached = policy.check(note).cosigned_at
    except LedgerError:
        assert not policy.is_met_by(frozenset(times))
        with pytest.raises(Refused):
            independent.Policy(text).open(note)
    else:
        assert policy.is_met_by(frozenset(times))
        assert reached is not None
        assert datetime.fromtimestamp(independent.Policy(text).open(note)[3] or 0, UTC) == reached
        # Always a time that some known witness said.
        known = [moment for name, moment in times.items() if name in policy.witnesses]
        assert reached in known
