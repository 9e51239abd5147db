"""One score, step by step (design 1, "One score, step by step"; docs/request-flow.md has the same list).

Each step is one call into a module and emits one audit event under its name. What is known about a request is always
read from the store, so a repeated request continues at the first step whose result is not there yet:

    nothing stored            → steps 1 to 11
    reserved, not recorded    → step 6, with the stored body under the same idempotency key
    allowed, no output stored → step 7, under a renewed receipt, while the decision lives
    output stored             → step 10, with the stored output
    release recorded          → step 11

A denial is reserved (step 5) and recorded (step 6) like an allowance, and ends there. Crash anywhere: history never
claims less than what was released. Left out: quorum custody, portfolios (later issues).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from weakref import WeakValueDictionary

import structlog

from consentgate import evidence
from consentgate.anchors import Anchors
from consentgate.database import Database
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.evidence import EvidenceBundle, ReleaseOrder
from consentgate.identity import SpiffeId
from consentgate.steps import OnStep, Step, Trail
from gateway import departments, release
from gateway.admission import Admission, Asked, Refusal, named_request
from gateway.computation import Computation, arrange
from gateway.departments import DepartmentPort
from gateway.policy import Policy
from gateway.recorder import Recorder
from gateway.reservation import Proposal, Reservations
from gateway.store import requests as store
from gateway.store.requests import Allowance, StoredAnswer, StoredRequest
from ledger.receipt import Receipt

STEPS: tuple[Step, ...] = (
    Step(1, "who-asks", "Verify the bank's signature over the exact bytes, and that the caller is that bank."),
    Step(2, "what-is-asked", "Find the scorecard in the judged set of the bank's group, and the bank's key."),
    Step(3, "consent", "Find an active consent that covers bank, purpose, categories, period and moment."),
    Step(4, "law", "Ask the Cedar policies; an error or no decision is a denial."),
    Step(5, "reserve", "Reserve request id and use in one serialisable transaction."),
    Step(6, "record-decision", "Append the decision, allow or deny, to the ledger and obtain its receipt."),
    Step(7, "fetch", "Send the evidence to the named departments in parallel."),
    Step(8, "check", "Check every answer's signature, bindings and ciphertexts; account for who is missing."),
    Step(9, "compute", "Compute the encrypted score and re-randomise it."),
    Step(10, "record-release", "Append the digests of all answers and of the stored output to the ledger."),
    Step(11, "answer", "Return the ciphertext with the evidence and both receipts."),
)

CLOSING_SECONDS = 2.0
"""Kept for steps 8 to 11 when the caller's own deadline bounds the departments'."""

Received = dict[str, departments.DepartmentAnswer | departments.Absence]
_log = structlog.get_logger("gateway.audit")


@dataclass(frozen=True)
class ScoreAnswer:
    """What the bank gets."""

    ciphertext: bytes
    evidence: EvidenceBundle
    answer_jws: tuple[bytes, ...]
    release: Receipt


@dataclass(frozen=True)
class FlowParts:
    """Everything the flow works with."""

    anchors: Anchors
    database: Database
    recorder: Recorder
    policy: Policy
    departments: DepartmentPort
    computation: Computation
    department_deadline: timedelta
    clock: Callable[[], datetime]


class RequestFlow:
    """Runs requests. One at a time per (bank, request id) in this process; the store decides between processes."""

    def __init__(self, parts: FlowParts, on_step: OnStep | None = None) -> None:
        """`on_step` is awaited before each step with its number: for tests that stop the process there."""
        self._parts = parts
        self._on_step = on_step
        self._admission = Admission(parts.anchors, parts.database, parts.policy)
        self._reservations = Reservations(parts.database, parts.policy.digest)
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def score(self, token: bytes, caller: SpiffeId, time_left: float | None) -> ScoreAnswer:
        """The eleven steps for one signed request; `time_left` is the caller's deadline in seconds."""
        request_id = named_request(token).request_id
        lock = self._locks.setdefault((str(caller), request_id), asyncio.Lock())
        async with lock:
            return await self._run(Trail(_log, STEPS, self._on_step, request_id=request_id), token, caller, time_left)

    async def _run(self, trail: Trail, token: bytes, caller: SpiffeId, time_left: float | None) -> ScoreAnswer:
        # 1. Who asks. A known request id is looked up before the clock window.
        asked = await trail.step(1, self._admission.who_asks(token, caller, self._now()))

        # 2 to 5. What is asked, consent, law; reserve what they decided.
        request = asked.known or await self._decide(trail, asked)

        # 6. Record the decision. A denial ends here, on the ledger.
        decision = await trail.step(6, self._record_decision(request))
        allowance = _allowance_of(request)
        bundle = request.bundle(allowance, decision)

        # 7 to 9. Fetch, check, compute, unless an earlier attempt came as far as storing the output.
        output = request.answer or await self._obtain(trail, request, allowance, bundle, time_left)

        # 10. Record the release, before anybody can open the output.
        released = await trail.step(10, self._parts.recorder.record(output.release_key))

        # 11. Answer.
        return await trail.step(11, _answer(bundle, output, released))

    async def _decide(self, trail: Trail, asked: Asked) -> StoredRequest:
        """Steps 2 to 5: whatever 2 to 4 refuse becomes a denial, reserved and recorded like an allowance."""
        now = self._now()
        verdict: Proposal | Refusal
        try:
            # 2. What is asked.
            target = await trail.step(2, self._admission.what_is_asked(asked, now))

            # 3. Consent.
            consent = await trail.step(3, self._admission.consent(asked, target, now))

            # 4. Law.
            ruling = await trail.step(4, self._admission.law(asked, target, consent, now))
            verdict = Proposal(target, consent, ruling)
        except Refusal as refusal:
            verdict = refusal
        except ConsentgateError as error:
            if error.code is ErrorCode.STORE_UNAVAILABLE:
                raise
            verdict = Refusal(error)

        # 5. Reserve.
        return await trail.step(5, self._reservations.reserve(asked, verdict, now))

    async def _record_decision(self, request: StoredRequest) -> Receipt:
        """The decision's receipt. Raises the denial; also when the decision's life is over before any output."""
        if request.verdict != "allow" or request.answer is not None:
            decision = request.decision or await self._parts.recorder.record(request.decision_key)
            if request.verdict != "allow":
                raise ConsentgateError(ErrorCode(request.reason), field=request.field or None)
            return decision
        # Departments refuse a checkpoint older than their freshness bound: every attempt gets a new proof.
        decision = await self._parts.recorder.renew(request.decision_key)
        if self._now() > _allowance_of(request).not_after:
            await self._note_failure(request, 7, ErrorCode.RECEIPT_EXPIRED, "decision.leaf.not_after")
            raise ConsentgateError(ErrorCode.RECEIPT_EXPIRED, field="decision.leaf.not_after")
        return decision

    async def _obtain(
        self,
        trail: Trail,
        request: StoredRequest,
        allowance: Allowance,
        bundle: EvidenceBundle,
        time_left: float | None,
    ) -> StoredAnswer:
        """Steps 7 to 9; a failure is noted, so that the bank sees it among its requests."""
        parts = self._parts
        try:
            # 7. Fetch.
            order, received = await trail.step(7, self._fetch(allowance, bundle, time_left))

            # 8. Check.
            checked = await trail.step(8, _check(order, received, parts.anchors))

            # 9. Compute.
            columns = arrange(allowance.scorecard, checked.ciphertexts)
            output = await trail.step(9, parts.computation.score(order.recipient_key, columns))
        except ConsentgateError as error:
            await self._note_failure(request, trail.number, error.code, error.field or "")
            raise
        return await release.store_output(parts.database, request.row_id, order, checked, output, self._now())

    async def _fetch(
        self, allowance: Allowance, bundle: EvidenceBundle, time_left: float | None
    ) -> tuple[ReleaseOrder, Received]:
        """What the departments sent. The gateway verifies the bundle first, exactly as every department will.

        Departments get their own bound, or what is left of the decision's life. When the caller's deadline is shorter,
        silence until then is no absence (DEADLINE_EXCEEDED): a bank that could choose which departments count as
        missing would learn their part of the score from the difference.
        """
        order = await asyncio.to_thread(evidence.verify, bundle, self._parts.anchors, self._now())
        names = [department.id for department in order.header.departments]
        life = (allowance.not_after - self._now()).total_seconds()
        bound = min(self._parts.department_deadline.total_seconds(), life)
        fetching = departments.fetch(self._parts.departments, names, bundle, max(0.0, bound))
        if time_left is None:
            return order, await fetching
        try:
            async with asyncio.timeout(max(0.0, time_left - CLOSING_SECONDS)):
                return order, await fetching
        except TimeoutError:
            raise ConsentgateError(ErrorCode.DEADLINE_EXCEEDED, private="the caller's deadline") from None

    async def _note_failure(self, request: StoredRequest, step: int, code: ErrorCode, field: str) -> None:
        await self._parts.database.run(
            lambda session: store.mark_failed(session, request.row_id, step, str(code), field)
        )

    def _now(self) -> datetime:
        return self._parts.clock()


async def _check(order: ReleaseOrder, received: Received, anchors: Anchors) -> release.CheckedAnswers:
    return await asyncio.to_thread(release.check_answers, order, received, anchors)


async def _answer(bundle: EvidenceBundle, output: StoredAnswer, released: Receipt) -> ScoreAnswer:
    if not output.ciphertext:
        raise ConsentgateError(ErrorCode.REQUEST_FAILED, field="request_id", private="answer was deleted")
    return ScoreAnswer(output.ciphertext, bundle, output.answer_jws, released)


def _allowance_of(request: StoredRequest) -> Allowance:
    if request.allowance is None:
        raise LookupError("an allowed request always has an allowance")
    return request.allowance
