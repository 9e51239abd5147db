"""Repeating a call to the gateway: bounded, named, and only where a repeat is harmless (docs/wire.md, section 12).

Every RPC a bank calls is idempotent by contract (protos/consentgate/v1): a score by its request id and signed bytes, a
registration by its content, the rest because they only read. So what was lost on the way may be asked for again, and so
may what was refused for a reason that passes by itself. Everything else is an answer, and final: above all
PEER_MISMATCH, since to go on knocking at a stranger's door is not what a careful bank does.

Pauses double up to a largest, each with jitter of half its length, so that many banks do not return in step.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import grpc

from consentgate.errors import ConsentgateError, ErrorCode

MAX_ATTEMPTS = 6
"""Attempts per call, the first included; with the pauses below about six seconds of a restart are bridged."""
FIRST_PAUSE_SECONDS = 0.2
"""seconds before the second attempt; doubled for each one after it."""
LARGEST_PAUSE_SECONDS = 5.0
"""seconds; a server that is away for longer is not found sooner by asking seldom."""
ATTEMPT_DEADLINE_SECONDS = 30.0
"""seconds for one attempt; a score takes about one, registering a 4096-bit key with its proof a few."""

LOST = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})
"""Statuses after which nobody knows whether the call took effect, or which say that it did not, yet."""
PASSING = frozenset(
    {
        ErrorCode.LEDGER_STALE,
        ErrorCode.LEDGER_QUORUM,
        ErrorCode.REQUEST_IN_PROGRESS,
        ErrorCode.RESOURCE_EXHAUSTED,
    }
)
"""Refusals that a moment later may not stand any more."""
FINAL = frozenset({ErrorCode.PEER_MISMATCH})
"""Refusals that look lost, and are not."""


@dataclass(frozen=True)
class RetryPolicy:
    """How often, how long, how far apart."""

    attempts: int = MAX_ATTEMPTS
    first_pause: float = FIRST_PAUSE_SECONDS
    largest_pause: float = LARGEST_PAUSE_SECONDS
    deadline: float = ATTEMPT_DEADLINE_SECONDS

    def pauses(self) -> Iterator[float]:
        """The pause after each failed attempt but the last."""
        for attempt in range(self.attempts - 1):
            longest = min(self.first_pause * 2**attempt, self.largest_pause)
            yield longest / 2 + longest / 2 * secrets.randbelow(1024) / 1024

    @staticmethod
    def may_repeat(refusal: ConsentgateError) -> bool:
        """Whether the same bytes may be sent again."""
        return refusal.code in PASSING or (refusal.status in LOST and refusal.code not in FINAL)
