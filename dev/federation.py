"""Brings a written federation to life: recipient keys before the start; registrations, approval, consents after it.

Shared by the demo, `make up` and `make real-data`. Everything goes through the running system, by the members' own
commands and clients; nothing is put into a database.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from consentgate.identity import Role
from consentgate.scorecard import Scorecard
from dev import review
from dev.ca import DevelopmentCa
from dev.commands import Desk, Outcome
from dev.departments import CATEGORIES
from dev.enrolment import EnrolledCompany
from dev.layout import BANK, GROUP, OFFICER, PURPOSE, Layout, spiffe
from dev.review import Approval
from dev.scorecards import write_scorecard
from paillier.public_key import DEFAULT_KEY_BITS

FIRST_PERIOD, LAST_PERIOD = "2024-01", "2099-12"
"""Periods that the companies' consents cover: the data carry no dates, so nothing depends on them."""
CONSENT_DAYS = 180


@dataclass(frozen=True)
class Federation:
    """A layout with its CA, and the desks of those who act in it."""

    layout: Layout
    ca: DevelopmentCa

    @property
    def bank(self) -> Desk:
        """The asking bank's command line."""
        return Desk("bank", self.layout.bank / "bank.toml", self.layout.directory)

    @property
    def other_bank(self) -> Desk:
        """The other bank's."""
        return Desk("bank", self.layout.other_bank / "bank.toml", self.layout.directory)

    @property
    def officer(self) -> Desk:
        """A compliance officer's, who reads the ledger and is recorded doing it."""
        folder = self.layout.member(Role.OFFICER, OFFICER)
        return Desk("ledger", folder / "officer.toml", self.layout.directory)

    def company(self, company: EnrolledCompany) -> Desk:
        """A company's."""
        return Desk("company", company.config, self.layout.directory)

    def make_key(self, desk: Desk, bits: int = DEFAULT_KEY_BITS) -> Outcome:
        """A bank's recipient key, with its proof."""
        return desk.must("keygen", "--bits", str(bits), connects=False)

    def register_scorecard(self, scorecard: Scorecard, file_name: str) -> Outcome:
        """The bank registers header and weights; nobody may ask with it yet."""
        path = self.layout.bank / file_name
        write_scorecard(path, scorecard)
        return self.bank.must("scorecard", "register", str(path))

    def approve(self, scorecard: Scorecard) -> Approval:
        """Two reviewers approve it for the bank's group."""
        return review.approve(self.layout, scorecard.header.id, GROUP, [spiffe(Role.BANK, BANK)])

    def grant(self, company: EnrolledCompany) -> Outcome:
        """The company consents to scores by the bank on all departments' data."""
        return self.company(company).must("grant", *grant_arguments(self.layout), "--yes")


def grant_arguments(layout: Layout) -> list[str]:
    """Options of `company grant`."""
    arguments = ["--grantee", spiffe(Role.BANK, BANK), "--group", GROUP, "--purpose", PURPOSE]
    for department in layout.departments:
        arguments += ["--category", CATEGORIES[department]]
    arguments += ["--data-range", f"{FIRST_PERIOD}..{LAST_PERIOD}", "--days", str(CONSENT_DAYS)]
    return [*arguments, "--frequency", "100/MONTH", "--total-uses", "1000"]


def current_period() -> str:
    """This month, as a request names it."""
    return f"{datetime.now(UTC):%Y-%m}"


def absolute(directory: str | Path) -> Path:
    """The folder of a topology as it stands in command lines and records."""
    return Path(directory).absolute()
