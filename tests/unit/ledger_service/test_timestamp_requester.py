"""The running ledger asks the authority by itself: when due, not before, and without ever being held up by it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from consentgate.errors import ConsentgateError, ErrorCode
from ledger.log import Log
from ledger.policy import LogPolicy
from ledger.timestamp import read_roots, verify_token
from ledger.timestamp_files import read_timestamps
from ledger_service.config import TimestampsTable
from ledger_service.timestamp_requester import TimestampRequester
from tests.support.running_log import KIND, LogFolder, eventually, published_size, transition
from tests.support.timestamp_authority import Authority, make_authority, serving
from tests.support.witnessed_log import policy_text

POLICY = LogPolicy.parse(policy_text())


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority") / "one")


@pytest.fixture(scope="module")
def url(authority: Authority) -> Iterator[str]:
    with serving(authority) as address:
        yield address


def table(folder: Path, authority: Authority, url: str, every_hours: int = 24) -> TimestampsTable:
    return TimestampsTable(folder=folder / "tokens", url=url, roots=authority.roots, every_hours=every_hours)


@asynccontextmanager
async def asking(log: Log, settings: TimestampsTable, ahead: timedelta = timedelta()) -> AsyncIterator[None]:
    """A requester at work, whose clock is `ahead`."""
    requester = TimestampRequester(log.published, settings, 0.01, lambda: datetime.now(UTC) + ahead)
    task = asyncio.create_task(requester.run())
    try:
        yield
    finally:
        task.cancel()


async def test_a_token_is_asked_for_once_and_again_when_the_hours_have_passed(
    tmp_path: Path, authority: Authority, url: str
) -> None:
    settings = table(tmp_path, authority, url)
    async with LogFolder(tmp_path).running() as log:
        await eventually(lambda: published_size(log) == 1)
        async with asking(log, settings):
            await eventually(lambda: len(read_timestamps(settings.folder)) == 1)
            await log.append(KIND, transition(), "k")
            await asyncio.sleep(0.1)
        async with asking(log, settings, timedelta(hours=23)):
            await asyncio.sleep(0.1)
        (pair,) = read_timestamps(settings.folder)
        assert pair.checkpoint(POLICY).size == 1
        async with asking(log, settings, timedelta(hours=25)):
            await eventually(lambda: len(read_timestamps(settings.folder)) == 2)
    newest = read_timestamps(settings.folder)[-1]
    assert newest.checkpoint(POLICY).size == 2
    moment = verify_token(newest.token, newest.note, read_roots(authority.roots.read_bytes()))
    assert abs(datetime.now(UTC) - moment) < timedelta(minutes=5)


async def test_a_tree_that_did_not_grow_is_not_timestamped_again(
    tmp_path: Path, authority: Authority, url: str
) -> None:
    settings = table(tmp_path, authority, url)
    async with LogFolder(tmp_path).running() as log:
        await eventually(lambda: published_size(log) == 1)
        async with asking(log, settings):
            await eventually(lambda: len(read_timestamps(settings.folder)) == 1)
        before = read_timestamps(settings.folder)
        async with asking(log, settings, timedelta(days=9)):
            await asyncio.sleep(0.2)
        assert read_timestamps(settings.folder) == before


async def test_a_damaged_token_counts_for_nothing(tmp_path: Path, authority: Authority, url: str) -> None:
    settings = table(tmp_path, authority, url)
    async with LogFolder(tmp_path).running() as log:
        await eventually(lambda: published_size(log) == 1)
        async with asking(log, settings):
            await eventually(lambda: len(read_timestamps(settings.folder)) == 1)
        (settings.folder / "000000000001.tst").write_bytes(b"damaged")
        await log.append(KIND, transition(), "k")
        async with asking(log, settings):
            await eventually(lambda: len(read_timestamps(settings.folder)) == 2)


async def test_nobody_is_asked_where_nobody_wants_it(tmp_path: Path, authority: Authority, url: str) -> None:
    settings = table(tmp_path, authority, url, every_hours=0)
    async with LogFolder(tmp_path).running() as log:
        await eventually(lambda: published_size(log) == 1)
        await TimestampRequester(log.published, settings, 0.01).run()
    assert not settings.folder.exists()


async def test_an_authority_that_is_away_holds_nothing_up_and_is_asked_again(
    tmp_path: Path, authority: Authority
) -> None:
    with serving(authority, 503) as address:
        settings = table(tmp_path, authority, address)
        async with LogFolder(tmp_path).running() as log:
            await eventually(lambda: published_size(log) == 1)
            with capture_logs() as records:
                async with asking(log, settings):
                    await asyncio.sleep(0.3)
                    await log.append(KIND, transition(), "k")
    warnings = [record for record in records if record["event"] == "no timestamp was given"]
    assert [record["code"] for record in warnings] == ["TimestampUnavailable"]
    assert read_timestamps(settings.folder) == []


async def test_a_token_that_nobody_vouches_for_is_not_kept(tmp_path: Path, authority: Authority, url: str) -> None:
    settings = table(tmp_path, make_authority(tmp_path / "other"), url)
    async with LogFolder(tmp_path).running() as log:
        await eventually(lambda: published_size(log) == 1)
        with capture_logs() as records:
            async with asking(log, settings):
                await eventually(lambda: bool(records))
    assert records[0]["code"] == "TimestampInvalid"
    assert not settings.folder.exists()


@pytest.mark.parametrize("content", [None, b"no certificate"])
async def test_certificates_must_be_there_at_the_start(
    tmp_path: Path, authority: Authority, url: str, content: bytes | None
) -> None:
    roots = tmp_path / "roots.pem"
    if content is not None:
        roots.write_bytes(content)
    settings = table(tmp_path, authority, url).model_copy(update={"roots": roots})
    async with LogFolder(tmp_path).running() as log:
        with pytest.raises(ConsentgateError) as refused:
            TimestampRequester(log.published, settings)
    assert refused.value.code is ErrorCode.CONFIG_INVALID
