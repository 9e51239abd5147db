"""Assembling an adapter: it starts as itself or not at all, and health asks what the work needs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from consentgate.anchors import Anchors
from consentgate.database import Database
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.tls import TlsFiles
from department_adapter import server
from department_adapter.config import AdapterConfig
from department_adapter.server import KEEP_ANSWERS, Truth, keep_tidy, load_identity, open_adapter, open_witness
from department_adapter.sources.interface import Row
from department_adapter.state import answers
from department_adapter.state.answers import Answer, Reservation
from department_adapter.tail import Tail
from tests.integration.department_adapter.house import write_files
from tests.support.federation import NOW, Federation
from tests.support.member_ca import certificate_pem, private_pem
from tests.unit.department_adapter.ledger_entries import LogFeed


@pytest.fixture
def folder(tmp_path: Path, federation: Federation) -> Path:
    write_files(tmp_path, federation, "127.0.0.1:1")
    return tmp_path


def identity(folder: Path) -> str:
    config = AdapterConfig.load(folder / "adapter.toml")
    anchors = Anchors.load(config.anchors)
    tls = TlsFiles(config.tls.certificate, config.tls.private_key, anchors.member_ca)
    return str(load_identity(config, anchors, tls, allow_development_ca=False).identity)


def refused(folder: Path) -> ConsentgateError:
    with pytest.raises(ConsentgateError) as caught:
        identity(folder)
    return caught.value


def test_starts_as_the_department_it_is(folder: Path) -> None:
    assert identity(folder) == "spiffe://consentgate.test/department/tax"


def test_tls_certificate_of_another_department(folder: Path, federation: Federation) -> None:
    other = federation.departments["customs"]
    (folder / "tls.pem").write_bytes(certificate_pem(other.tls_certificate))
    (folder / "tls.key").write_bytes(private_pem(other.tls_key))
    error = refused(folder)
    assert (error.code, error.field) == (ErrorCode.CERTIFICATE_ROLE, str(folder / "tls.pem"))


def test_signing_certificate_of_another_department(folder: Path, federation: Federation) -> None:
    other = federation.departments["customs"].signer
    (folder / "signing.pem").write_bytes(certificate_pem(*other.chain))
    (folder / "signing.key").write_bytes(other.key.as_pem(private=True))
    error = refused(folder)
    assert (error.code, error.field) == (ErrorCode.CERTIFICATE_ROLE, str(folder / "signing.pem"))


def test_witness_key_of_a_log_is_no_witness(folder: Path, federation: Federation) -> None:
    config = AdapterConfig.load(folder / "adapter.toml")
    anchors = Anchors.load(config.anchors)
    assert config.witness is not None
    policy = replace(anchors.log_policy, logs=())
    with pytest.raises(ConsentgateError) as caught:
        open_witness(config.witness, replace(anchors, log_policy=policy))
    assert (caught.value.code, caught.value.field) == (ErrorCode.CONFIG_INVALID, "witness")


@pytest.mark.parametrize(
    "name", ["mapping.toml", "records.db", "witness.key", "signing.key", "tls.pem", "anchors.toml"]
)
async def test_start_without_a_file_names_what_is_missing(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ConsentgateError):
        async with open_adapter(AdapterConfig.load(folder / "adapter.toml")):
            pytest.fail("started")


async def test_start_without_a_ledger_is_possible(folder: Path) -> None:
    async with open_adapter(AdapterConfig.load(folder / "adapter.toml")) as adapter:
        with pytest.raises(ConsentgateError, match="LEDGER_STALE"):
            adapter.tail.check()


# Health.


class Well:
    """Part of an adapter that is well until told otherwise."""

    def __init__(self) -> None:
        self.trouble: ErrorCode | None = None

    def check(self) -> None:
        if self.trouble is not None:
            raise ConsentgateError(self.trouble)

    def read(self, _company: str) -> Row:
        return {}

    def count_repeated_keys(self) -> int:
        return 0

    def close(self) -> None:
        """Nothing to close."""


async def test_truth_needs_records_state_and_tail(
    federation: Federation, state: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, tail = Well(), Tail(LogFeed(federation.log, lambda: NOW), state, federation.anchors, lambda: NOW)
    truth = Truth(source, state, tail)
    await _expect(truth.check, ErrorCode.LEDGER_STALE)
    monkeypatch.setattr(tail, "check", lambda: None)
    await truth.check()
    source.trouble = ErrorCode.STORE_UNAVAILABLE
    await _expect(truth.check, ErrorCode.STORE_UNAVAILABLE)
    source.trouble = None

    async def lost() -> None:
        raise ConsentgateError(ErrorCode.INTERNAL)

    monkeypatch.setattr(state, "check", lost)
    await _expect(truth.check, ErrorCode.INTERNAL)


async def _expect(check: Callable[[], Awaitable[None]], code: ErrorCode) -> None:
    with pytest.raises(ConsentgateError) as caught:
        await check()
    assert caught.value.code == code


# Upkeep.


async def test_upkeep_forgets_answers_and_survives_trouble(state: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "UPKEEP_SECONDS", 0.01)
    leaf = "1" * 64
    state.transact(lambda session: answers.reserve(session, Reservation(leaf, "c" * 32, 1, 0)))
    state.transact(lambda session: answers.store(session, leaf, Answer(b"a", b"c"), int(NOW.timestamp())))
    now, run, failures = [NOW + KEEP_ANSWERS], state.run, [ConsentgateError(ErrorCode.STORE_UNAVAILABLE)]

    async def unreliable(work: object) -> object:
        if failures:
            raise failures.pop()
        return await run(work)  # type: ignore[arg-type]

    monkeypatch.setattr(state, "run", unreliable)
    task = asyncio.create_task(keep_tidy(state, lambda: now[0]))
    await asyncio.sleep(0.1)
    assert state.transact(lambda session: answers.answer_to(session, leaf)) is not None
    now[0] += timedelta(seconds=1)
    async with asyncio.timeout(5):
        while state.transact(lambda session: answers.answer_to(session, leaf)) is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert not failures
    task.cancel()
