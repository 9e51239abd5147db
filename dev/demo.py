"""The system doing its job, told at a terminal: `make demo`.

A bank asks for a company's score. Five departments check the evidence themselves and answer with ciphertexts, the
gateway computes on what it cannot read, the ledger holds both decisions, the bank verifies, decrypts, and finds the
number that the plaintext gives. Then what must fail is tried, and fails. Every member is a process of its own, over
mutual TLS; every line with a `$` is a command that a member could have typed. Ends in exit code 0 when everything was
as expected, and writes `summary.json`.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.logs import LogLevel
from consentgate.scorecard import Scorecard
from dev import topology
from dev.commands import CommandFailed, Outcome
from dev.companies import extract, sample_companies, trained_scorecard
from dev.denials import EXPECTED, Denials
from dev.departments import DEMO_COLUMNS, REGISTRY
from dev.enrolment import ALONE, JOINT, EnrolledCompany, enrol
from dev.federation import Federation, absolute
from dev.layout import BANK, PURPOSE
from dev.ledger_story import tell_ledger
from dev.points import PointsScorecard
from dev.processes import ProcessFailed, running, terminate_gracefully
from dev.scorecards import build_scorecard
from dev.story import EXIT_DISAPPOINTED, EXIT_INTERRUPTED, Story, explained
from dev.topology import Plan
from paillier.public_key import DEFAULT_KEY_BITS

DIRECTORY = "build/demo"
SUMMARY = "summary.json"
COMPANY, STRANGER = 7, 8
"""Rows of the extract: the company that consents, and one that does not."""


@dataclass
class Demo:
    """One run."""

    story: Story
    federation: Federation
    points: PointsScorecard
    company: EnrolledCompany
    stranger: EnrolledCompany
    summary: dict[str, Any] = field(default_factory=dict)
    receipts: int = 0

    def register(self) -> tuple[Scorecard, Scorecard]:
        """The bank's key and two scorecards come onto the ledger; two reviewers approve one of them."""
        story, federation, bank = self.story, self.federation, self.federation.bank
        story.chapter("The bank registers its key and two scorecards; two reviewers approve one of them")
        story.command(bank.must("register-key"))
        approved = build_scorecard(self.points, DEMO_COLUMNS, name="sme-points", owner=BANK)
        other = build_scorecard(self.points, DEMO_COLUMNS, name="sme-points-unreviewed", owner=BANK)
        story.command(federation.register_scorecard(approved, "scorecard.json"))
        story.command(federation.register_scorecard(other, "unreviewed.json"))
        approval = federation.approve(approved)
        for outcome in approval.commands:
            story.command(outcome)
        linear = approval.report["linear"]
        story.fact(
            "disclosure report", f"{linear['unknowns']} unknowns, {linear['equations']} equation, nothing solvable"
        )
        story.fact("approved", f"by two reviewers, ledger entry {approval.seq}, verified")
        self.receipts += 4
        return approved, other

    def consent(self, scorecard: str) -> str:
        """Before and after the company's consent."""
        story = self.story
        story.chapter(f"{self.company.sample.name} consents; two of its three directors sign")
        before = self._dry_run(scorecard)
        story.expect("before it: would be denied", before.members.get("reason") == ErrorCode.CONSENT_NOT_FOUND)
        granted = self.federation.grant(self.company)
        story.command(granted)
        story.fact("ledger entry", f"{granted.members['seq']}, verified; it names a random token, not the company")
        after = self._dry_run(scorecard)
        story.expect("after it: would be allowed", after.members.get("allowed") is True)
        for policy in after.members.get("policies", []):
            story.fact(policy["id"], policy["basis"])
        self.receipts += 1
        return str(granted.members["consent_id"])

    def _dry_run(self, scorecard: str) -> Outcome:
        options = ["--scorecard", scorecard, "--purpose", PURPOSE]
        outcome = self.federation.bank.run("dry-run", "--company", self.company.sample.code, *options)
        self.story.command(outcome)
        return outcome

    def score(self, scorecard: Scorecard) -> str:
        """The main thing; returns the request id."""
        story, bank = self.story, self.federation.bank
        story.chapter("The bank asks; five departments answer with ciphertexts; the bank verifies, then decrypts")
        request_id = secrets.token_hex(16)
        options = ["--scorecard", scorecard.header.id, "--purpose", PURPOSE, "--request-id", request_id]
        asked = bank.must("score", "--company", self.company.sample.code, *options)
        story.command(asked)
        story.fact("answered", ", ".join(asked.members["departments"]))
        for name in ("decision", "release"):
            story.fact(name, f"ledger entry {asked.members[name]['seq']}, verified before decrypting")
        story.fact("question to score", f"{asked.members['seconds']:.2f} s")
        score, plain = int(asked.members["score"]), self.points.score(self.company.sample.row)
        story.expect(f"decrypted score {score} = plaintext score {plain}", score == plain)
        again = bank.must("score", "--company", self.company.sample.code, *options[:-1], secrets.token_hex(16))
        story.command(again)
        story.fact("asked again", f"{again.members['seconds']:.2f} s, now that departments know the bank's key")
        story.expect("the same company gets the same score", again.members["score"] == score)
        story.command(bank.must("verify", str(self.federation.layout.bank / "archive" / f"{request_id}.zip")))
        story.expect("the kept evidence verifies offline, without any key", True)
        self.receipts += 6
        self.summary |= {
            "score": score,
            "plaintext_score": plain,
            "departments": len(asked.members["departments"]),
            "columns": sum(len(entry.columns) for entry in scorecard.header.departments),
            "seconds_to_score": asked.members["seconds"],
        }
        return request_id

    def accesses(self) -> None:
        """The company looks who looked."""
        self.story.chapter("The company sees who used its consent")
        entries = self._shown_accesses()
        kinds = [entry["kind"] for entry in entries]
        self.story.expect(
            "two decisions, two releases", (kinds.count("query.decision"), kinds.count("query.release")) == (2, 2)
        )

    def lies(self, attempts: int) -> None:
        """And it sees each attempt of the liar: a decision that nobody answered."""
        entries = self._shown_accesses()
        released = sum(entry["kind"] == "query.release" for entry in entries)
        allowed = sum(entry["kind"] == "query.decision" and entry["verdict"] == "allow" for entry in entries)
        self.story.expect(
            f"the company sees every lie on the ledger: {allowed - released} decisions without a release",
            allowed - released == attempts,
        )

    def _shown_accesses(self) -> list[dict[str, Any]]:
        shown = self.federation.company(self.company).must("accesses")
        self.story.command(shown)
        entries: list[dict[str, Any]] = shown.members["accesses"]
        columns = ("seq", "kind", "institution", "verdict", "reason", "purpose")
        self.story.table(columns, [[entry[column] for column in columns] for entry in entries])
        self.receipts += int(shown.members["verified"])
        return entries

    def revoke(self, consent_id: str) -> None:
        """The company ends its consent."""
        revoked = self.federation.company(self.company).must("revoke", consent_id, "--yes")
        self.story.command(revoked)
        self.receipts += 1


