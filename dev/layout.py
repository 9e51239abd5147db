"""Who is in a development federation, and where each member's files and address are.

Every member has a folder of its own, as if it were a machine of its own, with its own copy of the anchors: no member's
process reads another member's folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from consentgate.identity import Role, SpiffeId
from dev.processes import Service

TRUST_DOMAIN = "consentgate.example"
LOG_ORIGIN = "consentgate.example/ledger"
GATEWAY = "gateway-1"
LEDGER = "ledger-1"
BANK = "bank-a"
OTHER_BANK = "bank-b"
"""A licensed bank that nobody gave a consent to; the demo's lying gateway colludes with it."""
GROUP = "bank-a-group"
"""Grantee group whose only member is BANK."""
REVIEWERS = ("reviewer-1", "reviewer-2")
OFFICER = "officer-1"
PURPOSE = "credit.origination"
OTHER_PURPOSE = "credit.monitoring"
"""A lawful purpose that the demo's company did not consent to."""


@dataclass(frozen=True)
class Layout:
    """Folders and addresses of one federation; `departments` in the order in which scorecards name them."""

    directory: Path
    departments: tuple[str, ...]
    addresses: Mapping[str, str]

    def member(self, role: Role, name: str) -> Path:
        """The folder of one member."""
        return self.directory / role / name

    @property
    def gateway(self) -> Path:
        """The gateway's folder."""
        return self.member(Role.GATEWAY, GATEWAY)

    @property
    def ledger(self) -> Path:
        """The ledger's folder."""
        return self.member(Role.LEDGER, LEDGER)

    @property
    def bank(self) -> Path:
        """The asking bank's folder."""
        return self.member(Role.BANK, BANK)

    @property
    def other_bank(self) -> Path:
        """The other bank's folder."""
        return self.member(Role.BANK, OTHER_BANK)

    def department(self, name: str) -> Path:
        """One department's folder."""
        return self.member(Role.DEPARTMENT, name)

    def services(self, log_level: str = "info") -> list[Service]:
        """All servers, in the order in which a person would start them; any order works."""
        arguments = ("--development", "--log-level", log_level)
        return [
            Service("ledger", "ledger", self.ledger / "ledger.toml", arguments),
            *(
                Service(name, "department-adapter", self.department(name) / "adapter.toml", arguments)
                for name in self.departments
            ),
            Service("gateway", "gateway", self.gateway / "gateway.toml", arguments),
        ]


def spiffe(role: Role, name: str) -> str:
    """A member's SPIFFE id."""
    return str(SpiffeId(TRUST_DOMAIN, role, name))


def witness_name(department: str) -> str:
    """Name of a department's witness key, in the policy and in cosignatures."""
    return f"{department}.witness.{TRUST_DOMAIN}"


def quorum(witnesses: int) -> int:
    """Fewest cosignatures that count: more than (N + f)/2 with f = ⌊(N − 1)/3⌋ liars.

    Any two quorums then share an honest witness, who does not cosign two histories.
    """
    return (witnesses + (witnesses - 1) // 3) // 2 + 1
