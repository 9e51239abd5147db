"""Trust policies (c2sp.org/tlog-policy): which log, which witnesses, and how many of them must have cosigned.

Left out: non-ASCII names. Limits: 64 lines of each sort. The time at which a quorum was reached is defined
here, because freshness is judged by it: for a witness its cosignature's time; for a group that needs k
members, the k-th newest of theirs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ledger.checkpoint import Checkpoint, open_checkpoint
from ledger.errors import KeyInvalid, PolicyInvalid, QuorumNotMet, SignatureInvalid
from ledger.note import Note, SignatureType, VerifierKey

MAX_LINES = 64
"""Most logs, most witnesses and most groups in a policy (the specification recommends at least 32)."""
NO_QUORUM = "none"

_ALLOWED = re.compile(r"[\t\n -~]*")
_NAME = re.compile(r"[!-~]{1,255}")
_COUNT = re.compile(r"[1-9][0-9]{0,2}")


@dataclass(frozen=True)
class Group:
    """A group of witnesses or groups, of which `threshold` must have witnessed."""

    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True)
class WitnessedCheckpoint:
    """A checkpoint that a policy accepts. `cosigned_at` is when its quorum was reached, None under `quorum
    none`; `cosignatures` are the times of all known witnesses by name.
    """

    checkpoint: Checkpoint
    cosigned_at: datetime | None
    cosignatures: Mapping[str, datetime]


@dataclass(frozen=True)
class LogPolicy:
    """A parsed policy."""

    logs: tuple[VerifierKey, ...]
    witnesses: Mapping[str, VerifierKey]
    groups: Mapping[str, Group]
    quorum: str
    urls: Mapping[str, str]

    @classmethod
    def parse(cls, text: str) -> LogPolicy:
        """Reads a policy file; raises PolicyInvalid with the number of the offending line."""
        return _Parser().parse(text)

    def check(self, note: bytes) -> WitnessedCheckpoint:
        """The checkpoint in a note that a listed log signed and the quorum cosigned.

        Raises CheckpointInvalid, SignatureInvalid (also for one bad signature by a known witness),
        LogMismatch, QuorumNotMet.
        """
        parsed = Note.parse(note)
        checkpoint, _ = self.open(parsed)
        cosignatures = self.cosignatures(parsed)
        if self.quorum == NO_QUORUM:
            return WitnessedCheckpoint(checkpoint, None, cosignatures)
        reached = self._reached(self.quorum, cosignatures)
        if reached is None:
            raise QuorumNotMet(f"{len(cosignatures)} known witnesses cosigned; the policy's quorum is not among them")
        return WitnessedCheckpoint(checkpoint, reached, cosignatures)

    def cosignatures(self, note: Note) -> dict[str, datetime]:
        """Verified cosignature times of the known witnesses on a note; raises SignatureInvalid for one that
        is bad.
        """
        times = {}
        for name, key in self.witnesses.items():
            signature = key.find(note)
            if signature is not None:
                times[name] = key.verify_cosignature(note.text, signature.signature)
        return times

    def is_met_by(self, names: frozenset[str]) -> bool:
        """Whether cosignatures of these witnesses would be a quorum: for whoever collects them."""
        if self.quorum == NO_QUORUM:
            return True
        return self._reached(self.quorum, dict.fromkeys(names & self.witnesses.keys(), datetime.min)) is not None

    def shared_witnesses(self) -> int:
        """Of how many witnesses any two quorums have at least in common: so many must lie before the log can show two
        histories. 0: honest ones suffice, each shown one side.
        """
        return 0 if self.quorum == NO_QUORUM else self._shared(self.quorum)

    def witness_of(self, key: VerifierKey) -> str | None:
        """The policy's name for a witness key."""
        return next((name for name, known in self.witnesses.items() if known == key), None)

    def open(self, note: Note) -> tuple[Checkpoint, VerifierKey]:
        """The checkpoint that a listed log signed, and the key; the first in the list, where several did.

        Raises SignatureInvalid when none did, or when one of them did not sign this text: a known key's signature
        must verify, whichever it is. Raises CheckpointInvalid or LogMismatch as `open_checkpoint` does.
        """
        found = [(key, signature) for key in self.logs if (signature := key.find(note)) is not None]
        for key, signature in found:
            key.verify(note.text, signature.signature)
        if not found:
            raise SignatureInvalid("no log of the policy signed the note")
        key = found[0][0]
        return open_checkpoint(note, key), key

    def _shared(self, name: str) -> int:
        """No member is in two groups, so two choices of k of n overlap in 2k - n of them: the cheapest ones."""
        if name in self.witnesses:
            return 1
        group = self.groups[name]
        overlap = max(0, 2 * group.threshold - len(group.members))
        return sum(sorted(map(self._shared, group.members))[:overlap])

    def _reached(self, name: str, times: Mapping[str, datetime]) -> datetime | None:
        if name in self.witnesses:
            return times.get(name)
        group = self.groups[name]
        members = (self._reached(member, times) for member in group.members)
        newest_first = sorted((time for time in members if time is not None), reverse=True)
        return newest_first[group.threshold - 1] if len(newest_first) >= group.threshold else None


