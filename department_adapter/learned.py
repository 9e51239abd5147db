"""What verified entries teach, gathered until it may be written: facts for the projection, histories of subjects.

The tail gathers from one checkpoint to the next, `department_adapter.rebuilding` from an export: what a department
believes and what it is compared with come from the same functions. Of entries only those that teach are kept, and of
those about a subject the hash, so that a long catch-up needs little memory.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from department_adapter.projection import TEACHING, Lesson, project, touched
from department_adapter.state import subjects
from department_adapter.state import tail as store
from ledger.entry import Entry
from ledger.history import subject_of

DECISION = "query.decision"


class Learned:
    """Grows by entries in the order of the log."""

    def __init__(self, decisions_since: str) -> None:
        """Decisions before this time teach nothing any more."""
        self._decisions_since = decisions_since
        self._lessons: list[Lesson] = []
        self._histories: dict[str, bytearray] = {}

    def add(self, entry: Entry, leaf_hash: bytes) -> None:
        """One verified entry."""
        subject = subject_of(entry)
        if subject is not None:
            self._histories.setdefault(subject, bytearray()).extend(leaf_hash)
        if entry.kind in TEACHING and (entry.kind != DECISION or entry.ts >= self._decisions_since):
            self._lessons.append(Lesson(entry, leaf_hash.hex()))

    def write(self, session: Session, decisions_since: str) -> None:
        """Into the state as it is before these entries; decisions before this time are forgotten."""
        facts = store.load_facts(session, touched(self._lessons))
        store.save_facts(session, facts, project(facts, self._lessons, decisions_since), decisions_since)
        subjects.extend_histories(session, self._histories)
