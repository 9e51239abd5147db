"""grpc.health.v1 that tells the truth: SERVING only while the member can do its work.

A member hands in `truth`, which is asked again and again and raises while something it needs is missing; all its
services go up and down together. Before the start and from the stop on nothing is SERVING.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog
from grpc_health.v1 import health, health_pb2

from consentgate.errors import ConsentgateError

TRUTH_SECONDS = 2.0
"""seconds between two askings: a lost database shows within this."""
TRUTH_DEADLINE_SECONDS = 5.0
"""seconds after which an asking without answer counts as no."""
WHOLE_SERVER = ""
"""The protocol's name for the server as a whole."""

Truth = Callable[[], Awaitable[None]]
"""Raises when the member cannot do its work at this moment (database gone, ledger tail stale)."""

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
_log = structlog.get_logger("consentgate.health")


class Health:
    """State of a server's services; `servicer` shows it."""

    def __init__(self, services: Sequence[str], truth: Truth | None) -> None:
        self.servicer = health.aio.HealthServicer()
        self._truth = truth
        self._services = (WHOLE_SERVER, *services)
        self._well = False
        self._task: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        """Everything NOT_SERVING: between listening and serving nobody is told otherwise."""
        await self._publish()

    async def start(self) -> None:
        """Asks once, publishes, and goes on asking in the background."""
        await self._judge()
        self._task = asyncio.create_task(self._keep_judging())

    async def stop(self) -> None:
        """NOT_SERVING for good."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.servicer.enter_graceful_shutdown()

    async def _keep_judging(self) -> None:
        while True:
            await asyncio.sleep(TRUTH_SECONDS)
            await self._judge()

    async def _judge(self) -> None:
        reason = await self._reason_against()
        if (reason is None) != self._well:
            _log.info("health changed", code=reason or "SERVING")
        self._well = reason is None
        await self._publish()

    async def _reason_against(self) -> str | None:
        if self._truth is None:
            return None
        try:
            async with asyncio.timeout(TRUTH_DEADLINE_SECONDS):
                await self._truth()
        except TimeoutError:
            return "DEADLINE_EXCEEDED"
        except ConsentgateError as error:
            return str(error.code)
        except Exception as error:  # whatever it is, the member is not well; the kind says enough for a log
            return type(error).__name__
        return None

    async def _publish(self) -> None:
        for service in self._services:
            await self.servicer.set(service, _SERVING if self._well else _NOT_SERVING)
