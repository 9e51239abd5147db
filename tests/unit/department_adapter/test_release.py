"""The nine steps: an answer, one leaf one answer, and every point at which a process may die."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

import pytest
from structlog.testing import capture_logs

from consentgate import answer as answers_module
from consentgate.database import Database
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.evidence import EvidenceBundle
from department_adapter.catalogue import Catalogue
from department_adapter.config import EncryptionTable
from department_adapter.encryption import Encryption
from department_adapter.mapping import MappedColumn
from department_adapter.projection import ConsentState
from department_adapter.release import STEPS, ReleaseParts, Releases
from department_adapter.sources.interface import Row
from department_adapter.state import recipient_keys
from department_adapter.state.answers import Answer
from department_adapter.state.recipient_keys import Registration
from department_adapter.tail import Tail
from paillier.wire import split
from tests.support.federation import NOW, Federation
from tests.support.sample_scorecard import VALUES
from tests.unit.department_adapter.ledger_entries import LogFeed
from tests.unit.department_adapter.standing import Standing
from tests.unit.department_adapter.test_reservation import uses


class Killed(BaseException):
    """The process dies here: nothing catches it."""


@dataclass
class Records:
    """A source that counts how often it is read."""

    row: Row
    reads: int = 0
    down: bool = False

    def read(self, _company: str) -> Row:
        self.reads += 1
        if self.down:
            raise ConsentgateError(ErrorCode.STORE_UNAVAILABLE)
        return self.row

    def check(self) -> None:
        """Always well."""

    def count_repeated_keys(self) -> int:
        return 0

    def close(self) -> None:
        """Nothing to close."""


class CaughtUp(Tail):
    """A view that is fresh and long enough; the real one has tests of its own."""

    reached: int = 0

    async def reach(self, size: int) -> None:
        self.reached = size


class Department:
    """Everything a release needs, around a federation's honest bundle."""

    def __init__(self, federation: Federation, state: Database, encryption: Encryption) -> None:
        columns = tuple(
            MappedColumn(entry.column, entry.category, entry.column.name, False)
            for entry in federation.scorecard.header.department("tax").columns
        )
        values = {entry.source: Decimal(str(VALUES[entry.source])) for entry in columns}
        self.federation = federation
        self.state = state
        self.now = NOW
        self.records = Records(values)
        self.tail = CaughtUp(LogFeed(federation.log, lambda: NOW), state, federation.anchors, lambda: NOW)
        self.parts = ReleaseParts(
            federation.anchors,
            Catalogue("tax", columns),
            self.records,
            encryption,
            federation.departments["tax"].signer,
            state,
            self.tail,
            lambda: self.now,
        )
        self.bundle = federation.honest
        self.standing = Standing.of(federation)
        self.standing.learn(state, decision_stands=True)
        self.releases = Releases(self.parts)

    async def answer(self, bundle: EvidenceBundle | None = None) -> Answer:
        return await self.releases.answer(bundle or self.bundle)

    async def die_before(self, step: int) -> None:
        async def on_step(number: int) -> None:
            if number == step:
                raise Killed

        with pytest.raises(Killed):
            await Releases(self.parts, on_step).answer(self.bundle)

    def opened(self, answer: Answer) -> list[int]:
        key = self.federation.paillier_key
        count = len(answer.ciphertexts) // key.public.ciphertext_bytes
        return [int(key.decrypt(c)) for c in split(answer.ciphertexts, key.public, count)]

    def uses(self) -> int:
        return uses(self.state, self.standing.order)


@pytest.fixture(scope="module")
def encryption() -> Iterator[Encryption]:
    made = Encryption(EncryptionTable(active_keys=1, table_megabytes=8, pool=8))
    yield made
    made.close()


@pytest.fixture
def department(federation: Federation, state: Database, encryption: Encryption) -> Department:
    return Department(federation, state, encryption)


async def test_honest_order_is_answered(department: Department) -> None:
    answer = await department.answer()
    order = department.standing.order
    verified = answers_module.verify_answer(answer.answer_jws, order, department.federation.anchors)
    answers_module.check_ciphertexts(verified, answer.ciphertexts)
    assert department.opened(answer) == department.federation.positions("tax")
    assert department.tail.reached == order.decision.checkpoint.size
    assert department.uses() == 1


async def test_known_leaf_gets_the_stored_bytes_and_no_row_is_read(department: Department) -> None:
    first = await department.answer()
    department.records.row = dict.fromkeys(department.records.row)
    assert await department.answer() == first
    assert (department.records.reads, department.uses()) == (1, 1)


async def test_known_leaf_is_answered_while_the_records_are_down(department: Department) -> None:
    first = await department.answer()
    department.records.down = True
    assert await department.answer() == first


async def test_same_leaf_at_once(department: Department) -> None:
    found = await asyncio.gather(*(department.answer() for _ in range(5)))
    assert len(set(found)) == 1
    assert (department.records.reads, department.uses()) == (1, 1)


async def test_same_leaf_at_once_in_two_processes(department: Department) -> None:
    """Two adapters on one state: both may compute, one answer leaves."""
    other = Releases(department.parts)
    found = await asyncio.gather(department.answer(), other.answer(department.bundle))
    assert len(set(found)) == 1
    assert department.uses() == 1


