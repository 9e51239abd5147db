"""`ledger anchor`, `ledger verify --tsa-roots`, and what the ledger records of it; the authority is OpenSSL's."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from consentgate.terminal import ExitCode
from ledger.entry import parse
from ledger.errors import ExportInvalid, LedgerError, StorageFailed, TimestampInvalid, TimestampUnavailable
from ledger.export import write_export, write_sums
from ledger.policy import LogPolicy
from ledger.timestamp import read_roots, token_digest
from ledger.timestamp_files import TIMESTAMPS_FOLDER, Timestamped, read_timestamps, verify_timestamps, write_timestamp
from ledger.verify import verify_export
from ledger_service import timestamp_authority
from ledger_service.cli import app
from ledger_service.timestamp_authority import timestamp
from ledger_service.timestamp_recorder import TimestampRecorder
from tests.support.command_line import Ended, run_command
from tests.support.ledger_files import write_ledger_config
from tests.support.running_log import KIND, LogFolder, eventually, published_size, transition
from tests.support.sample_log import COSIGNED_AT, OPENED_AT, export_log, sample_log, store_log
from tests.support.synced_disk import SyncedDisk
from tests.support.timestamp_authority import Authority, make_authority, serving
from tests.support.witnessed_log import WitnessedLog, policy_text

POLICY = LogPolicy.parse(policy_text())


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority") / "one")


@pytest.fixture(scope="module")
def url(authority: Authority) -> Iterator[str]:
    with serving(authority) as address:
        yield address


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "ledger-policy.txt"
    path.write_text(policy_text())
    return path


def anchor(export: Path, policy: Path, authority: Authority, url: str) -> Ended:
    return run_command(app, ["anchor", export, "--policy", policy, "--tsa", url, "--roots", authority.roots, "--json"])


def verify(export: Path, policy: Path, roots: Path) -> Ended:
    return run_command(app, ["verify", export, "--policy", policy, "--tsa-roots", roots, "--json"])


def test_an_anchored_export_verifies(tmp_path: Path, policy: Path, authority: Authority, url: str) -> None:
    export = export_log(sample_log(), tmp_path / "export")
    assert verify(export, policy, authority.roots).code is ExitCode.INVALID, "there is no timestamp yet"
    done = anchor(export, policy, authority, url)
    assert done.code is ExitCode.OK
    assert done.members["size"] == 10
    (pair,) = read_timestamps(export / TIMESTAMPS_FOLDER)
    assert done.members["token"] == token_digest(pair.token)
    assert authority.verifies(export / "timestamps" / "000000000010.tst", export / "checkpoint")
    found = verify(export, policy, authority.roots)
    assert found.code is ExitCode.OK
    assert found.members["timestamps"] == {"10": done.members["time"]}
    assert run_command(app, ["verify", export, "--policy", policy]).code is ExitCode.OK
    assert anchor(export, policy, authority, url).members == {"size": 10, "anchored": False}


def test_configured_ledger_is_anchored_and_its_export_holds_the_token(
    tmp_path: Path, authority: Authority, url: str
) -> None:
    config = write_ledger_config(tmp_path)
    store_log(sample_log(), tmp_path / "ledger.db")
    missing = run_command(app, ["anchor", "--config", config])
    assert missing.code is ExitCode.CONFIGURATION
    table = f'[timestamps]\nfolder = "tokens"\nurl = "{url}"\nroots = "roots.pem"\n'
    config.write_text(config.read_text() + table)
    (tmp_path / "roots.pem").write_bytes(authority.roots.read_bytes())
    done = run_command(app, ["anchor", "--config", config, "--json"])
    assert done.code is ExitCode.OK
    assert Path(done.members["file"]) == tmp_path / "tokens" / "000000000010.tst"
    export = tmp_path / "export"
    assert run_command(app, ["export", export, "--config", config]).code is ExitCode.OK
    found = verify(export, tmp_path / "ledger-policy.txt", authority.roots)
    assert found.members["timestamps"] == {"10": done.members["time"]}


def test_altered_token_is_found(tmp_path: Path, policy: Path, authority: Authority, url: str) -> None:
    export = export_log(sample_log(), tmp_path / "export")
    anchor(export, policy, authority, url)
    token = export / "timestamps" / "000000000010.tst"
    altered = bytearray(token.read_bytes())
    altered[-1] ^= 1
    token.write_bytes(altered)
    assert verify(export, policy, authority.roots).code is ExitCode.INVALID, "the sums differ"
    write_sums(export)
    found = verify(export, policy, authority.roots)
    assert found.code is ExitCode.INVALID
    assert found.members["error"] == "TimestampInvalid"


def test_other_authority_is_refused(tmp_path: Path, policy: Path, authority: Authority, url: str) -> None:
    export = export_log(sample_log(), tmp_path / "export")
    other = make_authority(tmp_path / "other")
    assert anchor(export, policy, other, url).code is ExitCode.INVALID
    assert not (export / TIMESTAMPS_FOLDER).exists()
    anchor(export, policy, authority, url)
    assert verify(export, policy, other.roots).members["error"] == "TimestampInvalid"


def test_bad_export_is_not_anchored(tmp_path: Path, policy: Path, authority: Authority, url: str) -> None:
    """Neither sent nor given new sums, which would hide what is wrong with it."""
    export = export_log(sample_log(), tmp_path / "export")
    (export / "stranger").write_text("hello")
    assert anchor(export, policy, authority, url).code is ExitCode.INVALID
    assert not (export / TIMESTAMPS_FOLDER).exists()


@pytest.mark.parametrize("status", [404, 500, 302])
def test_authority_that_refuses(tmp_path: Path, policy: Path, authority: Authority, status: int) -> None:
    export = export_log(sample_log(), tmp_path / "export")
    with serving(authority, status) as address:
        done = anchor(export, policy, authority, address)
    assert done.code is ExitCode.UNAVAILABLE
    assert str(status) in done.err


def test_authority_that_is_away(tmp_path: Path, policy: Path, authority: Authority) -> None:
    with serving(authority) as address:
        pass
    export = export_log(sample_log(), tmp_path / "export")
    assert anchor(export, policy, authority, address).code is ExitCode.UNAVAILABLE


@pytest.mark.parametrize("begin", [b"H", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"], ids=["head", "body"])
def test_an_authority_that_never_comes_to_an_end_keeps_nobody(
    authority: Authority, begin: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timestamp_authority, "WHOLE_SECONDS", 0.5)
    over = threading.Event()

    def drip(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection, suppress(OSError):
            connection.sendall(begin)
            while not over.wait(0.1):
                connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as server:
        dripping = threading.Thread(target=drip, args=(server,), daemon=True)
        dripping.start()
        began = time.monotonic()
        threading.Timer(5.0, over.set).start()
        with pytest.raises(TimestampUnavailable, match="does not come to an end"):
            timestamp(b"note", f"http://127.0.0.1:{server.getsockname()[1]}/", [])
        assert time.monotonic() - began < 3
        dripping.join(3)  # its peer has gone
        assert not dripping.is_alive()


NO_ADDRESSES = ["ftp://127.0.0.1/", "127.0.0.1:80", "http:///tsa", "file:///etc/passwd", "http://127.0.0.1:tsa/"]
NO_ADDRESSES += [
    "http://127.0.0.1:99999/",
    "http://a..b/",
    "http://127.0.0.1:1/ü",
    "http://[::1/",
    "http://127.0.0.1:1/\u4e2d",
]


@pytest.mark.parametrize("address", NO_ADDRESSES)
def test_only_http_is_asked(authority: Authority, address: str) -> None:
    """Whatever the address is, the error is one that the running ledger warns of and lives with."""
    with pytest.raises(TimestampUnavailable):
        timestamp(b"note", address, read_roots(authority.roots.read_bytes()))


def test_an_authority_that_is_away_is_not_called_the_ledger(tmp_path: Path, policy: Path, authority: Authority) -> None:
    ended = anchor(export_log(sample_log(), tmp_path / "export"), policy, authority, "http://127.0.0.1:1/")
    assert (ended.code, "The ledger does not answer" in ended.err) == (ExitCode.UNAVAILABLE, False)
    assert "the timestamp authority does not answer" in ended.err


@pytest.mark.parametrize("command", ["anchor", "verify"])
def test_roots_that_are_no_certificates_are_named(tmp_path: Path, policy: Path, command: str) -> None:
    export, roots = export_log(sample_log(), tmp_path / "export"), tmp_path / "roots.pem"
    roots.write_text("no certificate")
    given = ["--tsa", "http://127.0.0.1:1/", "--roots"] if command == "anchor" else ["--tsa-roots"]
    ended = run_command(app, [command, export, "--policy", policy, *given, roots])
    assert (ended.code, f"({roots})" in ended.err) == (ExitCode.CONFIGURATION, True)
    assert "vouch for the timestamp authority" in ended.err


def test_options_belong_together(tmp_path: Path) -> None:
    assert run_command(app, ["anchor"]).code is ExitCode.USAGE
    assert run_command(app, ["anchor", tmp_path]).code is ExitCode.USAGE
    assert run_command(app, ["verify", "--receipt", "x.leaf", "--tsa-roots", __file__]).code is ExitCode.USAGE


async def test_the_running_ledger_records_each_token_once(tmp_path: Path, authority: Authority, url: str) -> None:
    folder, tokens, roots = LogFolder(tmp_path), tmp_path / "tokens", read_roots(authority.roots.read_bytes())
    async with folder.running() as log:
        await log.append(KIND, transition(), "k")
        note = log.published.current().note
        pair = Timestamped(note, await asyncio.to_thread(timestamp, note, url, roots))
        size = pair.checkpoint(POLICY).size
        write_timestamp(tokens, size, pair)
        for _ in range(2):  # as after a restart: nothing is remembered
            task = asyncio.create_task(TimestampRecorder(log, POLICY, tokens, look_seconds=0.01).run())
            await eventually(lambda: published_size(log) > 2)
            await asyncio.sleep(0.05)
            task.cancel()
        leaves = await log.published.leaves(0, 10)
        newest = log.published.current().note
    entries = [parse(leaf) for leaf in leaves]
    assert [entry.kind for entry in entries] == ["log.opened", KIND, "anchor.tsa"]
    root = pair.checkpoint(POLICY).root.hex()
    assert entries[-1].body == {"size": size, "root": root, "token": token_digest(pair.token)}
    write_export(tmp_path / "export", newest, leaves)
    write_timestamp(tmp_path / "export" / TIMESTAMPS_FOLDER, size, pair)
    write_sums(tmp_path / "export")
    verify_export(tmp_path / "export", POLICY)
    report = verify_timestamps(tmp_path / "export", POLICY, roots)
    assert (len(report.moments), report.recorded, report.absent) == (1, 1, 0)


async def test_a_note_of_another_log_is_not_recorded(tmp_path: Path) -> None:
    stranger = WitnessedLog(OPENED_AT, key_label="another log")
    write_timestamp(tmp_path / "tokens", 1, Timestamped(stranger.note(COSIGNED_AT), b"token"))
    async with LogFolder(tmp_path).running() as log:
        await eventually(lambda: published_size(log) == 1)
        task = asyncio.create_task(TimestampRecorder(log, POLICY, tmp_path / "tokens", look_seconds=0.01).run())
        await asyncio.sleep(0.1)
        assert not task.done()
        task.cancel()
        assert published_size(log) == 1


@pytest.mark.parametrize("wrong", [{"token": "00" * 32}, {"root": "00" * 32}, {"size": 2}, {"size": 99}])
def test_an_entry_that_names_something_else_is_found(
    tmp_path: Path, authority: Authority, url: str, wrong: dict[str, object]
) -> None:
    """The ledger cannot claim a token that it does not have, or another tree than its own."""
    log, roots = sample_log(), read_roots(authority.roots.read_bytes())
    note = log.note(COSIGNED_AT)
    pair = Timestamped(note, timestamp(note, url, roots))
    true = {"size": 10, "root": pair.checkpoint(POLICY).root.hex(), "token": token_digest(pair.token)}
    log.append("anchor.tsa", {**true, **wrong}, COSIGNED_AT)
    export = export_log(log, tmp_path / "export")
    write_timestamp(export / TIMESTAMPS_FOLDER, 10, pair)
    write_sums(export)
    verify_export(export, POLICY)
    with pytest.raises(LedgerError):
        verify_timestamps(export, POLICY, roots)


def test_a_token_over_a_fork_is_found(tmp_path: Path, authority: Authority, url: str) -> None:
    """The authority confirmed a checkpoint that this export does not continue: the log forked, and both are proof."""
    fork, roots = WitnessedLog(OPENED_AT), read_roots(authority.roots.read_bytes())
    fork.append("erasure.performed", {"subject": "00" * 16}, OPENED_AT)
    note = fork.note(COSIGNED_AT)
    export = export_log(sample_log(), tmp_path / "export")
    write_timestamp(export / TIMESTAMPS_FOLDER, 2, Timestamped(note, timestamp(note, url, roots)))
    write_sums(export)
    with pytest.raises(LedgerError, match="not the beginning of this log"):
        verify_timestamps(export, POLICY, roots)


def test_a_token_over_another_note_is_found(tmp_path: Path, authority: Authority, url: str) -> None:
    log, roots = sample_log(), read_roots(authority.roots.read_bytes())
    export = export_log(log, tmp_path / "export")
    pair = Timestamped(log.note(COSIGNED_AT), timestamp(log.note(OPENED_AT), url, roots))
    write_timestamp(export / TIMESTAMPS_FOLDER, 10, pair)
    write_sums(export)
    with pytest.raises(TimestampInvalid):
        verify_timestamps(export, POLICY, roots)


def test_a_timestamp_survives_a_power_cut_with_the_folders_above_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SyncedDisk(tmp_path, monkeypatch)
    write_timestamp(tmp_path / "ledger" / "tokens", 10, Timestamped(b"note", b"token"))
    assert disk.lost() == []


def test_a_token_without_its_note_and_an_unreadable_one(tmp_path: Path) -> None:
    folder = tmp_path / "tokens"
    assert read_timestamps(folder) == []
    path = write_timestamp(folder, 10, Timestamped(b"note", b"token"))
    assert read_timestamps(folder) == [Timestamped(b"note", b"token")]
    path.with_suffix(".note").unlink()
    with pytest.raises(ExportInvalid):
        read_timestamps(folder)
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StorageFailed):
        write_timestamp(tmp_path / "file", 10, Timestamped(b"note", b"token"))
