"""What a department believes of the ledger is made again from an export, and compared."""

from __future__ import annotations

import asyncio
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from consentgate import logs
from consentgate.database import Database
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.terminal import ExitCode
from department_adapter.cli import app
from department_adapter.config import AdapterConfig
from department_adapter.rebuilding import Rebuilt, check_projection
from department_adapter.state import migrate
from department_adapter.tail import Tail
from ledger.errors import ConsistencyInvalid, QuorumNotMet
from ledger.export import write_export
from tests.integration.department_adapter.house import write_files
from tests.support.command_line import run_command
from tests.support.federation import NOW, Federation, hex16
from tests.support.witnessed_log import WITNESSES, WitnessedLog
from tests.unit.department_adapter.ledger_entries import (
    LogFeed,
    decided,
    digest,
    first_link,
    granted,
    link,
    moved,
    registered,
)

RECENT, LONG_AGO = NOW - timedelta(minutes=1), NOW - timedelta(minutes=30)


@pytest.fixture(autouse=True)
def unconfigured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests of this process capture logs."""
    monkeypatch.setattr(logs, "configure", lambda *_: None)


def history() -> WitnessedLog:
    """Something of every kind that teaches; consents in every state, some of them ignored."""
    log = WitnessedLog(NOW - timedelta(hours=1))
    entries = [
        granted(),
        moved("paused"),
        moved("resumed"),
        granted(2),
        moved("paused", 2),
        *(granted(1, hex16(f"consent {number}")) for number in range(8)),
        moved("revoked", 1, hex16("consent 3")),
        granted(2, hex16("consent 3")),
        moved("expired", 1, hex16("consent 5")),
        first_link(),
        link(2, digest("first"), "second"),
        link(2, digest("first"), "fork"),
        link(1, "0" * 64, "another", group="group-b"),
        registered(),
        registered("bank-b", "another"),
        registered(),
    ]
    log.append(*decided(), LONG_AGO)
    for kind, body in entries:
        log.append(kind, body, LONG_AGO)
    log.append(*decided(), RECENT)
    return log


@pytest.fixture
def log() -> WitnessedLog:
    return history()


@pytest.fixture
async def config(tmp_path: Path, federation: Federation, log: WitnessedLog) -> AdapterConfig:
    """A department that followed all of the log, with files as `department-adapter` reads them."""
    folder = tmp_path / "adapter"
    folder.mkdir()
    write_files(folder, federation, "127.0.0.1:1")
    config = AdapterConfig.load(folder / "adapter.toml")
    with closing(Database(config.state, "state")) as state:
        migrate.upgrade(state.engine)
        feed = LogFeed(log, lambda: NOW, batch=7)
        tail = Tail(feed, state, federation.anchors, lambda: NOW)
        task = asyncio.create_task(tail.run())
        await tail.reach(len(log.leaves))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return config


def exported(log: WitnessedLog, directory: Path, **options: object) -> Path:
    write_export(directory, log.note(NOW, **options), log.leaves)  # type: ignore[arg-type]
    return directory


def alter(config: AdapterConfig, *statements: str) -> None:
    with closing(Database(config.state, "state")) as state:
        for statement in statements:
            state.transact(lambda session, statement=statement: session.execute(text(statement)))  # type: ignore[misc]


def test_what_the_tail_learned_follows_from_the_export(
    config: AdapterConfig, log: WitnessedLog, tmp_path: Path
) -> None:
    export = exported(log, tmp_path / "export")
    assert check_projection(config, export) == Rebuilt(len(log.leaves))


def test_the_log_may_have_grown_since(config: AdapterConfig, log: WitnessedLog, tmp_path: Path) -> None:
    size = len(log.leaves)
    log.append(*moved("revoked", 2), NOW)
    log.append(*registered("bank-c", "third"), NOW)
    assert check_projection(config, exported(log, tmp_path / "export")) == Rebuilt(size)


ALTERATIONS = {
    "a revocation undone": ("UPDATE ledger_consents SET state = 'ACTIVE' WHERE state = 'REVOKED'", "ledger_consents"),
    "a consent gone": ("DELETE FROM ledger_consents WHERE version = 2", "ledger_consents"),
    "a consent made up": ("INSERT INTO ledger_consents VALUES ('f', 1, 'a', 'ACTIVE', -1)", "ledger_consents"),
    "another statement": ("UPDATE ledger_consents SET digest = 'x' WHERE version = 2", "ledger_consents"),
    "a resumption dated later": ("UPDATE ledger_consents SET resumed_at = 99", "ledger_consents"),
    "an approval chain that is longer": ("UPDATE ledger_approvals SET sequence = 3", "ledger_approvals"),
    "no approvals": ("DELETE FROM ledger_approvals", "ledger_approvals"),
    "a key made up": ("INSERT INTO ledger_keys VALUES ('bank-a', 'b')", "ledger_keys"),
    "a key gone": ("DELETE FROM ledger_keys WHERE institution = 'bank-b'", "ledger_keys"),
    "an entry hidden from a company": ("UPDATE ledger_subjects SET entries = entries - 1", "ledger_subjects"),
    "another decision": ("UPDATE ledger_decisions SET leaf_hash = 'x'", "ledger_decisions"),
    "a decision made up": ("INSERT INTO ledger_decisions VALUES (5, 'c', '2026')", "ledger_decisions"),
}


@pytest.mark.parametrize("name", ALTERATIONS)
def test_what_does_not_follow_is_named(config: AdapterConfig, log: WitnessedLog, tmp_path: Path, name: str) -> None:
    statement, table = ALTERATIONS[name]
    alter(config, statement)
    found = check_projection(config, exported(log, tmp_path / "export"))
    assert found.findings
    assert {finding.partition(",")[0] for finding in found.findings} == {table}


def test_a_forgotten_decision_is_no_finding(config: AdapterConfig, log: WitnessedLog, tmp_path: Path) -> None:
    alter(config, "DELETE FROM ledger_decisions")
    assert check_projection(config, exported(log, tmp_path / "export")).findings == []


def test_the_log_must_be_the_one_that_was_followed(config: AdapterConfig, log: WitnessedLog, tmp_path: Path) -> None:
    fork = WitnessedLog(NOW - timedelta(hours=2))
    while len(fork.leaves) < len(log.leaves):
        fork.append("log.opened", {}, NOW)
    with pytest.raises(ConsistencyInvalid, match="is not the one that the department verified"):
        check_projection(config, exported(fork, tmp_path / "fork"))
    shorter = WitnessedLog(NOW - timedelta(hours=1))
    with pytest.raises(ConsistencyInvalid, match="the department verified"):
        check_projection(config, exported(shorter, tmp_path / "shorter"))
    with pytest.raises(QuorumNotMet):
        check_projection(config, exported(log, tmp_path / "unwitnessed", witnesses=WITNESSES[:1]))


def test_a_department_that_never_followed(tmp_path: Path, federation: Federation, log: WitnessedLog) -> None:
    folder = tmp_path / "fresh"
    folder.mkdir()
    write_files(folder, federation, "127.0.0.1:1")
    config = AdapterConfig.load(folder / "adapter.toml")
    with pytest.raises(ConsentgateError) as caught:
        check_projection(config, exported(log, tmp_path / "export"))
    assert caught.value.code is ErrorCode.NOT_FOUND
    assert not (folder / "state.db").exists()


def test_the_command(config: AdapterConfig, log: WitnessedLog, tmp_path: Path) -> None:
    export = exported(log, tmp_path / "export")
    arguments = ["fsck", "--log", export, "--config", tmp_path / "adapter" / "adapter.toml", "--json"]
    ended = run_command(app, arguments)
    assert ended.code is ExitCode.OK
    assert ended.members == {"clean": True, "entries": len(log.leaves), "findings": [], "omitted": 0}
    alter(config, "UPDATE ledger_consents SET state = 'ACTIVE'")
    ended = run_command(app, arguments)
    assert (ended.code, ended.members["clean"]) == (ExitCode.INVALID, False)
    assert "ledger_consents, row" in ended.err