class _Parser:
    """Line by line; a name must be defined before it is used, which also rules out circles."""

    def __init__(self) -> None:
        self._logs: list[VerifierKey] = []
        self._witnesses: dict[str, VerifierKey] = {}
        self._groups: dict[str, Group] = {}
        self._urls: dict[str, str] = {}
        self._quorum: str | None = None
        self._members: set[str] = set()

    def parse(self, text: str) -> LogPolicy:
        if not _ALLOWED.fullmatch(text):
            raise PolicyInvalid("only printable ASCII, tabs and newlines are allowed")
        commands = {
            "log": self._log,
            "witness": self._witness,
            "group": self._group,
            "quorum": self._define_quorum,
        }
        for number, line in enumerate(text.split("\n"), start=1):
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            command = commands.get(words[0])
            try:
                if command is None:
                    raise PolicyInvalid("unknown keyword")
                command(words[1:])
            except PolicyInvalid as error:
                raise PolicyInvalid(f"line {number}: {error}") from error
        if self._quorum is None:
            raise PolicyInvalid("there is no quorum line")
        return LogPolicy(tuple(self._logs), self._witnesses, self._groups, self._quorum, self._urls)

    def _log(self, words: list[str]) -> None:
        _require(1 <= len(words) <= 2, "expected: log <vkey> [<url>]")
        key = _key(words[0], SignatureType.ED25519)
        self._check_new_key(key)
        _require(len(self._logs) < MAX_LINES, "too many logs")
        self._logs.append(key)
        self._urls.update(dict.fromkeys([key.name], words[1]) if len(words) == 2 else {})

    def _witness(self, words: list[str]) -> None:
        _require(2 <= len(words) <= 3, "expected: witness <name> <vkey> [<url>]")
        self._check_new_name(words[0])
        key = _key(words[1], SignatureType.COSIGNATURE)
        self._check_new_key(key)
        _require(len(self._witnesses) < MAX_LINES, "too many witnesses")
        self._witnesses[words[0]] = key
        self._urls.update(dict.fromkeys([words[0]], words[2]) if len(words) == 3 else {})

    def _group(self, words: list[str]) -> None:
        _require(len(words) >= 3, "expected: group <name> all|any|<k> <name>...")
        name, count, members = words[0], words[1], words[2:]
        self._check_new_name(name)
        for member in members:
            _require(member in self._witnesses or member in self._groups, "a member is not defined above")
            _require(member not in self._members, "a name can be a member only once")
            self._members.add(member)
        _require(len(self._groups) < MAX_LINES, "too many groups")
        self._groups[name] = Group(_threshold(count, len(members)), tuple(members))

    def _define_quorum(self, words: list[str]) -> None:
        _require(len(words) == 1 and self._quorum is None, "expected exactly one: quorum <name>")
        known = words[0] == NO_QUORUM or words[0] in self._witnesses or words[0] in self._groups
        _require(known, "the quorum is not defined above")
        self._quorum = words[0]

    def _check_new_name(self, name: str) -> None:
        fresh = name != NO_QUORUM and name not in self._witnesses and name not in self._groups
        _require(fresh and _NAME.fullmatch(name) is not None, "the name is taken or malformed")

    def _check_new_key(self, key: VerifierKey) -> None:
        known = [*self._logs, *self._witnesses.values()]
        _require(all(key.public != other.public for other in known), "the key is listed already")
        names = [(other.name, other.key_id) for other in known]
        _require((key.name, key.key_id) not in names, "another key has this name and key id")


def _key(text: str, expected: SignatureType) -> VerifierKey:
    try:
        key = VerifierKey.parse(text)
    except KeyInvalid as error:
        raise PolicyInvalid(str(error)) from error
    _require(key.type is expected, "the key is of the wrong type (0x01 for logs, 0x04 for witnesses)")
    return key


def _threshold(count: str, members: int) -> int:
    if count in ("any", "all"):
        return 1 if count == "any" else members
    _require(_COUNT.fullmatch(count) is not None and int(count) <= members, "the count is not all, any or 1..n")
    return int(count)


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise PolicyInvalid(message)
