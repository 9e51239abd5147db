"""The adapter's decision, step by step: what a department checks itself before it reads a row (design 1, step 7).

Each step is one call and emits one event under its name. Nothing of the gateway's is believed: step 1 takes keys from
this department's own anchors, step 2 its own view of the ledger, step 4 its own catalogue, step 5 its own memory.

One leaf, one answer, one use. The use is counted in step 5, before a row is read, and never handed back; killed after
it, a repeat of the same leaf finds the use counted and goes on at step 6, while the decision lives. Once step 9 has
stored an answer, only those bytes are ever returned. Left out: quorum custody, portfolios (later issues).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from weakref import WeakValueDictionary

import structlog
from sqlalchemy.orm import Session

from consentgate import answer, evidence
from consentgate.anchors import Anchors
from consentgate.database import Database
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.evidence import EvidenceBundle, ReleaseOrder
from consentgate.signing import InstitutionSigner
from consentgate.steps import OnStep, Step, Trail
from department_adapter import features
from department_adapter.catalogue import Catalogue
from department_adapter.encryption import Encryption
from department_adapter.mapping import MappedColumn
from department_adapter.reservation import reserve
from department_adapter.sources.interface import Row, Source
from department_adapter.state import answers as store
from department_adapter.state import recipient_keys
from department_adapter.state import tail as ledger_view
from department_adapter.state.answers import Answer
from department_adapter.state.recipient_keys import Registration
from department_adapter.tail import Tail
from ledger.entry import leaf_hash

STEPS: tuple[Step, ...] = (
    Step(1, "evidence", "Verify every binding of the bundle with this department's own anchors."),
    Step(2, "ledger", "Wait until the own tail is fresh and holds this very decision."),
    Step(3, "known-leaf", "Return the stored answer when this leaf was answered before."),
    Step(4, "columns", "Compare the header's columns with the own catalogue."),
    Step(5, "reserve", "Check consent, approval, key, token and uses, and count the use, in one transaction."),
    Step(6, "read", "Read the company's row."),
    Step(7, "encrypt", "Encrypt its positions under the key of the bank's signed request."),
    Step(8, "sign", "Sign what is released for which leaf."),
    Step(9, "store", "Store the answer, or find the one that another process stored."),
)

_log = structlog.get_logger("department_adapter.release")


@dataclass(frozen=True)
class ReleaseParts:
    """Everything a release works with."""

    anchors: Anchors
    catalogue: Catalogue
    source: Source
    encryption: Encryption
    signer: InstitutionSigner
    database: Database
    tail: Tail
    clock: Callable[[], datetime]


class Releases:
    """Answers evidence bundles, one at a time per leaf; between processes the state database decides."""

    def __init__(self, parts: ReleaseParts, on_step: OnStep | None = None) -> None:
        """`on_step` is awaited before each step with its number: for tests that stop the process there."""
        self._parts = parts
        self._on_step = on_step
        self._locks: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()

    async def answer(self, bundle: EvidenceBundle) -> Answer:
        """The signed answer to a bundle; raises the error of the first check that it does not pass."""
        lock = self._locks.setdefault(leaf_hash(bundle.decision.leaf), asyncio.Lock())
        async with lock:
            return await self._run(Trail(_log, STEPS, self._on_step), bundle)

    async def _run(self, trail: Trail, bundle: EvidenceBundle) -> Answer:
        parts = self._parts

        # 1. Evidence. The bundle proves that the release is ordered, or nothing happens.
        order = await trail.step(1, _verify(bundle, parts.anchors, parts.clock()))
        parts.encryption.prepare(order.recipient_key)  # Tables of a new key grow while the next steps wait.

        # 2. Ledger. What the gateway showed must be in the history that this department follows.
        await trail.step(2, self._check_recorded(order))

        # 3. Known leaf.
        known = await trail.step(3, parts.database.run(lambda session: store.answer_to(session, order.leaf_hash)))
        if known is not None:
            return known

        # 4. Columns.
        columns = await trail.step(4, self._columns(order))

        # 5. Reserve: everything that can change is looked at inside the transaction that counts the use.
        registration = Registration(str(order.bank), bundle.key_registration_jws)
        await trail.step(5, parts.database.run(lambda session: self._reserve(session, order, registration)))

        # 6. Read.
        row = await trail.step(6, _read(parts.source, order.request.company))

        # 7. Encrypt.
        positions = features.positions(columns, row)
        ciphertexts = await trail.step(7, parts.encryption.encrypt(order.recipient_key, positions))

        # 8. Sign.
        signed = await trail.step(8, self._sign(order, ciphertexts))

        # 9. Store, before anybody sees it.
        not_after = int(order.not_after.timestamp()) + 1
        return await trail.step(
            9, parts.database.run(lambda session: store.store(session, order.leaf_hash, signed, not_after))
        )

    async def _check_recorded(self, order: ReleaseOrder) -> None:
        """The own view is fresh, reaches the receipt's checkpoint, and has this leaf at this index."""
        await self._parts.tail.reach(order.decision.checkpoint.size)
        seq = order.decision.index
        recorded = await self._parts.database.run(lambda session: ledger_view.decision_at(session, seq))
        if recorded is None or recorded.leaf_hash != order.leaf_hash:
            # Signed by the log, cosigned by a quorum, and not in the history they showed to this department.
            _log.error("a receipt contradicts the followed history", index=seq)
            raise ConsentgateError(ErrorCode.LEDGER_INVALID, field="decision")

    def _reserve(self, session: Session, order: ReleaseOrder, registration: Registration) -> None:
        now = self._parts.clock()
        reserve(session, order, now)
        # Only what was allowed is worth remembering, and here no write more has to reach the disk for it.
        recipient_keys.remember(session, registration, int(now.timestamp()), self._parts.encryption.active_keys)

    async def _columns(self, order: ReleaseOrder) -> Sequence[MappedColumn]:
        catalogue = self._parts.catalogue
        return catalogue.releasable(order.header.department(catalogue.department), order.request.custody)

    async def _sign(self, order: ReleaseOrder, ciphertexts: bytes) -> Answer:
        parts = self._parts
        return Answer(answer.sign_answer(order, parts.signer, ciphertexts, parts.clock()), ciphertexts)


async def _verify(bundle: EvidenceBundle, anchors: Anchors, now: datetime) -> ReleaseOrder:
    """In a thread: the first check of a recipient's key is 0.1 s of arithmetic."""
    return await asyncio.to_thread(evidence.verify, bundle, anchors, now)


async def _read(source: Source, company: str) -> Row:
    return await asyncio.to_thread(source.read, company)
