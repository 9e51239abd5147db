"""A whole federation as processes that tests kill at numbered steps of a request; and what must hold afterwards.

The gateway and one department are the real ones with an observer (`stepping_server`); everything else is what everybody
runs. After a kill and a restart a test lets `check` follow the request to its end, and the ledger to its
head.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bank_client import archive
from bank_client.client import BankClient
from bank_client.scoring import Score
from consentgate.errors import ConsentgateError, ErrorCode
from dev import processes, topology
from dev.commands import run_command, succeeded
from dev.companies import extract, sample_companies, trained_scorecard
from dev.departments import DEMO_COLUMNS
from dev.enrolment import ALONE, EnrolledCompany, enrol
from dev.federation import Federation
from dev.layout import BANK, PURPOSE
from dev.processes import Service
from dev.scorecards import build_scorecard
from dev.topology import Plan
from ledger.entry import Entry, leaf_hash, parse
from ledger.verify import read_leaves

GATEWAY, DEPARTMENT, LEDGER = "gateway", "courts", "ledger"
"""Processes that tests kill."""
KEY_BITS = 2048
"""Small, so that a scenario is about processes and not about arithmetic."""
REACH_SECONDS = 40.0
SETTLE_SECONDS = 90.0
"""A decision lives 60 s: after it every request has come to its end."""
PASSING = frozenset(
    {
        ErrorCode.LEDGER_STALE,
        ErrorCode.LEDGER_UNAVAILABLE,
        ErrorCode.LEDGER_QUORUM,
        ErrorCode.DEPARTMENT_UNAVAILABLE,
        ErrorCode.DEPARTMENT_REFUSED,
        ErrorCode.REQUEST_IN_PROGRESS,
        ErrorCode.CONNECTION_REFUSED,
        ErrorCode.UNAVAILABLE,
        ErrorCode.DEADLINE_EXCEEDED,
        ErrorCode.CANCELLED,
    }
)
"""What a process that is just coming back may cost; the same bytes are sent again."""


@dataclass(frozen=True)
class SteppingServer(Service):
    """The gateway or a department with the observer in place of the production command."""

    @property
    def steps(self) -> Path:
        """Where its orders lie."""
        return self.config.parent / "steps"

    def command_line(self) -> list[str]:
        """The test's own program."""
        kind = "gateway" if self.command == "gateway" else "department"
        return [sys.executable, "-m", "tests.support.stepping_server", kind, str(self.config), str(self.steps)]


Outcome = Score | ConsentgateError


def _one_thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1)


