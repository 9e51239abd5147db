"""What this department says about a subject: every leaf that bears its token, counted by its own tail.

The counts move with the tail's position, in one transaction; a statement is made from one transaction, too, so that
size, root and count belong together. Nothing is said while the view of the ledger is old or contradicts itself.
Left out: who asks. Tokens are random, the counts stand in the ledger, and a company must be able to ask past a gateway.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from sqlalchemy.orm import Session

from consentgate.database import Database
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.history import HistoryStatement, sign_history
from consentgate.signing import InstitutionSigner
from department_adapter.state import subjects as store
from department_adapter.state import tail as positions
from department_adapter.state.tail import Position
from department_adapter.tail import Tail
from ledger.history import SubjectHistory


class Histories:
    """Makes statements of subjects' histories."""

    def __init__(
        self, database: Database, tail: Tail, signer: InstitutionSigner, clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._tail = tail
        self._signer = signer
        self._clock = clock

    async def state(self, subject: str) -> HistoryStatement:
        """The signed statement as of the newest position; raises what `Tail.check` raises."""
        self._tail.check()
        position, history = await self._database.run(lambda session: _read(session, subject))
        token = await asyncio.to_thread(
            sign_history, subject, history, position.chain.frontier, self._signer, self._clock()
        )
        return HistoryStatement(token, self._tail.closing(position))


def _read(session: Session, subject: str) -> tuple[Position, SubjectHistory]:
    position = positions.load_position(session)
    if position is None:
        raise ConsentgateError(ErrorCode.LEDGER_STALE, field="tail")
    return position, store.history_of(session, subject)