def write_files(story: Story, directory: Path, key_bits: int) -> Demo:
    """Chapter 1: everything that exists before the first process runs."""
    points, companies = trained_scorecard(), sample_companies(extract())
    story.chapter(f"Five departments, {len(companies)} real companies' figures, none of them in one place")
    federation = topology.create(directory, Plan(DEMO_COLUMNS, points.edges(), companies))
    story.table(
        ("department", "its own SQLite database", "columns"),
        [
            (
                name + (" (registry)" if name == REGISTRY else ""),
                federation.layout.department(name) / "records.db",
                len(c),
            )
            for name, c in DEMO_COLUMNS.items()
        ],
    )
    story.command(federation.make_key(federation.bank, key_bits))
    federation.make_key(federation.other_bank, key_bits)
    company = enrol(federation.layout, federation.ca, companies[COMPANY], JOINT)
    stranger = enrol(federation.layout, federation.ca, companies[STRANGER], ALONE)
    story.say("The registry attested the directors' keys; certificates name members, never companies' codes.")
    return Demo(story, federation, points, company, stranger)


def tell(demo: Demo) -> None:
    """Chapters 3 to the end, with everything running."""
    story, federation = demo.story, demo.federation
    approved, other = demo.register()
    consent_id = demo.consent(approved.header.id)
    request_id = demo.score(approved)
    demo.accesses()
    denials = Denials(story, federation)
    story.chapter("What must fail, fails")
    denials.ordinary(demo.stranger, demo.company, approved.header.id, other.header.id)
    demo.revoke(consent_id)
    late = denials.ask("a consent that was revoked", demo.company, approved.header.id, ErrorCode.CONSENT_REVOKED)
    story.chapter("A gateway that lies, with the real gateway's keys, gets nothing from any department")
    denials.forgeries(request_id, late)
    demo.lies(len(EXPECTED))
    entries = tell_ledger(story, federation)
    demo.summary |= {
        "denied": dict(sorted(denials.denied.items())),
        "receipts_verified": demo.receipts,
        "ledger_entries": entries,
    }


def run(directory: Path, log_level: str, key_bits: int) -> int:
    """The whole demo; returns the exit code."""
    story = Story()
    try:
        demo = write_files(story, directory, key_bits)
        services = demo.federation.layout.services(log_level)
        story.chapter(f"{len(services)} processes over mutual TLS")
        began = time.monotonic()
        with running(services, directory) as pids, explained(story, services, pids):
            addresses = demo.federation.layout.addresses
            story.table(("process", "pid", "address"), [(name, pid, addresses[name]) for name, pid in pids.items()])
            story.fact("ready after", f"{time.monotonic() - began:.1f} s")
            tell(demo)
    except KeyboardInterrupt:
        story.trouble("Interrupted. Everything was stopped.")
        return EXIT_INTERRUPTED
    except (ProcessFailed, CommandFailed, ConsentgateError) as error:
        story.trouble(str(error))
        return EXIT_DISAPPOINTED
    return conclude(demo, directory)


def conclude(demo: Demo, directory: Path) -> int:
    """Summary file and last words."""
    path = directory / SUMMARY
    path.write_text(json.dumps(demo.summary, indent=1) + "\n")
    demo.story.chapter("Summary")
    for name, value in demo.summary.items():
        demo.story.fact(name, json.dumps(value))
    demo.story.fact("written to", path)
    for disappointment in demo.story.disappointments:
        demo.story.trouble(f"Not as expected: {disappointment}")
    return EXIT_DISAPPOINTED if demo.story.disappointments else 0


def main() -> None:
    parser = argparse.ArgumentParser(description="The main job end to end, and what must fail.")
    parser.add_argument("--directory", default=DIRECTORY, help="where the topology and summary.json are written")
    parser.add_argument("--log-level", default=LogLevel.INFO.value, choices=[level.value for level in LogLevel])
    parser.add_argument("--key-bits", type=int, default=DEFAULT_KEY_BITS, help="of the bank's Paillier key")
    arguments = parser.parse_args()
    terminate_gracefully()
    sys.exit(run(absolute(arguments.directory), arguments.log_level, arguments.key_bits))


if __name__ == "__main__":
    main()
