"""Repeating a call to the gateway: bounded, named, and only where a repeat is harmless (docs/wire.md, section 12).

Every RPC a bank calls is idempotent by contract (protos/consentgate/v1): a score by its request id and signed bytes, a
registration by its content, the rest because they only read. So an answer that was lost on the way may be asked for
again: after UNAVAILABLE and DEADLINE_EXCEEDED, which say "lost", and after the two refusals that pass by themselves.
Everything else is an answer, and final.

Pauses double, each with jitter of half its length, so that many banks do not return in step.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import grpc

from consentgate.errors import ConsentgateError, ErrorCode

MAX_ATTEMPTS = 4
"""Attempts per call, the first included; with the pauses below, about three seconds of a restart are bridged."""
FIRST_PAUSE_SECONDS = 0.4
"""seconds before the second attempt; doubled for each one after it."""
ATTEMPT_DEADLINE_SECONDS = 30.0
"""seconds for one attempt; a score takes about one, registering a 4096-bit key with its proof a few."""

LOST = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})
"""Statuses after which nobody knows whether the call took effect."""
PASSING = frozenset({ErrorCode.LEDGER_STALE, ErrorCode.LEDGER_QUORUM})
"""Refusals that a moment later may not stand any more."""


@dataclass(frozen=True)
class RetryPolicy:
    """How often, how long, how far apart."""

    attempts: int = MAX_ATTEMPTS
    first_pause: float = FIRST_PAUSE_SECONDS
    deadline: float = ATTEMPT_DEADLINE_SECONDS

    def pauses(self) -> Iterator[float]:
        """The pause after each failed attempt but the last."""
        for attempt in range(self.attempts - 1):
            longest = self.first_pause * 2**attempt
            yield longest / 2 + longest / 2 * secrets.randbelow(1024) / 1024

    @staticmethod
    def may_repeat(error: grpc.RpcError, refusal: ConsentgateError) -> bool:
        """Whether the same bytes may be sent again."""
        return error.code() in LOST or refusal.code in PASSING
