"""A real adapter over mTLS: honest answers, restarts, health, and logs that keep silent."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc

from consentgate import answer, logs
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.logs import LogLevel
from tests.integration.department_adapter.house import (
    House,
    open_to,
    record_consent,
    record_move,
    record_standing,
)
from tests.support.federation import NOW, Federation
from tests.support.forgeries import FORGERIES
from tests.support.sample_scorecard import VALUES

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def health(house: House) -> int:
    """What the health service says now, over the wire, once the adapter looked again."""
    await house.adapter.server.health._judge()
    async with open_to(house.folder, house.federation, house.adapter, house.federation.gateway) as channel:
        found = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
    return int(found.status)


async def test_answer_decrypts_to_the_columns(tmp_path: Path) -> None:
    async with House.open(tmp_path) as house:
        bundle = house.federation.bundle()
        response = await house.ask(bundle)
        order = house.federation.order(bundle)
        verified = answer.verify_answer(response.answer_jws, order, house.federation.anchors)
        answer.check_ciphertexts(verified, response.ciphertexts)
        assert verified.department == "tax"
        assert house.decrypted(response.ciphertexts) == house.federation.positions("tax")


async def test_unknown_company_looks_like_any_other(tmp_path: Path) -> None:
    async with House.open(tmp_path, rows={"91350100M000900043": {"margin": "1", "turnover": "2"}}) as house:
        response = await house.ask(house.federation.bundle())
        assert house.decrypted(response.ciphertexts) == house.federation.positions("tax", dict.fromkeys(VALUES))


async def test_same_leaf_at_once_gets_one_answer(tmp_path: Path) -> None:
    async with House.open(tmp_path) as house:
        bundle = house.federation.bundle()
        await house.catch_up()
        responses = await asyncio.gather(*(house.ask(bundle, caught_up=False) for _ in range(5)))
        assert len({(one.answer_jws, one.ciphertexts) for one in responses}) == 1


async def test_decision_that_the_tail_sees_a_moment_later(tmp_path: Path) -> None:
    """The receipt travels faster than the tail: the adapter waits a little."""
    async with House.open(tmp_path) as house:
        bundle = house.federation.bundle()
        asking = asyncio.create_task(house.ask(bundle, caught_up=False))
        await asyncio.sleep(0.2)
        assert not asking.done()
        await house.ledger.publish()
        assert await asking


@pytest.mark.parametrize("step", [6, 8, 9])
async def test_restart_after_a_crash_answers_the_same_leaf_once(tmp_path: Path, step: int) -> None:
    federation = Federation(NOW)
    record_standing(federation)

    async def die(number: int) -> None:
        if number == step:
            raise ConsentgateError(ErrorCode.CANCELLED)

    async with House.open(tmp_path, federation, on_step=die) as house:
        bundle = federation.bundle(consent=record_consent(federation, version=2, total_uses=1))
        assert (await house.refusal(bundle)).code == ErrorCode.CANCELLED
    async with House.open(tmp_path, federation, fresh_state=False) as house:
        first = await house.ask(bundle)
        assert house.decrypted(first.ciphertexts) == federation.positions("tax")
        # The one use is counted, not doubled: another leaf finds none left.
        other = federation.bundle(consent=bundle.consent_jws)
        assert (await house.refusal(other)).code == ErrorCode.CONSENT_FREQUENCY
    async with House.open(tmp_path, federation, fresh_state=False) as house:
        assert await house.ask(bundle) == first
        assert house.ledger.streams == 1


async def test_restart_remembers_what_the_ledger_taught(tmp_path: Path) -> None:
    federation = Federation(NOW)
    record_standing(federation)
    async with House.open(tmp_path, federation) as house:
        record_move(federation, "consent.revoked")
        await house.catch_up()
    async with House.open(tmp_path, federation, fresh_state=False) as house:
        assert (await house.refusal(federation.bundle())).code == ErrorCode.CONSENT_REVOKED


async def test_pause_and_resumption(tmp_path: Path) -> None:
    async with House.open(tmp_path) as house:
        record_move(house.federation, "consent.paused")
        assert (await house.refusal(house.federation.bundle())).code == ErrorCode.CONSENT_PAUSED
        record_move(house.federation, "consent.resumed")
        assert await house.ask(house.federation.bundle())


# Health.


async def test_health_follows_records_and_tail(tmp_path: Path) -> None:
    async with House.open(tmp_path) as house:
        assert await health(house) == SERVING
        house.clock.move(seconds=6)
        assert await health(house) == NOT_SERVING
        await house.catch_up()
        assert await health(house) == SERVING
        (tmp_path / "records.db").rename(tmp_path / "away.db")
        assert await health(house) == NOT_SERVING
        error = await house.refusal(house.federation.bundle(cosigned_at=house.clock()))
        assert error.code == ErrorCode.STORE_UNAVAILABLE
        (tmp_path / "away.db").rename(tmp_path / "records.db")
        assert await health(house) == SERVING


async def test_health_before_the_first_checkpoint(tmp_path: Path) -> None:
    async with House.open(tmp_path, caught_up=False) as house:
        assert await health(house) == NOT_SERVING


async def test_health_says_so_when_the_tail_is_lied_to(tmp_path: Path) -> None:
    async with House.open(tmp_path) as house:
        house.ledger.forge = lambda response: type(response)(checkpoint=response.checkpoint, leaves=[b"{}"])
        await house.publish_until(lambda: house.adapter.tail.status.fault is not None)
        assert await health(house) == NOT_SERVING


# Logs.


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """Everything this process logs at debug level."""
    stream = io.StringIO()
    before, level = logging.getLogger().handlers[:], logging.getLogger().level
    logs.configure(LogLevel.DEBUG, stream)
    yield stream
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = before
    logging.getLogger().setLevel(level)
    for package in logs.OWN_PACKAGES:
        logging.getLogger(package).setLevel(logging.NOTSET)


async def test_debug_logs_hold_no_code_token_or_value(tmp_path: Path, logged: io.StringIO) -> None:
    async with House.open(tmp_path) as house:
        federation = house.federation
        await house.ask(federation.bundle())
        for forgery in FORGERIES[::10]:
            await house.refusal(forgery.build(federation), caught_up=False)
        (tmp_path / "records.db").unlink()
        await house.refusal(federation.bundle())
        house.ledger.witnesses = ()
        await house.publish_until(lambda: house.adapter.tail.status.fault is not None)
    text = logged.getvalue()
    assert '"step": 9' in text
    assert '"code": "LEDGER_QUORUM"' in text
    secrets = [federation.company.code, federation.company.subject, federation.company.entity]
    secrets += [federation.consent_claims().consent_id, *(str(value) for value in VALUES.values() if value)]
    assert [secret for secret in secrets if secret in text] == []
    own = [line for line in text.splitlines() if '"logger": "department_adapter' in line]
    assert own
    assert not [line for line in own if "withheld" in line]


async def test_error_texts_hold_no_parameter_of_a_query(tmp_path: Path) -> None:
    async with House.open(tmp_path) as house:
        (tmp_path / "records.db").unlink()
        error = await house.refusal(house.federation.bundle())
        assert error.code == ErrorCode.STORE_UNAVAILABLE
        assert house.federation.company.code not in f"{error}{error.hint}{error.private}{dict(error.extra)}"


async def test_only_the_configured_ledger_is_listened_to(tmp_path: Path) -> None:
    """Another member at the ledger's address: no byte of it counts, and health says so."""
    federation = Federation(NOW)
    record_standing(federation)
    async with House.open(tmp_path, federation, ledger_name="another", caught_up=False) as house:
        await house.ledger.publish()
        await asyncio.sleep(0.3)
        assert house.adapter.tail.status.cosigned_at is None
        assert house.ledger.streams == 0
        assert await health(house) == NOT_SERVING
