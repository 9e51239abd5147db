"""`ledger serve` itself, over gRPC and on either database, killed again and again in the middle of concurrent appends.

Whatever was acknowledged stays, in its place; a repeat with the same key finds it; nothing is there twice; and the
witnesses, who live on, never see a fork. Five deaths of the whole server; hundreds of the log alone:
test_ledger_faults_killed.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from consentgate.errors import ConsentgateError
from ledger.errors import LedgerError
from ledger.fsck import fsck
from ledger.receipt import AppendReceipt
from ledger.verify import verify_leaves, verify_receipt
from ledger_service.client import GrpcLedger
from ledger_service.witness_servicer import witness_service
from tests.contract.log_storages import POSTGRESQL, SQLITE
from tests.support.ledger_folder import write_ledger
from tests.support.ledger_server import DEPARTMENT, GATEWAY, channel, serving
from tests.support.postgresql import new_database, postgresql_server
from tests.support.running_log import KIND, POLICY, LogFolder, transition

pytestmark = pytest.mark.e2e

ROUNDS = 5
WRITERS = 16
COMMAND = Path(sys.executable).parent / "ledger"


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """Nothing for the file that `write_ledger` names, or the address of a new database."""
    if request.param == SQLITE.name:
        yield ""
        return
    with postgresql_server(durable=True) as url:
        yield new_database(url)


@pytest.mark.parametrize("database", [SQLITE.name, POSTGRESQL.name], indirect=True)
async def test_sigkill_loses_nothing_that_was_acknowledged(tmp_path: Path, database: str) -> None:
    witnesses = LogFolder(tmp_path).witnesses
    acknowledged: dict[str, AppendReceipt] = {}
    asked: set[str] = set()
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)  # noqa: S311 - moments of a kill are no secrets
    async with contextlib.AsyncExitStack() as stack:
        addresses = {}
        for name, local in witnesses.items():
            server = await stack.enter_async_context(serving(tmp_path, [witness_service(local.witness)], DEPARTMENT))
            addresses[name] = server.address
        config = write_ledger(tmp_path, "127.0.0.1:0", addresses)
        if database:
            config.write_text(config.read_text().replace("sqlite:///data/ledger.db", database))
        for number in range(ROUNDS):
            process, address = await start(config)
            try:
                await append_until_killed(tmp_path, process, address, number, chance, acknowledged, asked)
            finally:
                if process.returncode is None:
                    process.kill()
                await process.wait()
        process, address = await start(config)
        async with channel(tmp_path, address, GATEWAY) as opened:
            ledger = GrpcLedger(opened)
            repeated = {key: await insist(ledger, key) for key in sorted(asked)}
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    # What was acknowledged is what a repeat finds.
    assert acknowledged
    for key, receipt in acknowledged.items():
        assert repeated[key].existing
        assert repeated[key].leaf == receipt.leaf
    # Nothing is there twice, nothing is missing, and it is one history.
    kind, place = (POSTGRESQL, database) if database else (SQLITE, str(tmp_path / "data" / "ledger.db"))
    with contextlib.closing(kind.open_reader(place)) as reader:
        note, leaves = reader.checkpoint(), reader.leaves(0, 1_000_000)
    assert note is not None
    report = verify_leaves(leaves, note, POLICY)
    assert report.kinds == {"log.opened": 1, KIND: len(asked)}
    with kind.open_audit(place) as audit:
        assert fsck(audit).findings == ()
    assert sorted(local.witness.known_size() for local in witnesses.values())[1:] == [len(leaves)] * 3


async def start(config: Path) -> tuple[asyncio.subprocess.Process, str]:
    """The process, once it says in its ready file where it listens."""
    ready = config.parent / "ledger.ready.json"
    ready.unlink(missing_ok=True)
    process = await asyncio.create_subprocess_exec(
        str(COMMAND), "serve", "--config", str(config), "--log-level", "error", stderr=asyncio.subprocess.DEVNULL
    )
    async with asyncio.timeout(60):
        while not ready.exists():
            assert process.returncode is None, "the ledger ended while it started"
            await asyncio.sleep(0.05)
    text = ready.read_text()
    assert f'"pid": {process.pid}' in text
    return process, text.split('"')[3]


async def append_until_killed(
    folder: Path,
    process: asyncio.subprocess.Process,
    address: str,
    number: int,
    chance: random.Random,
    acknowledged: dict[str, AppendReceipt],
    asked: set[str],
) -> None:
    """Several writers append as fast as they can; the process is killed at some moment."""

    async def write(ledger: GrpcLedger, writer: int) -> None:
        for count in range(10_000):
            key = f"{number} {writer} {count}"
            asked.add(key)
            try:
                receipt = await ledger.append(KIND, body_of(key), key)
            except ConsentgateError:
                return
            verify_receipt(receipt, POLICY)
            acknowledged[key] = receipt

    async with channel(folder, address, GATEWAY) as opened:
        ledger = GrpcLedger(opened)
        writers = [asyncio.create_task(write(ledger, writer)) for writer in range(WRITERS)]
        before = len(acknowledged)
        async with asyncio.timeout(30):
            while len(acknowledged) < before + 20:  # noqa: ASYNC110 - the writers know nothing of it
                await asyncio.sleep(0.01)
        await asyncio.sleep(chance.random() * 0.3)
        os.kill(process.pid, signal.SIGKILL)
        await asyncio.gather(*writers)


async def insist(ledger: GrpcLedger, key: str) -> AppendReceipt:
    """As every caller does: the same key until there is an answer."""
    for _ in range(20):
        try:
            return await ledger.append(KIND, body_of(key), key)
        except (ConsentgateError, LedgerError):
            await asyncio.sleep(0.5)
    raise AssertionError("the ledger did not come back")


def body_of(key: str) -> dict[str, object]:
    number, writer, count = map(int, key.split())
    return transition(number * 1_000_000 + writer * 10_000 + count)
