"""The real gateway with an observer that stops it at a numbered step: for tests that kill processes there.

    python -m tests.support.stepping_gateway GATEWAY_TOML FOLDER LOG_LEVEL

No configuration can reach this: the production command has no way to pass an observer. Before step N the gateway looks
for `FOLDER/at-N`. Its text says what to do: `kill` (SIGKILL to itself) or `pause` (write `FOLDER/reached-N` and wait
until `at-N` is gone). Without the file it goes on.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from consentgate import logs
from gateway.config import GatewayConfig
from gateway.server import open_gateway

LOOK_SECONDS = 0.02


class Observer:
    """Awaited before each step with its number."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def __call__(self, number: int) -> None:
        order = self._folder / f"at-{number}"
        if not order.exists():
            return
        if order.read_text() == "kill":
            order.unlink()  # The restarted gateway goes on.
            os.kill(os.getpid(), signal.SIGKILL)
        (self._folder / f"reached-{number}").touch()
        while order.exists():  # noqa: ASYNC110 - another process says when, by deleting a file
            await asyncio.sleep(LOOK_SECONDS)


async def serve(config: GatewayConfig, observer: Observer) -> None:
    async with open_gateway(config, allow_development_ca=True, on_step=observer) as gateway:
        await gateway.run(config)


def main() -> None:
    config, folder, level = sys.argv[1:4]
    logs.configure(logs.LogLevel(level))
    asyncio.run(serve(GatewayConfig.load(Path(config)), Observer(Path(folder))))


if __name__ == "__main__":
    main()
