"""The fan-out to departments (design 1, step 7): all in parallel, each with its own deadline.

Silence (unreachable, deadline passed, its database down) is an absence: whether it fails the request is for the
scorecard's header to say. A refusal is an answer: it always fails the request, with the department's name and code.
One refusal passes by itself: LEDGER_STALE, when the department's tail of the ledger is a moment behind the receipt that
it is shown. Such a department is asked again within the same deadline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import grpc
import structlog

from consentgate import convert
from consentgate.error_status import from_rpc_error
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.evidence import EvidenceBundle
from consentgate.history import HistoryStatement
from consentgate.v1 import features_pb2, features_pb2_grpc

_log = structlog.get_logger("gateway.departments")

ABSENT = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})
"""Status codes that mean silence; everything else is the department's own word."""
STALE_TRIES = 12
"""How often a department whose tail is behind is asked in all."""
STALE_PAUSE_SECONDS = 0.25
"""Between two tries: a tail is a stream, it is rarely more than this behind."""
HISTORY_SECONDS = 5.0
"""Deadline of a department that is asked for a subject's history: it looks into its own database."""
REASON = "department_reason"
"""Name of the public fact that tells a department's own code."""


@dataclass(frozen=True)
class DepartmentAnswer:
    """What one department sent, unverified."""

    answer_jws: bytes
    ciphertexts: bytes


@dataclass(frozen=True)
class Absence:
    """A department that did not answer, and why."""

    code: str


class DepartmentPort(Protocol):
    """Asks one department; implementations are safe for concurrent use and keep nothing."""

    async def get_features(self, department: str, evidence: EvidenceBundle, seconds: float) -> DepartmentAnswer:
        """The department's answer; raises DEPARTMENT_UNAVAILABLE or DEPARTMENT_REFUSED naming it."""
        ...


class HistoryPort(Protocol):
    """Asks departments what they say about a subject; implementations are safe for concurrent use."""

    async def subject_histories(self, subject: str) -> list[HistoryStatement]:
        """Unverified statements of all departments that answer in time."""
        ...


class GrpcDepartments:
    """Departments behind mutually authenticated channels."""

    def __init__(self, channels: Mapping[str, grpc.aio.Channel]) -> None:
        self._stubs = {name: features_pb2_grpc.FeatureServiceStub(channel) for name, channel in channels.items()}
        self._histories = {name: features_pb2_grpc.HistoryServiceStub(channel) for name, channel in channels.items()}

    async def get_features(self, department: str, evidence: EvidenceBundle, seconds: float) -> DepartmentAnswer:
        """As in the protocol; the deadline travels with the call."""
        stub = self._stubs.get(department)
        if stub is None:
            raise ConsentgateError(ErrorCode.DEPARTMENT_UNAVAILABLE, field=department, private="not in gateway.toml")
        request = features_pb2.GetFeaturesRequest(evidence=convert.bundle_to_message(evidence))
        try:
            response = await stub.GetFeatures(request, timeout=seconds)
        except grpc.aio.AioRpcError as error:
            raise _as_department_error(department, error) from error
        return DepartmentAnswer(response.answer_jws, response.ciphertexts)

    async def subject_histories(self, subject: str) -> list[HistoryStatement]:
        """As in the protocol: a department that is away or behind says nothing."""
        found = await asyncio.gather(*(self._history(department, subject) for department in self._histories))
        return [statement for statement in found if statement is not None]

    async def _history(self, department: str, subject: str) -> HistoryStatement | None:
        request = features_pb2.GetSubjectHistoryRequest(subject=subject)
        try:
            response = await self._histories[department].GetSubjectHistory(request, timeout=HISTORY_SECONDS)
        except grpc.aio.AioRpcError as error:
            _log.warning("department did not answer", department=department, code=str(from_rpc_error(error).code))
            return None
        return convert.history_from_message(response.history)


def _as_department_error(department: str, error: grpc.aio.AioRpcError) -> ConsentgateError:
    reported = from_rpc_error(error)
    if error.code() in ABSENT:
        return ConsentgateError(ErrorCode.DEPARTMENT_UNAVAILABLE, field=department, private=str(reported.code))
    return ConsentgateError(
        ErrorCode.DEPARTMENT_REFUSED,
        field=f"{department}: {reported.code}",
        private=str(error.code()),
        extra={"department": department, REASON: str(reported.code)},
    )


async def fetch(
    port: DepartmentPort, departments: Sequence[str], evidence: EvidenceBundle, seconds: float
) -> dict[str, DepartmentAnswer | Absence]:
    """Asks all departments at once; raises the first refusal in the header's order, returns absences."""
    results = await asyncio.gather(*(_ask(port, department, evidence, seconds) for department in departments))
    for result in results:
        if isinstance(result, ConsentgateError):
            raise result
    return {
        department: result
        for department, result in zip(departments, results, strict=True)
        if not isinstance(result, ConsentgateError)
    }


async def _ask(
    port: DepartmentPort, department: str, evidence: EvidenceBundle, seconds: float
) -> DepartmentAnswer | Absence | ConsentgateError:
    """A refusal is returned, not raised, so that the other departments' calls end in order."""
    try:
        async with asyncio.timeout(seconds):
            return await _ask_patiently(port, department, evidence, seconds)
    except TimeoutError:
        return Absence("DEADLINE_EXCEEDED")
    except ConsentgateError as error:
        _log.warning("department did not answer", department=department, code=str(error.code))
        if error.code is ErrorCode.DEPARTMENT_UNAVAILABLE:
            return Absence(str(error.code))
        return error


async def _ask_patiently(
    port: DepartmentPort, department: str, evidence: EvidenceBundle, seconds: float
) -> DepartmentAnswer:
    for _ in range(STALE_TRIES - 1):
        try:
            return await port.get_features(department, evidence, seconds)
        except ConsentgateError as error:
            if error.extra.get(REASON) != ErrorCode.LEDGER_STALE:
                raise
        await asyncio.sleep(STALE_PAUSE_SECONDS)
    return await port.get_features(department, evidence, seconds)
