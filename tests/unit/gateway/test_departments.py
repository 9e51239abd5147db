"""The fan-out: all at once, silence and refusal told apart, a lagging tail waited for."""

from __future__ import annotations

import asyncio

import pytest

from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.evidence import EvidenceBundle
from gateway import departments
from gateway.departments import REASON, Absence, DepartmentAnswer, GrpcDepartments, fetch
from tests.support.federation import Federation

BUNDLE = Federation().honest
NAMES = ["tax", "customs", "courts"]


class Scripted:
    """Departments that do what the script says: an answer, an error, or seconds to wait."""

    def __init__(self, **script: object) -> None:
        self.script = script
        self.running = self.most = 0

    async def get_features(
        self,
        department: str,
        evidence: EvidenceBundle,
        seconds: float,  # noqa: ARG002 - the port's
    ) -> DepartmentAnswer:
        assert evidence is BUNDLE
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(0)
            doing = self.script.get(department)
            if isinstance(doing, list):
                doing = doing.pop(0)
            if isinstance(doing, ConsentgateError):
                raise doing
            if isinstance(doing, float):
                await asyncio.sleep(doing)
            return DepartmentAnswer(department.encode(), b"")
        finally:
            self.running -= 1


def refusal(code: ErrorCode) -> ConsentgateError:
    return ConsentgateError(ErrorCode.DEPARTMENT_REFUSED, extra={REASON: str(code)})


async def test_all_are_asked_at_once_and_named_in_order() -> None:
    port = Scripted()
    found = await fetch(port, NAMES, BUNDLE, 5.0)
    assert list(found) == NAMES
    assert port.most == 3


async def test_silence_is_an_absence() -> None:
    down = ConsentgateError(ErrorCode.DEPARTMENT_UNAVAILABLE)
    found = await fetch(Scripted(customs=down, courts=9.0), NAMES, BUNDLE, 0.05)
    assert found["tax"] == DepartmentAnswer(b"tax", b"")
    assert found["customs"] == Absence("DEPARTMENT_UNAVAILABLE")
    assert found["courts"] == Absence("DEADLINE_EXCEEDED")


async def test_the_first_refusal_in_order_is_raised() -> None:
    late = ConsentgateError(ErrorCode.DEPARTMENT_REFUSED, field="courts")
    first = ConsentgateError(ErrorCode.DEPARTMENT_REFUSED, field="customs")
    with pytest.raises(ConsentgateError) as caught:
        await fetch(Scripted(courts=late, customs=first), NAMES, BUNDLE, 5.0)
    assert caught.value is first


async def test_a_lagging_tail_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(departments, "STALE_PAUSE_SECONDS", 0.0)
    stale = refusal(ErrorCode.LEDGER_STALE)
    found = await fetch(Scripted(tax=[stale, stale, None]), ["tax"], BUNDLE, 5.0)
    assert found["tax"] == DepartmentAnswer(b"tax", b"")


async def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(departments, "STALE_PAUSE_SECONDS", 0.0)
    stale = refusal(ErrorCode.LEDGER_STALE)
    with pytest.raises(ConsentgateError) as caught:
        await fetch(Scripted(tax=stale), ["tax"], BUNDLE, 5.0)
    assert caught.value is stale


async def test_patience_ends_with_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(departments, "STALE_PAUSE_SECONDS", 9.0)
    found = await fetch(Scripted(tax=refusal(ErrorCode.LEDGER_STALE)), ["tax"], BUNDLE, 0.05)
    assert found["tax"] == Absence("DEADLINE_EXCEEDED")


async def test_other_refusals_are_final() -> None:
    revoked = refusal(ErrorCode.CONSENT_REVOKED)
    port = Scripted(tax=[revoked, None])
    with pytest.raises(ConsentgateError) as caught:
        await fetch(port, ["tax"], BUNDLE, 5.0)
    assert caught.value is revoked


async def test_a_department_without_address_is_silent() -> None:
    found = await fetch(GrpcDepartments({}), ["tax"], BUNDLE, 1.0)
    assert found["tax"] == Absence("DEPARTMENT_UNAVAILABLE")
