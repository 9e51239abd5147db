"""Evidence in plain words: who signed what and when, what it proves and what it does not, and how to check it.

The words are part of the format `consentgate/evidence/v1`: who reads a bundle writes them again and compares. Other
words are another version, beside this one; the vectors notice.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ledger.entry import format_time
from ledger.evidence import Finding, NamedEntry, Signed, Verdict

WIDTH = 100
"""Characters of a line."""
SECONDS = len("2026-11-25T00:00:00")
"""Characters of a time as far as words give it."""

_TITLES = {
    Verdict.OTHER_ENTRY: "Two different entries at one place: the log showed two histories",
    Verdict.SAME_SIZE: "Two different trees of one size: the log showed two histories",
    Verdict.OTHER_PREFIX: "The larger tree does not begin with the smaller: the log showed two histories",
    Verdict.ROLLBACK: "A smaller tree after a larger one: somebody says that the log went back",
    Verdict.UNANSWERED: "Two trees that the log has not connected by a proof",
}
_FORK_LIMITS = (
    "Which of the two histories is the true one, and what else they differ in.",
    "When the log signed: its own signature bears no time. A cosignature bears its witness's time.",
    "Who did it: whoever had the log's signing key, be it its operator or a thief.",
    "That a witness which cosigned one of the two did wrong: it saw one history.",
)
_LIMITS = {
    Verdict.OTHER_ENTRY: _FORK_LIMITS,
    Verdict.SAME_SIZE: _FORK_LIMITS,
    Verdict.OTHER_PREFIX: _FORK_LIMITS,
    Verdict.ROLLBACK: (
        "That an entry was altered: the smaller tree may be an earlier state of the same history.",
        "Which entries were taken back, or who did it.",
    ),
    Verdict.UNANSWERED: (
        "That the log forked. Its operator refutes this by one consistency proof between the two sizes, which anybody"
        " can verify; as long as he gives none, nobody can say that the larger tree continues the smaller.",
        "What the log answered: its answers are not signed. Whoever made this says so.",
    ),
}
_CHECK = (
    "ledger evidence explain <this folder> --policy <your own ledger-policy.txt>, or ledger-verify --evidence, which"
    " needs no more than one small package. The file keys.txt of this folder says"
    " with which keys it was made; whether these are the log's and the witnesses' keys, only your own policy can say."
    " Without this software: the notes are c2sp.org/signed-note, receipts c2sp.org/tlog-proof@v1, the proof is RFC 9162"
    " section 2.1.4.2; docs/ledger-format.md, section 15, says what is compared."
)


def title(finding: Finding) -> str:
    """One line."""
    return _TITLES[finding.verdict]


def proves(finding: Finding) -> str:
    """What somebody who trusts nobody must conclude; for what is not conclusive, what is said and by whom."""
    first, second = finding.first.checkpoint, finding.second.checkpoint
    match finding.verdict:
        case Verdict.OTHER_ENTRY:
            return _two_entries(finding.entries or ())
        case Verdict.SAME_SIZE:
            return (
                f"The log signed two roots for the tree of its first {first.size} entries. An append-only log has one."
            )
        case Verdict.OTHER_PREFIX:
            root = b"" if finding.prefix is None else finding.prefix.root
            return (
                f"The first {first.size} entries of the tree of {second.size} have the root {root.hex()}: the proof"
                f" leads from it to the root that the log signed for {second.size}. For its first {first.size} entries"
                " the log signed another root. An append-only log never changes what it begins with."
            )
        case Verdict.ROLLBACK if finding.returned:
            return (
                f"{_returned(finding)} So either the log was shown as smaller than it had been, or whoever cosigned so"
                " lied, lost its memory, or had its clock set back: an honest log signs both trees, and its own"
                " signatures do not say in which order they were shown."
            )
        case Verdict.ROLLBACK:
            told = finding.told
            who, when = ("nobody", "an unknown time") if told is None else (told.by, _time(told.seen_at))
            return (
                f"Nothing by itself. {who} says, unsigned, that at {when} it was shown the tree of {first.size} entries"
                f" after the tree of {second.size}. The log signed both, but no cosignature says in which order."
            )
        case _:
            return (
                f"The log signed trees of {first.size} and of {second.size} entries. Whoever made this says that the"
                " log gave no consistency proof between the two that holds."
            )


def limits(finding: Finding) -> Sequence[str]:
    """What it does not prove."""
    if finding.returned:
        witnesses = (
            "That the log did it: a single witness that lies can cosign any old checkpoint once more. It says the more,"
            " the more witnesses say so that have nothing to do with each other."
        )
        return (*_LIMITS[finding.verdict], witnesses)
    return _LIMITS[finding.verdict]


def dated(finding: Finding) -> str:
    """What says when."""
    times = [*finding.first.cosignatures.values(), *finding.second.cosignatures.values()]
    if not times:
        return "no cosignature of a known witness dates either checkpoint"
    return f"cosignatures of known witnesses, from {_time(min(times))} to {_time(max(times))}"


def lines(finding: Finding) -> list[str]:
    """All of it, for a person."""
    found = [title(finding), "", f"Log: {finding.first.checkpoint.origin}"]
    found += _wrapped(f"Conclusive: {'yes' if finding.conclusive else 'no'}. Dated by: {dated(finding)}.")
    for name, signed in (("first", finding.first), ("second", finding.second)):
        found += ["", *_signed(name, signed)]
    found += ["", "What this proves", *_wrapped(f"{proves(finding)}{_faithless(finding)}", "  ")]
    found += ["", "What this does not prove"]
    for limit in limits(finding):
        found += _wrapped(limit, "  - ")
    return [*found, "", "How to check it", *_wrapped(_CHECK, "  ")]


def _signed(name: str, signed: Signed) -> list[str]:
    checkpoint = signed.checkpoint
    found = [f"The {name} checkpoint ({name}.note)"]
    found += [f"  entries      {checkpoint.size}", f"  root         {checkpoint.root.hex()}"]
    found += [f"  signed by    {signed.log_key}"]
    for witness, moment in sorted(signed.cosignatures.items()):
        found.append(f"  cosigned by  {witness} at {_time(moment)}")
    return found if signed.cosignatures else [*found, "  cosigned by  no known witness"]


def _entry(named: NamedEntry) -> str:
    if named.entry is None:
        return f"bytes that are no entry (leaf hash {named.leaf_hash.hex()})"
    return f"an entry {named.entry.kind} of {named.entry.ts} (leaf hash {named.leaf_hash.hex()})"


def _two_entries(entries: Sequence[NamedEntry]) -> str:
    one, other = entries
    return (
        f"At index {one.index} the first tree holds {_entry(one)}, and the second tree {_entry(other)}. Both"
        " receipts lead to roots that the log signed. In an append-only log an entry keeps its place and its bytes for"
        " ever, so no such log has both trees: either entry is hidden from whoever was shown the other tree."
    )


def _faithless(finding: Finding) -> str:
    if not finding.cosigned_both:
        return ""
    names = ", ".join(finding.cosigned_both)
    return f" Both sides were cosigned by {names}: who did so broke a witness's promise, or lost its memory."


def _returned(finding: Finding) -> str:
    smaller, larger = finding.first, finding.second
    return " ".join(
        f"{name} cosigned {larger.checkpoint.size} entries at {_time(larger.cosignatures[name])}, and later, at"
        f" {_time(smaller.cosignatures[name])}, {smaller.checkpoint.size}."
        for name in finding.returned
    )


def _time(moment: datetime) -> str:
    return f"{format_time(moment)[:SECONDS]}Z"


def _wrapped(text: str, lead: str = "") -> list[str]:
    """By words, so that the file is the same everywhere; `lead` stands before the first line, blanks before others."""
    found, line = [], ""
    for word in text.split(" "):
        if line and len(lead) + len(line) + 1 + len(word) > WIDTH:
            found.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    found.append(line)
    return [f"{lead if number == 0 else ' ' * len(lead)}{text}" for number, text in enumerate(found)]