@dataclass
class KillHouse:
    """The federation while it runs."""

    federation: Federation
    services: dict[str, Service]
    pids: dict[str, int]
    company: EnrolledCompany
    scorecard: str
    expected: int
    bank: BankClient
    _pool: ThreadPoolExecutor = field(default_factory=_one_thread)

    def at(self, step: int, order: str, process: str = GATEWAY) -> None:
        """What the process is to do before this step of its own: `kill` or `pause`."""
        steps = self._steps(process)
        (steps / f"reached-{step}").unlink(missing_ok=True)
        (steps / f"at-{step}").write_text(order)

    def reached(self, step: int) -> None:
        """Returns when the gateway pauses there."""
        mark = self._steps(GATEWAY) / f"reached-{step}"
        _until(mark.exists, f"the gateway never came to step {step}")

    def go_on(self, step: int) -> None:
        """Ends the pause."""
        (self._steps(GATEWAY) / f"at-{step}").unlink(missing_ok=True)

    def _steps(self, process: str) -> Path:
        service = self.services[process]
        assert isinstance(service, SteppingServer), f"{process} has no observer"
        service.steps.mkdir(exist_ok=True)
        return service.steps

    def kill(self, name: str) -> None:
        """SIGKILL."""
        processes.kill(self.pids[name])

    def died(self, name: str) -> None:
        """Returns when the process has killed itself."""
        _until(lambda: not processes.is_running(self.pids[name]), f"{name} is still alive")

    def restart(self, name: str) -> None:
        """Starts it again, as a supervisor would, and waits until it serves."""
        self.pids[name] = self.services[name].start()
        self.services[name].await_ready(self.pids[name])

    def ask(self, request_id: str) -> Outcome:
        """One question of the bank, with the repeats that its client makes by itself."""
        try:
            return self.bank.score(
                company=self.company.sample.code,
                scorecard=self.scorecard,
                purpose=PURPOSE,
                request_id=request_id,
            )
        except ConsentgateError as error:
            return error

    def begin(self, request_id: str) -> Future[Outcome]:
        """The same in the background."""
        return self._pool.submit(self.ask, request_id)

    def settle(self, request_id: str, outcome: Outcome) -> Outcome:
        """Sends the same bytes again until there is a score or a refusal that will not pass."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while isinstance(outcome, ConsentgateError) and outcome.code in PASSING:
            assert time.monotonic() < deadline, f"still {outcome} after {SETTLE_SECONDS:.0f} s"
            time.sleep(0.3)
            outcome = self.ask(request_id)
        return outcome

    def check(self, request_id: str, first: Outcome) -> Score | None:
        """The promise after every crash; returns the score when there is one.

        1. the same request id comes to a score, the right one, or to a clear error, and stays there;
        2. the whole ledger verifies;
        3. the ledger holds at most one decision and one release of this request, and a release for every score;
        4. no department used a consent for a decision that the ledger does not hold.
        """
        # 1.
        outcome = self.settle(request_id, first)
        again = self.settle(request_id, self.ask(request_id))
        if isinstance(outcome, ConsentgateError):
            assert outcome.code is not ErrorCode.INTERNAL, outcome
            assert outcome.hint
            assert isinstance(again, ConsentgateError)
            assert again.code == outcome.code
        else:
            assert outcome.value == self.expected
            assert isinstance(again, Score)
            assert (again.value, again.release.leaf_hash) == (outcome.value, outcome.release.leaf_hash)
        # 2 to 4.
        self.check_history(request_id, released=isinstance(outcome, Score))
        return outcome if isinstance(outcome, Score) else None

    def check_history(self, request_id: str, *, released: bool) -> None:
        """Points 2 to 4 of `check`, over an export of the running ledger."""
        # 2. The export verifies what it wrote; the audit of the export is independent of that.
        entries = self.exported()
        # 3.
        mine = [entry for _, entry in entries if entry.body.get("request_id") == request_id]
        kinds = [entry.kind for entry in mine]
        assert kinds.count("query.decision") <= 1
        assert kinds.count("query.release") <= 1
        if released:
            kept = archive.read(self.federation.layout.bank / "archive" / f"{request_id}.zip")
            release = next(entry for entry in mine if entry.kind == "query.release")
            assert release.body["output"] == hashlib.sha256(kept.ciphertext).hexdigest()
        # 4.
        allowed = {
            digest for digest, entry in entries if entry.kind == "query.decision" and entry.body["verdict"] == "allow"
        }
        for department in self.federation.layout.departments:
            assert self.used(department) <= allowed, f"{department} answered something unrecorded"

    def exported(self) -> list[tuple[str, Entry]]:
        """(leaf hash, entry) of the whole verified ledger."""
        layout = self.federation.layout
        folder = layout.directory / "exports" / secrets.token_hex(4)
        folder.parent.mkdir(exist_ok=True)
        config, policy = str(layout.ledger / "ledger.toml"), str(layout.ledger / "ledger-policy.txt")
        succeeded(run_command(layout.directory, ["ledger", "export", str(folder), "--config", config, "--json"]))
        audited = run_command(layout.directory, ["ledger", "verify", str(folder), "--policy", policy, "--json"])
        assert succeeded(audited).members["valid"] is True
        return [(leaf_hash(leaf).hex(), parse(leaf)) for leaf in read_leaves(folder)]

    def used(self, department: str) -> set[str]:
        """Leaf hashes of the decisions for which a department counted a use, whether it answered or not."""
        connection = sqlite3.connect(self.federation.layout.department(department) / "state.db")
        try:
            return {row[0] for row in connection.execute("SELECT leaf FROM reservations")}
        finally:
            connection.close()


@contextmanager
def kill_house(directory: Path) -> Iterator[KillHouse]:
    """A federation with one consent and one approved scorecard; stopped at the end."""
    points, companies = trained_scorecard(), sample_companies(extract())[:20]
    federation = topology.create(directory, Plan(DEMO_COLUMNS, points.edges(), companies))
    federation.make_key(federation.bank, KEY_BITS)
    company = enrol(federation.layout, federation.ca, companies[0], ALONE)
    services = {service.name: service for service in federation.layout.services()}
    for name in (GATEWAY, DEPARTMENT):
        services[name] = SteppingServer(name, services[name].command, services[name].config)
    pids = processes.start_all(list(services.values()), directory)
    try:
        federation.bank.must("register-key")
        scorecard = build_scorecard(points, DEMO_COLUMNS, name="sme-points", owner=BANK)
        federation.register_scorecard(scorecard, "scorecard.json")
        federation.approve(scorecard)
        federation.grant(company)
        with BankClient.from_config(federation.layout.bank / "bank.toml", allow_development_ca=True) as bank:
            expected = points.score(company.sample.row)
            yield KillHouse(federation, services, pids, company, scorecard.header.id, expected, bank)
    finally:
        processes.stop_all(list(pids.values()))


def _until(holds: Callable[[], bool], complaint: str) -> None:
    deadline = time.monotonic() + REACH_SECONDS
    while not holds():
        assert time.monotonic() < deadline, complaint
        time.sleep(0.02)
