"""How many witnesses must lie before a log can show two histories: of N, where k must cosign, 2k - N. Honest ones
cosign one history each; whoever lies cosigns both. Here 4 and 3: one liar is not enough, two are, and no tail can see
it until an honest witness is shown the other side.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest

from ledger.chain import Chain
from ledger.errors import ConsistencyInvalid, QuorumNotMet
from ledger.evidence import Verdict
from ledger.note import Note, parse_signatures
from ledger.policy import LogPolicy
from ledger.witness import Witness, utc_now
from tests.support.running_log import KIND, POLICY, transition
from tests.support.witnessed_log import ORIGIN, WITNESSES, WitnessedLog, extended, log_signer, witness_signer


def history(first: int) -> WitnessedLog:
    log = WitnessedLog(utc_now())
    for number in range(first, first + 4):
        log.append(KIND, transition(number), utc_now())
    return log


class Split:
    """A log that shows `left` to one half of the honest witnesses, and `right` to the other."""

    def __init__(self, folder: Path, liars: int) -> None:
        self.left, self.right = history(0), history(100)
        self.liars, honest = WITNESSES[:liars], WITNESSES[liars:]
        half = (len(honest) + 1) // 2
        self.witnesses = {name: Witness(witness_signer(name), POLICY.logs, folder / name) for name in honest}
        self.sides = ((self.left, honest[:half]), (self.right, honest[half:]))

    def notes(self) -> list[bytes]:
        """Either history's checkpoint with every cosignature that can be had for it."""
        return [self._cosigned(log, asked) for log, asked in self.sides]

    def _cosigned(self, log: WitnessedLog, asked: tuple[str, ...]) -> bytes:
        note = Note.parse(log.note(utc_now(), witnesses=self.liars))
        plain = log.note(utc_now(), witnesses=())
        lines = b"".join(self.witnesses[name].add_checkpoint(0, [], plain) for name in asked)
        return Note(note.text, (*note.signatures, *parse_signatures(lines))).encode()


def test_one_liar_gives_only_one_history_a_quorum(tmp_path: Path) -> None:
    split = Split(tmp_path, liars=1)
    left, right = split.notes()
    extended(Chain(ORIGIN), split.left.leaves, left, POLICY)
    with pytest.raises(QuorumNotMet):
        extended(Chain(ORIGIN), split.right.leaves, right, POLICY)


def test_two_liars_of_four_give_both_and_any_honest_witness_then_proves_it(tmp_path: Path) -> None:
    split = Split(tmp_path, liars=2)
    left, right = split.notes()
    extended(Chain(ORIGIN), split.left.leaves, left, POLICY)
    extended(Chain(ORIGIN), split.right.leaves, right, POLICY)
    for name, other in zip(split.witnesses, (right, left), strict=True):
        honest = split.witnesses[name]
        with pytest.raises(ConsistencyInvalid):
            honest.add_checkpoint(honest.known_size(), [], other)
        assert honest.refusals.kept() == [Verdict.SAME_SIZE]


NAMES = "abcdefw"


@pytest.mark.parametrize(
    ("groups", "liars"),
    [
        (["g 3 a b c d"], 2),
        (["g 2 a b c"], 1),
        (["g 2 a b c d"], 0),
        (["g all a b c"], 3),
        (["g any a b c"], 0),
        (["m any a b", "o all c d", "g all m o"], 2),
        (["m 2 a b c", "o 2 d e f", "g any m o"], 0),
        (["m 2 a b c", "o 3 d e f", "g 2 m o w"], 1),
        (["m 2 a b c", "o all d e f", "g 2 m o"], 4),
    ],
)
def test_the_policy_tells_how_many(groups: list[str], liars: int) -> None:
    """Compared with every pair of quorums that there is."""
    lines = [f"log {log_signer('the log').verifier_key}"]
    lines += [f"witness {name} {witness_signer(name).verifier_key}" for name in NAMES]
    policy = LogPolicy.parse("\n".join([*lines, *(f"group {group}" for group in groups), "quorum g"]))
    quorums = list(smallest_quorums(policy))
    assert policy.shared_witnesses() == liars == min(len(one & other) for one in quorums for other in quorums)


def smallest_quorums(policy: LogPolicy) -> Iterator[frozenset[str]]:
    for size in range(len(NAMES) + 1):
        for chosen in map(frozenset, combinations(NAMES, size)):
            if policy.is_met_by(chosen) and not any(policy.is_met_by(chosen - {name}) for name in chosen):
                yield chosen


def test_without_a_quorum_nobody_needs_to_lie() -> None:
    assert LogPolicy.parse(f"log {log_signer('the log').verifier_key}\nquorum none\n").shared_witnesses() == 0
