"""The form of a forgery."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from consentgate.errors import ErrorCode
from consentgate.evidence import EvidenceBundle
from tests.support.federation import Federation


@dataclass(frozen=True)
class Forgery:
    """`build` makes the bundle; `field` is the field that the error names, where the check names one."""

    name: str
    code: ErrorCode
    build: Callable[[Federation], EvidenceBundle]
    field: str | None = None
    later: timedelta = timedelta(0)
    """How long after the federation's `now` it is presented."""

    @property
    def slug(self) -> str:
        """The name as a folder name."""
        return self.name.replace(" ", "-").replace("/", "-")
