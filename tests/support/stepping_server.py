"""The real gateway, or a real department's adapter, with an observer that stops it at a numbered step of a request.

    python -m tests.support.stepping_server gateway|department CONFIG FOLDER

No configuration can reach this: the production commands have no way to pass an observer. Before step N the process
looks for `FOLDER/at-N`. Its text says what to do: `kill` (SIGKILL to itself) or `pause` (write `FOLDER/reached-N` and
wait until `at-N` is gone). Without the file it goes on.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from consentgate import logs
from department_adapter.config import AdapterConfig
from department_adapter.server import open_adapter
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
            order.unlink()  # The restarted process goes on.
            os.kill(os.getpid(), signal.SIGKILL)
        (self._folder / f"reached-{number}").touch()
        while order.exists():  # noqa: ASYNC110 - another process says when, by deleting a file
            await asyncio.sleep(LOOK_SECONDS)


async def serve_gateway(path: Path, observer: Observer) -> None:
    config = GatewayConfig.load(path)
    async with open_gateway(config, allow_development_ca=True, on_step=observer) as gateway:
        await gateway.run(config)


async def serve_department(path: Path, observer: Observer) -> None:
    config = AdapterConfig.load(path)
    async with open_adapter(config, allow_development_ca=True, on_step=observer) as adapter:
        await adapter.run(config)


def main() -> None:
    kind, config, folder = sys.argv[1:4]
    logs.configure(logs.LogLevel.INFO)
    serve = {"gateway": serve_gateway, "department": serve_department}[kind]
    asyncio.run(serve(Path(config), Observer(Path(folder))))


if __name__ == "__main__":
    main()