@pytest.mark.parametrize("step", [step.number for step in STEPS])
async def test_killed_before_a_step(department: Department, step: int) -> None:
    """After a restart the same leaf is answered once, and counted once."""
    await department.die_before(step)
    assert department.uses() == (1 if step > 5 else 0)
    department.releases = Releases(department.parts)
    answer = await department.answer()
    assert department.opened(answer) == department.federation.positions("tax")
    assert department.uses() == 1
    assert await department.answer() == answer


async def test_killed_twice_and_the_consent_has_one_use(department: Department) -> None:
    for step in (6, 9):
        await department.die_before(step)
    assert department.uses() == 1
    assert await department.answer()
    assert department.uses() == 1


async def test_unavailable_records_cost_one_use_and_the_retry_succeeds(department: Department) -> None:
    department.records.down = True
    for _ in range(3):
        with pytest.raises(ConsentgateError, match="STORE_UNAVAILABLE"):
            await department.answer()
    department.records.down = False
    assert department.opened(await department.answer()) == department.federation.positions("tax")
    assert department.uses() == 1


async def test_no_answer_after_the_end_of_the_decision(department: Department) -> None:
    await department.die_before(6)
    department.now = department.standing.order.not_after + timedelta(seconds=1)
    with pytest.raises(ConsentgateError) as caught:
        await department.answer()
    # The cosignatures are older than the freshness bound long before.
    assert caught.value.code == ErrorCode.LEDGER_STALE
    assert department.records.reads == 0


async def test_revoked_between_reservation_and_retry(department: Department, state: Database) -> None:
    await department.die_before(6)
    department.standing.changed(state=ConsentState.REVOKED).learn(state)
    with pytest.raises(ConsentgateError, match="CONSENT_REVOKED"):
        await department.answer()
    assert department.records.reads == 0


async def test_stale_view_comes_before_everything_that_is_stored(
    department: Department, monkeypatch: pytest.MonkeyPatch
) -> None:
    await department.answer()

    async def stale(_size: int) -> None:
        raise ConsentgateError(ErrorCode.LEDGER_STALE, field="tail")

    monkeypatch.setattr(department.tail, "reach", stale)
    with pytest.raises(ConsentgateError, match="LEDGER_STALE"):
        await department.answer()


async def test_leaf_that_the_followed_history_does_not_hold(
    federation: Federation, state: Database, department: Department
) -> None:
    other = federation.bundle()
    with pytest.raises(ConsentgateError) as caught:
        await department.answer(other)
    assert (caught.value.code, caught.value.field) == (ErrorCode.LEDGER_INVALID, "decision")


async def test_forged_bundle_costs_nothing(department: Department) -> None:
    forged = replace(department.bundle, request_salt=bytes(32))
    with pytest.raises(ConsentgateError, match="RECEIPT_MISMATCH"):
        await department.answer(forged)
    assert (department.records.reads, department.uses(), department.tail.reached) == (0, 0, 0)


async def test_an_answered_bank_is_remembered_and_a_refused_one_is_not(department: Department, state: Database) -> None:
    """The key is made ready after a restart; one that the ledger does not know must not become a guest here."""
    order = department.standing.order
    department.standing.changed(state=ConsentState.PAUSED).learn(state)
    with pytest.raises(ConsentgateError, match="CONSENT_PAUSED"):
        await department.answer()
    assert state.transact(recipient_keys.remembered) == []
    department.standing.learn(state)
    await department.answer()
    expected = Registration(str(order.bank), department.bundle.key_registration_jws)
    assert state.transact(recipient_keys.remembered) == [expected]


async def test_tables_of_a_new_key_grow_while_the_ledger_is_waited_for(department: Department) -> None:
    """The very key of the verified evidence, before step 2 and not before step 1."""
    encryption = Encryption(EncryptionTable(active_keys=1, table_megabytes=8, pool=8))
    parts = replace(department.parts, encryption=encryption)
    seen: dict[int, list[str]] = {}

    async def on_step(number: int) -> None:
        if number == 2:
            await encryption._run(lambda: None)
        seen[number] = list(encryption._keys)

    await Releases(parts, on_step).answer(department.bundle)
    encryption.close()
    assert seen[1] == []
    assert seen[2] == [department.federation.paillier_key.public.key_id]


async def test_unknown_company_cannot_be_told_from_a_known_one(department: Department) -> None:
    known = await department.answer()
    department.records.row = dict.fromkeys(department.records.row)
    department.bundle = department.federation.bundle()
    department.standing = Standing.of(department.federation, department.bundle)
    department.standing.learn(department.state, decision_stands=True)
    unknown = await department.answer()
    assert len(unknown.ciphertexts) == len(known.ciphertexts)
    assert len(unknown.answer_jws) == len(known.answer_jws)
    assert department.opened(unknown) == department.federation.positions("tax", dict.fromkeys(VALUES))


async def test_events_number_the_steps_and_hold_nothing_else(department: Department) -> None:
    with capture_logs() as events:
        await department.answer()
    assert [(event["step"], event["name"], event["code"]) for event in events] == [
        (step.number, step.name, "OK") for step in STEPS
    ]
    assert {key for event in events for key in event} == {"event", "log_level", "step", "name", "code"}


def test_steps_are_numbered_in_order() -> None:
    assert [step.number for step in STEPS] == list(range(1, len(STEPS) + 1))
