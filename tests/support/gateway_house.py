"""A gateway in one process for tests: everything real but the ledger's process, the departments' and the clock.

    house = House(tmp_path)
    await house.settle()                      # key, scorecard, approval and consent, through the gateway's own code
    answer = await house.score()
    house.open_score(answer) == house.federation.plaintext_score()

The databases are migrated SQLite files; the ledger double appends real leaves to a real tree and returns cosigned
receipts; department doubles run the real `evidence.verify` and encrypt with the key that the bank signed for. Each
double fails exactly as it is told.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from sqlalchemy import event

from consentgate import evidence
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.evidence import EvidenceBundle
from consentgate.history import HistoryStatement
from consentgate.identity import Role, SpiffeId
from consentgate.scorecard import Scorecard
from consentgate.steps import OnStep
from gateway.computation import Computation
from gateway.consents import Consents
from gateway.departments import REASON, DepartmentAnswer
from gateway.dry_run import DryRunner
from gateway.keys import RecipientKeys
from gateway.policy import Policy
from gateway.policy_bundle import PACKAGED, PolicyBundle
from gateway.recorder import Recorder
from gateway.request_flow import FlowParts, RequestFlow, ScoreAnswer
from gateway.scorecards import JudgedScorecard, Scorecards, find_judged
from gateway.store import key_encryption_key, migrate, requests
from gateway.store.requests import StoredRequest
from gateway.store.sealed_database import SealedDatabase
from gateway.upkeep import Upkeep
from ledger.entry import Entry, parse
from ledger.receipt import AppendReceipt, Receipt
from paillier.score_range import decode_signed
from paillier.wire import split
from tests.support.federation import GROUP, TRUST_DOMAIN, Company, Federation, hex16
from tests.support.subject_histories import statement
from tests.support.witnessed_log import QUORUM, WitnessedLog

INSTITUTIONS = """
[institutions.bank-a]
licences = ["banking"]
supervisor = "nfra"
suspended = false

[institutions.bank-b]
licences = ["guarantee"]
supervisor = "nfra"
suspended = false
"""


@dataclass
class Clock:
    """A clock that the test moves."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **delta: float) -> None:
        """Lets time pass."""
        self.now += timedelta(**delta)


@dataclass
class LedgerDouble:
    """LedgerPort over a witnessed log in memory. `lost` are failures before an append, `kept` after one."""

    log: WitnessedLog
    clock: Clock
    lost: list[ErrorCode] = field(default_factory=list)
    kept: list[ErrorCode] = field(default_factory=list)
    down: ErrorCode | None = None
    witnesses: Sequence[str] = QUORUM
    indices: dict[str, int] = field(default_factory=dict)
    appends: int = 0

    async def append(self, kind: str, body: Mapping[str, object], key: str) -> AppendReceipt:
        """As LedgerPort."""
        self.appends += 1
        if self.down is not None:
            raise ConsentgateError(self.down)
        if self.lost:
            raise ConsentgateError(self.lost.pop(0))
        existing = key in self.indices
        if not existing:
            self.indices[key] = self.log.append(kind, dict(body), self.clock.now)
        if self.kept:
            raise ConsentgateError(self.kept.pop(0))
        receipt = self.log.receipt(self.indices[key], self.clock.now, witnesses=self.witnesses)
        return AppendReceipt(receipt.leaf, receipt.proof, existing)

    async def subject_entries(
        self, subjects: Sequence[str], after_seq: int | None, limit: int
    ) -> tuple[list[Receipt], int]:
        """As LedgerPort."""
        found = [
            entry.seq
            for entry in self.entries()
            if entry.body.get("subject") in subjects and (after_seq is None or entry.seq > after_seq)
        ]
        receipts = [self.log.receipt(seq, self.clock.now) for seq in found[:limit]]
        return receipts, len(self.log.leaves)

    async def check(self) -> None:
        """As LedgerPort."""
        if self.down is not None:
            raise ConsentgateError(self.down)

    def entries(self, kind: str | None = None) -> list[Entry]:
        """All entries, or those of one kind."""
        parsed = [parse(leaf) for leaf in self.log.leaves]
        return [entry for entry in parsed if kind is None or entry.kind == kind]


