"""What must fail, and does: denials by the real gateway, and departments that refuse a gateway which lies."""

from __future__ import annotations

import secrets
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from consentgate.errors import ErrorCode
from dev import forger
from dev.commands import CommandFailed, Outcome, run_command
from dev.enrolment import EnrolledCompany
from dev.federation import Federation
from dev.layout import OTHER_PURPOSE, PURPOSE
from dev.story import Story

EXPECTED: Mapping[str, ErrorCode] = {
    "consent signed by strangers": ErrorCode.CONSENT_SIGNATURE,
    "strangers attested as directors": ErrorCode.ATTESTATION_SIGNATURE,
    "recipient key of another bank": ErrorCode.KEY_UNKNOWN,
    "another bank on this consent": ErrorCode.CONSENT_AUDIENCE,
    "one more column": ErrorCode.SCORECARD_HEADER,
    "revocation ignored": ErrorCode.CONSENT_REVOKED,
    forger.UNRECORDED: ErrorCode.RECEIPT_INVALID,
}
"""What every department must answer to each forgery."""


@dataclass
class Denials:
    """Asks for what must be refused, and counts the refusals by reason."""

    story: Story
    federation: Federation
    denied: Counter[str] = field(default_factory=Counter)

    def ask(
        self, what: str, company: EnrolledCompany, scorecard: str, expected: ErrorCode, purpose: str = PURPOSE
    ) -> str:
        """The bank asks for a score that it must not get; returns the request id."""
        request_id = secrets.token_hex(16)
        options = ["--scorecard", scorecard, "--purpose", purpose, "--request-id", request_id]
        outcome = self.federation.bank.run("score", "--company", company.sample.code, *options)
        self._told(what, outcome, expected)
        return request_id

    def _told(self, what: str, outcome: Outcome, expected: ErrorCode) -> None:
        self.story.command(outcome)
        self.story.expect(f"{what}: {outcome.reason or 'not refused'}", outcome.reason == expected)
        self.story.fact("hint", outcome.hint)
        if outcome.reason:
            self.denied[outcome.reason] += 1

    def ordinary(self, stranger: EnrolledCompany, company: EnrolledCompany, approved: str, unapproved: str) -> None:
        """No consent, another purpose, a scorecard that nobody approved."""
        self.ask("a company that gave no consent", stranger, approved, ErrorCode.CONSENT_NOT_FOUND)
        self.ask("a purpose not consented to", company, approved, ErrorCode.CONSENT_PURPOSE, OTHER_PURPOSE)
        self.ask("a scorecard nobody approved", company, unapproved, ErrorCode.SCORECARD_NOT_APPROVED)

    def forgeries(self, honest_request: str, late_request: str) -> None:
        """The lying gateway, as a process of its own, against all departments."""
        directory, kept = self.federation.layout.directory, self.federation.layout.bank / "archive"
        files = [str(directory), str(kept / f"{honest_request}.zip"), str(kept / f"{late_request}.request.jws")]
        outcome = run_command(directory, [sys.executable, "-m", "dev.forger"], files)
        self.story.command(outcome)
        if outcome.code:
            raise CommandFailed(f"the forger did not get to forge:\n{outcome.error}")
        for attack, answers in outcome.members.items():
            codes = Counter(answers.values())
            self.denied.update(code for code in answers.values() if code != forger.RELEASED)
            said = ", ".join(f"{code} from {count} departments" for code, count in codes.items())
            self.story.expect(f"{attack}: {said}", set(codes) == {EXPECTED[attack]})
        self.story.expect("every forgery was tried", set(outcome.members) == set(EXPECTED))
