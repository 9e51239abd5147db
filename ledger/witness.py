"""A witness (c2sp.org/tlog-witness): cosigns a checkpoint only if it extends the one it cosigned last.

The whole state is one small file, read and replaced under a lock for every call: a restarted witness, or two
processes that share the file by mistake, can therefore never cosign two histories. The stored checkpoint is durable
before the cosignature leaves. Left out: HTTP (`ledger_service.witness_servicer` carries it over gRPC), and witnessing
several logs with one file.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from ledger.checkpoint import Checkpoint, open_signed
from ledger.errors import ConsistencyInvalid, KeyInvalid, StorageFailed, WitnessConflict
from ledger.evidence import Material, Told, prefix_of_answer
from ledger.merkle import EMPTY_ROOT, verify_consistency
from ledger.note import Note, SignatureType, Signer, VerifierKey
from ledger.policy import NO_QUORUM, LogPolicy
from ledger.refused import Refusals
from ledger.second_place import SecondPlace

REFUSED_SUFFIX = ".refused"
"""Appended to the state file's name: the folder of what did not continue the history (`ledger.refused`)."""
LOCK_SUFFIX = ".lock"
"""Appended to the state file's name; locked during each call."""


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


def refusals_of(state: Path) -> Refusals:
    """What the witness with this state file refused."""
    return Refusals(state.with_name(state.name + REFUSED_SUFFIX))


class Witness:
    """Watches one log. May be called from several threads."""

    def __init__(
        self, signer: Signer, logs: Sequence[VerifierKey], state: Path, clock: Callable[[], datetime] = utc_now
    ) -> None:
        """`logs` are the keys the log may sign with (a policy's `logs`); they must bear one origin."""
        if signer.type is not SignatureType.COSIGNATURE:
            raise KeyInvalid("a log key cannot cosign")
        if len({key.name for key in logs}) != 1:
            raise KeyInvalid("a witness watches exactly one log")
        self._signer = signer
        self._logs = tuple(logs)
        self._stored = SecondPlace(state, self._logs)
        self._lock_path = state.with_name(state.name + LOCK_SUFFIX)
        self.refusals = refusals_of(state)
        self._clock = clock
        self._thread_lock = Lock()

    @property
    def verifier_key(self) -> VerifierKey:
        """What a policy lists for this witness."""
        return self._signer.verifier_key

    @property
    def origin(self) -> str:
        """The log it watches."""
        return self._logs[0].name

    def known_size(self) -> int:
        """Tree size it cosigned last; 0 if none. Raises StorageFailed or LedgerCorrupt: the health of a witness."""
        with self._exclusively():
            return self._last().size

    def add_checkpoint(self, old_size: int, proof: Sequence[bytes], checkpoint: bytes) -> bytes:
        """One cosignature line, once the checkpoint is stored.

        Raises CheckpointInvalid, SignatureInvalid or LogMismatch for a note that the log did not sign,
        WitnessConflict when `old_size` is not what this witness knows, ConsistencyInvalid when the proof fails.
        """
        # 1. The log signed it; other signatures are not looked at, and kept only beside what is refused.
        note, found = open_signed(Note.parse(checkpoint), self._logs)
        with self._exclusively():
            # 2. The log knows where this witness stands.
            last = self._last()
            if old_size != last.size:
                if found.size == last.size:  # whatever the log believes: of one size there is one tree
                    self._keep_refused(Note.parse(checkpoint), found, ())
                raise WitnessConflict(last.size)
            # 3. One history.
            try:
                verify_consistency(old_size, found.size, last.root, found.root, proof)
            except ConsistencyInvalid:
                self._keep_refused(Note.parse(checkpoint), found, proof)
                raise
            # 4. Durable before the cosignature leaves. The same tree again needs no writing.
            if found.size > last.size:
                self._stored.write(note)
            return self._signer.cosign(note.text, self._clock()).line()

    def _last(self) -> Checkpoint:
        stored = self._stored.read()
        return Checkpoint(self.origin, 0, EMPTY_ROOT) if stored is None else stored[1]

    def _keep_refused(self, shown: Note, found: Checkpoint, proof: Sequence[bytes]) -> None:
        """Both sides stay, each signed by the log, with the proof that it gave: what the log has to explain. The known
        one is cosigned once more, which says when this witness still knew it. A disk that is full changes nothing about
        the refusal.
        """
        stored = self._stored.read()
        if stored is None:
            return
        known, last = stored
        moment = self._clock()
        material = Material(
            first=Note(known.text, (*known.signatures, self._signer.cosign(known.text, moment))).encode(),
            second=shown.encode(),
            prefix=prefix_of_answer(last.size, found, proof),
            answer=tuple(proof),
            told=Told(self._signer.name, moment) if found.size < last.size else None,
        )
        with suppress(StorageFailed):
            self.refusals.keep(material, self._own_policy())

    def _own_policy(self) -> LogPolicy:
        """The keys that this witness can vouch for: the log's, and its own."""
        return LogPolicy(self._logs, {self._signer.name: self.verifier_key}, {}, NO_QUORUM, {})

    @contextmanager
    def _exclusively(self) -> Iterator[None]:
        """One call at a time, over all threads and processes that use the state file."""
        with self._thread_lock:
            try:
                lock = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as error:
                raise StorageFailed(f"cannot open {self._lock_path}: {error.strerror}") from error
            try:
                self._lock(lock)
                yield
            finally:
                os.close(lock)

    def _lock(self, lock: int) -> None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            raise StorageFailed(f"cannot lock {self._lock_path}: {error.strerror}") from error