Spoil = Callable[[bytes, bytes], DepartmentAnswer]


@dataclass
class DepartmentsDouble:
    """DepartmentPort whose departments verify evidence and encrypt like real ones, and misbehave when told."""

    federation: Federation
    clock: Clock
    silent: set[str] = field(default_factory=set)
    refusing: dict[str, ErrorCode] = field(default_factory=dict)
    stale: dict[str, int] = field(default_factory=dict)
    """How often a department's tail is behind before it answers."""
    spoil: dict[str, Spoil] = field(default_factory=dict)
    released: dict[tuple[str, str], DepartmentAnswer] = field(default_factory=dict)
    """One leaf, one answer."""
    asked: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    async def get_features(self, department: str, evidence_: EvidenceBundle, seconds: float) -> DepartmentAnswer:
        """As DepartmentPort."""
        self.asked.append(department)
        self.seconds.append(seconds)
        if department in self.silent:
            raise ConsentgateError(ErrorCode.DEPARTMENT_UNAVAILABLE, field=department)
        if department in self.refusing:
            raise _refusal(department, self.refusing[department])
        if self.stale.get(department, 0) > 0:
            self.stale[department] -= 1
            raise _refusal(department, ErrorCode.LEDGER_STALE)
        try:
            order = evidence.verify(evidence_, self.federation.anchors, self.clock.now)
        except ConsentgateError as error:
            raise _refusal(department, error.code) from error
        key = (department, order.leaf_hash)
        if key not in self.released:
            token, ciphertexts = self.federation.answer(department, order)
            self.released[key] = DepartmentAnswer(token, ciphertexts)
        honest = self.released[key]
        spoil = self.spoil.get(department)
        return honest if spoil is None else spoil(honest.answer_jws, honest.ciphertexts)


@dataclass
class HistoriesDouble:
    """HistoryPort over the federation's log; `silent` departments say nothing."""

    federation: Federation
    clock: Clock
    silent: set[str] = field(default_factory=set)

    async def subject_histories(self, subject: str) -> list[HistoryStatement]:
        """As HistoryPort."""
        return [
            statement(self.federation, subject, self.clock.now, signer=department)
            for name, department in self.federation.departments.items()
            if name not in self.silent
        ]


def _refusal(department: str, code: ErrorCode) -> ConsentgateError:
    return ConsentgateError(
        ErrorCode.DEPARTMENT_REFUSED, field=f"{department}: {code}", extra={"department": department, REASON: str(code)}
    )


class ThreadComputation(Computation):
    """The real computation, in a thread: spawning a process takes a second."""

    def _new_pool(self) -> Executor:
        return ThreadPoolExecutor(self._processes)


@cache
def migrated_file() -> Path:
    """A migrated, empty database, made once, with keys beside it; tests copy all three (`furnish`)."""
    folder = Path(mkdtemp(prefix="gateway-house-"))
    key_encryption_key.create(folder / KEY_FILE)
    database = store_in(folder)
    migrate.upgrade(database)
    database.close()
    return folder / "gateway.db"


def store_in(folder: Path, url: str | None = None) -> SealedDatabase:
    """The store over the files in `folder`, or with its main database at `url`."""
    return SealedDatabase(
        url or f"sqlite:///{folder / 'gateway.db'}", f"sqlite:///{folder / 'keys.db'}", folder / KEY_FILE
    )


def furnish(folder: Path) -> None:
    """Migrated, empty databases and their key-encryption key."""
    for name in ("gateway.db", "keys.db", KEY_FILE):
        shutil.copy(migrated_file().with_name(name), folder / name)


