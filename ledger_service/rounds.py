"""Work that a running ledger does again and again beside appending, and that may fail without harming it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from ledger.errors import LedgerError

_log = structlog.get_logger("ledger_service.rounds")


async def repeat(work: Callable[[], Awaitable[None]], pause_seconds: float, trouble: str) -> None:
    """Until cancelled. A LedgerError is warned of as `trouble`, once until a round succeeds, and tried again."""
    warned = False
    while True:
        try:
            await work()
            warned = False
        except LedgerError as error:
            if not warned:
                _log.warning(trouble, code=type(error).__name__, detail=str(error))
            warned = True
        await asyncio.sleep(pause_seconds)
