"""`ledger replay`: verified leaves as JSON lines, from wherever the log is, and on from where the last call ended."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from consentgate.terminal import ExitCode
from ledger.chain import Chain
from ledger.entry import canonical_json, leaf_hash
from ledger.policy import LogPolicy
from ledger.replay import encode_position, replay
from ledger.storage.sqlite_reader import SqliteReader
from ledger_service import replay_source
from ledger_service.cli import app
from ledger_service.cli_replay import JsonLines
from ledger_service.replay_source import DatabaseSource
from tests.support.command_line import Ended, run_command
from tests.support.ledger_files import write_ledger_config, write_officer_config
from tests.support.ledger_server import ServedLedger
from tests.support.running_log import KIND, transition
from tests.support.sample_log import alter, export_log, sample_log, store_log
from tests.support.witnessed_log import ORIGIN, policy_text

LOG = sample_log(repeat=60)


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "ledger-policy.txt"
    path.write_text(policy_text())
    return path


@pytest.fixture(params=["export", "database"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "export":
        return export_log(LOG, tmp_path / "export")
    return store_log(LOG, tmp_path / "ledger.db")


def replayed(*arguments: object) -> Ended:
    return run_command(app, ["replay", *arguments])


def leaves(ended: Ended) -> list[bytes]:
    """The exact bytes: canonical JSON is what the object is encoded to again."""
    found = [json.loads(line) for line in ended.out.splitlines()]
    for item in found:
        assert set(item) == {"leaf", "leaf_hash"}
        assert leaf_hash(canonical_json(item["leaf"])).hex() == item["leaf_hash"]
    return [canonical_json(item["leaf"]) for item in found]


def test_every_leaf_in_order(source: Path, policy: Path) -> None:
    ended = replayed("--from", source, "--policy", policy)
    assert ended.code is ExitCode.OK
    assert leaves(ended) == LOG.leaves
    assert ended.out.splitlines()[3].startswith('{"leaf":' + LOG.leaves[3].decode())
    assert ended.err == "541 entries hold; 541 were shown\n"


def test_after_a_sequence_number(source: Path, policy: Path) -> None:
    ended = replayed("--from", source, "--policy", policy, "--after", 530)
    assert leaves(ended) == LOG.leaves[531:]
    assert leaves(replayed("--from", source, "--policy", policy, "--after", 540)) == []


def test_it_goes_on_where_it_ended(tmp_path: Path, policy: Path) -> None:
    state = tmp_path / "position.json"
    path = store_log(LOG, tmp_path / "first.db", witnessed=300)
    arguments = ["--policy", policy, "--state", state]
    assert leaves(replayed("--from", path, *arguments)) == LOG.leaves[:300]
    path = store_log(LOG, tmp_path / "second.db")
    assert leaves(replayed("--from", path, *arguments)) == LOG.leaves[300:]
    assert leaves(replayed("--from", path, *arguments)) == []
    # A shorter log than was seen, and a position that nobody wrote.
    assert replayed("--from", tmp_path / "first.db", *arguments).code is ExitCode.INVALID
    state.write_text("{}")
    ended = replayed("--from", path, *arguments)
    assert (ended.code, "begin at the first entry" in ended.err) == (ExitCode.USAGE, True)
    state.write_bytes(encode_position(Chain("other.test/ledger")))
    assert replayed("--from", path, *arguments).code is ExitCode.INVALID


def test_nothing_is_shown_of_a_log_that_does_not_hold(tmp_path: Path, policy: Path) -> None:
    path = store_log(LOG, tmp_path / "ledger.db")
    changed = LOG.leaves[500].replace(b"bank-a", b"bank-b")
    alter(path, f"UPDATE entry SET leaf = CAST('{changed.decode()}' AS BLOB) WHERE seq = 500")  # noqa: S608
    ended = replayed("--from", path, "--policy", policy)
    assert (ended.code, ended.out) == (ExitCode.INVALID, "")
    assert "LEDGER_INVALID" in ended.err


def test_for_the_operator(tmp_path: Path) -> None:
    config = write_ledger_config(tmp_path)
    store_log(LOG, tmp_path / "ledger.db")
    assert leaves(replayed("--ledger", config)) == LOG.leaves


@pytest.mark.parametrize("given", [["--from"], ["--policy"], ["--from", "--policy", "--ledger"]])
def test_where_to_read_is_said_once(tmp_path: Path, policy: Path, given: list[str]) -> None:
    files = {
        "--from": export_log(sample_log(), tmp_path / "export"),
        "--policy": policy,
        "--ledger": write_ledger_config(tmp_path),
    }
    arguments = [part for name in given for part in (name, files[name])]
    assert replayed(*arguments).code is ExitCode.USAGE


def test_an_export_cannot_be_followed(tmp_path: Path, policy: Path) -> None:
    ended = replayed("--from", export_log(sample_log(), tmp_path / "export"), "--policy", policy, "--follow")
    assert (ended.code, "never grows" in ended.err) == (ExitCode.USAGE, True)


# What grows.


async def test_the_running_ledger(served: ServedLedger, tmp_path: Path) -> None:
    config = write_officer_config(tmp_path / "officer", served.address)
    for number in range(5):
        await served.log.append(KIND, transition(number), f"key {number}")
    state = tmp_path / "position.json"
    first = await asyncio.to_thread(replayed, "--config", config, "--state", state)
    assert first.code is ExitCode.OK
    found = leaves(first)
    # The last of them says that an officer read.
    assert [json.loads(leaf)["kind"] for leaf in found] == ["log.opened", *[KIND] * 5, "access.read"]
    await served.log.append(KIND, transition(6), "key 6")
    second = leaves(await asyncio.to_thread(replayed, "--config", config, "--state", state))
    assert [json.loads(leaf)["seq"] for leaf in second] == [7, 8]


async def test_a_running_ledger_that_is_shorter_than_what_was_verified_is_not_waited_for(
    served: ServedLedger, tmp_path: Path
) -> None:
    (tmp_path / "officer").mkdir()
    config = write_officer_config(tmp_path / "officer", served.address)
    state = tmp_path / "position"
    state.write_bytes(encode_position(Chain(ORIGIN).extend(LOG.leaves)[0]))
    async with asyncio.timeout(20):
        ended = await asyncio.to_thread(replayed, "--config", config, "--state", state)
    assert ended.code is ExitCode.INVALID
    assert f"and {len(LOG.leaves)} were verified before" in ended.err


async def test_a_database_is_followed_as_the_ledger_writes(
    served: ServedLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_source, "FOLLOW_SECONDS", 0.01)
    policy, shown = LogPolicy.parse(policy_text()), io.StringIO()

    class Enough(Exception):
        pass

    class Until(JsonLines):
        def close(self, *arguments: object) -> None:
            super().close(*arguments)  # type: ignore[arg-type]
            if self.shown == 4:
                raise Enough

    def follow() -> None:
        reader = SqliteReader(served.folder.database)
        with contextlib.redirect_stdout(shown), Until(None, None) as lines, contextlib.suppress(Enough):
            replay(DatabaseSource(reader).pieces(0, follow=True), policy, Chain(ORIGIN), lines)
        reader.close()

    await wait_for_kept_checkpoint(served, 1)
    following = asyncio.create_task(asyncio.to_thread(follow))
    for number in range(3):
        await served.log.append(KIND, transition(number), f"key {number}")
    async with asyncio.timeout(20):
        await following
    assert [json.loads(line)["leaf"]["seq"] for line in shown.getvalue().splitlines()] == [0, 1, 2, 3]


async def wait_for_kept_checkpoint(served: ServedLedger, size: int) -> None:
    def kept() -> bool:
        reader = SqliteReader(served.folder.database)
        try:
            return reader.checkpoint() is not None
        finally:
            reader.close()

    await eventually_true(kept)


async def eventually_true(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - a file has no event
            await asyncio.sleep(0.01)