@cache
def packaged_policy() -> Policy:
    """The packaged bundle with the institutions above."""
    file = migrated_file().parent / "institutions.toml"
    file.write_text(INSTITUTIONS)
    return Policy(PolicyBundle.load(PACKAGED, file))


KEY_FILE = "subject-keys.key"


def _without_waiting_for_the_disk(connection: Any, _record: object) -> None:
    """Tests kill no machine; waiting for each commit to reach the disk is most of their time."""
    connection.execute("PRAGMA synchronous=OFF")


class House:
    """One gateway over one database file; `restart` is a new process over the same files."""

    def __init__(
        self,
        folder: Path,
        federation: Federation | None = None,
        minimum_departments: int = 2,
        database_url: str | None = None,
    ) -> None:
        """Over a new SQLite file in `folder`, or over the migrated database at `database_url`."""
        self.federation = federation or Federation()
        self.folder = folder
        self.minimum_departments = minimum_departments
        self.clock = Clock(self.federation.now)
        self.ledger = LedgerDouble(self.federation.log, self.clock)
        self.departments = DepartmentsDouble(self.federation, self.clock)
        self.policy = packaged_policy()
        self.computation = ThreadComputation(1)
        self.department_deadline = timedelta(seconds=10)
        self.database_url = database_url or f"sqlite:///{folder / 'gateway.db'}"
        if database_url is None:
            furnish(folder)
        self.start()

    def start(self) -> None:
        """Everything that lives in a process, built from the files."""
        anchors = self.federation.anchors
        self.database = store_in(self.folder, self.database_url)
        for engine in (self.database.engine, self.database.keys.database.engine):
            if engine.dialect.name == "sqlite":
                event.listen(engine, "connect", _without_waiting_for_the_disk)
        self.recorder = Recorder(anchors, self.database, self.ledger)
        self.consents = Consents(anchors, self.database, self.recorder, self.policy, self.clock)
        self.scorecards = Scorecards(
            anchors, self.database, self.recorder, self.policy, self.minimum_departments, self.clock
        )
        self.keys = RecipientKeys(anchors, self.database, self.recorder, self.clock)
        self.dry_runner = DryRunner(anchors, self.database, self.policy, self.clock)
        self.upkeep = Upkeep(self.database, self.recorder, self.consents, self.policy.digest, self.clock)
        self.flow = self.new_flow()

    def restart(self) -> None:
        """The process dies and another one starts."""
        self.database.close()
        self.start()

    def close(self) -> None:
        """Ends threads and connections."""
        self.computation.close()
        self.database.close()

    def parts(self) -> FlowParts:
        """What the flow works with."""
        return FlowParts(
            anchors=self.federation.anchors,
            database=self.database,
            recorder=self.recorder,
            policy=self.policy,
            departments=self.departments,
            computation=self.computation,
            department_deadline=self.department_deadline,
            clock=self.clock,
        )

    def new_flow(self, on_step: OnStep | None = None) -> RequestFlow:
        """A flow over the present parts."""
        return RequestFlow(self.parts(), on_step)

    # Callers.

    @property
    def bank(self) -> SpiffeId:
        """bank-a."""
        return self.federation.bank_a.identity

    def company(self, company: Company | None = None) -> SpiffeId:
        """The company's TLS identity."""
        return SpiffeId(TRUST_DOMAIN, Role.COMPANY, (company or self.federation.company).entity)

    @property
    def reviewer(self) -> SpiffeId:
        """A reviewer's TLS identity."""
        return SpiffeId(TRUST_DOMAIN, Role.REVIEWER, "reviewer-1")

    # What must be there before a score.

    async def settle(self) -> None:
        """Key registered, scorecard approved for bank-a's group, consent granted."""
        await self.keys.register(self.federation.registration, self.bank)
        await self.register(self.federation.scorecard)
        await self.approve(self.federation.scorecard)
        await self.grant()

    async def register(self, scorecard: Scorecard) -> str:
        """Registers a scorecard by its owner."""
        owner = SpiffeId(TRUST_DOMAIN, Role.BANK, scorecard.header.owner)
        return (await self.scorecards.register(scorecard.header.encode(), scorecard.weights.encode(), owner))[0]

    async def approval(self, scorecard: Scorecard, action: str = "APPROVE", **changes: object) -> bytes:
        """The next link of the group's chain, signed by two reviewers; `changes` alter claims."""
        group = str(changes.get("group", GROUP))
        review = await self.scorecards.review(self.reviewer, group, scorecard.header.id)
        content = review.report.content
        judged = {entry["id"]: entry["state"] for entry in content["judged"]}  # type: ignore[attr-defined]
        judged[scorecard.header.id] = "approved" if action == "APPROVE" else "retired"
        claims: dict[str, object] = {
            "iat": int(self.clock.now.timestamp()),
            "action": action,
            "sequence": review.next_sequence,
            "previous": review.previous,
            "scorecard": scorecard.header.id,
            "scorecards": [{"id": name, "state": state} for name, state in judged.items()],
            "report": review.report.digest,
        }
        if content["members"]:
            claims["members"] = content["members"]
        return self.federation.sign_approval(self.federation.approval_claims(**{**claims, **changes}))

    async def approve(self, scorecard: Scorecard, action: str = "APPROVE", **changes: object) -> Receipt:
        """Submits the next link."""
        return await self.scorecards.submit(await self.approval(scorecard, action, **changes))

    async def grant(self, company: Company | None = None, **changes: object) -> Receipt:
        """Grants a consent, with single claims changed."""
        consent, attestation = self.consent(company, **changes)
        return await self.consents.grant(consent, attestation, self.company(company))

    def consent(self, company: Company | None = None, **changes: object) -> tuple[bytes, bytes]:
        """(consent, attestation) as signed."""
        company = company or self.federation.company
        claims = self.federation.consent_claims(company, **changes)
        attestation = self.federation.sign_attestation(self.federation.attestation_claims(company))
        return self.federation.sign_consent(claims, company.signers[: company.threshold]), attestation

    def transition(self, action: str, nonce: str = "", **changes: object) -> bytes:
        """A company's signed move; `nonce` is a label."""
        claims = self.federation.transition_claims(action, nonce=hex16(f"nonce {nonce or action}"), **changes)
        return self.federation.sign_transition(claims)

    # Asking.

    def request(self, label: str = "request", **changes: object) -> bytes:
        """A signed request, issued now; `label` makes the request id."""
        claims = {"iat": int(self.clock.now.timestamp()), "request_id": hex16(label), **changes}
        return self.federation.sign_request(self.federation.request_claims(**claims))

    async def score(
        self, token: bytes | None = None, time_left: float | None = None, flow: RequestFlow | None = None
    ) -> ScoreAnswer:
        """Asks for one score as bank-a."""
        return await (flow or self.flow).score(token or self.request(), self.bank, time_left)

    async def refused(
        self, token: bytes | None = None, time_left: float | None = None, flow: RequestFlow | None = None
    ) -> ConsentgateError:
        """The error that a request ends in."""
        with pytest.raises(ConsentgateError) as caught:
            await self.score(token, time_left, flow)
        return caught.value

    async def judged(self, scorecard: str) -> JudgedScorecard:
        """A scorecard as bank-a may have it computed now."""
        return await self.database.run(lambda session: find_judged(session, str(self.bank), scorecard))

    async def stored(self, label: str = "request") -> StoredRequest:
        """What the store holds of bank-a's request with this label."""
        found = await self.database.run(lambda session: requests.find(session, str(self.bank), hex16(label)))
        assert found is not None
        return found

    def open_score(self, answer: ScoreAnswer) -> int:
        """What the bank decrypts."""
        key = self.federation.paillier_key
        (ciphertext,) = split(answer.ciphertext, key.public, 1)
        return decode_signed(key.decrypt(ciphertext), key.public)
