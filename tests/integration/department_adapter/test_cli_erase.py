"""`department-adapter erase` beside a running adapter: reads the ledger, refuses, deletes, proves."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from consentgate import logs
from consentgate.terminal import ExitCode
from department_adapter import cli
from tests.integration.department_adapter.house import House, record_move, record_standing
from tests.support.command_line import Ended, run_command
from tests.support.federation import Federation


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    """An adapter at the clock's own time, which answered once."""
    monkeypatch.setattr(logs, "configure", lambda *_: None)
    federation = Federation(datetime.now(UTC))
    record_standing(federation)
    async with House.open(tmp_path, federation) as made:
        await made.ask(federation.bundle())
        yield made


async def erase(house: House, *words: str) -> Ended:
    house.clock.now = datetime.now(UTC)
    token = house.federation.company.subject
    arguments = ["erase", token, *words, "--config", house.folder / "adapter.toml"]
    return await asyncio.to_thread(run_command, cli.app, arguments)


async def test_from_the_wish_to_the_proof(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    before = await erase(house, "--prove")
    assert before.code == ExitCode.INVALID
    for place in ("pinned_subjects.token", "answers.answer_jws"):
        assert f"still there: {place} in 1 rows" in before.out
    active = await erase(house, "--yes")
    assert (active.code, "CONSENT_STATE" in active.err) == (ExitCode.REFUSED, True)
    record_move(house.federation, "consent.revoked")
    kept = await erase(house, "--yes")
    assert (kept.code, "RETENTION_RUNNING" in kept.err) == (ExitCode.REFUSED, True)
    file = house.folder / "adapter.toml"
    file.write_text("retention_days = 0\n" + file.read_text())
    done = await erase(house, "--yes")
    assert done.code == ExitCode.OK, done.err
    assert "deleted: 1 pins, 0 direct restrictions, 1 counted uses" in done.out
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{house.federation.company.code}\n"))
    proven = await erase(house, "--prove", "--company")
    assert (proven.code, "nothing in this state leads" in proven.out) == (ExitCode.OK, True)
    assert house.federation.company.code not in proven.out + proven.err
    again = await erase(house, "--yes")
    assert "NOT_FOUND" in again.err


async def test_what_is_no_token_and_a_ledger_that_is_away(house: House) -> None:
    outcome = await asyncio.to_thread(
        run_command, cli.app, ["erase", "0" * 31, "--yes", "--config", house.folder / "adapter.toml"]
    )
    assert "INVALID_ARGUMENT_FIELD" in outcome.err
    file = house.folder / "adapter.toml"
    address = house.config.ledger.address
    file.write_text(file.read_text().replace(address, "127.0.0.1:1"))
    away = await erase(house, "--yes")
    assert (away.code, "LEDGER_UNAVAILABLE" in away.err) == (ExitCode.UNAVAILABLE, True)
